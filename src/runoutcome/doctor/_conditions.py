"""`Conditions`: the value of a test for a run in a given status: true, false, or unknown, with the reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Literal

from ._module import Module
from ._polled_run import PolledRun
from ._syntax import assignments, identifiers, key_of, own_nodes

Reason = Literal["run", "bound", "other"]
"""Another field of the run; a clock or a counter; code that is not understood."""

Unknown = frozenset[Reason]
Truth = bool | Unknown

NOTHING: Unknown = frozenset()
RUN: Unknown = frozenset({"run"})
BOUND: Unknown = frozenset({"bound"})
OTHER: Unknown = frozenset({"other"})

_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_BOUND_NAME = re.compile(
    r"time|deadline|expir|elapsed|remain|attempt|tries|retries|budget|limit|max_|clock|patience|count", re.IGNORECASE
)
_LESS = frozenset({"remove", "discard", "pop", "popitem", "clear"})
_TESTS = (ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call)
_DEEPEST = 4


def both(values: Iterable[Truth]) -> Truth:
    """`and`: false if one is; else unknown for the reasons of all."""
    reasons = NOTHING
    for value in values:
        if value is False:
            return False
        if not isinstance(value, bool):
            reasons |= value
    return reasons or True


def opposite(value: Truth) -> Truth:
    """`not`."""
    return not value if isinstance(value, bool) else value


def either(values: Iterable[Truth]) -> Truth:
    """`or`: true if one is; else unknown for the reasons of all."""
    return opposite(both([opposite(value) for value in values]))


class Conditions:
    """The tests in one stretch of code, for a run in `status`."""

    def __init__(self, module: Module, polled: PolledRun, status: str, *roots: ast.AST) -> None:
        self.module = module
        self.polled = polled
        self.status = status
        nodes = list(own_nodes(*roots))
        self._counters = {key_of(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        self._emptied = set(_emptied(nodes))
        self._values: dict[str, list[ast.expr]] = {}
        for name, value in assignments(nodes):
            self._values.setdefault(name, []).append(value)
        self._flags = {name for name, value in assignments(nodes) if isinstance(value, ast.Constant)}

    def truth(self, node: ast.expr, depth: int = 0) -> Truth:
        """Return the value of `node`."""
        if isinstance(node, ast.BoolOp):
            parts = [self.truth(value, depth) for value in node.values]
            return both(parts) if isinstance(node.op, ast.And) else either(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return opposite(self.truth(node.operand, depth))
        if isinstance(node, ast.Constant):
            return bool(node.value)
        if isinstance(node, ast.NamedExpr):
            return self.truth(node.value, depth)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._comparison(node.left, node.ops[0], node.comparators[0], node)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        values = self._values.get(key_of(node) or "", [])
        if len(values) == 1 and isinstance(values[0], _TESTS) and depth < _DEEPEST:
            return self.truth(values[0], depth + 1)
        return self.reasons(node)

    def _call(self, call: ast.Call, depth: int) -> Truth:
        if isinstance(call.func, ast.Name) and len(call.args) == 1:
            argument = call.args[0]
            if call.func.id in ("any", "all") and isinstance(argument, (ast.GeneratorExp, ast.ListComp)):
                return self.truth(argument.elt, depth)
            if call.func.id == "bool":
                return self.truth(argument, depth)
        return self.reasons(call)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, whole: ast.expr) -> Truth:
        if isinstance(op, (ast.Eq, ast.NotEq)) and self.polled.is_status(right):
            left, right = right, left
        words = strings(self.module, right) if self.polled.is_status(left) else None
        if words is None or not isinstance(op, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
            return self.reasons(whole)
        return (self.status in words) is isinstance(op, (ast.Eq, ast.In))

    def reasons(self, node: ast.expr) -> Unknown:
        """Return the reasons why the value of `node` is unknown."""
        reasons = NOTHING
        if self._is_bound(node):
            reasons |= BOUND
        if self.polled.mentions(node) or any(key_of(below) in self._emptied for below in own_nodes(node)):
            reasons |= RUN
        is_flag = key_of(node) in self._flags  # set to a constant in this code: `done = True`
        return reasons or (RUN if is_flag else OTHER)

    def _is_bound(self, node: ast.expr) -> bool:
        for below in own_nodes(node):
            if isinstance(below, ast.Compare) and any(isinstance(op, _ORDER) for op in below.ops):
                return True
            if isinstance(below, (ast.Name, ast.Attribute)) and key_of(below) in self._counters:
                return True
        return any(_BOUND_NAME.search(name) for name in identifiers(node))


def strings(module: Module, node: ast.expr, depth: int = 0) -> frozenset[str] | None:
    """Return the words that `node` is or holds, in lower case; None if they are not known from here."""
    if isinstance(node, ast.Constant):
        return frozenset({node.value.lower()}) if isinstance(node.value, str) else None
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return _union(module, node.elts, depth)
    if isinstance(node, ast.Starred):
        return strings(module, node.value, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.BitOr)):
        return _union(module, [node.left, node.right], depth)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        return strings(module, node.args[0], depth) if node.func.id in ("set", "frozenset", "tuple", "list") else None
    name = key_of(node)
    value = module.constants.get(name.rpartition(".")[2]) if name else None
    return strings(module, value, depth + 1) if value is not None and depth < _DEEPEST else None


def _union(module: Module, nodes: list[ast.expr], depth: int) -> frozenset[str] | None:
    words: frozenset[str] = frozenset()
    for node in nodes:
        part = strings(module, node, depth)
        if part is None:
            return None
        words |= part
    return words


def _emptied(nodes: list[ast.AST]) -> Iterable[str]:
    """Yield the collections that lose items in this code: `pending.discard(run_id)`, `del pending[run_id]`."""
    for node in nodes:
        target: ast.AST | None = None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            method = node.value.func
            target = method.value if isinstance(method, ast.Attribute) and method.attr in _LESS else None
        elif isinstance(node, ast.Delete) and node.targets and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0].value
        name = key_of(target) if target is not None else None
        if name is not None:
            yield name
