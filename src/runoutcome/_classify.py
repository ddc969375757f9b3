"""`classify`: one body, one outcome, whatever carried it. Pure and total."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ._body import Reading, look, read, read_failure, read_usage, word
from ._catalog import Catalog, Surface
from ._delay import delay_from_headers, delay_from_message
from ._lookup import Failure, Verdict, lookup, verdict_of
from ._model import FAILURE_CODE, INCOMPLETE_REASON, STATUS, Outcome, Phase

_HOME = "response"


def classify(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> Outcome:
    """What `obj` says became of its run.

    `obj` is a run's body as an SDK model, a dict, JSON text or bytes, a raw HTTP response, a stream event or a
    webhook. `surface` names the kind of body where it does not say so itself. Any input gives an `Outcome` and
    nothing raises: what is no run body has the phase `unknown`.
    """
    return examine(obj, surface=surface, catalog=catalog)[0]


def examine(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> tuple[Outcome, Reading]:
    """`classify`, together with the reading it judged (so that nobody has to read twice)."""
    catalog = catalog or Catalog.load()
    try:
        outcome = _outcome_within(obj)
        if outcome is not None:
            return outcome, Reading("none")
        reading = read(obj)
        return judge(reading, surface=surface, catalog=catalog), reading
    except Exception:  # noqa: BLE001 - total by contract: an object may raise anything from its attributes
        return _unknown(catalog), Reading("none")


def judge(reading: Reading, *, surface: str | None, catalog: Catalog) -> Outcome:
    """The outcome of what was read."""
    if reading.kind == "run":
        place = _surface(reading, surface, catalog)
        return _judge_run(reading, place, catalog) if place else _unknown(catalog)
    if reading.kind == "event":
        # The connection speaks, not the run: its code is classified, but the run's own state stays unknown.
        failure = read_failure(reading.error)
        return _failed(lookup(catalog, _HOME, failure), failure, reading, catalog, _HOME, phase="unknown")
    outcome = _unknown(catalog)
    return replace(outcome, status=reading.status, response_id=reading.response_id) if reading.status else outcome


def _outcome_within(obj: object) -> Outcome | None:
    """An outcome, or an exception of ours that carries one, is its own answer."""
    if isinstance(obj, Outcome):
        return obj
    inner = getattr(obj, "outcome", None) if isinstance(obj, BaseException) else None
    return inner if isinstance(inner, Outcome) else None


def _surface(reading: Reading, named: str | None, catalog: Catalog) -> Surface | None:
    if named is not None:
        return catalog.surfaces.get(named)
    return catalog.surfaces[_HOME] if reading.object is None else catalog.surface_of(reading.object)


def _judge_run(reading: Reading, surface: Surface, catalog: Catalog) -> Outcome:
    status, name = reading.status, surface.name
    field = surface.decided_by.get(status or "")
    if field == FAILURE_CODE:
        failure = read_failure(reading.error)
        return _failed(lookup(catalog, name, failure), failure, reading, catalog, name, phase="terminal")
    if field == INCOMPLETE_REASON:
        reason = word(look(look(reading.run, "incomplete_details"), "reason"))
        return _from(_of_value(catalog, name, field, reason), reading, catalog, name, "terminal", reason=reason)
    return _from(_of_value(catalog, name, STATUS, status), reading, catalog, name, _phase(status, surface))


def _phase(status: str | None, surface: Surface) -> Phase:
    if status in surface.pending:
        return "pending"
    return "terminal" if status in surface.terminal else "unknown"


def _of_value(catalog: Catalog, surface: str, field: str, value: str | None) -> Verdict:
    """The verdict for a status or a reason: its literal row, else the row for null, else the one for unknown."""
    if value is not None and (entry := catalog.entry(surface, field, "literal", value)):
        return verdict_of(catalog, entry, known=True)
    entry = (catalog.entry(surface, field, "null") if value is None else None) or catalog.entry(
        surface, field, "unknown"
    )
    if entry is None:
        return Verdict(None, "APIError", "unknown_error", None, False, "none", known=False)
    return verdict_of(catalog, entry, known=False)


def _failed(
    verdict: Verdict, failure: Failure, reading: Reading, catalog: Catalog, surface: str, *, phase: Phase
) -> Outcome:
    delay = delay_from_headers(look(reading.error, "headers"))
    if delay is None and verdict.error_class == "RateLimitError" and verdict.retryable:
        delay = delay_from_message(failure.message)
    seconds, source = delay or (None, None)
    return _from(
        verdict,
        reading,
        catalog,
        surface,
        phase,
        code=failure.code,
        message=failure.message,
        param=failure.param,
        retry_after=seconds,
        retry_after_source=source,
    )


def _from(verdict: Verdict, reading: Reading, catalog: Catalog, surface: str, phase: Phase, **fields: Any) -> Outcome:
    run = reading.run
    if phase != "pending":
        fields["usage"] = read_usage(look(run, "usage"))
        fields["has_output"] = bool(look(run, "output"))
    return Outcome.of(
        phase,
        status=reading.status,
        surface=surface,
        error_class=verdict.error_class,
        error_type=verdict.error_type,
        status_code=verdict.status_code,
        retryable=verdict.retryable,
        action=verdict.action,
        known=verdict.known,
        response_id=reading.response_id,
        model=word(look(run, "model")),
        entry=verdict.entry,
        rule=verdict.rule,
        catalog_version=catalog.version,
        overlay=catalog.overlay,
        **fields,
    )


def _unknown(catalog: Catalog) -> Outcome:
    """No run body: typed like a status nobody knows, with nothing claimed about the run."""
    return Outcome(
        phase="unknown",
        error_class="APIError",
        error_type="unknown_error",
        catalog_version=catalog.version,
        overlay=catalog.overlay,
    )
