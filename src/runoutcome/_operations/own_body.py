"""Steps that take the body of another run for none of this run's."""

from __future__ import annotations

from dataclasses import replace

from .._catalog.catalog import Catalog
from .._outcome.body import look, word
from .._sdk.faults import NoRunBodyError
from .._sdk.responses import Answer
from .._waiting.identity import KnownRuns, Whose
from .._waiting.resume_token import ResumeToken
from .effects import Poll, Steps
from .events import Events
from .observation import Observation, observe_answer, observe_body
from .submit import KEY


def read_run(
    catalog: Catalog,
    known: KnownRuns,
    events: Events,
    token: ResumeToken,
    seconds: float | None,
    *,
    is_renamed: bool = False,
) -> Steps[Observation]:
    """Steps of one poll; gives the observation of the run's own body, under the id that was asked for.

    A body whose id nobody knows is asked for once more, unless the server is known to name runs anew (`is_renamed`).
    Raises what the poll raises, and NoRunBodyError for an answer without a body of this run.
    """
    with events.polling(token) as poll:
        answer: Answer = yield Poll(token.response_id, seconds, include=token.include)
        seen, whose = _judged(catalog, known, token, answer)
        poll.status = seen.outcome.status
    if whose == "unknown" and not is_renamed:
        with events.polling(token) as poll:
            answer = yield Poll(token.response_id, seconds, on_new_connection=True, include=token.include)
            seen, whose = _judged(catalog, known, token, answer)
            poll.status = seen.outcome.status
        if whose == "unknown":
            events.tell("renamed", token, body_id=seen.outcome.response_id)
    if whose == "other":
        raise NoRunBodyError(f"HTTP {answer.status_code} with the body of another run")
    return seen if seen.outcome.response_id == token.response_id else under_the_id_of(token, seen, whose)


def under_the_id_of(token: ResumeToken, seen: Observation, whose: Whose) -> Observation:
    """The observation of a body that has another id than the one that was asked for; both are in its outcome."""
    return replace(seen, outcome=seen.outcome.under_id(token.response_id), is_renamed=whose == "unknown")


def whose_is(seen: Observation, known: KnownRuns, token: ResumeToken) -> Whose:
    """The owner of a body that was read whole."""
    return known.whose(token, seen.outcome.response_id, key_in(seen.origin.run))


def key_in(run: object) -> str | None:
    """The `runoutcome_key` in the body of a run."""
    return word(look(look(run, "metadata"), KEY))


def _judged(catalog: Catalog, known: KnownRuns, token: ResumeToken, answer: Answer) -> tuple[Observation, Whose]:
    seen = observe_answer(answer, catalog)
    if seen.outcome.response_id == token.response_id:
        return seen, "own"
    if seen.unread is not None:  # the key stands behind the head
        seen = replace(observe_body(answer, catalog), unread=answer)
    return seen, whose_is(seen, known, token)
