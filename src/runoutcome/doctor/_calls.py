"""Operations of the API, recognised by the chain of names that reaches them, and creates of background runs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Literal

from ._syntax import key_of, keyword, own_nodes

Verb = Literal["create", "retrieve", "cancel", "stream", "other"]
Resource = Literal["responses", "runs", "batches", "jobs", "videos", "stores", "store_files"]


@dataclass(frozen=True)
class Lifecycle:
    """The API's words for the states of a resource."""

    name: str
    success: str
    failures: tuple[str, ...]
    pending: str = "in_progress"


LIFECYCLES: dict[Resource, Lifecycle] = {
    "responses": Lifecycle("responses", "completed", ("failed", "incomplete", "cancelled")),
    "runs": Lifecycle("threads.runs", "completed", ("failed", "incomplete", "cancelled", "expired")),
    "batches": Lifecycle("batches", "completed", ("failed", "expired", "cancelled")),
    "jobs": Lifecycle("fine_tuning.jobs", "succeeded", ("failed", "cancelled"), "running"),
    "videos": Lifecycle("videos", "completed", ("failed",)),
    "stores": Lifecycle("vector_stores", "completed", ("expired",)),
    "store_files": Lifecycle("vector_stores files", "completed", ("failed", "cancelled")),
}

SHARED: frozenset[Resource] = frozenset({"batches", "videos"})
"""Resources that other APIs have as well."""


@dataclass(frozen=True)
class Operation:
    """A call of the API, or the method mentioned without being called (`to_thread(client.responses.retrieve, id)`)."""

    resource: Resource
    verb: Verb
    node: ast.expr
    call: ast.Call | None

    @property
    def line(self) -> int:
        """Line of the operation, from 1."""
        return self.node.lineno


_VERBS: dict[str, Verb] = {"create": "create", "retrieve": "retrieve", "cancel": "cancel"}
_WRAPPERS = frozenset({"with_raw_response", "with_streaming_response"})
_NOT_OPENAI = re.compile(
    "^(messages|batch)$|anthropic|claude|mistral|together|genai|gemini|runway|luma|replicate", re.I
)
"""`messages.batches` is Anthropic's and `batch.jobs` Mistral's; the rest are clients named after a vendor."""


def resource_of(chain: tuple[str, ...]) -> Resource | None:
    """Return the resource that a chain of names ends with."""
    names = [_bare(name) for name in chain if name not in _WRAPPERS]
    if not names or any(map(_NOT_OPENAI.search, names)):
        return None
    before, last = names[:-1], names[-1]
    if last in ("files", "file_batches"):
        return "store_files" if "vector_stores" in before else None
    within: dict[str, tuple[Resource, str | None]] = {
        "responses": ("responses", None),
        "batches": ("batches", None),
        "videos": ("videos", None),
        "vector_stores": ("stores", None),
        "runs": ("runs", "threads"),
        "jobs": ("jobs", "fine_tuning"),
    }
    resource, parent = within.get(last, (None, None))
    return resource if parent is None or parent in before else None


def verb_of(chain: tuple[str, ...], call: ast.Call | None) -> Verb:
    """Return the verb of the method at the end of a chain; a call that asks for a stream does not poll."""
    verb = _VERBS.get(chain[-1], "other")
    stream = keyword(call, "stream") if call is not None else None
    is_off = stream is None or (isinstance(stream, ast.Constant) and not stream.value)
    return verb if is_off else "stream"


def _bare(name: str) -> str:
    return name.lstrip("_").removesuffix("_api").removesuffix("_client").removesuffix("_resource")


def is_background(call: ast.Call, names: frozenset[str]) -> bool:
    """Return whether a `responses.create` certainly asks for a background run; `names` are `background_names`."""
    value = keyword(call, "background")
    if value is not None:
        return _is_true(value)
    extras = (extra.value for extra in call.keywords if extra.arg in (None, "extra_body"))
    return any(_has_background(extra) or key_of(extra) in names for extra in extras)


def background_names(scope: ast.AST) -> frozenset[str]:
    """Return the names in a function or module that hold parameters of a background run."""
    body = scope.body if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)) else []
    names: set[str | None] = set()
    for node in own_nodes(*body):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _has_background(node.value):
                names.update(map(key_of, targets))
            elif _is_true(node.value):
                names.update(map(_background_owner, targets))
    return frozenset(name for name in names if name)


def _has_background(value: ast.expr) -> bool:
    """`{"background": True}` or `dict(background=True)`."""
    if isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        return any(
            isinstance(key, ast.Constant) and key.value == "background" and _is_true(item) for key, item in pairs
        )
    argument = keyword(value, "background") if isinstance(value, ast.Call) else None
    return argument is not None and _is_true(argument)


def _background_owner(target: ast.expr) -> str | None:
    """Return `params` for `params["background"]`."""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return key_of(target.value) if target.slice.value == "background" else None
    return None


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True
