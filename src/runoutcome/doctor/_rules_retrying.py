"""Rules about retries and cancels: the body that is retried, and the exceptions that lead to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ._calls import Operation, background_names, is_background
from ._conditions import NOTHING, Conditions
from ._handed import retries_in
from ._module import Hit, Module
from ._polled_run import PolledRun, polled_in
from ._retries import ALL_OF_THE_SDK, BROAD, RetryLoop, classes, handlers, library_retries_in
from ._syntax import dotted, identifiers, last_name, own_nodes
from ._walk import Walk

_AMBIGUOUS = BROAD | {
    "OpenAIError",
    "APIError",
    "APIStatusError",
    "APIConnectionError",
    "APITimeoutError",
    "InternalServerError",
}
"""Exceptions after which a create may have gone through."""

_OF_POLLS = _AMBIGUOUS | {"RateLimitError", "ConflictError"}
"""Exceptions that a poll may raise while the run is well."""

_OF_RUNS = frozenset({"RateLimitError", "APIStatusError", "InternalServerError"})
"""Exceptions that look as if they were raised for a failed run."""

_CHOSEN = re.compile(r"time_?out|timed|deadline|cancel|interrupt|abort|stop", re.IGNORECASE)

_RAW = frozenset({"httpx", "httpx2", "requests", "aiohttp", "urllib3"})
_NOT_WRAPPED = frozenset({"together", "mistralai", "litellm", "google"})
"""Clients with calls of the same names that may raise the HTTP library's own exceptions."""

_SDK_CALLS = {
    "create": frozenset({"responses", "completions", "embeddings", "batches", "files", "images", "runs"}),
    "parse": frozenset({"responses", "completions"}),
    "retrieve": frozenset({"responses", "batches", "runs", "jobs", "videos"}),
    "cancel": frozenset({"responses", "batches", "runs", "jobs"}),
}
_HARMLESS = re.compile(
    r"print|sleep|debug|info|warning|error|exception|append|extend|format|join|strip|split|lower|len|str|int|float|dict|"
    r"list|set|range|isinstance|getattr|hasattr|dumps|loads|model_dump|model_dump_json|time|monotonic|perf_counter"
)


def retry_around_poll(module: Module) -> Iterator[Hit]:
    """A retry that polls a run again after its end, or that waits for an exception that no run raises."""
    for retry in retries_in(module):
        if any(module.operations("create", *retry.body, helped=True)):
            continue  # each attempt polls a run of its own
        polled = polled_in(module, *retry.body)
        if polled is None:
            continue
        line = min(source.lineno for source in polled.sources)
        raised = _raised_for_failure(polled, retry.body)
        if raised and retry.caught & (raised | BROAD):
            yield Hit(line, "the retry around this poll polls a run again that has already ended")
        elif not isinstance(retry, RetryLoop) and retry.caught & _OF_RUNS and _waits(polled, retry.body):
            yield Hit(line, "the retry around this wait never sees the run fail: its polls answer 200 OK")


def create_inside_retry(module: Module) -> Iterator[Hit]:
    """A background create that is sent again after an exception that does not mean it was refused."""
    for retry in retries_in(module):
        polls = any(module.operations("retrieve", *retry.body, helped=True))
        if retry.caught & (_OF_POLLS if polls else _AMBIGUOUS):
            for create in _creates(module, retry.body):
                if retry.repeats(create.call or create.node):
                    yield Hit(
                        create.line, "this create is sent again after errors that do not say whether it went through"
                    )


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
                        yield Hit(cancel.line, "this cancels a healthy run although only a poll failed")


def _waits(polled: PolledRun, body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, ast.While) and polled.mentions(node) for node in own_nodes(*body))


def _raised_for_failure(polled: PolledRun, body: Sequence[ast.stmt]) -> frozenset[str]:
    """Return the names of the exceptions that are raised here for a failed run, and not for a pending one."""
    names = {
        last_name(node.exc)
        for node in _raises(polled, body, "failed") - _raises(polled, body, "in_progress")
        if node.exc is not None
    }
    if any(isinstance(node, ast.Call) and _raises_for_status(polled, node) for node in own_nodes(*body)):
        names |= _OF_RUNS
    return frozenset(names)


def _raises(polled: PolledRun, body: Sequence[ast.stmt], status: str) -> set[ast.Raise]:
    """Return the `raise` statements that are certainly reached for a run in `status`."""
    walk = Walk(Conditions(polled.module, polled, status, *body))
    walk.block(body)
    return {node for node, reasons in walk.visited.items() if isinstance(node, ast.Raise) and NOTHING in reasons}


