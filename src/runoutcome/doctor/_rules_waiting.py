"""Rules about a loop that waits, and about the output that is read after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ._conditions import NOTHING, Conditions
from ._limits import is_limited
from ._module import Hit, Module
from ._poll_loops import PollLoop, poll_loops_in
from ._polled_run import PolledRun, polled_in
from ._syntax import FunctionNode, assignments, dotted, field_of, identifiers, is_counted, key_of, last_name, own_nodes
from ._walk import Walk

_OUTPUTS = frozenset({"output_text", "output"})
_TAKERS = (ast.Return, ast.Yield, ast.Call, ast.keyword, ast.Tuple, ast.List, ast.Dict, ast.FormattedValue)
_LOOKS = frozenset({"getattr", "hasattr", "isinstance", "bool", "type", "id"})
"""Builtins that do nothing about a failure."""
_STRICT = "strict_client"
_STATUS_FIELDS = frozenset({"status", "error", "incomplete_details"})


def poll_without_deadline(module: Module) -> Iterator[Hit]:
    """A wait that only the run itself ends."""
    for loop in poll_loops_in(module):
        if not is_counted(loop.node) and not loop.pending.is_bounded and not is_limited(module, loop.node):
            poll = f"{loop.lifecycle.name}.retrieve"
            yield Hit(loop.node.lineno, f"this loop around {poll} has no deadline: it ends only when the run does")


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
    for polled, scope in _scopes(module):
        words = {node.value for node in own_nodes(*scope.body) if isinstance(node, ast.Constant)}
        fields = {name for name, _ in filter(None, map(field_of, own_nodes(*scope.body)))}
        if "failed" in words and "incomplete" not in words and "incomplete_details" not in fields:
            for node, name in _reads(polled, scope, "incomplete"):
                yield Hit(node.lineno, f"`.{name}` is read here of a run that may have ended incomplete")


def failure_ignored(module: Module) -> Iterator[Hit]:
    """Output that is read after a wait, without a look at how the run ended."""
    looped_in: dict[FunctionNode | ast.Module, set[ast.AST]] = {}
    for loop in poll_loops_in(module):
        if loop.polled.resource == "responses":
            looped_in.setdefault(module.scope_of(loop.node), set()).update(own_nodes(loop.node))
    for polled, scope in _scopes(module):
        if scope in looped_in and not _is_checked(polled, scope, looped_in[scope]):
            for node, name in _reads(polled, scope, "failed"):
                if not _is_tested(module, node, scope):
                    yield Hit(node.lineno, f"`.{name}` is read here of a run that may have failed")


def _is_checked(polled: PolledRun, scope: FunctionNode | ast.Module, looped: set[ast.AST]) -> bool:
    """Return whether a status of the run is read outside of the loops that wait for it."""
    for node in own_nodes(*scope.body):
        field = field_of(node) if node not in looped else None
        if field is not None and field[0] in _STATUS_FIELDS and polled.mentions(field[1]):
            return True
    return False


def _scopes(module: Module) -> list[tuple[PolledRun, FunctionNode | ast.Module]]:
    """Return the functions (and the module itself) that poll a response, and keep it to themselves.

    A run that is polled by a strict client is left out: it is judged there.
    """
    return module.once(_find_scopes, module)


def _find_scopes(module: Module) -> list[tuple[PolledRun, FunctionNode | ast.Module]]:
    scopes: list[tuple[PolledRun, FunctionNode | ast.Module]] = []
    for scope in [module.tree, *module.functions]:
        polled = polled_in(module, *scope.body)
        if polled is None or polled.resource != "responses" or _is_strict(module, polled.sources):
            continue
        if not _hands_over(module, polled, scope.body):
            scopes.append((polled, scope))
    return scopes


def _is_strict(module: Module, polls: frozenset[ast.expr]) -> bool:
    """Return whether all polls go through clients that `strict_client` made in this file."""
    clients = module.once(_strict_clients, module)
    return all(_STRICT in dotted(poll) or ".".join(dotted(poll)).startswith(clients) for poll in polls)


def _strict_clients(module: Module) -> tuple[str, ...]:
    return tuple(f"{name}." for name, value in assignments(module.nodes) if last_name(value) == _STRICT)


def _hands_over(module: Module, polled: PolledRun, body: list[ast.stmt]) -> bool:
    """Return whether the whole run goes to other code, which may look at its status."""
    for node in own_nodes(*body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in polled.runs:
            parent = module.parents.get(node)
            is_kept = isinstance(parent, ast.Assign) and not any(isinstance(to, ast.Name) for to in parent.targets)
            if is_kept or (isinstance(parent, _TAKERS) and not _only_looks(parent)):
                return True
    return False


def _only_looks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _LOOKS


def _is_tested(module: Module, read: ast.expr, scope: FunctionNode | ast.Module) -> bool:
    """Return whether the output is kept under a name that some test is about: there may be no output."""
    parent = module.parents.get(read)
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    return not module.once(_tested_names, scope).isdisjoint(map(key_of, targets))


def _tested_names(scope: FunctionNode | ast.Module) -> frozenset[str]:
    tests = [node.test for node in own_nodes(*scope.body) if isinstance(node, (ast.If, ast.IfExp, ast.Assert))]
    return frozenset(filter(None, map(key_of, own_nodes(*tests))))


def _reads(polled: PolledRun, scope: FunctionNode | ast.Module, status: str) -> Iterator[tuple[ast.expr, str]]:
    """Yield the reads of output that happen for certain for a run in `status`, without its status beside them."""
    walk = Walk(Conditions(polled.module, polled, status, *scope.body))
    walk.block(scope.body)
    for statement, reasons in walk.visited.items():
        if NOTHING in reasons:
            fields = [(node, *field) for node in _certain(walk.conditions, statement) if (field := field_of(node))]
            reads = [
                (node, name)
                for node, name, owner in fields
                if isinstance(node, ast.expr) and name in _OUTPUTS and polled.mentions(owner)
            ]
            if not any(name in _STATUS_FIELDS for _, name, _ in fields):
                yield from reads[:1]


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
