"""`Retry`: code that is run again after an exception, by a retry library or by a `try` in a loop (`RetryLoop`)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

from ._module import Module
from ._syntax import LOOPS, SCOPES, assignments, identifiers, is_counted, key_of, keyword, last_name, own_nodes

_LIBRARIES = frozenset({"tenacity", "backoff", "stamina", "retrying", "retry"})
_BLOCKS = frozenset({"Retrying", "AsyncRetrying", "retry_context"})
_CALLING = frozenset({"call", "wraps"})
_DEEPEST = 2
BROAD = frozenset({"Exception", "BaseException"})
ALL_OF_THE_SDK = BROAD | {"APIError", "OpenAIError"}
"""After a handler of one of these no exception of the SDK is left for the handlers below."""


@dataclass(frozen=True)
class Retry:
    """A body that a retry library runs again, and the names of the exceptions after which it does."""

    line: int
    body: list[ast.stmt]
    catches: frozenset[str] | None
    """Names with their modules; None if they are not known from here."""

    @property
    def caught(self) -> frozenset[str]:
        """Names without modules; none if they are not known."""
        return bare(self.catches)

    def repeats(self, create: ast.expr) -> bool:
        """Return whether one and the same thing is made again, and not a list of them."""
        return True


@dataclass(frozen=True)
class RetryLoop(Retry):
    """The body of a `try`, and the loop that runs it again."""

    loop: ast.While | ast.For
    node: ast.Try

    def repeats(self, create: ast.expr) -> bool:
        """Return whether the loop makes one and the same thing again, and not a list of them."""
        return self._ends_after(create) and not self._counts(create)

    def _ends_after(self, create: ast.expr) -> bool:
        """Return whether the loop is left once the create went well."""
        loop, node = self.loop, self.node
        following = loop.body[loop.body.index(node) + 1 :] if node in loop.body else []
        if any(isinstance(statement, (ast.Return, ast.Break)) for statement in [*node.body, *node.orelse, *following]):
            return True
        if self._last_return >= create.lineno:
            return True
        return isinstance(loop, ast.While) and any(key_of(below) in self._assigned for below in own_nodes(loop.test))

    @cached_property
    def _last_return(self) -> int:
        return max((node.lineno for node in own_nodes(*self.body) if isinstance(node, ast.Return)), default=0)

    @cached_property
    def _assigned(self) -> frozenset[str]:
        return frozenset(name for name, _ in assignments(own_nodes(*self.body)))

    def _counts(self, create: ast.expr) -> bool:
        """Return whether the counter of the loop is part of the create."""
        target = self.loop.target if isinstance(self.loop, ast.For) else None
        return isinstance(target, ast.Name) and target.id in identifiers(create)


def library_retries_in(module: Module) -> Iterator[Retry]:
    """Yield what a retry library runs again: functions it decorates, blocks in a loop of it, what it is handed."""
    for function in module.functions:
        for decorator in function.decorator_list:
            if _is_retry(module, decorator):
                yield Retry(decorator.lineno, function.body, _caught(module, decorator))
    loops = (node for node in module.nodes if isinstance(node, (ast.For, ast.AsyncFor)))
    for loop in loops:
        if last_name(loop.iter) in _BLOCKS and _is_retry(module, loop.iter):
            yield Retry(loop.lineno, loop.body, _caught(module, loop.iter))
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield from _calls_through(module, node)


def _calls_through(module: Module, call: ast.Call) -> Iterator[Retry]:
    """Yield the retry of `Retrying(...)(make)`, `retryer(make)`, `retryer.call(make)`, `retry(...)(make)`."""
    callee = call.func
    if isinstance(callee, ast.Attribute) and callee.attr in _CALLING:
        callee = callee.value
    retry = module.constants.get((key_of(callee) or "").rpartition(".")[2], callee)
    if isinstance(retry, ast.Call) and call.args and _is_retry(module, retry):
        yield Retry(call.lineno, called(module, call.args[0]), _caught(module, retry))


def called(module: Module, node: ast.expr) -> list[ast.stmt]:
    """Return the statements that run when `node` is called: a function, lambda, bound method, or a partial of one."""
    value = module.constants.get((key_of(node) or "").rpartition(".")[2])
    node = value if isinstance(value, ast.Lambda) or is_partial(value) else node
    target = node.args[0] if is_partial(node) and node.args else node
    helper = module.helper(target)
    if helper is not None:
        return helper.body
    if isinstance(target, ast.Lambda):
        return [ast.Expr(target.body)]
    return [ast.Expr(node)] if isinstance(target, (ast.Name, ast.Attribute)) else []


def is_partial(node: ast.AST | None) -> TypeGuard[ast.Call]:
    """Return whether `node` is `partial(...)`."""
    return isinstance(node, ast.Call) and last_name(node) in ("partial", "partialmethod")


def loop_retries_in(module: Module) -> Iterator[RetryLoop]:
    """Yield the `try` statements directly in a `while` or a `for … in range(…)` with a handler that goes on."""
    for node in module.nodes:
        if not isinstance(node, ast.Try):
            continue
        loop = next((above for above in module.above(node) if isinstance(above, (*LOOPS, *SCOPES))), None)
        if isinstance(loop, ast.While) or (isinstance(loop, ast.For) and is_counted(loop)):
            catches = _repeated_after(module, node)
            if catches:
                yield RetryLoop(node.lineno, node.body, catches, loop, node)


def _repeated_after(module: Module, node: ast.Try) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    for handler, caught in handlers(module, node):
        if not any(isinstance(statement, (ast.Raise, ast.Return, ast.Break)) for statement in handler.body):
            names |= caught
        elif caught & ALL_OF_THE_SDK:
            break
    return names


def handlers(module: Module, node: ast.Try) -> Iterator[tuple[ast.ExceptHandler, frozenset[str]]]:
    """Yield each handler with the bare names of the exceptions it catches."""
    for handler in node.handlers:
        yield handler, bare(classes(module, handler.type))


def bare(names: frozenset[str] | None) -> frozenset[str]:
    """Return names of classes without their modules; none if they are not known."""
    return frozenset(name.rpartition(".")[2] for name in names or ())


def classes(module: Module, node: ast.expr | None, depth: int = 0) -> frozenset[str] | None:
    """Return the full names of the exception classes in `node`, a class or a tuple of them; None if one has no name."""
    if node is None:
        return frozenset({"BaseException"})
    if isinstance(node, (ast.Tuple, ast.List)):
        items = (item.value if isinstance(item, ast.Starred) else item for item in node.elts)
        return _union(classes(module, item, depth) for item in items)
    name = key_of(node)
    if name is None:
        return None
    value = module.constants.get(name.rpartition(".")[2])
    if isinstance(value, (ast.Tuple, ast.List)) and depth < _DEEPEST:
        return classes(module, value, depth + 1)
    return frozenset({module.origin(node)})


def _union(parts: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    names: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        names |= part
    return names


def _is_retry(module: Module, node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    name = key_of(target) or ""
    return name.partition(".")[0] in module.imports and _library(module, target) in _LIBRARIES


def _library(module: Module, node: ast.expr) -> str:
    return module.origin(node).partition(".")[0]


def _caught(module: Module, node: ast.expr) -> frozenset[str] | None:
    """Return the names of the exceptions after which a retry library runs its body again; None if not known."""
    if not isinstance(node, ast.Call):
        return BROAD
    if any(word.arg is None for word in node.keywords):
        return None
    library = _library(module, node.func)
    if library == "tenacity":
        predicate = keyword(node, "retry")
        return BROAD if predicate is None else _predicate(module, predicate)
    if library == "stamina":
        return _argument(module, node, "on", 0)
    if library == "backoff":
        return _argument(module, node, "exception", 1) if last_name(node) == "on_exception" else None
    if library == "retry":
        return _argument(module, node, "exceptions", 0) if node.args or keyword(node, "exceptions") else BROAD
    return None if any((word.arg or "").startswith("retry_on") for word in node.keywords) else BROAD


def _argument(module: Module, node: ast.Call, name: str, position: int) -> frozenset[str] | None:
    argument = keyword(node, name) or (node.args[position] if len(node.args) > position else None)
    return classes(module, argument) if argument is not None else None


def _predicate(module: Module, node: ast.expr) -> frozenset[str] | None:
    """Return the names of the exceptions that a tenacity predicate accepts."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([_predicate(module, node.left), _predicate(module, node.right)])
    if not isinstance(node, ast.Call):
        return None
    name = last_name(node)
    if name == "retry_any":
        return _union(_predicate(module, argument) for argument in node.args)
    if name == "retry_if_exception_type":
        return _argument(module, node, "exception_types", 0) if node.args or node.keywords else BROAD
    return frozenset() if name == "retry_if_result" else None
