"""An address in pickles of 0.1.0 before its modules were moved."""

import sys
from dataclasses import dataclass
from typing import Any

from ._errors.results import RunExceptionGroup as RunExceptionGroup, RunResult as RunResult
from ._foreign import Traveller

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


@dataclass(frozen=True)
class _Part:
    """A group within a pickled group."""

    message: str
    members: list[Any]

    def exception(self) -> Exception:
        """The group itself."""
        return ExceptionGroup(self.message, [_member(member) for member in self.members])


def _rebuilt(message: str, members: list[Any]) -> RunExceptionGroup:  # pyright: ignore[reportUnusedFunction] - a pickle names it
    """The outermost group; pickles call this."""
    return RunExceptionGroup(message, [_member(member) for member in members])


def _member(member: Any) -> Exception:
    return member.exception() if isinstance(member, (_Part, Traveller)) else member
