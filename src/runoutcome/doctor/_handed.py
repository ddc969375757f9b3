"""Retries of code that is handed over: `again(lambda: create(...))`, where `again` calls its parameter in a retry.

A decorator of the user's own, with or without arguments, is such a function too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ._module import Module
from ._retries import Retry, called, library_retries_in, loop_retries_in
from ._syntax import FunctionNode, own_nodes


def retries_in(module: Module) -> list[Retry]:
    """Return the retries by a library and by a loop, and those of what is handed to a function with such a retry."""
    return module.once(_retries, module)


def _retries(module: Module) -> list[Retry]:
    written = [*library_retries_in(module), *loop_retries_in(module)]
    return [*written, *_handed_retries(module, written)]


@dataclass(frozen=True)
class _Repeated:
    """A parameter that a function calls in a retry."""

    function: FunctionNode
    name: str
    retry: Retry


def _handed_retries(module: Module, written: list[Retry]) -> Iterator[Retry]:
    repeated: dict[ast.stmt, list[_Repeated]] = {}
    for retry in written:
        for parameter in _repeated_parameters(module, retry):
            repeated.setdefault(parameter.function, []).append(parameter)
    for node in module.nodes if repeated else ():
        if isinstance(node, ast.Call):
            yield from _handed_to(module, repeated, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _decorated(module, repeated, node)


def _handed_to(module: Module, repeated: dict[ast.stmt, list[_Repeated]], call: ast.Call) -> Iterator[Retry]:
    for parameter in _named(module, repeated, call.func):
        argument = _argument(_positional(module, parameter.function), parameter.name, call)
        if argument is not None:
            yield Retry(call.lineno, called(module, argument), parameter.retry.catches)


def _decorated(module: Module, repeated: dict[ast.stmt, list[_Repeated]], node: FunctionNode) -> Iterator[Retry]:
    for decorator in node.decorator_list:
        for parameter in _named(module, repeated, decorator):
            if _positional(module, parameter.function)[:1] == [parameter.name]:
                yield Retry(node.lineno, node.body, parameter.retry.catches)


def _named(module: Module, repeated: dict[ast.stmt, list[_Repeated]], callee: ast.expr) -> list[_Repeated]:
    """Return the parameters of the function `again`, or of the one that `again(times=3)` returns."""
    function = module.helper(callee.func if isinstance(callee, ast.Call) else callee)
    if function is None:
        return []
    functions = [node for node in function.body if node in repeated] if isinstance(callee, ast.Call) else [function]
    return [parameter for node in functions for parameter in repeated.get(node, [])]


def _repeated_parameters(module: Module, retry: Retry) -> Iterator[_Repeated]:
    for node in own_nodes(*retry.body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and retry.repeats(node):
            name = node.func.id
            for above in module.above(node):
                if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)) and name in _names(above.args):
                    yield _Repeated(above, name, retry)
                    break


def _argument(parameters: list[str], name: str, call: ast.Call) -> ast.expr | None:
    """Return the argument that a call gives to the parameter `name`."""
    given = {word.arg: word.value for word in call.keywords}
    for parameter, value in zip(parameters, call.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        given[parameter] = value
    return given.get(name)


def _positional(module: Module, function: FunctionNode) -> list[str]:
    """Return the names of the positional parameters that a caller gives."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    is_bound = isinstance(module.parents.get(function), ast.ClassDef) and names[:1] in (["self"], ["cls"])
    return names[1:] if is_bound else names


def _names(arguments: ast.arguments) -> set[str]:
    return {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
