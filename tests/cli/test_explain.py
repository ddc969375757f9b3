"""`runoutcome explain`: codes, reasons, statuses and bodies, from the argument, a file and standard input.

Files with a body on each line: `test_explain_lines`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

import runoutcome
from runoutcome import Catalog, Entry, Outcome, RunError, classify, raise_for_status
from runoutcome._catalog.rows import Deprecation
from runoutcome.cli._catalog.advice import example, except_line
from runoutcome.cli._catalog.explain import outcomes_of_word
from runoutcome.cli._catalog.explain_output import pairs as pairs_of
from runoutcome.cli._catalog.nearest import nearest_values
from runoutcome.cli._catalog.subject import read_subject
from runoutcome.cli._errors import UserError
from runoutcome.contract._address import docs_of
from runoutcome.contract._meaning import Meaning
from runoutcome.contract._sample import sample

ROOT = Path(__file__).parents[2]
CATALOG = Catalog.load()
FAILED: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "failed"}


def body(**error: Any) -> str:
    """A failed run's body with this error."""
    return json.dumps({**FAILED, "error": error})


def pairs(text: str) -> dict[str, str]:
    """The labelled lines of an explanation that is wide enough for one line each."""
    lines = (line.partition("  ") for line in text.splitlines())
    return {label: value.strip() for label, _, value in lines if label}


def shown_for(entry: Entry, catalog: Catalog = CATALOG) -> Outcome:
    """The outcome that `explain` shows for the value of a row, where it tells of this row."""
    word = "null" if entry.match == "null" else entry.value or ""
    (shown,) = (found for found in outcomes_of_word(catalog, word) if found.entry == entry)
    return shown


def test_a_value_is_explained_as_its_body_is_raised() -> None:
    """For each row of each surface the exception and the advice shown are those a real body gets."""
    for entry in CATALOG.entries:
        if entry.match in ("literal", "null"):
            shown, raised = shown_for(entry), raised_for(sample(CATALOG, entry), entry.surface)
            assert Meaning.of(shown, CATALOG).exception == (type(raised).__name__ if raised else None), entry.id
            assert shown.ok is (raised is None), entry.id
            assert raised is None or raised.outcome.entry != entry or raised.outcome == shown, entry.id


def raised_for(document: dict[str, Any], surface: str) -> RunError | None:
    """What `raise_for_status` raises for a body of this surface."""
    try:
        raise_for_status(document, surface=surface)
    except RunError as error:
        return error
    return None


def test_only_a_status_with_a_field_of_its_own_for_the_cause_does_not_decide() -> None:
    """Each row decides about the body made for it, but for those whose status another field explains.

    Rows about the output are words for a completed run, which is decided by its status.
    """
    made = {entry: classify(sample(CATALOG, entry), surface=entry.surface) for entry in CATALOG.entries}
    others = {entry for entry, outcome in made.items() if outcome.entry != entry}
    output = {(entry.field, entry.value) for entry in others if entry.field.startswith("output")}
    decided = {(entry.field, entry.value) for entry in others} - output
    assert decided == {("status", "failed"), ("status", "incomplete")}
    assert output == {
        ("output", "refusal"),
        ("output", "empty"),
        ("output", "failed_items"),
        ("output_file_id", "empty"),
    }


@pytest.mark.parametrize(
    ("row", "status", "exception"),
    [
        ("realtime.response/status_details.reason/turn_detected", "cancelled", "RunCancelledError"),
        ("realtime.response/status_details.reason/max_output_tokens", "incomplete", "RunIncompleteError"),
        ("realtime.response/status_details.reason/content_filter", "incomplete", "RunContentFilterError"),
        ("vector_store.file/last_error.code/unsupported_file", "failed", "RunBadRequestError"),
        ("thread.run/last_error.code/rate_limit_exceeded", "failed", "RunRateLimitError"),
        ("batch/errors.data.code/token_limit_exceeded", "failed", "RunRateLimitError"),
        ("batch.output_row/error.code/batch_expired", "failed", "RunExpiredError"),
        ("batch.output_row/status/completed", "completed", None),
        ("fine_tuning.job/status/succeeded", "succeeded", None),
        ("fine_tuning.job/status/paused", "paused", "RunPendingError"),
        ("eval.run/status/canceled", "canceled", "RunCancelledError"),
        ("response/error/<null>", "failed", "RunFailedError"),
    ],
)
def test_every_surface_has_its_own_statuses(row: str, status: str, exception: str | None) -> None:
    """A value is explained with the status in which its surface has it, and the exception for that."""
    (entry,) = (entry for entry in CATALOG.entries if entry.id == row)
    shown = shown_for(entry)
    assert (shown.status, Meaning.of(shown, CATALOG).exception) == (status, exception)


