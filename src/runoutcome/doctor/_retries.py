"""`Retry`: a stretch of code that is run again after an exception, by a retry library, and after which ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ._module import Module
from ._syntax import key_of, keyword, last_name

_LIBRARIES = frozenset({"tenacity", "backoff", "stamina", "retrying", "retry"})
_BLOCKS = frozenset({"Retrying", "AsyncRetrying", "retry_context"})
_DEEPEST = 2
BROAD = frozenset({"Exception", "BaseException"})


@dataclass(frozen=True)
class Retry:
    """What is run again, and after which exceptions: their full names, None if they cannot be told from here."""

    line: int
    body: list[ast.stmt]
    catches: frozenset[str] | None


def bare(names: frozenset[str] | None) -> frozenset[str]:
    """Names of classes without their modules; none if they cannot be told."""
    return frozenset(name.rpartition(".")[2] for name in names or ())


def retries_in(module: Module) -> Iterator[Retry]:
    """The functions under a decorator of a retry library, and the blocks in a loop of one."""
    for function in module.functions:
        for decorator in function.decorator_list:
            if _is_retry(module, decorator):
                yield Retry(decorator.lineno, function.body, _caught(module, decorator))
    loops = (node for node in module.nodes if isinstance(node, (ast.For, ast.AsyncFor)))
    for loop in loops:
        if last_name(loop.iter) in _BLOCKS and _is_retry(module, loop.iter):
            yield Retry(loop.lineno, loop.body, _caught(module, loop.iter))


def classes(module: Module, node: ast.expr | None, depth: int = 0) -> frozenset[str] | None:
    """The full names of the exception classes in `node`, a class or a tuple of them; None if one is not a name."""
    if node is None:
        return frozenset({"BaseException"})
    if isinstance(node, (ast.Tuple, ast.List)):
        found = [classes(module, item.value if isinstance(item, ast.Starred) else item, depth) for item in node.elts]
        return _union(found)
    name = key_of(node)
    if name is None:
        return None
    value = module.constants.get(name.rpartition(".")[2])
    if isinstance(value, (ast.Tuple, ast.List)) and depth < _DEEPEST:
        return classes(module, value, depth + 1)
    return frozenset({module.origin(node)})


def _union(parts: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [part for part in parts if part is not None]
    return frozenset[str]().union(*known) if len(known) == len(parts) else None


def _is_retry(module: Module, node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    name = key_of(target) or ""
    return name.partition(".")[0] in module.imports and _library(module, target) in _LIBRARIES


def _library(module: Module, node: ast.expr) -> str:
    return module.origin(node).partition(".")[0]


def _caught(module: Module, node: ast.expr) -> frozenset[str] | None:
    if not isinstance(node, ast.Call):
        return BROAD
    if any(given.arg is None for given in node.keywords):
        return None
    library = _library(module, node.func)
    if library == "tenacity":
        predicate = keyword(node, "retry")
        return BROAD if predicate is None else _predicate(module, predicate)
    if library == "stamina":
        return _given(module, node, "on", 0)
    if library == "backoff":
        return _given(module, node, "exception", 1) if last_name(node) == "on_exception" else None
    if library == "retry":
        return _given(module, node, "exceptions", 0) if node.args or keyword(node, "exceptions") else BROAD
    return None if any((given.arg or "").startswith("retry_on") for given in node.keywords) else BROAD


def _given(module: Module, node: ast.Call, name: str, position: int) -> frozenset[str] | None:
    given = keyword(node, name) or (node.args[position] if len(node.args) > position else None)
    return classes(module, given) if given is not None else None


def _predicate(module: Module, node: ast.expr) -> frozenset[str] | None:
    """The exceptions a tenacity predicate is for."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([_predicate(module, node.left), _predicate(module, node.right)])
    if not isinstance(node, ast.Call):
        return None
    name = last_name(node)
    if name == "retry_any":
        return _union([_predicate(module, given) for given in node.args])
    if name == "retry_if_exception_type":
        return _given(module, node, "exception_types", 0) if node.args or node.keywords else BROAD
    return frozenset() if name == "retry_if_result" else None
