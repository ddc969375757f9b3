"""`classify`: the same outcome for one body in any form. Pure and total."""

from __future__ import annotations

from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.lookup import lookup
from .._catalog.rows import HOME, Surface
from .body import Reading, find, look, read, read_failure
from .judge import ROW, judge, no_body
from .outcome import Outcome

_OWN_ERROR = ("error",)


def classify(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> Outcome:
    """The outcome of the run that `obj` is about.

    `obj` is the body of a run, a batch, a fine-tuning job or anything else that the catalog has a surface for, or a
    line of a batch's output file: as an SDK model, a dict, JSON text or bytes, a raw HTTP response, a stream event or
    a webhook. `surface` names the kind of body where it does not say so itself. Any input gives an `Outcome` and
    nothing raises: what is no such body has the phase `unknown`.
    """
    return examine(obj, surface=surface, catalog=catalog)[0]


classify.__module__ = "runoutcome"


def examine(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> tuple[Outcome, Reading]:
    """`classify`, with the reading that it judged, so that no caller reads twice."""
    catalog = catalog or Catalog.load()
    try:  # only reading is guarded: an object may raise anything, even from `__class__`
        outcome, reading = _outcome_within(obj), Reading("none")
        if outcome is None:
            reading = read(obj, is_row=surface == ROW)
    except Exception:  # noqa: BLE001 - total by contract
        return no_body(catalog), Reading("none")
    if outcome is not None:
        return outcome, reading
    reading, kind = _locate(reading, str(surface) if surface is not None else None, catalog)
    return judge(reading, kind, catalog), reading


def _outcome_within(obj: object) -> Outcome | None:
    """An outcome, or an exception of ours that carries one, is its own answer."""
    if isinstance(obj, Outcome):
        return obj
    inner = getattr(obj, "outcome", None) if isinstance(obj, BaseException) else None
    return inner if isinstance(inner, Outcome) else None


def _locate(reading: Reading, named: str | None, catalog: Catalog) -> tuple[Reading, Surface | None]:
    """The surface of what was read, and the reading with the error object that this surface has."""
    if reading.kind == "row":
        reading = _unwrapped(reading, catalog)
        named = None  # the name is that of the row, not of the body inside
    if reading.kind != "run":
        return reading, catalog.surfaces.get(named) if named is not None else None
    if named is not None:
        surface = catalog.surfaces.get(named)
    else:
        surface = catalog.surfaces[HOME] if reading.object is None else catalog.surface_of(reading.object)
    if surface is None or surface.failure_path == _OWN_ERROR:
        return reading, surface
    error = find(reading.run, surface.failure_path)
    return reading._replace(error=_decisive(error, surface, catalog) if isinstance(error, list) else error), surface


def _decisive(errors: list[Any], surface: Surface, catalog: Catalog) -> Any:
    """The first error by which a new attempt is pointless, else the first: together they fail if one of them does."""
    pointless = (error for error in errors if not lookup(catalog, surface.name, read_failure(error)).retryable)
    return next(pointless, errors[0] if errors else None)


def _unwrapped(row: Reading, catalog: Catalog) -> Reading:
    """The run inside a row whose request was answered with one: it is judged like any other. Else the row."""
    if row.error is not None:
        return row
    answer = row.answer
    inner = read(answer.body) if answer.is_success else row
    if inner.kind == "run" and inner.object is not None and catalog.surface_of(inner.object):
        return inner._replace(request_id=row.request_id)
    error = look(answer.body, "error")
    return row._replace(error=answer.body if error is None and answer.is_error else error)
