"""Position in a stream of events, and the decision about its next event. Pure.

The server numbers the events of a run from 0, without gaps, and gives those after a number again. So an event is

    new   the next one, or one without a number
    seen  passed on before: a server that takes no notice of `starting_after` begins again at 0
    gap   something before it is missing; that is asked for once, and then taken as it is
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .._outcome.body import look

Place = Literal["new", "seen", "gap"]
TERMINAL_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete", "response.cancelled"})
_FIRST_EVENT = "response.created"
_TOO_LARGE = 2**63
"""No event has this number: one that does would make all that follow look as if they had been passed on."""


@dataclass(frozen=True)
class Cursor:
    """The last event that was passed on."""

    last: int | None = None
    """Its number; None before the first that has one."""
    event: Any = field(default=None, repr=False)
    """The event itself, where this process has passed it on."""
    has_unnumbered: bool = False
    """Events without a number were passed on after it: such a one cannot be told from its replay."""
    is_gap_known: bool = False
    """A gap was asked for once, and its events do not come."""

    @property
    def can_resume(self) -> bool:
        """The server can be asked for what comes next, and no event would come twice."""
        return self.last is not None or not self.has_unnumbered

    def place(self, event: object, *, is_replay: bool = False) -> Place:
        """The position of `event`. `is_replay`: an earlier stream may have handed on its events without a number."""
        kind = look(event, "type")
        number = self._number_of(event)
        if number is None:
            return "seen" if is_replay and kind not in TERMINAL_EVENTS else "new"
        if self.last is None:
            # Some servers count from 1.
            return "new" if number == 0 or kind == _FIRST_EVENT or self.is_gap_known else "gap"
        if number <= self.last:
            return "new" if kind in TERMINAL_EVENTS else "seen"  # a terminal one would have ended the stream
        return "gap" if number > self.last + 1 and not self.is_gap_known else "new"

    def after(self, event: object) -> Cursor:
        """The cursor when `event` has been passed on."""
        number = self._number_of(event)
        if number is None or (self.last is not None and number <= self.last):
            return Cursor(self.last, self.event, has_unnumbered=True, is_gap_known=self.is_gap_known)
        return Cursor(number, event)

    def _number_of(self, event: object) -> int | None:
        number = look(event, "sequence_number")
        if type(number) is not int or not 0 <= number < _TOO_LARGE:
            return None
        # A server that gives every event the same number does not number them.
        is_constant = number == self.last and self.event is not None and event != self.event
        return None if is_constant else number
