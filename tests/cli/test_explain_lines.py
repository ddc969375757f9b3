"""`runoutcome explain` of JSON Lines: the output of a batch, or of `runoutcome run`, as a table and as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

ANSWER = [{"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}]


def answered(custom_id: str, body: dict[str, Any], status_code: int = 200) -> str:
    """A line of a batch's output: this request was answered with this body."""
    answer = {"status_code": status_code, "request_id": "req_1", "body": body}
    return json.dumps({"id": "batch_req_1", "custom_id": custom_id, "response": answer, "error": None})


def run(status: str, **fields: Any) -> dict[str, Any]:
    """A run's body."""
    return {"object": "response", "id": "resp_1", "status": status, **fields}


LINES = [
    answered("fine", {**run("completed"), "output": ANSWER}),
    answered("chat", {"object": "chat.completion", "choices": []}),
    answered("again", run("failed", error={"code": "server_error"})),
    answered("longer", run("incomplete", incomplete_details={"reason": "max_output_tokens"})),
    answered("slower", {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}, 429),
    answered("wrong", {"error": {"code": None, "message": "No such parameter."}}, 400),
    answered("empty", {}),
    json.dumps({"custom_id": "late", "response": None, "error": {"code": "batch_expired", "message": "Expired."}}),
]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The output file of a batch in which all kinds of things happened."""
    path = tmp_path / "output.jsonl"
    path.write_text("\n".join([*LINES, ""]), "utf-8")
    return path


def words(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def test_what_did_not_complete_is_a_table(output: Path) -> None:
    """Each row that did not complete is a line with its status, code, exception and advice; the others are counted."""
    done = call("explain", output, COLUMNS="200")
    shown = words(done.stdout)
    assert ["again", "response", "failed", "server_error", "RunInternalServerError", "yes", "resubmit"] in (
        line[:7] for line in shown
    )
    assert ["late", "batch.output_row", "failed", "batch_expired", "RunExpiredError", "yes", "resubmit"] in (
        line[:7] for line in shown
    )
    assert ["wrong", "batch.output_row", "failed", "HTTP", "400", "RunBadRequestError", "no"] in (
        line[:7] for line in shown
    )
    assert done.stdout.splitlines()[-1] == "8 rows: 2 completed, 6 not."
    assert not {"fine", "chat"} & {word for line in shown for word in line}
    assert done.returncode == 0


def test_rows_are_grouped_by_what_to_do(output: Path) -> None:
    """After the table the rows are named group by group: which to submit again, which to change, which nobody knows."""
    shown = [" ".join(line) for line in words(call("explain", output).stdout)]
    for group, names in [
        ("resubmit 2 rows: an identical new run may succeed", "again, late"),
        ("resubmit_later 1 row: an identical new run may succeed after a while", "slower"),
        ("change_request 1 row: the request has to be changed first", "wrong"),
        ("raise_limit 1 row: a limit has to be raised, or less asked for, first", "longer"),
        ("unknown 1 row: what became of the run is unknown", "empty"),
    ]:
        assert shown[shown.index(group) + 1] == names


def test_long_groups_are_cut(tmp_path: Path) -> None:
    """Of a group of thousands a few are named, and the rest counted."""
    path = tmp_path / "errors.jsonl"
    row = run("failed", error={"code": "server_error"})
    path.write_text("\n".join(answered(f"job-{number}", row) for number in range(2000)), "utf-8")
    assert "job-11, and 1988 more" in call("explain", path, COLUMNS="200").stdout


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_fits(output: Path, columns: int) -> None:
    """The table fits into the width, and says what a narrow terminal leaves out."""
    shown = call("explain", output, COLUMNS=str(columns)).stdout
    assert max(map(len, shown.splitlines())) <= columns
    assert ("need more width" in shown) is (columns == 80)


def test_json_has_every_row(output: Path) -> None:
    """As data each row is there, the completed ones too, with its line, its outcome and its page."""
    data = json.loads(call("explain", output, "--json").stdout)
    assert [row["line"] for row in data["rows"]] == list(range(1, 9))
    assert [row["custom_id"] for row in data["rows"] if row["outcome"]["retryable"]] == ["again", "slower", "late"]
    last = data["rows"][-1]
    assert last["docs"] == "batch_expired.md#batch-output_row-error-code"
    assert (last["exception"], last["outcome"]["surface"]) == ("RunExpiredError", "batch.output_row")
    assert data["broken"] == []


def test_a_broken_line_does_not_lose_the_rest(tmp_path: Path) -> None:
    """Lines that are no rows are named on stderr with what is wrong; the rest is explained, and the exit code is 2."""
    job = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {}})
    path = tmp_path / "output.jsonl"
    path.write_text("\n".join(["", LINES[2], '{"id": "batch_', "[1]", job, "", LINES[0][:-1], LINES[0]]), "utf-8")
    done = call("explain", path)
    assert done.stdout.splitlines()[-1] == "2 rows: 1 completed, 1 not."
    said = done.stderr.splitlines()
    assert [line.partition(" was left out: ")[0] for line in said] == [f"runoutcome: line {n}" for n in (3, 4, 5, 7)]
    assert "not JSON" in said[0]
    assert "not a JSON object" in said[1]
    assert "a line of a batch's input" in said[2]
    assert done.returncode == 2
    data = json.loads(call("explain", path, "--json").stdout)
    assert [line["line"] for line in data["broken"]] == [3, 4, 5, 7]


def test_nothing_but_broken_lines_is_one_line(tmp_path: Path) -> None:
    """A file without a single row is refused with what is wrong with its first line."""
    path = tmp_path / "output.jsonl"
    path.write_text('{"id": \n[1]\n', "utf-8")
    assert "line 1: it is not JSON" in complaint(call("explain", path))


def test_standard_input_may_be_lines() -> None:
    """`-` reads lines as well as a single body."""
    assert call("explain", "-", stdin="\r\n".join(LINES)).stdout.endswith("8 rows: 2 completed, 6 not.\n")


def test_one_line_of_a_lines_file_is_a_row_too(tmp_path: Path) -> None:
    """By its name a `.jsonl` file is a list, also with one line; a byte order mark is no part of it."""
    path = tmp_path / "output.jsonl"
    path.write_text(LINES[2], "utf-8-sig")
    assert "1 row: 0 completed, 1 not." in call("explain", path).stdout


def test_lines_may_hold_any_body(tmp_path: Path) -> None:
    """Lines without a custom id are called by the id of their body, else by their number."""
    path = tmp_path / "bodies.jsonl"
    bodies = [{"object": "batch", "id": "batch_7", "status": "expired"}, {"error": {"code": "slow_down"}}]
    path.write_text("\n".join(map(json.dumps, bodies)), "utf-8")
    shown = words(call("explain", path, COLUMNS="200").stdout)
    assert shown[1][:4] == ["batch_7", "batch", "expired", "expired"]
    assert shown[2][:6] == ["line", "2", "response", "unknown", "slow_down", "RunUnknownError"]


def test_results_of_our_own_run_are_understood(tmp_path: Path) -> None:
    """What `runoutcome run` writes is explained like a batch's output."""
    jobs = tmp_path / "jobs.jsonl"
    body = {"model": "gpt-5.5", "input": "Hello"}
    jobs.write_text(json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}), "utf-8")
    results = tmp_path / "results.jsonl"
    call("run", jobs, "-o", results, "--emulate", "--scenario", "quota")
    data = json.loads(call("explain", results, "--json").stdout)
    (row,) = data["rows"]
    assert (row["custom_id"], row["outcome"]["surface"]) == ("a", "response")
    assert json.loads(results.read_text("utf-8"))["outcome"]["exception"] == row["exception"]


