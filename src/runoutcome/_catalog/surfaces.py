"""The kinds of body that have outcomes, and the error types they end in. Frozen values, no decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .rows import FAILURE


@dataclass(frozen=True)
class Surface:
    """One kind of object that says "200 OK" for a failure: where its status is, and what its statuses mean."""

    __module__ = "runoutcome"

    name: str
    object: str | None
    """What its bodies call themselves; None where they do not."""
    status_field: str
    pending: frozenset[str]
    terminal: frozenset[str]
    decided_by: Mapping[str, str]
    """Status -> the field whose value decides, for the statuses that need one."""
    completed: frozenset[str] = frozenset({"completed"})
    aliases: tuple[str, ...] = ()
    failure_field: str = FAILURE
    output_field: str | None = None
    counts_field: str | None = None
    legacy: bool = False
    sdk_model: str | None = None
    openapi_schema: str | None = None

    @cached_property
    def code_field(self) -> str:
        """The field that holds a failure's code."""
        return f"{self.failure_field}.code"

    @cached_property
    def failure_path(self) -> tuple[str, ...]:
        """Where the error object is, or the list of them."""
        return tuple(self.failure_field.split("."))

    @cached_property
    def output_path(self) -> tuple[str, ...] | None:
        """Where the result is; None where the body does not hold it."""
        return tuple(self.output_field.split(".")) if self.output_field else None


@dataclass(frozen=True)
class TypeRow:
    """What one `error_type` amounts to: an `openai` class name and the HTTP status that goes with it, or None."""

    __module__ = "runoutcome"

    error_class: str | None
    status_code: int | None