def test_a_code_is_explained_in_full() -> None:
    """A code is shown with both its classes, what to do, where it stands and how sure that is."""
    shown = pairs(call("explain", "vector_store_timeout", COLUMNS="200").stdout)
    assert shown["exception"] == "RunInternalServerError (also openai.InternalServerError)"
    assert shown["retryable"] == "yes: an identical new run may succeed"
    assert shown["action"] == "resubmit"
    assert shown["HTTP"] == "500"
    assert shown["error.type"] == "internal_server_error"
    assert shown["stands in"] == "error.code of a response"
    assert shown["basis"] == "documented; confidence medium"
    assert shown["since"] == "catalog 1.0.0; openai 1.66.0"
    assert shown["contested"].startswith("openai.APITimeoutError: ")
    assert shown["billed"].startswith("not known")
    assert shown["more"] == "runoutcome catalog pages DIR writes vector_store_timeout.md#response-error-code"


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (
            "vector_store_timeout",
            "except runoutcome.RunInternalServerError as error:  # error.code == 'vector_store_timeout'",
        ),
        (
            "max_output_tokens",
            "except runoutcome.RunIncompleteError as error:  # error.outcome.reason == 'max_output_tokens'",
        ),
        ("refusal", 'except runoutcome.RunRefusedError as error:  # with require="output"'),
    ],
)
@pytest.mark.parametrize("columns", ["20", "200"])
def test_a_value_has_its_except_line(word: str, line: str, columns: str) -> None:
    """The line that catches it is printed whole, to be copied, at any width."""
    assert f"\n  {line}\n" in call("explain", word, COLUMNS=columns).stdout


def test_the_except_line_catches_its_example() -> None:
    """For every literal row the example raises what the line catches, and the condition beside it is true."""
    for entry in CATALOG.entries:
        if entry.match != "literal" or entry.field.startswith("output"):
            continue
        meaning = Meaning.of(shown_for(entry), CATALOG)
        body, line = example(CATALOG, entry, meaning), except_line(entry, meaning)
        error = raised_for(body, entry.surface)
        if error is None or error.outcome.entry != entry:
            continue
        caught, condition = re.fullmatch(r"except runoutcome\.(\w+) as error:  # (.+)", line).groups()  # type: ignore[union-attr]
        assert isinstance(error, getattr(runoutcome, caught))
        assert eval(condition, {"error": error}), entry.id


@pytest.mark.parametrize(("word", "exception"), [("refusal", "RunRefusedError"), ("empty", "RunEmptyError")])
def test_the_example_of_a_hollow_success_is_one(word: str, exception: str) -> None:
    """The example body of a row about the output is raised with `require="output"`."""
    rows = json.loads(call("explain", word, "--json").stdout)["explanations"]
    (body,) = (row["example"] for row in rows if row["docs"].endswith("#response-output"))
    with pytest.raises(RunError) as caught:
        raise_for_status(body, require="output")
    assert type(caught.value).__name__ == exception


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("completed", "yes, by the tokens in `usage`"),
        ("max_output_tokens", "not known for sure; the output so far was generated, and `usage` counts its tokens"),
        ("server_error", "not known; read `usage`: most failed bodies have none"),
        ("batch_expired", "no: the request was not executed"),
        ("queued", "not known before its end; what it has done may be billed"),
    ],
)
def test_a_bill_is_claimed_only_where_it_is_known(word: str, answer: str) -> None:
    """Whether such a run is billed is said where a source says it, and else is not known."""
    rows = json.loads(call("explain", word, "--json").stdout)["explanations"]
    assert rows[0]["billed"] == answer


@pytest.mark.parametrize("name", ["RateLimitError", "openai.RateLimitError", "RunRateLimitError"])
def test_a_class_is_explained(name: str) -> None:
    """The name of a class of ours or of the SDK shows our class, how to catch it, and its values."""
    text = call("explain", name, COLUMNS="200").stdout
    assert text.startswith("RunRateLimitError: A rate limit, a quota or a spend limit (429)")
    assert "except runoutcome.RunRateLimitError as error:" in text
    assert "rate_limit_exceeded (retryable)" in text
    (data,) = json.loads(call("explain", name, "--json").stdout)["classes"]
    assert (data["exception"], data["caught_by"][0]) == ("RunRateLimitError", "openai.RateLimitError")
    assert "insufficient_quota" in data["values"]


