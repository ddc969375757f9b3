"""`runoutcome explain`: codes, reasons, statuses and bodies, from the argument, a file and standard input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

from runoutcome import Catalog, Entry, error_for
from runoutcome.cli._errors import UserError
from runoutcome.cli._explain import outcomes_of_word
from runoutcome.cli._explanation import Explanation
from runoutcome.cli._subject import read_subject

CATALOG = Catalog.load()
FAILED: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "failed"}
LITERALS = [entry for entry in CATALOG.entries if entry.match == "literal"]


def body(**error: Any) -> str:
    """A failed run's body with this error."""
    return json.dumps({**FAILED, "error": error})


def pairs(text: str) -> dict[str, str]:
    """The labelled lines of an explanation that is wide enough for one line each."""
    lines = (line.partition("  ") for line in text.splitlines())
    return {label: value.strip() for label, _, value in lines if label}


def run_of(entry: Entry) -> dict[str, Any]:
    """A body for a row of the catalog."""
    if entry.field == "error.code":
        return {**FAILED, "error": {"code": entry.value}}
    if entry.field == "incomplete_details.reason":
        return {**FAILED, "status": "incomplete", "incomplete_details": {"reason": entry.value}}
    return {**FAILED, "status": entry.value}


@pytest.mark.parametrize("entry", LITERALS, ids=lambda entry: entry.id)
def test_a_value_is_explained_as_its_body_is_raised(entry: Entry) -> None:
    """For each row the exception and the advice shown are those a real body gets."""
    (shown,) = (found for found in outcomes_of_word(CATALOG, entry.value or "") if found.entry == entry)
    explanation = Explanation.of(shown, CATALOG)
    error = error_for(run_of(entry))
    if shown.phase == "pending":
        assert explanation.exception == "RunPendingError"
    else:
        assert explanation.exception == (type(error).__name__ if error else None)
    if error is not None and error.outcome.entry == entry:
        told = error.outcome
        assert (shown.retryable, shown.action, shown.status_code) == (told.retryable, told.action, told.status_code)


def test_a_code_is_explained_in_full() -> None:
    """A code is shown with both its classes, what to do, where it stands and how sure that is."""
    shown = pairs(call("explain", "vector_store_timeout", COLUMNS="200").stdout)
    assert shown["exception"] == "RunInternalServerError (also openai.InternalServerError)"
    assert shown["retryable"].startswith("yes")
    assert shown["action"] == "resubmit"
    assert shown["HTTP"] == "500, by its class (never observed)"
    assert shown["error.type"] == "internal_server_error"
    assert shown["stands in"] == "error.code of a response"
    assert shown["basis"] == "documented; confidence medium"
    assert shown["since"] == "catalog 1.0.0; openai 1.66.0"
    assert shown["contested"].startswith("openai.APITimeoutError: ")


def test_a_value_of_several_fields_shows_all() -> None:
    """`content_filter` is a code and a reason, with a class each."""
    data = json.loads(call("explain", "content_filter", "--json").stdout)
    found = {row["entry"]["field"]: row["exception"] for row in data["explanations"]}
    assert found == {"error.code": "RunBadRequestError", "incomplete_details.reason": "RunContentFilterError"}
    assert data["outcome"] is None


@pytest.mark.parametrize(
    ("status", "exception", "retryable"),
    [("429", "RunRateLimitError", True), ("503", "RunInternalServerError", True), ("418", "RunStatusError", False)],
)
def test_a_number_is_read_as_an_http_status(status: str, exception: str, retryable: bool) -> None:
    """A numeric code is explained by the SDK's status table."""
    (outcome,) = outcomes_of_word(CATALOG, status)
    assert Explanation.of(outcome, CATALOG).exception == exception
    assert (outcome.retryable, outcome.status_code) == (retryable, int(status))


def test_a_body_is_judged_and_then_explained(tmp_path: Path) -> None:
    """A file with a body shows its outcome: message, id, the server's delay, and the row that decided."""
    message = "Rate limit reached. Please try again in 1.5s."
    path = tmp_path / "body.json"
    path.write_text(body(code="rate_limit_exceeded", message=message), "utf-8")
    shown = pairs(call("explain", path, COLUMNS="200").stdout)
    assert shown["status"] == "failed (terminal)"
    assert shown["response"] == "resp_1"
    assert shown["server says"] == message
    assert shown["retry after"] == "1.5 s (by error.message)"
    assert shown["exception"] == "RunRateLimitError (also openai.RateLimitError)"
    assert shown["unless"].startswith("its message tells of: Request larger than the rate limit")


def test_a_message_that_decided_is_named() -> None:
    """A body whose message changed the verdict names the rule."""
    text = body(code="rate_limit_exceeded", message="Request too large for gpt-5")
    shown = pairs(call("explain", "-", stdin=text, COLUMNS="200").stdout)
    assert shown["refined by"] == "rule request-too-large, by the server's message"
    assert shown["retryable"] == "no"


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
    assert "is no run body" in complaint(call("explain", path))


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """A directory and a missing file are one clear line each."""
    assert "Is a directory" in complaint(call("explain", tmp_path))
    assert "No such file" in complaint(call("explain", tmp_path / "no.json"))
