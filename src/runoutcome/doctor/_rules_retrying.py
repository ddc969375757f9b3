"""The rules about doing it again: what is retried, after which exceptions, and what is cancelled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ._attempts import attempts_in
from ._background import is_background
from ._calls import Operation
from ._conditions import NOTHING, Judge
from ._findings import Hit
from ._module import Module
from ._polled_run import Polled, polled_in
from ._retries import BROAD, bare, classes, retries_in
from ._syntax import identifiers, last_name, own_nodes
from ._walk import Walk

_AMBIGUOUS = BROAD | {
    "OpenAIError",
    "APIError",
    "APIStatusError",
    "APIConnectionError",
    "APITimeoutError",
    "InternalServerError",
}
"""After these a create may have gone through."""

_OF_POLLS = _AMBIGUOUS | {"RateLimitError", "ConflictError"}
"""These a poll may raise while the run is well."""

_OF_RUNS = frozenset({"RateLimitError", "APIStatusError", "InternalServerError"})
"""The ones that look as if they were raised for a run that failed."""

_CHOSEN = re.compile(r"time_?out|timed|deadline|cancel|interrupt|abort|stop", re.IGNORECASE)


def retry_around_poll(module: Module) -> Iterator[Hit]:
    """A retry that polls a run again which has ended, or that waits for an exception no run raises."""
    for retry in retries_in(module):
        caught = bare(retry.catches)
        polled = _polled_only(module, retry.body)
        if polled is None:
            continue
        if _is_caught(_raised_for_failure(polled, retry.body), caught):
            yield Hit(_line(polled), "the retry around this poll asks again for a run that has ended")
        elif caught & _OF_RUNS and _waits(polled, retry.body):
            yield Hit(_line(polled), "the retry around this wait never sees the run fail: its polls answer 200 OK")
    for attempt in attempts_in(module):
        polled = _polled_only(module, attempt.node.body)
        if polled is not None and _is_caught(_raised_for_failure(polled, attempt.node.body), attempt.catches):
            yield Hit(_line(polled), "the retry around this poll asks again for a run that has ended")


def create_inside_retry(module: Module) -> Iterator[Hit]:
    """A background create that is sent again after an exception that does not mean it was refused."""
    found: list[Operation] = []
    for retry in retries_in(module):
        if bare(retry.catches) & (_OF_POLLS if _polls(module, retry.body) else _AMBIGUOUS):
            found += _creates(module, retry.body)
    for attempt in attempts_in(module):
        if attempt.catches & (_OF_POLLS if _polls(module, attempt.node.body) else _AMBIGUOUS):
            creates = _creates(module, attempt.node.body)
            found += [create for create in creates if attempt.repeats(create.call or create.node)]
    for create in found:
        yield Hit(create.line, "this create is sent again after errors that do not say whether it went through")


def cancel_on_any_error(module: Module) -> Iterator[Hit]:
    """A run that is cancelled because something went wrong around its polls."""
    for node in module.nodes:
        if not isinstance(node, ast.Try):
            continue
        polls = list(module.operations("retrieve", *node.body, helped=True))
        if polls and not all(_is_guarded(module, poll, node) for poll in polls):
            for statements in _taken_on_any_error(module, node):
                for cancel in module.operations("cancel", *statements):
                    if cancel.resource in {poll.resource for poll in polls}:
                        yield Hit(cancel.line, "this cancels a healthy run when no more than a poll failed")


def _polled_only(module: Module, body: Sequence[ast.stmt]) -> Polled | None:
    """What `body` polls, if it makes no new run as well."""
    return None if any(module.operations("create", *body, helped=True)) else polled_in(module, *body)


def _line(polled: Polled) -> int:
    return min(source.lineno for source in polled.sources)


def _waits(polled: Polled, body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, ast.While) and polled.mentions(node) for node in own_nodes(*body))


def _polls(module: Module, body: Sequence[ast.stmt]) -> bool:
    return any(module.operations("retrieve", *body, helped=True))


def _raised_for_failure(polled: Polled, body: Sequence[ast.stmt]) -> frozenset[str]:
    """The names of what is raised here when the run has failed, and not while it is going."""
    names = {
        last_name(node.exc)
        for node in _raises(polled, body, "failed") - _raises(polled, body, "in_progress")
        if node.exc is not None
    }
    if any(isinstance(node, ast.Call) and _raises_for_status(polled, node) for node in own_nodes(*body)):
        names |= _OF_RUNS
    return frozenset(names)


def _raises(polled: Polled, body: Sequence[ast.stmt], status: str) -> set[ast.Raise]:
    """What is certainly raised here for a run in `status`."""
    walk = Walk(Judge(polled.module, polled, status, *body))
    walk.block(body)
    return {node for node, reasons in walk.visited.items() if isinstance(node, ast.Raise) and NOTHING in reasons}


def _raises_for_status(polled: Polled, call: ast.Call) -> bool:
    return last_name(call) == "raise_for_status" and any(polled.mentions(given) for given in call.args)


def _is_caught(raised: frozenset[str], caught: frozenset[str]) -> bool:
    return bool(raised) and bool(caught & (raised | BROAD))


def _creates(module: Module, body: Sequence[ast.stmt]) -> list[Operation]:
    """The background creates in `body`, also those a function of this file makes for it."""
    calls = [node for node in own_nodes(*body) if isinstance(node, ast.Call)]
    found = (create for call in calls for create in module.operations("create", call.func, helped=True))
    return [create for create in found if create.resource == "responses" and _is_background(module, create)]


def _is_background(module: Module, create: Operation) -> bool:
    helper = module.helper(create.node)
    calls = [create.call] if helper is None else [inner.call for inner in module.operations("create", *helper.body)]
    return any(call is not None and is_background(call, module) for call in calls)


def _taken_on_any_error(module: Module, node: ast.Try) -> Iterator[list[ast.stmt]]:
    """The statements that are come by whatever a poll raises, without a look at what it was."""
    blocks = [node.finalbody]
    for handler in node.handlers:
        names = bare(classes(module, handler.type))
        if names & BROAD:
            blocks.append(handler.body)
        if names & (BROAD | {"APIError", "OpenAIError"}):
            break
    errors = {handler.name for handler in node.handlers}
    for block in blocks:
        yield [statement for statement in block if not _is_chosen(statement, errors)]


def _is_chosen(statement: ast.stmt, errors: set[str | None]) -> bool:
    """Whether the exception, a timeout or somebody's wish decides about what is done."""
    if not isinstance(statement, ast.If):
        return isinstance(statement, ast.Match)
    return any(name in errors or _CHOSEN.search(name) for name in identifiers(statement.test))


def _is_guarded(module: Module, poll: Operation, outer: ast.Try) -> bool:
    """Whether a `try` of its own handles what the poll raises."""
    helper = module.helper(poll.node)
    polls = [poll] if helper is None else [poll, *module.operations("retrieve", *helper.body)]
    for node in polls:
        for above in module.above(node.node):
            if above is outer:
                break
            if isinstance(above, ast.Try):
                caught = [bare(classes(module, handler.type)) for handler in above.handlers]
                if any(names & _OF_POLLS for names in caught):
                    return True
    return False
