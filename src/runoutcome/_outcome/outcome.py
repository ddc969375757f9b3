"""`Outcome`: the end or state of a run by its body, and the action that may follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal

from .._catalog.rows import Action, Entry, ErrorType, Rule
from .output import FailedItem

Phase = Literal["pending", "terminal", "unknown"]
MAX_TEXT_CHARS = 300
"""`to_dict` cuts texts of the model to this."""
_FETCH = "Fetch the run by its id and judge that body."
_QUOTA = "The error also has a code for used-up quota: add credit or raise the limit before you submit it again."
_READ_BATCH = "Read the batch's error file and its usage before you put this request into a new batch."


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
    """An identical *new* run may succeed. Never implies that asking again for this run changes anything.

    It says nothing about tools that acted (`tools_ran`) and would act again: `is_retryable` weighs both.
    """
    action: Action = "none"
    known: bool = False
    """A catalog row for this literal code, reason or status decided."""
    retry_after: float | None = None
    """Seconds the server asked to wait before a new run."""
    retry_after_source: str | None = None
    response_id: str | None = None
    """The id of the run, or of the other object that the body is."""
    model: str | None = None
    """None while it is pending, too: of a pending body only status, id and counts are read."""
    usage: Mapping[str, int] | None = field(default=None, hash=False)
    """Token counts; None where they are not known. A cancelled run whose body says 0 is one of these."""
    has_output: bool = False
    counts: Mapping[str, int] | None = field(default=None, hash=False)
    """Parts of a batch, file batch or eval run by the way they ended, as the body counts them."""
    refusal: str | None = field(default=None, repr=False)
    """The model's refusal, if its output has one. It is model output, so it stays in this process."""
    failed_items: tuple[FailedItem, ...] = ()
    """Items that failed inside the run, such as a tool call; they do not fail the run."""
    tools_ran: tuple[str, ...] = ()
    """Names of tools that the server ran and that may have changed the world, begun or done."""
    retry_after_requested: float | None = None
    """Seconds the server asked to wait, uncut."""
    entry: Entry | None = None
    rule: Rule | None = None
    output_entry: Entry | None = None
    """The row about the output of a completed run: a refusal, no output, failed items; None where all is well."""
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
        return self._words[0]

    @property
    def cause(self) -> str:
        """The cause, in one or two sentences."""
        return self._words[1]

    @property
    def remedy(self) -> str:
        """Advice for a person, in one or two sentences."""
        if self.retryable and not may_resubmit(self):
            names = ", ".join(self.tools_ran[:3])
            return f"Tools acted in this run ({names}) and act again in a new one: check first what they have changed."
        return self._words[2]

    @property
    def _words(self) -> tuple[str, str, str]:
        row = self.rule or self.output_entry or self.entry
        if self.phase == "unknown" and self.status is None:
            return self._words_without_run
        if self.rule is None and self.entry is not None and self.entry.match == "http_status":
            return self._words_of_http_status
        if row is None:
            own = f"Decided by the overlay {self.overlay!r}." if self.overlay is not None else "No run body"
            return own, own, self._next_step
        if self.retryable and not row.retryable:
            return row.title, row.cause, "The server itself says that submitting the same request again may succeed."
        if row.retryable and self.action == "fix_account":
            return row.title, row.cause, _QUOTA
        if self.action == "continue" and row.action != "continue":
            return row.title, row.cause, "A completed run stands beside the error: read it, and submit nothing again."
        return row.title, row.cause, row.remedy

    @property
    def _words_without_run(self) -> tuple[str, str, str]:
        if self.code is None and self.message is None:
            return (
                "No run body",
                "This object says nothing about a run.",
                f"{self._next_step} Nothing is known about the run itself.",
            )
        title = self.entry.title if self.entry and self.entry.match == "literal" else "Error without a run"
        return title, "The server or the connection reports an error; the run itself may be going on.", self._next_step

    @property
    def _next_step(self) -> str:
        """Advice where nothing is known about the run; a row of a batch names no run to fetch."""
        return _READ_BATCH if self.surface == "batch.output_row" else _FETCH

    @property
    def _words_of_http_status(self) -> tuple[str, str, str]:
        cause = f"The failure has the HTTP status {self.status_code} and no other code that is known."
        if self.retryable:
            remedy = "Such a failure often passes: read the server message, then submit the same request again later."
        elif self.action == "fix_account":
            remedy = "Check the API key, its permissions and the account before you submit it again."
        else:
            remedy = "Read the server message and change the request; the same request would fail again."
        return f"HTTP status {self.status_code}", cause, remedy

    @property
    def body_id(self) -> str | None:
        """The id in the body, where the server names the run otherwise than it was asked for; else None."""
        return self.__dict__.get("_body_id")

    def under_id(self, response_id: str) -> "Outcome":
        """The same outcome for a run that was asked for by this id; internal."""
        outcome = replace(self, response_id=response_id)
        outcome.__dict__["_body_id"] = self.response_id
        return outcome

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "refusal": None}  # model output does not travel

    def __copy__(self) -> "Outcome":
        return self

    def __deepcopy__(self, memo: object) -> "Outcome":
        return self

    @property
    def label(self) -> str:
        """The failure's own word: its code, else its reason, else its status."""
        return self.code or self.reason or self.status or "no status"

    def describe(self) -> str:
        """Title, cause, remedy and the server's own message, as one line of text."""
        text = f"{self.label}: {self.title}. {self.cause} {self.remedy}"
        return f"{text} Server message: {self.message}" if self.message else text

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON; rows and rules by their ids. `body_id` only where there is one."""
        fields = {name: getattr(self, name) for name in _OUTCOME_FIELDS}
        for name in ("usage", "counts"):
            fields[name] = dict(fields[name]) if fields[name] is not None else None
        fields["refusal"] = _cut(self.refusal)
        fields["failed_items"] = [
            {"type": item.type, "code": item.code, "message": _cut(item.message)} for item in self.failed_items
        ]
        fields["tools_ran"] = list(self.tools_ran)
        if self.body_id is not None:
            fields["body_id"] = self.body_id
        for name in ("entry", "rule", "output_entry"):
            fields[name] = fields[name].id if fields[name] else None
        return fields

    def problem(self) -> dict[str, Any]:
        """An RFC 9457 problem document; `type` is `about:blank`, so `title` is the HTTP phrase where there is one."""
        document: dict[str, Any] = {"type": "about:blank", "title": self.title, "detail": self.describe()}
        if self.status_code is not None and self.status_code >= 400:
            document["status"] = self.status_code
            document["title"] = _phrase(self.status_code) or self.title
        if self.response_id:
            document["instance"] = self.response_id
        extensions = ("status", "code", "reason", "param", "error_type", "retry_after")
        document.update({_PROBLEM_NAMES.get(name, name): getattr(self, name) for name in extensions})
        document.update(retryable=may_resubmit(self), action=safe_action(self))
        return {key: value for key, value in document.items() if value is not None}


def may_resubmit(outcome: Outcome) -> bool:
    """True if an identical new run may succeed, and no tool acted in this one, which would act again."""
    return outcome.retryable and not outcome.tools_ran


def safe_action(outcome: Outcome) -> Action:
    """The action, but "none" where a new run may succeed and tools acted: a person has to look first."""
    return "none" if outcome.retryable and outcome.tools_ran else outcome.action


_OUTCOME_FIELDS = tuple(Outcome.__dataclass_fields__)
# `status` is taken by RFC 9457 for the HTTP status.
_PROBLEM_NAMES = {"status": "run_status"}


def _phrase(status_code: int) -> str | None:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"
