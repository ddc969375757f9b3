"""The outcome of a reading: the field of the surface that decides, and the catalog's verdict on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.lookup import Failure, Verdict, claimed, lookup, lookup_answer, lookup_reason, lookup_value
from .._catalog.rows import HOME, STATUS, Entry, Surface
from .body import Reading, find, look, read, read_claim, read_counts, read_failure, read_usage, word
from .outcome import Outcome, Phase
from .output import Output, read_output
from .retry_after import MAX_DELAY_SECONDS, delay_of

ROW = "batch.output_row"


def judge(reading: Reading, surface: Surface | None, catalog: Catalog) -> Outcome:
    """The outcome of what was read; `surface` is the surface of a run's body, None if it is unknown."""
    if reading.kind == "run":
        return _judge_run(reading, surface, catalog) if surface else no_body(catalog)
    if reading.kind == "row":
        return _judge_row(reading, catalog)
    if reading.kind == "event":
        # The connection speaks, not the run: its code is classified, but the run's own state stays unknown.
        failure = read_failure(reading.error)
        named = surface or catalog.surfaces[HOME]
        return _failed(lookup(catalog, named.name, failure), failure, reading, catalog, named, phase="unknown")
    outcome = no_body(catalog)
    return replace(outcome, status=reading.status, response_id=reading.response_id) if reading.status else outcome


def no_body(catalog: Catalog) -> Outcome:
    """No run body: typed like an unknown status, with nothing claimed about the run."""
    return Outcome(phase="unknown", error_class="APIError", error_type="unknown_error", catalog_version=catalog.version)


def _judge_row(row: Reading, catalog: Catalog) -> Outcome:
    """A row without a run inside: a request that was never made, an HTTP error, or the answer of another endpoint."""
    surface, answer = catalog.surfaces[ROW], row.answer
    failure = read_failure(row.error)
    if isinstance(row.error, str):  # some servers put the code beside it
        failure = failure._replace(code=word(look(answer.body, "code")))
    if answer.is_error:
        verdict = lookup_answer(catalog, ROW, failure, answer.status_code or 0)
    elif row.error is not None:
        verdict = lookup(catalog, ROW, failure)
        if verdict.retryable and read(answer.body).status == "completed":  # it is paid for, and there
            verdict = verdict._replace(retryable=False, action="continue")
    elif catalog.entry(ROW, surface.status_field, "literal", str(answer.status_code)):
        verdict = lookup_value(catalog, ROW, surface.status_field, str(answer.status_code))
    elif answer.is_success and isinstance(answer.body, Mapping) and answer.body:
        verdict = lookup_value(catalog, ROW, STATUS, "completed")
        return _judged_by_status(verdict, row._replace(status="completed"), catalog, surface)
    else:  # a 200 without a body proves nothing: unknown is never success
        return replace(no_body(catalog), surface=ROW, response_id=row.response_id)
    return _failed(verdict, failure, row._replace(status="failed"), catalog, surface, phase=_phase("failed", surface))


def _judge_run(reading: Reading, surface: Surface, catalog: Catalog) -> Outcome:
    status = reading.status
    field = surface.decided_by.get(status or "")
    if field is None and reading.error is not None and status in surface.pending:
        failure = read_failure(reading.error)  # it decides nothing: the run goes on
        words = {"code": failure.code, "message": failure.message, "param": failure.param}
        return _from(lookup_value(catalog, surface.name, STATUS, status), reading, catalog, surface, "pending", **words)
    if field is None:
        return _judged_by_status(lookup_value(catalog, surface.name, STATUS, status), reading, catalog, surface)
    if field == surface.code_field:
        failure = read_failure(reading.error, reading.run)
        verdict = lookup(catalog, surface.name, failure)
        return _failed(verdict, failure, reading, catalog, surface, phase=_phase(status, surface))
    path = tuple(field.split("."))
    reason = word(find(reading.run, path))
    verdict = lookup_reason(catalog, surface.name, field, reason, status)
    claim = read_claim(find(reading.run, path[:-1])) or read_claim(reading.run)
    if claim is not None and not verdict.known:
        verdict = claimed(catalog, verdict, claim)
    return _from(verdict, reading, catalog, surface, _phase(status, surface), reason=reason)


def _judged_by_status(verdict: Verdict, reading: Reading, catalog: Catalog, surface: Surface) -> Outcome:
    ok, phase = reading.status in surface.completed, _phase(reading.status, surface)
    return _from(verdict, reading, catalog, surface, phase, ok=ok)


def _phase(status: str | None, surface: Surface) -> Phase:
    if status in surface.pending:
        return "pending"
    return "terminal" if status in surface.terminal else "unknown"


def _failed(
    verdict: Verdict, failure: Failure, reading: Reading, catalog: Catalog, surface: Surface, *, phase: Phase
) -> Outcome:
    reads_message = verdict.error_class == "RateLimitError" and verdict.retryable
    seconds, source = delay_of(reading.error, failure, reads_message=reads_message) or (None, None)
    return _from(
        verdict,
        reading,
        catalog,
        surface,
        phase,
        code=failure.code,
        message=failure.message,
        param=failure.param,
        retry_after=seconds if seconds is None else min(seconds, MAX_DELAY_SECONDS),
        retry_after_requested=seconds,
        retry_after_source=source,
    )


def _known_usage(status: str | None, usage: dict[str, int] | None) -> dict[str, int] | None:
    """The usage, but None for the zeros of a cancelled run: servers write them before they have counted."""
    return None if status == "cancelled" and not any((usage or {}).values()) else usage


def _from(
    verdict: Verdict, reading: Reading, catalog: Catalog, surface: Surface, phase: Phase, **fields: Any
) -> Outcome:
    run = reading.run
    if surface.counts_field:
        fields["counts"] = read_counts(look(run, surface.counts_field))
    if phase != "pending":
        body = reading.answer.body if reading.kind == "row" else run
        fields["usage"] = _known_usage(reading.status, read_usage(look(body, "usage")))
        # The body of an HTTP error is not something that was produced.
        if surface.output_path and (reading.kind != "row" or reading.status == "completed"):
            output = read_output(find(run, surface.output_path))
            fields.update(output._asdict())
            if fields.get("ok"):
                fields["output_entry"] = _output_entry(catalog, surface, output, fields.get("counts"))
        fields["model"] = word(look(body, "model"))
    return Outcome.of(
        phase,
        status=reading.status,
        surface=surface.name,
        error_class=verdict.error_class,
        error_type=verdict.error_type,
        status_code=verdict.status_code,
        # A run that may still be going is never made again.
        retryable=verdict.retryable and phase == "terminal",
        action="none" if phase == "unknown" and verdict.retryable else verdict.action,
        known=verdict.known,
        response_id=reading.response_id,
        entry=verdict.entry,
        rule=verdict.rule,
        catalog_version=catalog.version,
        overlay=verdict.overlay,
        **fields,
    )


def _output_entry(catalog: Catalog, surface: Surface, output: Output, counts: Mapping[str, int] | None) -> Entry | None:
    """The row about an output that is not what was asked for; None where there is nothing to say, or no such row."""
    if output.has_output:
        value = "failed_items" if output.failed_items else None
    elif surface.counts_field:  # no output file: also where all of no requests are done
        value = "empty" if counts and counts.get("failed") and not counts.get("completed") else None
    else:
        value = "refusal" if output.refusal is not None else "empty"
    return catalog.entry(surface.name, surface.output_field or "", "literal", value) if value else None
