"""Reads an SDK model, dict, JSON text, stream event, webhook or raw response into one plain view.

Nothing here knows the SDK: its models are read by attribute, as any other object with the API's field names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from .._catalog.lookup import OUR_TYPES, Claim, Failure

FIELD = "outcome"
"""Name of the field by which a server says what a failure amounts to."""
Kind = Literal["run", "row", "event", "notice", "none"]
"""`run`: the body of a run, job or file. `row`: a line of a batch's output or error file. `event`: an error without a
run. `notice`: a status and an id only. `none`: none of these."""

_RUN_EVENT = "response."
_TURN_EVENT = "agent.session.turn."
_WEBHOOK = "event"
_NOTICES = ("batch.", "fine_tuning.job.", "eval.run.", "video.")
_MAX_ENVELOPES = 3
_MAX_SUMMARY_CHARS = 300
_MAX_COUNT = 2**63  # no count is larger, and Python does not print an int of more than 4300 digits


HEAD_BYTES = 4096
"""Length of the head in which the status is looked for. The API writes it fourth, after id, object and creation."""
_NAME = r'[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*'
_first_member = re.compile(r"[ \t\n\r]*\{" + _NAME).match
_next_member = re.compile(r"[ \t\n\r]*," + _NAME).match
_AGAIN = re.compile(r'"(?:id|object|status)"[ \t\n\r]*:')
_decode = json.JSONDecoder().raw_decode
_UNPRINTABLE = 10**4300
"""Stands for each number of more digits than Python reads; it cannot be printed either."""


class Answer(NamedTuple):
    """The HTTP answer that a row of a batch's output holds; its parts are None where the row holds none."""

    status_code: int | None = None
    body: Any = None

    @property
    def is_success(self) -> bool:
        """It is a 2xx."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_error(self) -> bool:
        """It is a 4xx or 5xx."""
        return self.status_code is not None and 400 <= self.status_code < 600


class Reading(NamedTuple):
    """A body in plain fields: itself, its `object`, its status as text, and its error object."""

    kind: Kind
    run: Any = None
    object: str | None = None
    status: str | None = None
    error: Any = None
    response_id: str | None = None
    request_id: str | None = None
    """Of the HTTP request, where the body itself tells it: a batch's output does."""
    answer: Answer = Answer()
    """Of a row."""


def read(obj: object, *, is_row: bool = False) -> Reading:
    """The reading of `obj`, as a row of a batch's output if the caller says so or it looks like one.

    May raise what the object's own attributes raise; `classify` never raises.
    """
    if isinstance(obj, (str, bytes, bytearray, memoryview)):
        return _read_text(obj, is_row)
    if is_row and (look(obj, "response") is not None or look(obj, "error") is not None):
        return _read_row(obj, look(obj, "error"))
    name = look(obj, "object")
    if isinstance(name, str) and name != _WEBHOOK:
        return _read_run(obj, name)
    content = None if isinstance(obj, Mapping) else getattr(obj, "content", None)
    if isinstance(content, bytes):  # a raw HTTP response, of any HTTP library
        return _read_text(content, is_row)
    return _read_nameless(obj)


def _read_text(text: str | bytes | bytearray | memoryview, is_row: bool) -> Reading:
    try:
        document = parse_json(text.removeprefix("\ufeff") if isinstance(text, str) else bytes(text))
    except (ValueError, RecursionError):
        return Reading("none")
    return read(document, is_row=is_row) if isinstance(document, dict) else Reading("none")


def _read_nameless(obj: object) -> Reading:
    kind, status, error = look(obj, "type"), look(obj, "status"), look(obj, "error")
    if isinstance(look(obj, "custom_id"), str) and (error is not None or look(obj, "response") is not None):
        return _read_row(obj, error)
    # What has a type is an item of a run's output, or an event; what calls itself something else is no run.
    if status is not None and kind is None and look(obj, "object") is None:
        return _read_run(obj, None)
    if isinstance(kind, str) and kind.startswith(_RUN_EVENT):
        return _read_event(obj, kind.removeprefix(_RUN_EVENT))
    if isinstance(kind, str) and kind.startswith(_TURN_EVENT):
        turn = look(obj, "turn")
        name = look(turn, "object")
        return _read_run(turn, name) if isinstance(name, str) else Reading("none")
    if isinstance(kind, str) and kind.startswith(_NOTICES) and (run_id := word(look(look(obj, "data"), "id"))):
        return Reading("notice", status=kind.rpartition(".")[2], response_id=run_id)
    if kind == "error":
        return Reading("event", error=error or obj)
    return Reading("event", error=error) if isinstance(error, Mapping) and error else Reading("none")


