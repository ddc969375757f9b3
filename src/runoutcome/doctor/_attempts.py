"""`Attempt`: a `try` in a loop that goes round again after some exceptions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ._module import Module
from ._retries import BROAD, bare, classes
from ._syntax import LOOPS, SCOPES, assignments, identifiers, is_counted, key_of, own_nodes

_ALL_OF_THE_SDK = BROAD | {"APIError", "OpenAIError"}


@dataclass(frozen=True)
class Attempt:
    """The `try`, the loop that repeats it, and the bare names of the exceptions after which it does."""

    loop: ast.While | ast.For
    node: ast.Try
    catches: frozenset[str]

    def repeats(self, create: ast.expr) -> bool:
        """Whether the loop makes one and the same thing again, and not a list of them."""
        return self._ends_after(create) and not self._counts(create)

    def _ends_after(self, create: ast.expr) -> bool:
        """Whether the loop is left once the create went well."""
        loop, node = self.loop, self.node
        following = loop.body[loop.body.index(node) + 1 :] if node in loop.body else []
        if any(isinstance(statement, (ast.Return, ast.Break)) for statement in [*node.body, *node.orelse, *following]):
            return True
        inside = list(own_nodes(*node.body))
        if any(isinstance(below, ast.Return) and below.lineno >= create.lineno for below in inside):
            return True
        made = {name for name, _ in assignments(inside)}
        return isinstance(loop, ast.While) and any(key_of(below) in made for below in own_nodes(loop.test))

    def _counts(self, create: ast.expr) -> bool:
        """Whether the counter of the loop is part of what is made."""
        target = self.loop.target if isinstance(self.loop, ast.For) else None
        return isinstance(target, ast.Name) and target.id in identifiers(create)


def attempts_in(module: Module) -> Iterator[Attempt]:
    """The `try` statements directly in a `while` or a `for … in range(…)` that have a handler which goes on."""
    for node in module.nodes:
        if not isinstance(node, ast.Try):
            continue
        loop = next((above for above in module.above(node) if isinstance(above, (*LOOPS, *SCOPES))), None)
        if isinstance(loop, ast.While) or (isinstance(loop, ast.For) and is_counted(loop)):
            caught = _caught_and_gone_on(module, node)
            if caught:
                yield Attempt(loop, node, caught)


def _caught_and_gone_on(module: Module, node: ast.Try) -> frozenset[str]:
    caught: frozenset[str] = frozenset()
    for handler in node.handlers:
        names = bare(classes(module, handler.type))
        if not any(isinstance(statement, (ast.Raise, ast.Return, ast.Break)) for statement in handler.body):
            caught |= names
        elif names & _ALL_OF_THE_SDK:
            break  # what is left for the handlers below is none of the SDK's
    return caught