def test_a_class_may_stand_for_two_of_ours() -> None:
    """`NotFoundError` is what a failed run is raised as, and what a run that is gone is."""
    data = json.loads(call("explain", "NotFoundError", "--json").stdout)
    assert [one["exception"] for one in data["classes"]] == ["RunNotFoundError", "RunGoneError"]


def test_a_class_of_requests_is_told_apart() -> None:
    """A class that no run is raised as is one line that says so."""
    assert "no run is raised as APIConnectionError" in complaint(call("explain", "APIConnectionError"))
    assert "Did you mean RateLimitError?" in complaint(call("explain", "RateLimitEror"))


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("rate_limit", "rate_limit_exceeded"),
        ("RateLimited", "rate_limit_exceeded"),
        ("quota", "insufficient_quota"),
        ("sever_error", "server_error"),
        ("context_window", "context_length_exceeded"),
        ("moderation", "moderation_blocked"),
        ("invalid_key", "invalid_api_key"),
    ],
)
def test_the_nearest_value_is_nearest_by_meaning(word: str, nearest: str) -> None:
    """A word that is no value is answered with the value that means the same, spelt alike or not."""
    assert nearest_values(CATALOG, word)[0] == nearest


def test_a_row_is_not_told_to_fetch_a_run() -> None:
    """A row of a batch without an answer names no run, so the advice is about the batch."""
    text = call("explain", '{"custom_id": "a", "response": {"status_code": 200, "body": {}}, "error": null}').stdout
    assert "Fetch the run" not in text
    assert "without its run" not in text
    assert "error file" in text


def test_a_value_of_several_fields_shows_all() -> None:
    """`content_filter` is a code and a reason, on two surfaces, with a class and a place in the docs each."""
    data = json.loads(call("explain", "content_filter", "--json").stdout)
    found = {row["docs"].partition("#")[2]: row["exception"] for row in data["explanations"]}
    assert found == {
        "response-error-code": "RunBadRequestError",
        "response-incomplete_details-reason": "RunContentFilterError",
        "realtime-response-status_details-reason": "RunContentFilterError",
    }
    assert data["outcome"] is None


def test_every_row_has_its_page() -> None:
    """The page and the anchor that are shown for a row are there."""
    for entry in CATALOG.entries:
        path, _, anchor = (docs_of(entry) or "").partition("#")
        assert f'<a id="{anchor}"></a>' in (ROOT / "docs" / "catalog" / path).read_text("utf-8")


@pytest.mark.parametrize(
    ("status", "exception", "retryable"),
    [("429", "RunRateLimitError", True), ("503", "RunInternalServerError", True), ("418", "RunStatusError", False)],
)
def test_a_number_is_read_as_an_http_status(status: str, exception: str, retryable: bool) -> None:
    """A numeric code is explained by the SDK's status table."""
    (outcome,) = outcomes_of_word(CATALOG, status)
    assert Meaning.of(outcome, CATALOG).exception == exception
    assert (outcome.retryable, outcome.status_code) == (retryable, int(status))


def test_a_body_is_judged_and_then_explained(tmp_path: Path) -> None:
    """A file with a body shows its outcome: message, id, the server's delay, and the row that decided."""
    message = "Rate limit reached. Please try again in 1.5s."
    path = tmp_path / "body.json"
    path.write_text(body(code="rate_limit_exceeded", message=message), "utf-8")
    shown = pairs(call("explain", path, COLUMNS="200").stdout)
    assert shown["status"] == "failed (terminal)"
    assert shown["id"] == "resp_1"
    assert shown["server says"] == message
    assert shown["retry after"] == "1.5 s (by error.message)"
    assert shown["exception"] == "RunRateLimitError (also openai.RateLimitError)"
    assert shown["unless"].startswith("its message tells of: Request larger than the rate limit")


