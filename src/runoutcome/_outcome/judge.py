"""From what was read to its outcome: which field of which surface decides, and what the catalog says about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.lookup import Failure, Verdict, lookup, lookup_answer, verdict_of
from .._catalog.rows import HOME, INCOMPLETE_REASON, STATUS, Entry, Surface
from .body import Reading, find, look, read_counts, read_failure, read_usage, word
from .outcome import Outcome, Phase
from .retry_after import delay_from_headers, delay_from_message

ROW = "batch.output_row"


def judge(reading: Reading, place: Surface | None, catalog: Catalog) -> Outcome:
    """The outcome of what was read; `place` is the surface of a run's body, None where nobody knows it."""
    if reading.kind == "run":
        return _judge_run(reading, place, catalog) if place else no_body(catalog)
    if reading.kind == "row":
        return _judge_row(reading, catalog)
    if reading.kind == "event":
        # The connection speaks, not the run: its code is classified, but the run's own state stays unknown.
        failure = read_failure(reading.error)
        verdict = lookup(catalog, HOME, failure)
        return _failed(verdict, failure, reading, catalog, catalog.surfaces[HOME], phase="unknown")
    outcome = no_body(catalog)
    return replace(outcome, status=reading.status, response_id=reading.response_id) if reading.status else outcome


def no_body(catalog: Catalog) -> Outcome:
    """No run body: typed like a status nobody knows, with nothing claimed about the run."""
    return Outcome(phase="unknown", error_class="APIError", error_type="unknown_error", catalog_version=catalog.version)


def _judge_row(row: Reading, catalog: Catalog) -> Outcome:
    """A row without a run inside: a request that was never made, an HTTP error, or the answer of another endpoint."""
    place, answer = catalog.surfaces[ROW], row.answer
    failure = read_failure(row.error)
    if isinstance(row.error, str):  # some servers put the code beside it
        failure = failure._replace(code=word(look(answer.body, "code")))
    if answer.is_error:
        verdict = lookup_answer(catalog, ROW, failure, answer.status_code or 0)
    elif row.error is not None:
        verdict = lookup(catalog, ROW, failure)
    elif answer.is_success and isinstance(answer.body, Mapping) and answer.body:
        verdict = _of_value(catalog, place, STATUS, "completed")
        return _judged_by_status(verdict, row._replace(status="completed"), catalog, place)
    else:  # a 200 without a body proves nothing: unknown is never success
        return replace(no_body(catalog), surface=ROW, response_id=row.response_id)
    return _failed(verdict, failure, row._replace(status="failed"), catalog, place, phase=_phase("failed", place))


def _judge_run(reading: Reading, place: Surface, catalog: Catalog) -> Outcome:
    status = reading.status
    field = place.decided_by.get(status or "")
    if field is None:
        return _judged_by_status(_of_value(catalog, place, STATUS, status), reading, catalog, place)
    if field == place.code_field:
        failure = read_failure(reading.error)
        verdict = lookup(catalog, place.name, failure)
        return _failed(verdict, failure, reading, catalog, place, phase=_phase(status, place))
    reason = word(find(reading.run, tuple(field.split("."))))
    verdict = _of_reason(catalog, place, field, reason, status)
    return _from(verdict, reading, catalog, place, _phase(status, place), reason=reason)


def _judged_by_status(verdict: Verdict, reading: Reading, catalog: Catalog, place: Surface) -> Outcome:
    ok, phase = reading.status in place.completed, _phase(reading.status, place)
    return _from(verdict, reading, catalog, place, phase, ok=ok)


def _of_reason(catalog: Catalog, place: Surface, field: str, reason: str | None, status: str | None) -> Verdict:
    """The verdict for a reason; without a row for it, that of an incomplete run, or what the status alone says."""
    if reason is not None and (entry := catalog.entry(place.name, field, "literal", reason)):
        return verdict_of(catalog, entry, known=True)
    if status == "incomplete":
        own = _fallback(catalog, place.name, field, reason)
        entry = own or _fallback(catalog, HOME, INCOMPLETE_REASON, reason)
        return _verdict_of(catalog, entry)
    return _of_value(catalog, place, STATUS, status)._replace(known=reason is None)


def _phase(status: str | None, surface: Surface) -> Phase:
    if status in surface.pending:
        return "pending"
    return "terminal" if status in surface.terminal else "unknown"


def _of_value(catalog: Catalog, place: Surface, field: str, value: str | None) -> Verdict:
    """The verdict for a status: its literal row, else the row for null, else the one for unknown."""
    if value is not None and (entry := catalog.entry(place.name, field, "literal", value)):
        return verdict_of(catalog, entry, known=True)
    return _verdict_of(catalog, _fallback(catalog, place.name, field, value) or _fallback(catalog, HOME, field, value))


def _fallback(catalog: Catalog, surface: str, field: str, value: str | None) -> Entry | None:
    own = catalog.entry(surface, field, "null") if value is None else None
    return own or catalog.entry(surface, field, "unknown")


def _verdict_of(catalog: Catalog, entry: Entry | None) -> Verdict:
    if entry is None:
        return Verdict(None, "APIError", "unknown_error", None, False, "none", known=False)
    return verdict_of(catalog, entry, known=False)


def _failed(
    verdict: Verdict, failure: Failure, reading: Reading, catalog: Catalog, place: Surface, *, phase: Phase
) -> Outcome:
    delay = delay_from_headers(look(reading.error, "headers"))
    if delay is None and verdict.error_class == "RateLimitError" and verdict.retryable:
        delay = delay_from_message(failure.message)
    seconds, source = delay or (None, None)
    return _from(
        verdict,
        reading,
        catalog,
        place,
        phase,
        code=failure.code,
        message=failure.message,
        param=failure.param,
        retry_after=seconds,
        retry_after_source=source,
    )


def _from(verdict: Verdict, reading: Reading, catalog: Catalog, place: Surface, phase: Phase, **fields: Any) -> Outcome:
    run = reading.run
    if phase != "pending":
        body = reading.answer.body if reading.kind == "row" else run
        fields["usage"] = read_usage(look(body, "usage"))
        # The body of an HTTP error is not something that was produced.
        answered = reading.kind != "row" or reading.status == "completed"
        fields["has_output"] = answered and bool(place.output_path and find(run, place.output_path))
        fields["model"] = word(look(body, "model"))
    if place.counts_field:
        fields["counts"] = read_counts(look(run, place.counts_field))
    return Outcome.of(
        phase,
        status=reading.status,
        surface=place.name,
        error_class=verdict.error_class,
        error_type=verdict.error_type,
        status_code=verdict.status_code,
        retryable=verdict.retryable,
        action=verdict.action,
        known=verdict.known,
        response_id=reading.response_id,
        entry=verdict.entry,
        rule=verdict.rule,
        catalog_version=catalog.version,
        overlay=verdict.overlay,
        **fields,
    )
