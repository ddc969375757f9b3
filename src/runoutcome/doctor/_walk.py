"""`Walk`: where a block of code leads for a run in a given status, and what it does on the way.

Paths through `except` are left out: they are taken when a poll fails, which says nothing about the run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ._conditions import NOTHING, Judge, Truth, Unknown, both, either
from ._syntax import TRIES, dotted, is_endless, key_of, last_name, own_nodes

Kind = Literal["fall", "break", "continue", "leave"]


@dataclass(frozen=True)
class End:
    """One way a block ends; the reasons are why it is not certain to end that way."""

    kind: Kind
    reasons: Unknown = NOTHING


Ends = frozenset[End]
Branch = tuple[Truth, Sequence[ast.stmt]]

_RUN: Unknown = frozenset({"run"})
_BOUND: Unknown = frozenset({"bound"})
_OTHER: Unknown = frozenset({"other"})

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
    """Follows statements, and keeps those it came by, each with the reasons it may not come by them."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.visited: dict[ast.stmt, set[Unknown]] = {}

    def block(self, statements: Sequence[ast.stmt], reasons: Unknown = NOTHING) -> Ends:
        """How `statements` end."""
        ends: set[End] = set()
        states = {reasons}
        for statement in statements:
            found = {end for state in states for end in self._statement(statement, state)}
            ends |= {end for end in found if end.kind != "fall"}
            states = {end.reasons for end in found if end.kind == "fall"}
        return frozenset(ends | {End("fall", state) for state in states})

    def _statement(self, node: ast.stmt, reasons: Unknown) -> Iterable[End]:
        if isinstance(node, ast.If):
            return self._branches([(self.judge.truth(node.test), node.body), (True, node.orelse)], reasons)
        if isinstance(node, ast.Match):
            return self._branches([*self._cases(node), (True, [])], reasons)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self.block(node.body, reasons)
        if isinstance(node, TRIES):
            return self._tried(node, reasons)
        if isinstance(node, ast.While):
            return self._looped(node.body, self.judge.truth(node.test), reasons)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            return self._looped(node.body, self._iterated(node), reasons)
        self.visited.setdefault(node, set()).add(reasons)
        return self._simple(node, reasons)

    def _branches(self, branches: Iterable[Branch], reasons: Unknown) -> Ends:
        """The ends of every branch that may be taken; where all go on, the test says nothing of what follows."""
        found: list[Ends] = []
        tested = reasons
        for truth, statements in branches:
            if truth is False:
                continue
            tested |= NOTHING if isinstance(truth, bool) else truth
            found.append(self.block(statements, tested))
            if truth is True:
                break
        ends = frozenset(end for branch in found for end in branch)
        if not all(any(end.kind == "fall" for end in branch) for branch in found):
            return ends
        return frozenset(End("fall", reasons | (end.reasons - tested)) if end.kind == "fall" else end for end in ends)

    def _cases(self, node: ast.Match) -> Iterator[Branch]:
        for case in node.cases:
            truth = self._matched(node.subject, case.pattern)
            yield (truth if case.guard is None else both([truth, self.judge.truth(case.guard)])), case.body

    def _matched(self, subject: ast.expr, pattern: ast.pattern) -> Truth:
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
            return True
        if isinstance(pattern, ast.MatchOr):
            return either([self._matched(subject, option) for option in pattern.patterns])
        if isinstance(pattern, ast.MatchValue):
            return self.judge.truth(ast.Compare(subject, [ast.Eq()], [pattern.value]))
        return _RUN if self.judge.polled.mentions(subject) else _OTHER

    def _tried(self, node: ast.AST, reasons: Unknown) -> Ends:
        statements: list[ast.stmt] = []
        for part in ("body", "orelse", "finalbody"):
            statements += getattr(node, part)
        return self.block(statements, reasons)

    def _iterated(self, node: ast.For | ast.AsyncFor) -> Truth:
        """Whether a `for` goes on, as the test of a `while` would say it."""
        if is_endless(node):
            return True
        return _BOUND if any(self.judge.polled.mentions(statement) for statement in node.body) else _OTHER

    def _looped(self, body: Sequence[ast.stmt], goes_on: Truth, reasons: Unknown) -> Ends:
        if goes_on is False:
            return frozenset({End("fall", reasons)})
        ends: set[End] = set()
        for end in self.block(body, reasons | (_RUN & goes_on) if not isinstance(goes_on, bool) else reasons):
            if end.kind == "leave":
                ends.add(end)
            elif end.kind == "break":
                ends.add(End("fall", end.reasons))
        if not isinstance(goes_on, bool):
            ends.add(End("fall", reasons if goes_on == _OTHER else reasons | goes_on))
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
            yield from self._asserted(self.judge.truth(node.test), reasons)
        else:
            doubts = [self._doubt(call, node) for call in own_nodes(node) if isinstance(call, ast.Call)]
            for doubt in doubts:
                if doubt:
                    yield End("leave", reasons | doubt)
            yield End("fall", reasons | _RUN if any("run" in doubt for doubt in doubts) else reasons)

    def _asserted(self, truth: Truth, reasons: Unknown) -> Iterator[End]:
        if truth is not True:
            yield End("leave", reasons if truth is False else reasons | truth)
        if truth is not False:
            yield End("fall", reasons if truth is True else reasons | truth)

    def _doubt(self, call: ast.Call, statement: ast.stmt) -> Unknown:
        """Why the call may raise on purpose; empty if nothing speaks for it."""
        name = last_name(call)
        polled = self.judge.polled
        gets_run = any(polled.mentions(given) for given in [*call.args, *(word.value for word in call.keywords)])
        helper = self.judge.module.helper(call.func)
        if helper is not None:
            return self._helper_doubt(helper, gets_run or call.func in polled.sources)
        if _CHECKS.search(name) or any(map(_TIMER.search, dotted(call.func)[-2:])):
            return _RUN if gets_run else _OTHER
        is_handed_over = isinstance(statement, ast.Expr) and any(key_of(given) in polled.names for given in call.args)
        return _RUN if is_handed_over and not _QUIET.fullmatch(name) else NOTHING

    def _helper_doubt(self, helper: ast.FunctionDef | ast.AsyncFunctionDef, gets_run: bool) -> Unknown:
        module = self.judge.module
        doubt = NOTHING
        for node in own_nodes(*helper.body):
            if isinstance(node, ast.Raise):
                above = list(module.above(node))
                if any(isinstance(item, ast.ExceptHandler) for item in above[: above.index(helper)]):
                    continue
                tests = [item.test for item in above[: above.index(helper)] if isinstance(item, ast.If)]
                is_bound = any("bound" in self.judge.reasons(test) for test in tests)
                doubt |= _BOUND if is_bound else _RUN if gets_run else _OTHER
        return doubt


def is_quiet(node: ast.stmt) -> bool:
    """Whether a statement only tells, sleeps or goes on."""
    if isinstance(node, (ast.Pass, ast.Continue)):
        return True
    value = node.value if isinstance(node, ast.Expr) else None
    while isinstance(value, ast.Await):
        value = value.value
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and bool(_QUIET.fullmatch(last_name(value))))
