"""Rules about a loop that waits, and about the output that is read after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice

from ._conditions import NOTHING, Conditions
from ._findings import Hit
from ._module import Module
from ._poll_loops import PollLoop, is_limited, poll_loops_in
from ._polled_run import PolledRun, polled_in
from ._syntax import identifiers, is_counted, key_of, own_nodes
from ._walk import Walk

_OUTPUTS = frozenset({"output_text", "output"})
_TAKERS = (ast.Return, ast.Yield, ast.Call, ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.FormattedValue)
_STATUS_FIELDS = frozenset({"status", "error", "incomplete_details"})


def poll_without_deadline(module: Module) -> Iterator[Hit]:
    """A wait that only the run itself ends."""
    for loop in poll_loops_in(module):
        if not is_counted(loop.node) and not loop.pending.is_bounded and not is_limited(module, loop.node):
            poll = f"{loop.lifecycle.name}.retrieve"
            yield Hit(loop.node.lineno, f"nothing but the end of the run ends this loop around {poll}")


def wait_for_completed_only(module: Module) -> Iterator[Hit]:
    """A wait that treats an end of the run as if it were still going."""
    for loop in poll_loops_in(module):
        is_wait = not is_counted(loop.node) or any("sleep" in name for name in identifiers(loop.node))
        if is_wait and loop.behaviour(loop.lifecycle.success) != loop.pending:
            missed = [status for status in loop.lifecycle.failures if _is_missed(loop, status)]
            if missed:
                yield Hit(loop.node.lineno, f"this loop goes on when the run has ended as {_listed(missed)}")


def _is_missed(loop: PollLoop, status: str) -> bool:
    behaviour = loop.behaviour(status)
    return behaviour == loop.pending and not any({"run", "other"} & reasons for reasons in behaviour.doubts)


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def incomplete_ignored(module: Module) -> Iterator[Hit]:
    """Output that is read as whole though the run may have ended incomplete."""
    for polled, body in _scopes(module):
        words = {node.value for node in own_nodes(*body) if isinstance(node, ast.Constant)}
        details = {node.attr for node in own_nodes(*body) if isinstance(node, ast.Attribute)}
        if "failed" in words and "incomplete" not in words and "incomplete_details" not in details:
            for node in _reads(polled, body, "incomplete"):
                yield Hit(node.lineno, f"`.{node.attr}` is read here of a run that may have ended incomplete")


def failure_ignored(module: Module) -> Iterator[Hit]:
    """Output that is read after a wait, without a look at how the run ended."""
    loops = [loop for loop in poll_loops_in(module) if loop.polled.resource == "responses"]
    for polled, body in _scopes(module):
        own = [loop for loop in loops if module.scope_of(loop.node).body is body]
        looped = {below for loop in own for below in own_nodes(loop.node)}
        is_checked = any(
            isinstance(node, ast.Attribute)
            and node.attr in _STATUS_FIELDS
            and node not in looped
            and polled.mentions(node)
            for node in own_nodes(*body)
        )
        if own and not is_checked:
            for node in _reads(polled, body, "failed"):
                if not _is_tested(module, node, body):
                    yield Hit(node.lineno, f"`.{node.attr}` is read here of a run that may have failed")


def _scopes(module: Module) -> Iterator[tuple[PolledRun, list[ast.stmt]]]:
    """Yield the functions (and the module itself) that poll a response, and keep it to themselves."""
    for scope in [module.tree, *module.functions]:
        polled = polled_in(module, *scope.body)
        if polled is not None and polled.resource == "responses" and not _hands_over(module, polled, scope.body):
            yield polled, scope.body


def _hands_over(module: Module, polled: PolledRun, body: list[ast.stmt]) -> bool:
    """Return whether the whole run goes to other code, which may look at its status."""
    for node in own_nodes(*body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in polled.runs:
            parent = module.parents.get(node)
            is_kept = isinstance(parent, ast.Assign) and not any(isinstance(to, ast.Name) for to in parent.targets)
            if is_kept or isinstance(parent, _TAKERS):
                return True
    return False


def _is_tested(module: Module, read: ast.Attribute, body: list[ast.stmt]) -> bool:
    """Return whether the output is kept under a name that some test is about: there may be no output."""
    parent = module.parents.get(read)
    names = {key_of(target) for target in parent.targets} if isinstance(parent, ast.Assign) else set()
    tests = (node.test for node in own_nodes(*body) if isinstance(node, (ast.If, ast.IfExp, ast.Assert)))
    return any(key_of(below) in names for test in tests for below in own_nodes(test) if key_of(below))


def _reads(polled: PolledRun, body: list[ast.stmt], status: str) -> Iterator[ast.Attribute]:
    """Yield the reads of output that happen for certain for a run in `status`, without its status beside them."""
    walk = Walk(Conditions(polled.module, polled, status, *body))
    walk.block(body)
    for statement, reasons in walk.visited.items():
        if NOTHING in reasons:
            attributes = [node for node in _certain(walk.conditions, statement) if isinstance(node, ast.Attribute)]
            reads = (node for node in attributes if node.attr in _OUTPUTS and polled.mentions(node.value))
            if not any(node.attr in _STATUS_FIELDS for node in attributes):
                yield from islice(reads, 1)


def _certain(conditions: Conditions, root: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that are reached for certain, also within `a if b else c` and `b and a`."""
    yield root
    children: list[ast.AST] = [*ast.iter_child_nodes(root)]
    if isinstance(root, ast.IfExp):
        truth = conditions.truth(root.test)
        children = [root.body] if truth is True else [root.orelse] if truth is False else []
    elif isinstance(root, ast.BoolOp) and isinstance(root.op, ast.And):
        children = [*root.values] if conditions.truth(root.values[0]) is True else [root.values[0]]
    for child in children:
        yield from _certain(conditions, child)
