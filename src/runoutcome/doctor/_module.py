"""`Module`: one source file, and the meaning of its names; `Hit`: a line of it that a rule points at."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ParamSpec, TypeVar, cast

from ._calls import SHARED, Operation, Resource, Verb, resource_of, verb_of
from ._syntax import LOOPS, SCOPES, FunctionNode, assignments, dotted, key_of, own_nodes

_IGNORE = re.compile(r"#\s*runoutcome:\s*ignore\[([^\]]*)\]")
_OWN = ("self", "cls")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Hit:
    """A line that a rule points at, and why."""

    line: int
    message: str


@dataclass(frozen=True)
class Module:
    """A parsed source. `Module.parse` raises SyntaxError, ValueError, RecursionError or MemoryError."""

    text: str
    tree: ast.Module = field(repr=False)
    _results: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Module:
        """Return the module in `text`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the escapes in strings of the source
            return cls(text, ast.parse(text))

    def once(self, find: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `find(*args)`, worked out the first time only: rules ask the same about a loop or function again."""
        key = (find, args)
        if key not in self._results:
            self._results[key] = find(*args, **kwargs)
        return cast("T", self._results[key])

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of each node."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def functions(self) -> list[FunctionNode]:
        """Every function and method, nested ones too."""
        return [node for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]

    @cached_property
    def is_about_openai(self) -> bool:
        """True if the file mentions OpenAI at all."""
        return "openai" in self.text.lower()

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local names, and the dotted names they were imported from."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        return names

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Names (without `self.`) that have one and the same value in the whole file."""
        values: dict[str, dict[str, ast.expr]] = {}
        for name, value in assignments(self.nodes):
            values.setdefault(name.rpartition(".")[2], {})[ast.dump(value)] = value
        return {name: value for name, same in values.items() if len(same) == 1 for value in same.values()}

    @cached_property
    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Names that stand for a resource or a method of it: `api = client.responses`."""
        chains: dict[str, tuple[str, ...]] = {}
        for name, value in assignments(self.nodes):
            chain = dotted(value)
            if isinstance(value, ast.Attribute) and (resource_of(chain) or resource_of(chain[:-1])):
                chains[name] = chain
        return chains

    def origin(self, node: ast.AST) -> str:
        """Return the full dotted name of `node`, through the imports: `openai.RateLimitError`; empty if it has none."""
        name = key_of(node)
        if name is None:
            return ""
        top, dot, rest = name.partition(".")
        return self.imports.get(top, top) + dot + rest

    def is_ignored(self, line: int, rule: str) -> bool:
        """Return whether a comment on that line silences the rule."""
        lines = self._lines
        match = _IGNORE.search(lines[line - 1]) if line <= len(lines) else None
        return match is not None and rule in [name.strip() for name in match[1].split(",")]

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the ancestors of `node`, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def scope_of(self, node: ast.AST) -> FunctionNode | ast.Module:
        """Return the function that `node` is in, or the module."""
        for above in self.above(node):
            if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return above
        return self.tree

    def helper(self, node: ast.AST) -> FunctionNode | None:
        """Return the function of this file that `node` names: `fetch`, or `self.fetch` within its class."""
        if isinstance(node, ast.Name):
            named = self._by_name.get(node.id, [])
            return named[0] if len(named) == 1 else None
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            return None
        for above in self.above(node):
            if isinstance(above, ast.ClassDef) and node.value.id in (*_OWN, above.name):
                return self.once(_methods, above).get(node.attr)
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[FunctionNode]]:
        functions: dict[str, list[FunctionNode]] = {}
        for function in self.functions:
            if not isinstance(self.parents.get(function), ast.ClassDef):
                functions.setdefault(function.name, []).append(function)
        return functions

    def operations(self, verb: Verb, *roots: ast.AST, helped: bool = False) -> Iterator[Operation]:
        """Yield the operations of that verb in `roots`; if `helped`, also those done by functions of this file."""
        for node in own_nodes(*roots):
            if not isinstance(node, (ast.Attribute, ast.Name)) or not isinstance(node.ctx, ast.Load):
                continue
            operation = self._operation(node)
            if operation is not None:
                if operation.verb == verb:
                    yield operation
            elif helped:
                yield from self._by_helper(node, verb)

    def _operation(self, node: ast.Attribute | ast.Name) -> Operation | None:
        chain = self.aliases.get(key_of(node) or "")
        if chain is None:
            if isinstance(node, ast.Name):
                return None
            chain = (*self.aliases.get(key_of(node.value) or "", dotted(node.value)), node.attr)
        resource = self._resource(chain[:-1])
        call = self._call_of(node)
        return Operation(resource, verb_of(chain, call), node, call) if resource is not None else None

    def _call_of(self, node: ast.AST) -> ast.Call | None:
        """Return the call of `node`, or the call that gets it as an argument (`partial(create, background=True)`)."""
        parent = self.parents.get(node)
        parent = self.parents.get(parent) if isinstance(parent, ast.keyword) else parent
        return parent if isinstance(parent, ast.Call) else None

    def _resource(self, chain: tuple[str, ...]) -> Resource | None:
        resource = resource_of(chain)
        return resource if resource not in SHARED or self.is_about_openai else None

    def _by_helper(self, node: ast.Attribute | ast.Name, verb: Verb) -> Iterator[Operation]:
        helper = self.helper(node)
        if helper is not None and helper is not self.scope_of(node):
            for operation in self.operations_of(verb, helper):
                if not self.is_looped(operation.node):
                    yield Operation(operation.resource, verb, node, self._call_of(node))
                    return

    def operations_of(self, verb: Verb, function: FunctionNode) -> list[Operation]:
        """Return the operations of that verb in a function of this file."""
        return self.once(_operations_of, self, verb, function)

    def is_looped(self, node: ast.AST) -> bool:
        """Return whether `node` is in a loop of its function."""
        for above in self.above(node):
            if isinstance(above, SCOPES):
                return False
            if isinstance(above, LOOPS):
                return True
        return False


def _methods(node: ast.ClassDef) -> dict[str, FunctionNode]:
    methods = [item for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {method.name: method for method in reversed(methods)}  # the first of a name counts


def _operations_of(module: Module, verb: Verb, function: FunctionNode) -> list[Operation]:
    return list(module.operations(verb, *function.body))
