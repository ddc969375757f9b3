"""Reads the output of a run: whether there is any, a refusal, items that failed, and tools that acted on the world.

output      a message with text, a call that the caller must answer, a finished item with a result
no output   reasoning, blank text, a refusal
acted       an MCP call or a hosted shell call, begun or done: the server ran it, as it did a shell call without an
            environment whose result stands in the same output. Function, computer and local shell calls are run by
            the caller; searches, code interpreter and image generation change nothing outside.
"""

from collections.abc import Iterable, Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from .body import look, word

_FOR_THE_CALLER = frozenset(
    {"function_call", "custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call"}
    | {"mcp_approval_request"}
)
_RESULT_FIELDS = ("result", "results", "output", "outputs")
_MAX_ITEMS = 10_000
"""Of an output that are read for texts; tools are looked for in all."""
_MAX_NAMED = 100
"""Failed items and tools that an outcome names, and characters of a type, code or name: a pickle stays small."""


@dataclass(frozen=True)
class FailedItem:
    """An item that failed inside a run; a failed item does not fail the run."""

    __module__ = "runoutcome"

    type: str
    code: str | None = None
    message: str | None = field(default=None, repr=False)
    """The text of the failure. It may be model output, so it stays in this process: a pickle does not have it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.type, self.code)


class Output(NamedTuple):
    """The parts of an output that decide about an outcome."""

    has_output: bool = False
    refusal: str | None = None
    failed_items: tuple[FailedItem, ...] = ()
    tools_ran: tuple[str, ...] = ()


def read_output(output: object) -> Output:
    """The parts of the value of a body's output field. A value that is no list of items is output if it is truthy."""
    if not isinstance(output, (list, tuple)):
        return Output(bool(output))
    items = output[:_MAX_ITEMS]
    answered = {word(look(item, "call_id")) for item in output if look(item, "type") == "shell_call_output"}
    texts = [text for item in items for text in _texts(item, "refusal")]
    failed = (found for item in items if (found := _failed_item(item)))
    tools = (name[:_MAX_NAMED] for item in output if (name := _acted(item, answered)))
    return Output(
        any(_is_output(item, answered) for item in items),
        "\n".join(texts) or None,
        tuple(islice(failed, _MAX_NAMED)),
        tuple(islice(tools, _MAX_NAMED)),
    )


def _is_output(item: object, answered: AbstractSet[str | None]) -> bool:
    kind = word(look(item, "type"))
    if kind == "message":
        return any(text.strip() for text in _texts(item, "output_text", "text"))
    if kind in _FOR_THE_CALLER or (kind == "shell_call" and not _acted(item, answered)):
        return True
    if look(item, "status") not in (None, "completed") or kind == "reasoning":
        return False
    return any(look(item, name) for name in _RESULT_FIELDS)


def _texts(item: object, *kinds: str) -> Iterable[str]:
    """The texts of the content parts of these types in a message."""
    content = look(item, "content") if look(item, "type") == "message" else None
    for part in content if isinstance(content, (list, tuple)) else ():
        if look(part, "type") in kinds:
            text = look(part, "refusal") if look(part, "type") == "refusal" else look(part, "text")
            if isinstance(text, str) and text:
                yield text


def _failed_item(item: object) -> FailedItem | None:
    error, kind = look(item, "error"), word(look(item, "type"))
    if kind is None or (look(item, "status") != "failed" and not error):
        return None
    kind, code = kind[:_MAX_NAMED], (word(look(error, "code")) or "")[:_MAX_NAMED] or None
    if isinstance(error, str):
        return FailedItem(kind, None, error)
    return FailedItem(kind, code, word(look(error, "message")) or word(look(error, "content")))


def _acted(item: object, answered: AbstractSet[str | None]) -> str | None:
    """The name of a tool that the server ran and that may have changed the world; None for any other item.

    `answered` holds the ids of the shell calls whose results stand in the same output.
    """
    kind = look(item, "type")
    if kind == "mcp_call":
        names = [word(look(item, name)) for name in ("server_label", "name")]
        return ".".join(name for name in names if name) or "mcp_call"
    if kind != "shell_call":
        return None
    environment = look(item, "environment")
    if environment is None:
        return "shell_call" if word(look(item, "call_id")) in answered else None
    return "shell_call" if look(environment, "type") != "local" else None
