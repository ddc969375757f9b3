"""Whether a create asks for a background run."""

from __future__ import annotations

import ast

from ._module import Module
from ._syntax import key_of, keyword, own_nodes


def is_background(call: ast.Call, module: Module) -> bool:
    """Whether a `responses.create` call certainly asks for a background run."""
    given = keyword(call, "background")
    if given is not None:
        return _is_true(given)
    scope = module.scope_of(call)
    for extra in call.keywords:
        if extra.arg in (None, "extra_body") and _asks_for_background(extra.value, scope):
            return True
    return False


def _asks_for_background(value: ast.expr, scope: ast.AST) -> bool:
    if isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        return any(
            isinstance(key, ast.Constant) and key.value == "background" and _is_true(item) for key, item in pairs
        )
    if isinstance(value, ast.Call):
        given = keyword(value, "background")
        return given is not None and _is_true(given)
    name = key_of(value)
    body = scope.body if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)) else []
    for node in own_nodes(*body) if name else ():
        if isinstance(node, ast.Assign) and _is_background_item(node, name):
            return True
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, (ast.Dict, ast.Call)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if name in map(key_of, targets) and _asks_for_background(node.value, scope):
                return True
    return False


def _is_background_item(node: ast.Assign, name: str | None) -> bool:
    """`params["background"] = True`."""
    return _is_true(node.value) and any(
        isinstance(target, ast.Subscript)
        and key_of(target.value) == name
        and isinstance(target.slice, ast.Constant)
        and target.slice.value == "background"
        for target in node.targets
    )


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True
