"""What `wait` tells on stderr while it waits."""

from __future__ import annotations

from ..._outcome.outcome import Outcome
from .._output.console import print_line, stderr


def tell_status(outcome: Outcome) -> None:
    """One line for a change of status."""
    print_line(stderr(), f"{outcome.response_id}: {outcome.status}")


class FaultTeller:
    """Says why there is no answer, once for each kind of fault: a silent wait looks like one that hangs."""

    def __init__(self) -> None:
        self._told = ""

    def __call__(self, fault: BaseException) -> None:
        """Take in one poll fault."""
        status = getattr(fault, "status_code", None)
        cause = f" ({fault.__cause__})" if fault.__cause__ else ""
        text = f"HTTP {status}" if status else f"{fault}{cause}"
        if text != self._told:
            print_line(stderr(), f"A poll failed, and is made again: {text}")
            self._told = text