def test_a_message_that_decided_is_named() -> None:
    """A body whose message changed the verdict names the rule."""
    text = body(code="rate_limit_exceeded", message="Request too large for gpt-5")
    shown = pairs(call("explain", "-", stdin=text, COLUMNS="200").stdout)
    assert shown["refined by"] == "rule request-too-large, by the server's message"
    assert shown["retryable"] == "no: the request has to be changed first"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            {"object": "batch", "status": "completed", "request_counts": {"total": 9, "completed": 7, "failed": 2}},
            {"kind": "batch", "counts": "total 9, completed 7, failed 2", "exception": "none: the run is returned"},
        ),
        (
            {"object": "fine_tuning.job", "id": "ftjob-1", "status": "failed", "error": {"code": "server_error"}},
            {"kind": "fine_tuning.job", "id": "ftjob-1", "stands in": "error.code of a fine_tuning.job"},
        ),
        (
            {"custom_id": "a", "response": {"status_code": 429, "body": {"error": {"code": "slow_down"}}}},
            {"kind": "batch.output_row", "code": "slow_down", "action": "resubmit_later"},
        ),
        (
            {"object": "vector_store.file", "status": "in_progress"},
            {"exception": "none while it is polled; RunPendingError from raise_for_status"},
        ),
    ],
)
def test_a_body_of_any_surface_is_judged(document: dict[str, Any], told: dict[str, str]) -> None:
    """Batches, rows of their output, jobs and files are explained as runs are."""
    shown = pairs(call("explain", json.dumps(document), COLUMNS="200").stdout)
    assert {label: shown.get(label) for label in told} == told


def test_a_deprecated_row_says_what_to_use() -> None:
    """A row that is out of use says since when, why, and what takes its place."""
    (entry,) = CATALOG.find("slow_down")
    old = replace(
        entry, deprecated=Deprecation("1.2.0", "The API renamed it.", "response/error.code/rate_limit_exceeded")
    )
    outcome = replace(classify(sample(CATALOG, entry)), entry=old)
    told = dict(pairs_of(Meaning.of(outcome, CATALOG)))["deprecated"]
    assert told == "since catalog 1.2.0: The API renamed it. Use response/error.code/rate_limit_exceeded."


def test_json_of_a_body_holds_its_outcome() -> None:
    """`--json` prints the outcome of a body and the full row that decided."""
    data = json.loads(call("explain", body(code="brand_new", message="?"), "--json").stdout)
    assert (data["outcome"]["code"], data["outcome"]["known"]) == ("brand_new", False)
    (row,) = data["explanations"]
    assert (row["exception"], row["error_class"], row["retryable"]) == ("RunFailedError", "APIError", False)
    assert row["entry"]["match"] == "unknown"


def test_standard_input_may_be_a_bare_code() -> None:
    """`-` reads a bare code as well as a body."""
    assert call("explain", "-", stdin="server_error\n").stdout.startswith("server_error: ")


def test_text_of_the_server_is_printed_literally() -> None:
    """Markup in a message is printed as it is, and what would steer a terminal is made visible."""
    message = "[red]bold[/] [/] \x1b[31mred\x1b[0m \x9b2J \u202e \ud800 :boom: end"
    done = call("explain", body(code="server_error", message=message), COLUMNS="200")
    said = pairs(done.stdout)["server says"]
    assert said == r"[red]bold[/] [/] \x1b[31mred\x1b[0m \x9b2J \u202e \ud800 :boom: end"
    assert "\x1b" not in done.stdout


def test_output_that_cannot_be_encoded_is_escaped() -> None:
    """A machine without Unicode gets escapes, not a traceback."""
    done = call("explain", body(code="server_error", message="naïve ☃"), PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert r"na\xefve \u2603" in done.stdout


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("SERVER_ERROR", "Did you mean server_error"),
        ("resp_123", "runoutcome wait resp_123"),
        ("DeploymentNotFound", "RUNOUTCOME_CATALOG=azure"),
        ("zzz", "runoutcome catalog"),
        ("200", "runoutcome catalog"),
    ],
)
def test_an_unknown_word_gets_a_hint(word: str, guess: str) -> None:
    """For an unknown word the nearest values are named, for an id the command that takes it, else the catalog."""
    with pytest.raises(UserError, match=re.escape(guess)):
        outcomes_of_word(CATALOG, word)


def test_an_unknown_word_is_one_line() -> None:
    """An unknown word is one line with a guess, and with what the contract does with unknown codes."""
    line = complaint(call("explain", "sever_error"))
    assert "Did you mean server_error?" in line
    assert "bare openai.APIError, and is never retryable" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"status":', "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[1]", "a response body is an object"),
        (b"[" * 100_000, "body.json is n"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that holds no JSON object is refused with what is wrong with it."""
    path = tmp_path / "body.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_subject(str(path), CATALOG)


def test_a_body_of_something_else_is_one_line(tmp_path: Path) -> None:
    """JSON that is no run body is one clear line."""
    path = tmp_path / "body.json"
    path.write_text('{"object": "chat.completion"}')
    assert "is not a run body" in complaint(call("explain", path))


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """A directory and a missing file are one clear line each."""
    assert "Is a directory" in complaint(call("explain", tmp_path))
    assert "No such file" in complaint(call("explain", tmp_path / "no.json"))
