"""Which expression is an operation of the API: the chain of names it is reached by, and nothing else."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Literal

Verb = Literal["create", "retrieve", "cancel", "stream", "other"]
Resource = Literal["responses", "runs", "batches", "jobs", "videos", "stores", "store_files"]


@dataclass(frozen=True)
class Life:
    """What the API calls the states of a resource."""

    name: str
    success: str
    failures: tuple[str, ...]
    pending: str = "in_progress"


LIVES: dict[Resource, Life] = {
    "responses": Life("responses", "completed", ("failed", "incomplete", "cancelled")),
    "runs": Life("threads.runs", "completed", ("failed", "incomplete", "cancelled", "expired")),
    "batches": Life("batches", "completed", ("failed", "expired", "cancelled")),
    "jobs": Life("fine_tuning.jobs", "succeeded", ("failed", "cancelled"), "running"),
    "videos": Life("videos", "completed", ("failed",)),
    "stores": Life("vector_stores", "completed", ("expired",)),
    "store_files": Life("vector_stores files", "completed", ("failed", "cancelled")),
}

SHARED: frozenset[Resource] = frozenset({"batches", "videos"})
"""Other people's APIs have these as well."""


@dataclass(frozen=True)
class Operation:
    """A call of the API, or the method mentioned without being called (`to_thread(client.responses.retrieve, id)`)."""

    resource: Resource
    verb: Verb
    node: ast.expr
    call: ast.Call | None

    @property
    def line(self) -> int:
        """Where it stands."""
        return self.node.lineno


_VERBS: dict[str, Verb] = {"create": "create", "retrieve": "retrieve", "cancel": "cancel"}
_WRAPPERS = frozenset({"with_raw_response", "with_streaming_response"})
_NOT_OPENAI = re.compile(
    "^(messages|batch)$|anthropic|claude|mistral|together|genai|gemini|runway|luma|replicate", re.I
)
"""`messages.batches` is Anthropic's and `batch.jobs` Mistral's; the rest are clients named after a vendor."""


def resource_of(chain: tuple[str, ...]) -> Resource | None:
    """The resource a chain of names ends with."""
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
    """What the method at the end of a chain does; a call that asks for a stream does not poll."""
    verb = _VERBS.get(chain[-1], "other")
    for given in call.keywords if call is not None else []:
        is_off = isinstance(given.value, ast.Constant) and not given.value.value
        if given.arg == "stream" and not is_off:
            return "stream"
    return verb


def _bare(name: str) -> str:
    return name.lstrip("_").removesuffix("_api").removesuffix("_client").removesuffix("_resource")