def _raises_for_status(polled: PolledRun, call: ast.Call) -> bool:
    return last_name(call) == "raise_for_status" and any(map(polled.mentions, call.args))


def _creates(module: Module, body: Sequence[ast.stmt]) -> list[Operation]:
    """Return the background creates in `body`, also those that a function of this file makes for it."""
    creates = module.operations("create", *body, helped=True)
    return [create for create in creates if create.resource == "responses" and _is_background(module, create)]


def _is_background(module: Module, create: Operation) -> bool:
    helper = module.helper(create.node)
    if helper is not None and (create.call is None or create.call.func is not create.node):
        return False  # mentioned only
    calls = [create.call] if helper is None else [inner.call for inner in module.operations_of("create", helper)]
    return any(
        is_background(call, module.once(background_names, module.scope_of(call))) for call in calls if call is not None
    )


def _taken_on_any_error(module: Module, node: ast.Try) -> Iterator[list[ast.stmt]]:
    """Yield the statements that run after any exception of a poll, without a look at the exception."""
    blocks = [node.finalbody]
    for handler, names in handlers(module, node):
        if names & BROAD:
            blocks.append(handler.body)
        if names & ALL_OF_THE_SDK:
            break
    errors = {handler.name for handler in node.handlers}
    for block in blocks:
        yield [statement for statement in block if not _is_chosen(statement, errors)]


def _is_chosen(statement: ast.stmt, errors: set[str | None]) -> bool:
    """Return whether the exception, a timeout or a wish to stop decides about the statement."""
    if not isinstance(statement, ast.If):
        return isinstance(statement, ast.Match)
    return any(name in errors or _CHOSEN.search(name) for name in identifiers(statement.test))


def _is_guarded(module: Module, poll: Operation, outer: ast.Try) -> bool:
    """Return whether a `try` of its own handles the exceptions of the poll."""
    helper = module.helper(poll.node)
    polls = [poll] if helper is None else [poll, *module.operations_of("retrieve", helper)]
    for node in polls:
        for above in module.above(node.node):
            if above is outer:
                break
            if isinstance(above, ast.Try) and any(names & _OF_POLLS for _, names in handlers(module, above)):
                return True
    return False


def raw_httpx_predicate(module: Module) -> Iterator[Hit]:
    """A handler or retry for an HTTP library's exceptions around calls of the SDK alone, which raises its own."""
    origins = {origin.partition(".")[0] for origin in module.imports.values()}
    if "openai" not in origins or origins & _NOT_WRAPPED:
        return
    for retry in library_retries_in(module):
        if retry.catches and _are_raw(retry.catches) and _only_calls_the_sdk(retry.body):
            yield Hit(retry.line, f"this retries after {_named(retry.catches)}, which the SDK's calls do not raise")
    for node in module.nodes:
        if isinstance(node, ast.Try) and _only_calls_the_sdk(node.body):
            yield from _raw_handlers(module, node)


def _raw_handlers(module: Module, node: ast.Try) -> Iterator[Hit]:
    caught = [(handler.lineno, classes(module, handler.type) or frozenset()) for handler in node.handlers]
    if not any(name.partition(".")[0] == "openai" for _, names in caught for name in names):
        for line, names in caught:
            if _are_raw(names):
                yield Hit(line, f"this catches {_named(names)}, which the SDK's calls do not raise")


def _are_raw(names: frozenset[str]) -> bool:
    """Return whether all of the exceptions are an HTTP library's."""
    return bool(names) and all(name.partition(".")[0] in _RAW for name in names)


def _named(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def _only_calls_the_sdk(body: Sequence[ast.stmt]) -> bool:
    """Return whether `body` calls the SDK, and no code that may raise an HTTP library's exceptions, as streams do."""
    calls = [node for node in own_nodes(*body) if isinstance(node, ast.Call)]
    others = [call for call in calls if not _is_plain_sdk_call(call)]
    return len(others) < len(calls) and all(_HARMLESS.fullmatch(last_name(call)) for call in others)


def _is_plain_sdk_call(call: ast.Call) -> bool:
    chain = dotted(call.func)
    is_sdk_call = len(chain) > 2 and chain[-2] in _SDK_CALLS.get(chain[-1], ())
    return is_sdk_call and not any(argument.arg in ("stream", None) for argument in call.keywords)
