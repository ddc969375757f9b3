"""`Walk`: the ends of a block of code for a run in a given status, and the statements on the way.

Paths through `except` are left out: they are taken when a poll fails, which says nothing about the run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ._conditions import BOUND, NOTHING, OTHER, RUN, Conditions, Truth, Unknown, both, either
from ._module import Module
from ._syntax import TRIES, FunctionNode, dotted, is_endless, key_of, last_name, own_nodes

Kind = Literal["fall", "break", "continue", "leave"]


@dataclass(frozen=True)
class End:
    """One way a block ends; the reasons say why it is not certain to end that way."""

    kind: Kind
    reasons: Unknown = NOTHING


Ends = frozenset[End]
Branch = tuple[Truth, Sequence[ast.stmt]]

_EXITS = frozenset({"exit", "_exit", "quit", "abort", "fail"})
_CHECKS = re.compile(
    r"raise|check|ensure(?!_future)|verify|validat|assert|expect|must|expire|cancelled|canceled|abort|stop", re.I
)
_TIMER = re.compile(r"deadline|time_?out|timer|stopwatch", re.IGNORECASE)
_QUIET = re.compile(
    r"print|sleep|wait|debug|info|warn(ing)?|error|exception|critical|log\w*|\w*_log|write|flush|append|add|put|send|"
    r"update\w*|set_\w+|emit\w*|echo|extend"
)


class Walk:
    """Follows statements, and keeps each visited one with the reasons why it may not be reached."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.visited: dict[ast.stmt, set[Unknown]] = {}
        self._ends: dict[tuple[ast.stmt, Unknown], frozenset[End]] = {}

    def block(self, statements: Sequence[ast.stmt], reasons: Unknown = NOTHING) -> Ends:
        """Return the ends of `statements`."""
        ends: set[End] = set()
        states = {reasons}
        for statement in statements:
            results = {end for state in states for end in self._ends_of(statement, state)}
            ends |= {end for end in results if end.kind != "fall"}
            states = {end.reasons for end in results if end.kind == "fall"}
        return frozenset(ends | {End("fall", state) for state in states})

    def _ends_of(self, statement: ast.stmt, reasons: Unknown) -> Ends:
        """Return the ends of a statement, worked out once for the same reasons: blocks nest."""
        key = (statement, reasons)
        if key not in self._ends:
            self._ends[key] = frozenset(self._statement(statement, reasons))
        return self._ends[key]

    def _statement(self, node: ast.stmt, reasons: Unknown) -> Iterable[End]:
        if isinstance(node, ast.If):
            return self._branches([(self.conditions.truth(node.test), node.body), (True, node.orelse)], reasons)
        if isinstance(node, ast.Match):
            return self._branches([*self._cases(node), (True, [])], reasons)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self.block(node.body, reasons)
        if isinstance(node, TRIES):
            return self._try(node, reasons)
        if isinstance(node, ast.While):
            return self._loop(node.body, self.conditions.truth(node.test), reasons)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            return self._loop(node.body, self._iteration(node), reasons)
        self.visited.setdefault(node, set()).add(reasons)
        return self._simple(node, reasons)

    def _branches(self, branches: Iterable[Branch], reasons: Unknown) -> Ends:
        """Return the ends of every branch that may be taken; if all go on, the test says nothing about what follows."""
        results: list[Ends] = []
        tested = reasons
        for truth, statements in branches:
            if truth is False:
                continue
            tested |= NOTHING if isinstance(truth, bool) else truth
            results.append(self.block(statements, tested))
            if truth is True:
                break
        ends = frozenset(end for branch in results for end in branch)
        if not all(any(end.kind == "fall" for end in branch) for branch in results):
            return ends
        return frozenset(End("fall", reasons | (end.reasons - tested)) if end.kind == "fall" else end for end in ends)

    def _cases(self, node: ast.Match) -> Iterator[Branch]:
        for case in node.cases:
            truth = self._match(node.subject, case.pattern)
            yield (truth if case.guard is None else both([truth, self.conditions.truth(case.guard)])), case.body

    def _match(self, subject: ast.expr, pattern: ast.pattern) -> Truth:
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
            return True
        if isinstance(pattern, ast.MatchOr):
            return either([self._match(subject, option) for option in pattern.patterns])
        if isinstance(pattern, ast.MatchValue):
            return self.conditions.truth(ast.Compare(subject, [ast.Eq()], [pattern.value]))
        return RUN if self.conditions.polled.mentions(subject) else OTHER

    def _try(self, node: ast.AST, reasons: Unknown) -> Ends:
        statements: list[ast.stmt] = []
        for part in ("body", "orelse", "finalbody"):
            statements += getattr(node, part)
        return self.block(statements, reasons)

    def _iteration(self, node: ast.For | ast.AsyncFor) -> Truth:
        """Return whether a `for` goes on, like the test of a `while`."""
        if is_endless(node):
            return True
        return BOUND if any(self.conditions.polled.mentions(statement) for statement in node.body) else OTHER

    def _loop(self, body: Sequence[ast.stmt], goes_on: Truth, reasons: Unknown) -> Ends:
        if goes_on is False:
            return frozenset({End("fall", reasons)})
        ends: set[End] = set()
        for end in self.block(body, reasons | (RUN & goes_on) if not isinstance(goes_on, bool) else reasons):
            if end.kind == "leave":
                ends.add(end)
            elif end.kind == "break":
                ends.add(End("fall", end.reasons))
        if not isinstance(goes_on, bool):
            ends.add(End("fall", reasons if goes_on == OTHER else reasons | goes_on))
        return frozenset(ends)

    def _simple(self, node: ast.stmt, reasons: Unknown) -> Iterator[End]:
        if isinstance(node, (ast.Return, ast.Raise)):
            yield End("leave", reasons)
        elif isinstance(node, ast.Break):
            yield End("break", reasons)
        elif isinstance(node, ast.Continue):
            yield End("continue", reasons)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and last_name(node.value) in _EXITS:
            yield End("leave", reasons)
        elif isinstance(node, ast.Assert):
            yield from self._assertion(self.conditions.truth(node.test), reasons)
        else:
            doubts = [self._doubt(call, node) for call in own_nodes(node) if isinstance(call, ast.Call)]
            for doubt in doubts:
                if doubt:
                    yield End("leave", reasons | doubt)
            yield End("fall", reasons | RUN if any("run" in doubt for doubt in doubts) else reasons)

    def _assertion(self, truth: Truth, reasons: Unknown) -> Iterator[End]:
        if truth is not True:
            yield End("leave", reasons if truth is False else reasons | truth)
        if truth is not False:
            yield End("fall", reasons if truth is True else reasons | truth)

    def _doubt(self, call: ast.Call, statement: ast.stmt) -> Unknown:
        """Return the reasons to think that the call raises on purpose; empty if there are none."""
        name = last_name(call)
        polled = self.conditions.polled
        gets_run = any(polled.mentions(value) for value in [*call.args, *(word.value for word in call.keywords)])
        helper = self.conditions.module.helper(call.func)
        if helper is not None:
            return self._helper_doubt(helper, gets_run or call.func in polled.sources)
        if _CHECKS.search(name) or any(map(_TIMER.search, dotted(call.func)[-2:])):
            return RUN if gets_run else OTHER
        is_handed_over = isinstance(statement, ast.Expr) and any(key_of(value) in polled.names for value in call.args)
        return RUN if is_handed_over and not _QUIET.fullmatch(name) else NOTHING

    def _helper_doubt(self, helper: ast.FunctionDef | ast.AsyncFunctionDef, gets_run: bool) -> Unknown:
        module = self.conditions.module
        doubt = NOTHING
        for tests in module.once(_raise_tests, module, helper):
            is_bound = any("bound" in self.conditions.reasons(test) for test in tests)
            doubt |= BOUND if is_bound else RUN if gets_run else OTHER
        return doubt


def _raise_tests(module: Module, function: FunctionNode) -> list[list[ast.expr]]:
    """Return the tests around each `raise` of a function that is not in a handler."""
    raises: list[list[ast.expr]] = []
    for node in own_nodes(*function.body):
        if isinstance(node, ast.Raise):
            above = list(module.above(node))
            inside = above[: above.index(function)]
            if not any(isinstance(item, ast.ExceptHandler) for item in inside):
                raises.append([item.test for item in inside if isinstance(item, ast.If)])
    return raises


def is_quiet(node: ast.stmt) -> bool:
    """Return whether a statement only logs, sleeps or goes on."""
    if isinstance(node, (ast.Pass, ast.Continue)):
        return True
    value = node.value if isinstance(node, ast.Expr) else None
    while isinstance(value, ast.Await):
        value = value.value
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and bool(_QUIET.fullmatch(last_name(value))))
