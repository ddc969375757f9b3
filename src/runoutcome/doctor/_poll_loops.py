"""`PollLoop`: a loop that polls until a run ends, and its behaviour for each status."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

from ._calls import LIFECYCLES, Lifecycle
from ._conditions import Conditions, Truth, Unknown
from ._module import Module
from ._polled_run import PolledRun, polled_in
from ._syntax import LOOPS, LoopNode, is_counted, is_endless, own_nodes
from ._walk import Ends, Walk, is_quiet


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a loop while the run is in one status."""

    goes_on: Truth
    ends: Ends
    acts: frozenset[ast.stmt]

    @property
    def exits(self) -> Ends:
        """Ends of the body that leave the loop."""
        return frozenset(end for end in self.ends if end.kind in ("break", "leave"))

    @property
    def may_stop(self) -> bool:
        """True if the loop may be left at all."""
        return self.goes_on is not True or bool(self.exits)

    @property
    def stops(self) -> bool:
        """True if the loop is left for certain."""
        return self.goes_on is False or any(not end.reasons for end in self.exits)

    @property
    def doubts(self) -> frozenset[Unknown]:
        """Reasons of every way the loop may end."""
        tests = {end.reasons for end in self.exits if end.reasons}
        return frozenset(tests if isinstance(self.goes_on, bool) else tests | {self.goes_on})

    @property
    def is_bounded(self) -> bool:
        """True if a clock, a counter or something unrelated to the run may end the loop."""
        return any("bound" in reasons or "run" not in reasons for reasons in self.doubts)


@dataclass(frozen=True)
class PollLoop:
    """A loop around a poll."""

    module: Module
    node: LoopNode
    polled: PolledRun

    @property
    def lifecycle(self) -> Lifecycle:
        """States of the resource that is polled."""
        return LIFECYCLES[self.polled.resource]

    @cached_property
    def pending(self) -> Behaviour:
        """Behaviour for a run that is going."""
        return self.behaviour(self.lifecycle.pending)

    def behaviour(self, status: str) -> Behaviour:
        """Return the behaviour for a run in `status`."""
        test = self.node.test if isinstance(self.node, ast.While) else None
        conditions = Conditions(self.module, self.polled, status, *self.node.body, *([test] if test else []))
        walk = Walk(conditions)
        ends = walk.block(self.node.body)
        acts = frozenset(node for node in walk.visited if not is_quiet(node))
        return Behaviour(True if test is None else conditions.truth(test), ends, acts)

    @property
    def is_for_one_status(self) -> bool:
        """True if the loop waits for an end at all: it goes on for a pending run, and may stop for a successful one.

        A generator that yields each answer leaves the decision to its caller, and `input()` leaves it to the user.
        """
        if any(
            isinstance(node, (ast.Yield, ast.YieldFrom)) or _is_input(node) for node in own_nodes(*self.pending.acts)
        ):
            return False
        return not self.pending.stops and self.behaviour(self.lifecycle.success).may_stop


def _is_input(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input"


def poll_loops_in(module: Module) -> list[PollLoop]:
    """Return the loops that wait for a run: `while`, `for … in range(…)` and `for … in count()` around a poll."""
    return module.once(_poll_loops, module)


def _poll_loops(module: Module) -> list[PollLoop]:
    loops: list[PollLoop] = []
    for node in module.nodes:
        if isinstance(node, ast.While) or (isinstance(node, LOOPS) and (is_counted(node) or is_endless(node))):
            parts: list[ast.AST] = [node.test, *node.body] if isinstance(node, ast.While) else [*node.body]
            polled = polled_in(module, *parts)
            if polled is not None and any(_nearest_loop(module, source) is node for source in polled.sources):
                loops.append(PollLoop(module, node, polled))
    return [loop for loop in loops if loop.is_for_one_status]


def _nearest_loop(module: Module, source: ast.AST) -> ast.AST | None:
    """Return the loop that repeats a poll; going through a list of runs does not repeat it."""
    for above in module.above(source):
        if isinstance(above, ast.While) or is_counted(above) or is_endless(above):
            return above
    return None
