"""Time limits around a loop: a timeout block, a limited call or decorator of its function, an alarm."""

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
    """Return whether `node` is under a timeout, or its function is called or decorated with a time limit."""
    scope = module.scope_of(node)
    for above in module.above(node):
        if above is scope:
            break
        if _is_limiting_block(above):
            return True
    if module.once(_has_alarm, scope):
        return True
    return not isinstance(scope, ast.Module) and _is_limited_function(module, scope)


def _has_alarm(scope: FunctionNode | ast.Module) -> bool:
    return any(isinstance(below, ast.Call) and last_name(below) in _ALARMS for below in own_nodes(*scope.body))


def _is_limited_function(module: Module, function: FunctionNode) -> bool:
    if any(_LIMITER.search(word) for decorator in function.decorator_list for word in _words(decorator)):
        return True
    return function.name in module.once(_limited_names, module)


def _limited_names(module: Module) -> frozenset[str]:
    """Return the names of functions that are limited: by `wait_for(…)`, `timeout=…`, or a timeout block."""
    return frozenset(name for node in module.nodes for name in _limited_by(node))


def _limited_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Call):
        has_limit = any(_LIMITER.search(word.arg or "") for word in node.keywords)
        is_limiting = has_limit or last_name(node) in _LIMITING_CALLS
        return set(map(_name, ast.walk(node))) - {_name(node.func)} if is_limiting else set()
    if isinstance(node, (ast.With, ast.AsyncWith)) and _is_limiting_block(node):
        return set(map(_name, own_nodes(*node.body)))
    return set()


def _is_limiting_block(node: ast.AST) -> bool:
    return isinstance(node, (ast.With, ast.AsyncWith)) and any(
        _LIMITER.search(name) for item in node.items for name in dotted(item.context_expr)[-2:]
    )


def _name(node: ast.AST) -> str:
    return (key_of(node) or "").rpartition(".")[2]


def _words(node: ast.AST) -> Iterator[str]:
    yield from identifiers(node)
    for below in ast.walk(node):
        if isinstance(below, ast.keyword):
            yield below.arg or ""