def test_completed_rows_without_an_answer_are_counted_apart(tmp_path: Path) -> None:
    """A file of results names how many completed runs hold a refusal or nothing."""
    refusal = [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]
    bodies = [{"object": "response", "status": "completed", "output": output} for output in (ANSWER, refusal, [])]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    shown = call("explain", path, COLUMNS="200").stdout
    assert shown == "3 rows: 3 completed (1 with a refusal, 1 without output), 0 not.\n"


def test_a_row_that_acted_is_counted_apart(tmp_path: Path) -> None:
    """A run in which tools acted is in a group of its own, and not among those to submit again."""
    acted = {**run("failed", error={"code": "server_error"}), "output": [{"type": "mcp_call", "name": "pay"}]}
    path = tmp_path / "output.jsonl"
    path.write_text("\n".join([answered("paid", acted), LINES[2]]), "utf-8")
    shown = words(call("explain", path, COLUMNS="200").stdout)
    assert ["paid", "response", "failed", "server_error", "RunInternalServerError", "no", "none"] in (
        line[:7] for line in shown
    )
    assert [line[:4] for line in shown if line[1:3] == ["acted", "1"]] == [["tools", "acted", "1", "row:"]]
    assert [line[:3] for line in shown if line[:2] == ["resubmit", "1"]] == [["resubmit", "1", "row:"]]
