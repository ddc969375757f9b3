"""Observation of a run by the answer to a poll, and the response that the caller gets in the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import _sdk
from .._catalog.catalog import Catalog
from .._catalog.rows import HOME
from .._errors.bases import Origin
from .._errors.exceptions import OutputParseError
from .._errors.raising import Require, is_accepted, lacks_output, make_error, origin_of
from .._outcome.body import HEAD_BYTES, Reading, parse_json, read, read_head, summary_of, word
from .._outcome.classify import examine
from .._outcome.judge import judge
from .._outcome.outcome import Outcome
from .._outcome.retry_after import parse_seconds
from .._sdk.faults import NoRunBodyError
from .._sdk.responses import Answer, build_run
from .._sdk.structured_output import TextFormat, complaints, unparsed

_HINT = "openai-poll-after-ms"
_ERROR = re.compile(rb'"error"[ \t\n\r]*:[ \t\n\r]*[{"]')
"""An error beside a pending status; it is rare, so the whole body is read for it."""


@dataclass(frozen=True)
class Observation:
    """Outcome of the body that a good poll brought, and its origin."""

    outcome: Outcome
    origin: Origin
    hint_seconds: float | None = None
    """Delay that the server asks for before the next poll."""
    unread: Answer | None = None
    """The answer whose body was read up to its status only, as the run is pending."""
    is_renamed: bool = False
    """The body has an id that nobody knows, and no key: the server names its runs anew."""


@dataclass(frozen=True)
class Expected:
    """Result that a caller accepts, and its form."""

    accept: frozenset[str] = frozenset()
    text_format: TextFormat | None = None
    require: Require | None = None


def observe(obj: object, catalog: Catalog) -> Observation:
    """The body of a response that the caller, or a create, already has."""
    outcome, reading = examine(obj, catalog=catalog)
    return Observation(outcome, origin_of(obj, reading))


def observe_answer(answer: Answer, catalog: Catalog) -> Observation:
    """The observation by a 2xx answer to a poll; of a pending run only the status is read.

    Raises NoRunBodyError for an answer that holds no run.
    """
    return _pending(answer, catalog) or observe_body(answer, catalog)


def _pending(answer: Answer, catalog: Catalog) -> Observation | None:
    """The observation of a pending run by the head of its body; None if the head does not say that it is pending."""
    head, place = read_head(answer.content), catalog.surfaces[HOME]
    if head is None or not isinstance(head.get("id"), str) or head.get("object") != place.object:
        return None
    status = head["status"]
    if not isinstance(status, str) or status not in place.pending or _ERROR.search(answer.content, 0, HEAD_BYTES):
        return None
    outcome = judge(Reading("run", head, place.object, status, None, word(head["id"])), place, catalog)
    origin = Origin(None, None, answer.status_code, answer.request_id, answer.url, answer.http_library)
    return Observation(outcome, origin, _hint(answer), answer)


def observe_body(answer: Answer, catalog: Catalog) -> Observation:
    """The observation by the whole body, which the caller may get. Raises NoRunBodyError."""
    try:
        body = parse_json(answer.content)
    except (ValueError, RecursionError):
        raise NoRunBodyError(f"HTTP {answer.status_code} with {_kind_of_page(answer.content)}") from None
    try:
        return _observe(body, answer, catalog)
    except RecursionError:  # Python parses lists that are nested deeper than it walks
        raise NoRunBodyError(f"HTTP {answer.status_code} with JSON that is nested too deep") from None


def _observe(body: object, answer: Answer, catalog: Catalog) -> Observation:
    reading = read(body) if isinstance(body, dict) else Reading("none")
    run = reading.run
    is_run = reading.kind == "run" and reading.object in (None, "response") and isinstance(run, dict)
    if not is_run or not isinstance(run.get("id"), str) or "status" not in run:
        kind = f"an error in place of the run ({summary_of(reading.error)})" if reading.error else "JSON that is no run"
        raise NoRunBodyError(f"HTTP {answer.status_code} with {kind}", reading.error)
    outcome = judge(reading, catalog.surfaces[HOME], catalog)
    # The model is built once, not per poll.
    ended = build_run(run, answer.request_id) if outcome.phase == "terminal" else run
    return Observation(
        outcome,
        Origin(ended, reading.error, answer.status_code, answer.request_id, answer.url, answer.http_library),
        _hint(answer),
    )


def whole(observation: Observation, catalog: Catalog) -> Observation:
    """The observation with the whole body, where only its head was read. Raises NoRunBodyError."""
    if observation.unread is None or observation.origin.run is not None:
        return observation
    return replace(observation, origin=observe_body(observation.unread, catalog).origin)


def finish(expected: Expected, observation: Observation, token: str) -> _sdk.Response:
    """The response of a run that is completed or accepted. Raises what any other amounts to, or OutputParseError."""
    outcome = observation.outcome
    if is_accepted(outcome, expected.accept) and not lacks_output(outcome, expected.require):
        return in_form(expected.text_format, model_of(observation.origin), observation.outcome, token)
    raise make_error(observation.outcome, observation.origin) from None


def in_form(text_format: TextFormat | None, run: Any, outcome: Outcome, token: str) -> _sdk.Response:
    """`run` as it is, or as the SDK's parsed response; only the output of a completed run is parsed.

    Raises OutputParseError for an output that is not what `text_format` asked for.
    """
    if text_format is None:
        plain: _sdk.Response = run
        return plain
    response = build_run(dict(run), None) if isinstance(run, Mapping) else run
    if not outcome.ok:
        return unparsed(response)
    try:
        return text_format.parsed(response)
    except Exception as error:  # the user's own validators raise anything; what was paid for must not be lost with it
        raise OutputParseError.of(response, outcome, token, text_format.name, complaints(error)) from error


def model_of(origin: Origin) -> _sdk.Response:
    """The SDK's model of the body; what the caller gave himself is given back as it is."""
    run: Any = origin.run
    if origin.http_library is not None and isinstance(run, dict):
        return build_run(run, origin.request_id)
    own: _sdk.Response = run
    return own


def _hint(answer: Answer) -> float | None:
    return parse_seconds(answer.headers.get(_HINT), 0.001)


def _kind_of_page(content: bytes) -> str:
    text = content.lstrip()
    return "an HTML page" if text.startswith(b"<") else "cut JSON" if text else "an empty body"
