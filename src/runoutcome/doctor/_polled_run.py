"""`PolledRun`: the names that hold a polled run in a stretch of code, followed through assignments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ._calls import Resource
from ._module import Module
from ._syntax import FunctionNode, assignments, key_of, last_name, own_nodes

_STATUS = "status"
_SAME_TEXT = frozenset({"str", "lower", "casefold", "strip", "upper", "cast"})
_ROUNDS = 3
_CONVERTS = re.compile(
    r"^to_(?!thread)|from_|parse_|coerce|convert|normali|map|build|wrap_|adapt|transform|validate|[sS]tatus$"
)


@dataclass(frozen=True)
class PolledRun:
    """The names that hold a run, or something of it, in a stretch of code."""

    module: Module
    resource: Resource
    sources: frozenset[ast.expr]
    """The expressions that poll."""
    names: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    """Names that hold the status itself, or may."""
    runs: frozenset[str] = frozenset()
    """Names that hold the whole run, or may."""
    is_translated: bool = False
    """True if the answer goes through a conversion: its statuses are then other words than the API's."""

    def mentions(self, node: ast.AST) -> bool:
        """Return whether the run, or anything of it, is in `node`."""
        return any(below in self.sources or self._is_held(below) for below in own_nodes(node))

    def is_status(self, node: ast.AST) -> bool:
        """Return whether `node` is the run's status, in the words of the API."""
        if self.is_translated:
            return False
        if isinstance(node, ast.NamedExpr):
            return self.is_status(node.value)
        if isinstance(node, ast.Call):
            return self._is_status_call(node)
        if isinstance(node, ast.Attribute) and node.attr == _STATUS:
            return self.mentions(node.value)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == _STATUS:
            return self.mentions(node.value)
        return key_of(node) in self.statuses

    def _is_status_call(self, call: ast.Call) -> bool:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        words = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        if name == "getattr" and _STATUS in words:
            return self.mentions(call.args[0])
        if isinstance(call.func, ast.Attribute):
            if name == "get" and _STATUS in words:
                return self.mentions(call.func.value)
            return name in _SAME_TEXT and not call.args and self.is_status(call.func.value)
        return name in _SAME_TEXT and bool(call.args) and self.is_status(call.args[-1])

    def _is_held(self, node: ast.AST) -> bool:
        return isinstance(node, (ast.Name, ast.Attribute)) and key_of(node) in self.names


def polled_in(module: Module, *roots: ast.AST) -> PolledRun | None:
    """Return the run that `roots` poll; None if they poll none, or several kinds of resource."""
    polls = list(module.operations("retrieve", *roots, helped=True))
    if len({poll.resource for poll in polls}) != 1:
        return None
    sources = frozenset(poll.node for poll in polls)
    kept = frozenset(_kept_by_helpers(module, sources))
    is_translated = any(_is_translated(module, source) for source in sources)
    polled = PolledRun(module, polls[0].resource, sources, kept, is_translated=is_translated)
    pairs = list(assignments(own_nodes(*roots)))
    for _ in range(_ROUNDS):
        held = [(name, value) for name, value in pairs if polled.mentions(value) and not _is_only_id(value)]
        polled = replace(
            polled,
            names=kept | {name for name, _ in held},
            statuses=frozenset(name for name, value in held if polled.is_status(value) or _is_answer(polled, value)),
            runs=frozenset(name for name, value in held if _is_whole(polled, value)),
        )
    return polled


def _kept_by_helpers(module: Module, sources: frozenset[ast.expr]) -> Iterator[str]:
    """Yield `self.run`, if a method called here polls and keeps the run there."""
    for source in sources:
        helper = module.helper(source)
        if helper is not None:
            yield from module.once(_kept_by, module, helper)


def _kept_by(module: Module, helper: FunctionNode) -> list[str]:
    polls = {operation.node for operation in module.operations_of("retrieve", helper)}
    return [
        name
        for name, value in assignments(own_nodes(*helper.body))
        if "." in name and any(node in polls for node in own_nodes(value))
    ]


def _is_translated(module: Module, source: ast.expr) -> bool:
    """Return whether a poll's answer is passed to a conversion: `Status.from_api(…)`."""
    helper = module.helper(source)
    if helper is not None:
        return module.once(_is_translated_by, module, helper)
    for above in module.above(source):
        if isinstance(above, ast.stmt):
            break
        if isinstance(above, ast.Call) and above.func is not source and _CONVERTS.search(last_name(above)):
            return True
    return False


def _is_translated_by(module: Module, helper: FunctionNode) -> bool:
    returned = [node.value for node in own_nodes(*helper.body) if isinstance(node, ast.Return) and node.value]
    polls = [operation.node for operation in module.operations_of("retrieve", helper)]
    return any(map(_is_conversion, returned)) or any(_is_translated(module, poll) for poll in polls)


def _is_conversion(value: ast.expr) -> bool:
    """Return whether the returned `value` is something else than the run or its status as it came."""
    for node in own_nodes(value):
        is_lookup = isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant)
        is_call = isinstance(node, ast.Call) and _CONVERTS.search(last_name(node)) is not None
        if is_lookup or is_call or isinstance(node, (ast.IfExp, ast.Compare, ast.Dict)):
            return True
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_answer(polled: PolledRun, value: ast.expr) -> bool:
    """Return whether `value` is the result of a call that polls: the user's own function may return the bare status."""
    value = value.value if isinstance(value, ast.Await) else value
    return isinstance(value, ast.Call) and any(node in polled.sources for node in own_nodes(value))


def _is_whole(polled: PolledRun, value: ast.expr) -> bool:
    """Return whether `value` is the run as it came, or in another form (`raw.parse()`)."""
    value = value.value if isinstance(value, ast.Await) else value
    form = value.func.value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else value
    return _is_answer(polled, value) or key_of(form) in polled.runs


def _is_only_id(value: ast.expr) -> bool:
    return isinstance(value, ast.Attribute) and value.attr in ("id", "thread_id")
