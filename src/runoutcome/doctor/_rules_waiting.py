"""The rules about a loop that waits, and about what is read after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ._conditions import NOTHING, Judge
from ._findings import Hit
from ._limits import is_limited
from ._module import Module
from ._poll_loops import Wait, waits_in
from ._polled_run import Polled, polled_in
from ._syntax import identifiers, is_counted, key_of, own_nodes
from ._walk import Walk

_OUTPUTS = frozenset({"output_text", "output"})
_TAKERS = (ast.Return, ast.Yield, ast.Call, ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.FormattedValue)
_TELLING = frozenset({"status", "error", "incomplete_details"})


def poll_without_deadline(module: Module) -> Iterator[Hit]:
    """A wait that nothing but the run itself ends."""
    for wait in waits_in(module):
        is_counting = is_counted(wait.node)
        if not is_counting and not wait.pending.is_bounded and not is_limited(module, wait.node):
            poll = f"{wait.life.name}.retrieve"
            yield Hit(wait.node.lineno, f"nothing but the end of the run ends this loop around {poll}")


def wait_for_completed_only(module: Module) -> Iterator[Hit]:
    """A wait that treats an end of the run as if it were still going."""
    for wait in waits_in(module):
        is_a_wait = not is_counted(wait.node) or any("sleep" in name for name in identifiers(wait.node))
        if is_a_wait and wait.behaviour(wait.life.success) != wait.pending:
            missed = [status for status in wait.life.failures if _is_missed(wait, status)]
            if missed:
                yield Hit(wait.node.lineno, f"this loop goes on when the run has ended as {_listed(missed)}")


def _is_missed(wait: Wait, status: str) -> bool:
    found = wait.behaviour(status)
    return found == wait.pending and not any({"run", "other"} & reasons for reasons in found.doubts)


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
    """Output that is read after a wait, whatever the wait ended with."""
    waits = [wait for wait in waits_in(module) if wait.polled.resource == "responses"]
    for polled, body in _scopes(module):
        here = [wait for wait in waits if module.scope_of(wait.node).body is body]
        looped = {below for wait in here for below in own_nodes(wait.node)}
        is_told = any(
            isinstance(node, ast.Attribute) and node.attr in _TELLING and node not in looped and polled.mentions(node)
            for node in own_nodes(*body)
        )
        if here and not is_told:
            for node in _reads(polled, body, "failed"):
                if not _is_looked_at(module, node, body):
                    yield Hit(node.lineno, f"`.{node.attr}` is read here of a run that may have failed")


def _scopes(module: Module) -> Iterator[tuple[Polled, list[ast.stmt]]]:
    """The functions (and the module itself) that poll a response, and keep it to themselves."""
    for scope in [module.tree, *module.functions]:
        polled = polled_in(module, *scope.body)
        if polled is not None and polled.resource == "responses" and not _hands_over(module, polled, scope.body):
            yield polled, scope.body


def _hands_over(module: Module, polled: Polled, body: list[ast.stmt]) -> bool:
    """Whether the whole run goes to somebody else, who may look at its status."""
    for node in own_nodes(*body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in polled.runs:
            parent = module.parents.get(node)
            is_kept = isinstance(parent, ast.Assign) and not any(isinstance(to, ast.Name) for to in parent.targets)
            if is_kept or isinstance(parent, _TAKERS):
                return True
    return False


def _is_looked_at(module: Module, read: ast.Attribute, body: list[ast.stmt]) -> bool:
    """Whether what was read is kept under a name that some test is about: there may be none."""
    parent = module.parents.get(read)
    names = {key_of(target) for target in parent.targets} if isinstance(parent, ast.Assign) else set()
    tests = (node.test for node in own_nodes(*body) if isinstance(node, (ast.If, ast.IfExp, ast.Assert)))
    return any(key_of(below) in names for test in tests for below in own_nodes(test) if key_of(below))


def _reads(polled: Polled, body: list[ast.stmt], status: str) -> Iterator[ast.Attribute]:
    """Where output is read for certain of a run in `status`, without its status beside it."""
    walk = Walk(Judge(polled.module, polled, status, *body))
    walk.block(body)
    for statement, reasons in walk.visited.items():
        if NOTHING in reasons:
            found = list(_certain(walk.judge, statement))
            if not any(isinstance(node, ast.Attribute) and node.attr in _TELLING for node in found):
                for node in found:
                    if isinstance(node, ast.Attribute) and node.attr in _OUTPUTS and polled.mentions(node.value):
                        yield node
                        break


def _certain(judge: Judge, root: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that are come to for certain: `a if b else c` and `b and a` are looked into."""
    yield root
    children: list[ast.AST] = [*ast.iter_child_nodes(root)]
    if isinstance(root, ast.IfExp):
        truth = judge.truth(root.test)
        children = [root.body] if truth is True else [root.orelse] if truth is False else []
    elif isinstance(root, ast.BoolOp) and isinstance(root.op, ast.And):
        children = [*root.values] if judge.truth(root.values[0]) is True else [root.values[0]]
    for child in children:
        yield from _certain(judge, child)
