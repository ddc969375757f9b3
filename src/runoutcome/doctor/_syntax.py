"""Functions on syntax trees: chains of names, assignments, loops."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
LoopNode = ast.While | ast.For | ast.AsyncFor
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LOOPS = (ast.While, ast.For, ast.AsyncFor)
TRIES: tuple[type[ast.AST], ...] = (ast.Try, getattr(ast, "TryStar", ast.Try))


def own_nodes(*roots: ast.AST) -> Iterator[ast.AST]:
    """Yield `roots` and the nodes below them in source order, without the functions and classes defined there.

    Lambdas are included: they are written where they are used.
    """
    stack = list(reversed(roots))
    while stack:
        node = stack.pop()
        if isinstance(node, SCOPES):
            continue
        yield node
        stack.extend(reversed(list(ast.iter_child_nodes(node))))


def dotted(node: ast.AST) -> tuple[str, ...]:
    """Return the names of a chain: `("a", "b", "c")` for `a.b(x)[0].c`; empty if `node` is not a chain."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, (ast.Await, ast.Subscript, ast.Starred)):
            node = node.value
        else:
            break
    if isinstance(node, ast.Name):
        names.append(node.id)
    return tuple(reversed(names))


def last_name(node: ast.AST) -> str:
    """Return the last name of a chain; empty if there is none."""
    return (dotted(node) or ("",))[-1]


def key_of(node: ast.AST) -> str | None:
    """Return `run` or `self.run` for a name or attribute, which can keep a value; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else None


def field_of(node: ast.AST) -> tuple[str, ast.expr] | None:
    """Return the name and the object of a field that is read: `run.status`, or `getattr(run, "status", None)`."""
    if isinstance(node, ast.Attribute):
        return node.attr, node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return name.value, node.args[0]
    return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value of the keyword argument `name`."""
    return next((argument.value for argument in call.keywords if argument.arg == name), None)


def assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Yield every name (or `self.name`) that gets a value, and the expression of the value."""
    for node in nodes:
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            targets, value = [node.target], node.value
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            targets, value = [node.target], node.iter
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets, value = [node.optional_vars], node.context_expr
        for target in targets:
            for leaf in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                name = key_of(leaf)
                if name is not None and value is not None:
                    yield name, value


def identifiers(node: ast.AST) -> Iterator[str]:
    """Yield every name and attribute at or below `node`; no text."""
    for below in ast.walk(node):
        if isinstance(below, ast.Name):
            yield below.id
        elif isinstance(below, ast.Attribute):
            yield below.attr


def is_counted(node: ast.AST) -> bool:
    """Return whether `node` is `for … in range(…)`."""
    return (
        isinstance(node, (ast.For, ast.AsyncFor))
        and isinstance(node.iter, ast.Call)
        and last_name(node.iter) == "range"
    )


def is_endless(node: ast.AST) -> bool:
    """Return whether `node` is `for … in itertools.count(…)`."""
    return isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and last_name(node.iter) in ("count", "cycle")
