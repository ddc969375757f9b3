"""An address in pickles of 0.1.0 before its rebuilding; what it names lives elsewhere now."""

import sys
from dataclasses import dataclass
from typing import Any

from ._errors.results import RunExceptionGroup as RunExceptionGroup, RunResult as RunResult
from ._errors.sdk_pickling import Traveller

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


@dataclass(frozen=True)
class _Part:
    """A group within a group, in a pickle of 0.1.0 before its rebuilding."""

    message: str
    members: list[Any]

    def exception(self) -> Exception:
        """The group."""
        return ExceptionGroup(self.message, [_member(inner) for inner in self.members])


def _rebuilt(message: str, members: list[Any]) -> RunExceptionGroup:  # pyright: ignore[reportUnusedFunction] - a pickle names it
    """What such pickles call."""
    return RunExceptionGroup(message, [_member(inner) for inner in members])


def _member(member: Any) -> Exception:
    return member.exception() if isinstance(member, (_Part, Traveller)) else member
