"""From a body or an outcome to its exception: `error_for`, `raise_for_status`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeGuard, TypeVar

from .._catalog.catalog import Catalog
from .._checks import check_type
from .._outcome.body import Reading, look
from .._outcome.classify import examine
from .._outcome.outcome import Outcome
from .._sdk.responses import facts_of, is_http_response
from . import exceptions as errors
from .bases import Origin, RunError

Accept = Literal["incomplete", "cancelled", "pending"]
Require = Literal["output"]
ACCEPTED: tuple[Accept, ...] = ("incomplete", "cancelled", "pending")
_T = TypeVar("_T")
_C = TypeVar("_C")

_CLASSES: dict[str, type[RunError]] = {
    "BadRequestError": errors.RunBadRequestError,
    "AuthenticationError": errors.RunAuthenticationError,
    "PermissionDeniedError": errors.RunPermissionDeniedError,
    "NotFoundError": errors.RunNotFoundError,
    "ConflictError": errors.RunConflictError,
    "UnprocessableEntityError": errors.RunUnprocessableEntityError,
    "RateLimitError": errors.RunRateLimitError,
    "InternalServerError": errors.RunInternalServerError,
    "APIStatusError": errors.RunStatusError,
    "ContentFilterFinishReasonError": errors.RunContentFilterError,
}
_BY_STATUS: dict[str, type[RunError]] = {
    "incomplete": errors.RunIncompleteError,
    "cancelled": errors.RunCancelledError,
    "expired": errors.RunExpiredError,
}
_BY_TYPE = {f"{status}_error": cls for status, cls in _BY_STATUS.items()}


def error_for(obj: object, *, surface: str | None = None, catalog: Catalog | None = None) -> RunError | None:
    """A fresh exception for the run in `obj`; None if it is completed or still pending.

    Takes what `classify` takes; an object that is no run body gives a `RunUnknownError`. Raises ValueError for a
    `surface` that the catalog does not have, and nothing else.
    """
    _check_surface(surface, catalog)
    outcome, reading = examine(obj, surface=surface, catalog=catalog)
    if outcome.ok or outcome.phase == "pending":
        return None
    error = _error_about(obj, outcome, reading)
    if _is_a(obj, RunError):
        error.run_token, error.attempts, error.not_resubmitted = obj.run_token, obj.attempts, obj.not_resubmitted
    return error


error_for.__module__ = "runoutcome"


def raise_for_status(
    obj: _T,
    *,
    accept: Accept | Iterable[Accept] = (),
    require: Require | None = None,
    surface: str | None = None,
    catalog: Catalog | None = None,
) -> _T:
    """`obj` itself if its run is completed, or has a status that `accept` names.

    Raises the run's `RunError` otherwise. With `require="output"` a completed run must have output: `RunRefusedError`
    for one that holds only a refusal, `RunEmptyError` for one that holds nothing. Raises ValueError for a word in
    `accept` other than "incomplete", "cancelled" and "pending", for another `require` and for a `surface` that the
    catalog does not have, and TypeError for an `accept` that holds no words.
    """
    _check_surface(surface, catalog)
    accepted = parse_accept(accept)
    outcome, reading = examine(obj, surface=surface, catalog=catalog)
    check_require(require)
    if is_accepted(outcome, accepted) and not lacks_output(outcome, require):
        return obj
    error = _error_about(obj, outcome, reading)
    del obj, reading  # error trackers send the variables of every frame, and these hold prompts and output
    raise error from None


raise_for_status.__module__ = "runoutcome"


def _check_surface(surface: object, catalog: Catalog | None) -> None:
    """Raises ValueError for an unknown surface: `classify`, which is total, would call the body unknown."""
    if surface is None:
        return
    surfaces = (catalog or Catalog.load()).surfaces
    if not isinstance(surface, str) or surface not in surfaces:
        raise ValueError(f"surface is one of {', '.join(map(repr, surfaces))}; got {surface!r}")


def _error_about(obj: object, outcome: Outcome, reading: Reading) -> RunError:
    is_bodiless = outcome.surface is None and reading.kind in ("none", "run")
    if not is_bodiless or _is_a(obj, Outcome) or _is_a(obj, RunError):
        return make_error(outcome, origin_of(obj, reading))
    if hasattr(type(obj), "__await__"):
        error = make_error(outcome, Origin())  # an awaitable is no body, and cannot be copied
        error.message = f"This is a {type(obj).__name__}: did you forget await? {error.message}"
        return error
    error = make_error(outcome, origin_of(obj, reading))
    error.message = f"{_what_it_is(obj)} {error.message}"
    return error


def _is_a(obj: object, cls: type[_C]) -> TypeGuard[_C]:
    """`isinstance` by the true type: an object may raise from its `__class__`."""
    return issubclass(type(obj), cls)


def _what_it_is(obj: object) -> str:
    """A sentence about an object that is no run body: its own name for itself, or its type."""
    if obj is None:
        return "This is None, not a run."
    name = look(obj, "object")
    if isinstance(name, str) and name:
        return f"This is an object of the kind {name[:60]!r}, not a run."
    if any(_is_a(obj, cls) for cls in (str, bytes, bytearray, memoryview)):
        return f"This {type(obj).__name__} is no JSON of a run."
    return f"This is an object of the class {type(obj).__name__} without a run's fields, not a run."


def check_require(require: object) -> None:
    """Raise ValueError for a `require` that is neither None nor "output"."""
    if require not in (None, "output"):
        raise ValueError(f"require is 'output' or None; got {require!r}")


def lacks_output(outcome: Outcome, require: Require | None) -> bool:
    """True if a completed run, or a batch without one answer, has not the output that `require` asks for."""
    return require == "output" and outcome.ok and not outcome.has_output and outcome.output_entry is not None


def parse_accept(accept: Iterable[str]) -> frozenset[str]:
    """The set of words in `accept`, which may be a single word. Raises ValueError and TypeError for anything else."""
    expected = f"accept takes {', '.join(map(repr, ACCEPTED))}"
    check_type(accept, Iterable, f"{expected}, or several of them")
    words = (accept,) if isinstance(accept, str) else tuple(accept)
    unknown = sorted({str(other) for other in words if other not in ACCEPTED})
    if unknown:
        raise ValueError(f"{expected}; got {', '.join(map(repr, unknown))}")
    return frozenset(words)


def is_accepted(outcome: Outcome, accepted: frozenset[str]) -> bool:
    """True if a body with this outcome is returned, not raised."""
    if outcome.phase == "pending":
        return "pending" in accepted
    if outcome.ok or outcome.phase == "unknown":
        return outcome.ok
    return outcome.status in accepted or (outcome.known and f"{outcome.error_type}".removesuffix("_error") in accepted)


def class_for(outcome: Outcome) -> type[RunError]:
    """The exception class of an outcome that is not completed."""
    if outcome.ok:
        return errors.RunRefusedError if outcome.refusal is not None else errors.RunEmptyError
    if outcome.phase != "terminal":
        return errors.RunPendingError if outcome.phase == "pending" else errors.RunUnknownError
    cls = _CLASSES.get(outcome.error_class or "") or _BY_STATUS.get(outcome.status or "")
    if cls is None:
        # Not every surface has the status: an expired row of a batch has "failed".
        cls = _BY_TYPE.get(outcome.error_type or "", errors.RunFailedError) if outcome.known else errors.RunFailedError
    # A status class without a status would be half an exception.
    if issubclass(cls, errors.RunStatusError) and outcome.status_code is None:
        return errors.RunFailedError
    return cls


def make_error(outcome: Outcome, origin: Origin) -> RunError:
    """A fresh exception for an outcome that is not completed."""
    return class_for(outcome).of(outcome, origin)


def origin_of(obj: object, reading: Reading) -> Origin:
    """The origin of `obj`: its run, its error and what it shows of the poll that brought it."""
    if _is_a(obj, RunError):
        return obj.origin
    run = reading.run if reading.run is not None else (None if _is_a(obj, Outcome) else obj)
    if reading.kind == "none":  # attributes of an unknown object may raise anything
        return Origin(run)
    if is_http_response(obj):
        return Origin(run, reading.error, *facts_of(obj))
    if reading.request_id is not None:
        return Origin(run, reading.error, None, reading.request_id)
    request_id = look(obj, "_request_id") if not _is_a(obj, dict) else None
    # The SDK sets `_request_id` on what it parsed from a successful answer, and on nothing else.
    polled = isinstance(request_id, str)
    return Origin(run, reading.error, 200 if polled else None, request_id if polled else None)
