"""Rows of the catalog: entries, rules, surfaces and error types. Frozen values, no decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

Match = Literal["literal", "null", "unknown", "http_status"]
Confidence = Literal["high", "medium", "low"]
Action = Literal[
    "resubmit", "resubmit_later", "change_request", "raise_limit", "fix_account", "continue", "wait", "none"
]
ErrorType = Literal[
    "bad_request_error",
    "authentication_error",
    "permission_denied_error",
    "not_found_error",
    "conflict_error",
    "unprocessable_entity_error",
    "rate_limit_error",
    "internal_server_error",
    "api_status_error",
    "content_filter_error",
    "incomplete_error",
    "cancelled_error",
    "expired_error",
    "unknown_error",
]

ACTIONS: tuple[Action, ...] = get_args(Action)
RESUBMIT_ACTIONS: tuple[Action, ...] = ("resubmit", "resubmit_later")
"""The actions of what is retryable, and of nothing else."""
ERROR_TYPES: tuple[ErrorType, ...] = get_args(ErrorType)

HOME = "response"
"""The surface whose codes and rules hold on every other one."""
FAILURE_CODE = "error.code"
FAILURE = "error"
INCOMPLETE_REASON = "incomplete_details.reason"
STATUS = "status"


@dataclass(frozen=True)
class Alternative:
    """A different decision that others have made about a contested entry, and their argument."""

    __module__ = "runoutcome"

    argument: str
    error_class: str | None = None
    retryable: bool | None = None


@dataclass(frozen=True)
class Deprecation:
    """Version from which a value is no longer in use, the reason, and the id of the row that replaces it."""

    __module__ = "runoutcome"

    since: str
    reason: str
    use: str | None = None


@dataclass(frozen=True)
class Entry:
    """One row of the catalog: what one value of one field of one surface means."""

    __module__ = "runoutcome"

    surface: str
    field: str
    match: Match
    value: str | None
    error_class: str | None
    status_code: int | None
    error_type: ErrorType | None
    retryable: bool
    action: Action
    title: str
    cause: str
    remedy: str
    since: str
    sdk_since: str | None
    documented: bool
    inferred: bool
    confidence: Confidence
    contested: bool
    alternatives: tuple[Alternative, ...] = ()
    evidence: tuple[str, ...] = ()
    deprecated: Deprecation | None = None
    overlay: str | None = None
    """Name of the overlay that wrote or changed this row; None for a row as published."""

    @property
    def id(self) -> str:
        """`surface/field/value`, with `<null>`, `<unknown>` or `<http_status>` where the row is not for a literal."""
        return f"{self.surface}/{self.field}/{self.value if self.match == 'literal' else f'<{self.match}>'}"

    @property
    def description(self) -> str:
        """Cause and remedy, as one text."""
        return f"{self.cause} {self.remedy}".strip()


@dataclass(frozen=True)
class Rule:
    """A refinement by message text.

    `code` is a code, None (no code) or `*` (any). `pattern` is a regular expression without capital letters, searched
    in the message in lower case: that is the same everywhere, and faster than ignoring case.
    """

    __module__ = "runoutcome"

    id: str
    surface: str
    code: str | None
    pattern: str
    retryable: bool
    action: Action
    title: str
    cause: str
    remedy: str
    since: str
    evidence: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """Every message that the pattern is found in has one of these: a quick test, which decides nothing."""
    overlay: str | None = None
    """Name of the overlay that brought this rule; None for a rule as published."""

    def is_for(self, surface: str | None, code: str | None) -> bool:
        """True if the rule reads messages of failures with this code on this surface."""
        return self.code in ("*", code) and self.surface in (surface, HOME)

    @property
    def forbids_for_any_code(self) -> bool:
        """True for a published rule of code `*` that takes `retryable` away; no rule of an overlay gives it back."""
        return self.code == "*" and self.overlay is None and not self.retryable


@dataclass(frozen=True)
class Surface:
    """One kind of object that says "200 OK" for a failure: where its status is, and what its statuses mean."""

    __module__ = "runoutcome"

    name: str
    object: str | None
    """Value of the `object` field of its bodies; None if they have none."""
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
        """Path to the error object, or to the list of them."""
        return tuple(self.failure_field.split("."))

    @cached_property
    def output_path(self) -> tuple[str, ...] | None:
        """Path to the result; None if the body does not hold it."""
        return tuple(self.output_field.split(".")) if self.output_field else None


@dataclass(frozen=True)
class TypeRow:
    """Class name in `openai` and HTTP status of one `error_type`; None where it has none."""

    __module__ = "runoutcome"

    error_class: str | None
    status_code: int | None