def _read_run(obj: object, name: str | None, fallback: str | None = None, beside: object = None) -> Reading:
    status, error = word(look(obj, "status")) or fallback, look(obj, "error")
    # Some servers put the error beside the run, or where the realtime API has it.
    error = error or beside or find(obj, ("status_details", "error")) or error
    return Reading("run", obj, name, status, error, word(look(obj, "id")))


def _read_row(obj: object, error: object) -> Reading:
    response = look(obj, "response")
    status_code, body = look(response, "status_code"), look(response, "body")
    if isinstance(body, str):  # OGX writes the JSON of the body as a text
        with suppress(ValueError, RecursionError):
            body = json.loads(body)
    answer = Answer(status_code if type(status_code) is int else None, body)
    request_id = word(look(response, "request_id"))
    return Reading("row", obj, error=error, response_id=word(look(obj, "id")), request_id=request_id, answer=answer)


def _read_event(obj: object, suffix: str) -> Reading:
    run, data, error = look(obj, "response"), look(obj, "data"), look(obj, "error")
    if isinstance(look(run, "id"), str) or isinstance(look(run, "status"), str):
        name = word(look(run, "object")) or "response"
        return _read_run(run, name, suffix if isinstance(look(run, "id"), str) else None, beside=error)
    if suffix == "failed" and error is not None:
        return Reading("run", run, "response", suffix, error)
    # A webhook carries only the run's id; other stream events (deltas) carry no run at all.
    is_told = data is not None or run is not None
    return Reading("notice", status=suffix, response_id=word(look(data, "id"))) if is_told else Reading("none")


def read_failure(error: object, run: object = None) -> Failure:
    """The plain fields of an error object of any type, and the `outcome` field in it or on top of its run."""
    claim = read_claim(error) or read_claim(run)
    if error is None:
        return Failure(claim=claim, is_null=True)
    error = _unwrapped(error)
    if isinstance(error, str):
        return Failure(message=error or None, claim=claim)
    kind, raw = word(look(error, "type")), look(look(error, "metadata"), "raw")
    cause = _cause(raw) if raw is not None else None
    return Failure(
        code=word(look(error, "code")),
        message=_with_cause(word(look(error, "message")), word(look(cause, "message")) or raw),
        type=None if kind == "error" else kind,
        param=word(look(error, "param")),
        claim=claim,
        causes=tuple(text for name in ("code", "type") if (text := word(look(cause, name)))),
    )


def read_claim(place: object) -> Claim | None:
    """The `outcome` field in an object; None if there is none, or one without a catalog's version and a known type."""
    field = look(place, FIELD)
    error_type = OUR_TYPES.get(word(look(field, "type")) or "")
    if error_type is None or error_type == "api_status_error" or not isinstance(look(field, "catalog"), str):
        return None
    milliseconds = look(field, "retry_after_ms")
    is_delay = type(milliseconds) is int and 0 <= milliseconds < _MAX_COUNT
    retry_after = milliseconds / 1000 if is_delay else None
    return Claim(error_type, look(field, "retryable") is True, word(look(field, "action")), retry_after)


def _unwrapped(error: object) -> object:
    """The error inside an error that says nothing itself, as gateways nest them."""
    for _ in range(_MAX_ENVELOPES):
        inner = look(error, "error") or look(error, "detail")
        if (
            look(error, "code") is not None
            or look(error, "message") is not None
            or not isinstance(inner, (Mapping, str))
        ):
            break
        error = inner
    return error


