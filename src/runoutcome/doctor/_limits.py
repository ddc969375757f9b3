"""Whether something around a piece of code ends it after some time: a timeout block, a decorator, the caller."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ._module import Module
from ._syntax import FunctionNode, dotted, identifiers, key_of, last_name, own_nodes

_LIMITER = re.compile(r"time_?out|timed_out|fail_after|move_on_after|fail_at|move_on_at|deadline|time_limit", re.I)
_LIMITING_CALLS = frozenset({"wait_for", "func_timeout", "run_with_timeout", "with_timeout"})
_ALARMS = frozenset({"alarm", "setitimer"})


def is_limited(module: Module, node: ast.AST) -> bool:
    """Whether `node` is under a timeout, or the function it is in is only given some time."""
    scope = module.scope_of(node)
    for above in module.above(node):
        if above is scope:
            break
        if _is_limiting_block(above):
            return True
    if any(isinstance(below, ast.Call) and last_name(below) in _ALARMS for below in own_nodes(*scope.body)):
        return True
    return not isinstance(scope, ast.Module) and _is_limited_function(module, scope)


def _is_limited_function(module: Module, function: FunctionNode) -> bool:
    if any(_LIMITER.search(word) for decorator in function.decorator_list for word in _words(decorator)):
        return True
    return any(_limits(node, function.name) for node in module.nodes)


def _limits(node: ast.AST, name: str) -> bool:
    """Whether `node` runs the function `name` with a limit: in `wait_for(…)`, with `timeout=…`, or under a timeout."""
    if isinstance(node, ast.Call) and not _names(node.func, name):
        has_limit = any(_LIMITER.search(given.arg or "") for given in node.keywords)
        is_limiting = has_limit or last_name(node) in _LIMITING_CALLS
        return is_limiting and any(_names(below, name) for below in ast.walk(node))
    if isinstance(node, (ast.With, ast.AsyncWith)) and _is_limiting_block(node):
        return any(_names(below, name) for below in own_nodes(*node.body))
    return False


def _is_limiting_block(node: ast.AST) -> bool:
    return isinstance(node, (ast.With, ast.AsyncWith)) and any(
        _LIMITER.search(name) for item in node.items for name in dotted(item.context_expr)[-2:]
    )


def _names(node: ast.AST, name: str) -> bool:
    return (key_of(node) or "").rpartition(".")[2] == name


def _words(node: ast.AST) -> Iterator[str]:
    yield from identifiers(node)
    for below in ast.walk(node):
        if isinstance(below, ast.keyword):
            yield below.arg or ""
