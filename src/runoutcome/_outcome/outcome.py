"""`Outcome`: the end or state of a run by its body, and the action that may follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from .._catalog.rows import Action, Entry, ErrorType, Rule

Phase = Literal["pending", "terminal", "unknown"]


@dataclass(frozen=True)
class Outcome:
    """End (or state) of a run by its body, and the action that may follow. Made by `classify`."""

    __module__ = "runoutcome"

    phase: Phase
    status: str | None = None
    ok: bool = False
    """It is completed (`succeeded`, for a fine-tuning job), and nothing has to be raised."""
    surface: str | None = None
    code: str | None = None
    reason: str | None = None
    message: str | None = None
    param: str | None = None
    error_class: str | None = None
    """Name of the `openai` class this amounts to; None where the SDK has none."""
    error_type: ErrorType | None = None
    status_code: int | None = None
    """The HTTP status the same root cause gives synchronously; None where none is known."""
    retryable: bool = False
    """An identical *new* run may succeed. Never implies that asking again for this run changes anything."""
    action: Action = "none"
    known: bool = False
    """A catalog row for this literal code, reason or status decided."""
    retry_after: float | None = None
    """Seconds the server asked to wait before a new run."""
    retry_after_source: str | None = None
    response_id: str | None = None
    """The id of the run, or of whatever else the body is."""
    model: str | None = None
    """None while it is pending, too: of a pending body only status, id and counts are read."""
    usage: Mapping[str, int] | None = field(default=None, hash=False)
    has_output: bool = False
    counts: Mapping[str, int] | None = field(default=None, hash=False)
    """Parts of a batch, file batch or eval run by the way they ended, as the body counts them."""
    entry: Entry | None = None
    rule: Rule | None = None
    catalog_version: str | None = None
    overlay: str | None = None
    """Name of the overlay that decided, None where the shipped catalog did."""

    @classmethod
    def of(cls, phase: Phase, **fields: Any) -> "Outcome":
        """An outcome of these fields; internal.

        The constructor of a frozen dataclass sets field by field, which takes longer than judging a pending run: this
        sets them at once, and leaves defaults to the class.
        """
        outcome = object.__new__(cls)
        outcome.__dict__.update(fields, phase=phase)
        return outcome

    @property
    def title(self) -> str:
        """The event in a few words."""
        words = self.rule or self.entry
        return words.title if words else (self._overlaid or "No run body")

    @property
    def cause(self) -> str:
        """The cause, in one or two sentences."""
        words = self.rule or self.entry
        return words.cause if words else (self._overlaid or "This object says nothing about a run.")

    @property
    def remedy(self) -> str:
        """Advice for a person, in one or two sentences."""
        if self.phase == "unknown" and self.status is None:
            return "Fetch the run by its id and judge that body; nothing is known about the run itself."
        if self.retryable and self.rule is None and self.entry and not self.entry.retryable:
            return "The server itself says that submitting the same request again may succeed."
        words = self.rule or self.entry
        return words.remedy if words else "Fetch the run by its id and judge that body."

    @property
    def _overlaid(self) -> str | None:
        """Words for an outcome out of a pickle: the overlay that decided did not travel with it."""
        return f"Decided by the overlay {self.overlay!r}." if self.overlay is not None else None

    @property
    def label(self) -> str:
        """The failure's own word: its code, else its reason, else its status."""
        return self.code or self.reason or self.status or "no status"

    def describe(self) -> str:
        """Title, cause, remedy and the server's own message, as one line of text."""
        text = f"{self.label}: {self.title}. {self.cause} {self.remedy}"
        return f"{text} Server message: {self.message}" if self.message else text

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON; `entry` and `rule` by their ids."""
        fields = {name: getattr(self, name) for name in _OUTCOME_FIELDS}
        for name in ("usage", "counts"):
            fields[name] = dict(fields[name]) if fields[name] is not None else None
        fields["entry"] = self.entry.id if self.entry else None
        fields["rule"] = self.rule.id if self.rule else None
        return fields

    def problem(self) -> dict[str, Any]:
        """An RFC 9457 problem document; `type` is `about:blank`, so `title` is the HTTP phrase where there is one."""
        document: dict[str, Any] = {"type": "about:blank", "title": self.title, "detail": self.describe()}
        if self.status_code is not None and self.status_code >= 400:
            document["status"] = self.status_code
            document["title"] = _phrase(self.status_code) or self.title
        if self.response_id:
            document["instance"] = self.response_id
        extensions = ("status", "code", "reason", "param", "error_type", "retryable", "action", "retry_after")
        document.update({_PROBLEM_NAMES.get(name, name): getattr(self, name) for name in extensions})
        return {key: value for key, value in document.items() if value is not None}


_OUTCOME_FIELDS = tuple(Outcome.__dataclass_fields__)
# `status` is taken by RFC 9457 for the HTTP status.
_PROBLEM_NAMES = {"status": "run_status"}


def _phrase(status_code: int) -> str | None:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return None
