"""`Wait`: a loop that polls until a run ends, and how it behaves for each status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ._calls import LIVES, Life
from ._conditions import Judge, Truth, Unknown
from ._module import Module
from ._polled_run import Polled, polled_in
from ._syntax import LOOPS, LoopNode, is_counted, is_endless, own_nodes
from ._walk import Ends, Walk, is_quiet


@dataclass(frozen=True)
class Behaviour:
    """What a loop does while the run is in one status."""

    goes_on: Truth
    ends: Ends
    acts: frozenset[ast.stmt]

    @property
    def exits(self) -> Ends:
        """How the body leaves the loop."""
        return frozenset(end for end in self.ends if end.kind in ("break", "leave"))

    @property
    def may_stop(self) -> bool:
        """Whether the loop may be left at all."""
        return self.goes_on is not True or bool(self.exits)

    @property
    def stops(self) -> bool:
        """Whether the loop is left for certain."""
        return self.goes_on is False or any(not end.reasons for end in self.exits)

    @property
    def doubts(self) -> frozenset[Unknown]:
        """The reasons of every way the loop may end."""
        tests = {end.reasons for end in self.exits if end.reasons}
        return frozenset(tests if isinstance(self.goes_on, bool) else tests | {self.goes_on})

    @property
    def is_bounded(self) -> bool:
        """Whether a clock, a counter or something that has nothing to do with the run may end the loop."""
        return any("bound" in reasons or "run" not in reasons for reasons in self.doubts)


@dataclass(frozen=True)
class Wait:
    """A loop around a poll."""

    module: Module
    node: LoopNode
    polled: Polled

    @property
    def life(self) -> Life:
        """The states of what is polled."""
        return LIVES[self.polled.resource]

    @cached_property
    def pending(self) -> Behaviour:
        """What it does for a run that is going."""
        return self.behaviour(self.life.pending)

    def behaviour(self, status: str) -> Behaviour:
        """What it does for a run in `status`."""
        roots: list[ast.AST] = [*self.node.body]
        goes_on: Truth = True
        if isinstance(self.node, ast.While):
            roots.append(self.node.test)
        judge = Judge(self.module, self.polled, status, *roots)
        if isinstance(self.node, ast.While):
            goes_on = judge.truth(self.node.test)
        walk = Walk(judge)
        ends = walk.block(self.node.body)
        acts = frozenset(node for node in walk.visited if not is_quiet(node))
        return Behaviour(goes_on, ends, acts)

    @property
    def is_for_one_status(self) -> bool:
        """Whether it waits for an end at all: it goes on for a pending run, and may stop for a successful one.

        A generator that gives each answer away leaves it to its caller when to stop, and `input()` to the user.
        """
        if any(isinstance(node, (ast.Yield, ast.YieldFrom)) or _asks(node) for node in own_nodes(*self.pending.acts)):
            return False
        return not self.pending.stops and self.behaviour(self.life.success).may_stop


def _asks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input"


def waits_in(module: Module) -> Iterator[Wait]:
    """The loops that wait for a run: `while`, `for … in range(…)` and `for … in count()` around a poll."""
    for node in module.nodes:
        if isinstance(node, ast.While) or (isinstance(node, LOOPS) and (is_counted(node) or is_endless(node))):
            parts: list[ast.AST] = [node.test, *node.body] if isinstance(node, ast.While) else [*node.body]
            polled = polled_in(module, *parts)
            if polled is None:
                continue
            if any(_nearest(module, source) is node for source in polled.sources):
                wait = Wait(module, node, polled)
                if wait.is_for_one_status:
                    yield wait


def _nearest(module: Module, source: ast.AST) -> ast.AST | None:
    """The loop that repeats a poll; going through a list of runs does not repeat it."""
    for above in module.above(source):
        if isinstance(above, ast.While) or is_counted(above) or is_endless(above):
            return above
    return None