def summary_of(error: object) -> str | None:
    """The code and the message of an error object in one line, cut; None where it has neither."""
    failure = read_failure(error)
    text = ": ".join(part for part in (failure.code or failure.type, failure.message) if part)
    return f"{text[:_MAX_SUMMARY_CHARS]}…" if len(text) > _MAX_SUMMARY_CHARS else text or None


def _cause(raw: object) -> object:
    """The provider's own error behind an error: OpenRouter keeps that in `metadata.raw`, as JSON."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return None
    return look(raw, "error")


def _with_cause(message: str | None, cause: object) -> str | None:
    """The message, and the message behind it, where that is a text and says more."""
    if not isinstance(cause, str) or not cause or cause in (message or ""):
        return message
    return f"{message}: {cause}" if message else cause


def read_usage(usage: object) -> dict[str, int] | None:
    """The token counts of a `usage` object, flat; None where it holds none."""
    if usage is None:
        return None
    counts = {name: look(usage, name) for name in ("input_tokens", "output_tokens", "total_tokens")}
    for name, older in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        counts[name] = look(usage, older) if counts[name] is None else counts[name]
    counts["cached_tokens"] = look(look(usage, "input_tokens_details"), "cached_tokens")
    counts["reasoning_tokens"] = look(look(usage, "output_tokens_details"), "reasoning_tokens")
    return _numbers(counts)


def read_counts(counts: object) -> dict[str, int] | None:
    """The numbers of an object that counts the parts of a job; None where it holds none."""
    if counts is None:
        return None
    return _numbers(counts if isinstance(counts, Mapping) else getattr(counts, "__dict__", {}))


def _numbers(counts: Mapping[str, Any]) -> dict[str, int] | None:
    numbers = {name: count for name, count in counts.items() if type(count) is int and 0 <= count < _MAX_COUNT}
    return numbers or None


def find(obj: object, path: tuple[str, ...]) -> Any:
    """The value at the end of `path`, one field name a step; None if a step is missing."""
    for name in path:
        obj = look(obj, name)
    return obj


def look(obj: object, name: str) -> Any:
    """`obj[name]` of a mapping, `obj.name` of anything else; None where there is none, or where reading it raises."""
    if obj is None:
        return None
    try:
        if isinstance(obj, dict):
            return obj.get(name)
        extra = getattr(obj, "__pydantic_extra__", None)
        if isinstance(extra, dict):  # a model: asking it for a field it does not have costs more than all the rest
            return obj.__dict__[name] if name in obj.__dict__ else extra.get(name)
        return obj.get(name) if isinstance(obj, Mapping) else getattr(obj, name, None)
    except Exception:  # noqa: BLE001 - a foreign object may raise anything from its attributes
        return None


def word(value: object) -> str | None:
    """`value` as text, None for null and the empty string; servers send numbers where the API documents text."""
    if isinstance(value, str):
        return str(value) or None
    if value is None:
        return None
    try:
        if isinstance(value, (bool, list, dict)):
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return str(value)
    except Exception:  # noqa: BLE001 - an int of 5,000 digits, a list nested without end, a foreign `__str__`
        return f"<{type(value).__name__}>"


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. A number of too many digits becomes 10**4300. Raises ValueError and RecursionError."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        return -_UNPRINTABLE if digits.startswith("-") else _UNPRINTABLE


def read_head(content: bytes) -> dict[str, Any] | None:
    """The fields of a JSON object up to and with `status`; None if that takes reading all of it.

    What comes after them is not looked at, except that it ends as an object does: a cut body is no head. A name that
    comes again counts as it comes last, so a short body where one may is read whole.
    """
    if not content[-8:].rstrip().endswith(b"}"):
        return None
    text = content[:HEAD_BYTES].decode("utf-8", "ignore")
    member, head = _first_member(text), dict[str, Any]()
    while member:
        name = member[1]
        try:
            head[name], end = _decode(text, member.end())
        except (ValueError, RecursionError):  # a value that goes beyond the head, or is no JSON
            return None
        if name == "status":
            return None if len(content) <= HEAD_BYTES and _AGAIN.search(text, end) else head
        member = _next_member(text, end)
    return None
