"""The gate before the creates of a batch: first come, first served, when `_submit_limits` says so."""

import asyncio
import math
from collections.abc import Callable, Mapping

from .. import _sdk
from .._operations.effects import Clock
from .._outcome.outcome import Outcome
from .._sdk.faults import read_fault
from .._waiting.attempts import total_tokens
from . import _submit_limits as limits
from ._budget import Budget
from ._refusals import is_limited
from ._submit_limits import Demand, SubmitState

LOOK_AGAIN_SECONDS = 0.25
"""A create that waits for a rate looks this often whether the batch has been stopped meanwhile."""


class SubmitGate:
    """The creates and the runs in flight of one batch. For one event loop."""

    def __init__(self, state: SubmitState, budget: Budget, clock: Clock, is_closed: Callable[[], bool]) -> None:
        self.state, self.budget = state, budget
        self.is_spent = False
        """The budget has no room for another run, and no run in flight can give it back."""
        self._clock, self._is_closed = clock, is_closed
        self._going: dict[str, float] = {}
        """Time of submission of each run in flight, by job. That of a run of an earlier call is minus infinity."""
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def enter(self, key: str, demand: Demand) -> bool:
        """Wait until a create may start; False if the batch has been stopped meanwhile, or its budget is spent."""
        async with self._turn:
            while not self._is_closed():
                now = self._clock.monotonic()
                seconds = limits.delay(self.state, demand, len(self._going), now)
                if not self.budget.has_room(demand.tokens):
                    if not self._going and not self.state.posting:
                        self.is_spent = True
                        return False
                    seconds = math.inf  # until the usage of a run is known
                if seconds == 0:
                    self.state = limits.started(self.state, key, demand, now)
                    self.budget = self.budget.begun()
                    return True
                if seconds < math.inf:
                    await self._clock.sleep(min(seconds, LOOK_AGAIN_SECONDS))
                else:
                    self._changed.clear()
                    await self._changed.wait()
        return False

    def answer(self, key: str, headers: Mapping[str, str], error: _sdk.APIStatusError | None) -> None:
        """Take the answer to a create into account."""
        now = self._clock.monotonic()
        if error is None:
            self.state = limits.accepted(self.state, key, headers, now)
        elif is_limited(error):
            self.state = limits.limited(self.state, key, headers, read_fault(error).retry_after, now)
        self.look_again()

    def settle(self, key: str) -> None:
        """End a create that may have had no answer."""
        self.state = limits.settled(self.state, key)
        self.look_again()

    def withdraw(self, key: str) -> None:
        """End a create that made no run."""
        self.budget = self.budget.withdrawn()
        self.settle(key)

    def begin(self, job: str, *, is_new: bool) -> None:
        """Count a run as in flight."""
        self._going[job] = self._clock.monotonic() if is_new else -math.inf

    def end(self, job: str, outcome: Outcome | None = None) -> None:
        """Count a run as in flight no more; with the outcome of one that ended, learn from it."""
        submitted_at = self._going.pop(job, None)
        if outcome is not None and submitted_at is not None:
            by_rate_limit = outcome.error_type == "rate_limit_error" and outcome.retryable
            now = self._clock.monotonic()
            self.budget = self.budget.ended(total_tokens(outcome))
            self.state = limits.ended(self.state, submitted_at, by_rate_limit=by_rate_limit, now=now)
        self.look_again()

    @property
    def is_limited_for_long(self) -> bool:
        """True if every create was refused for so long that the batch stops."""
        return limits.is_limited_for_long(self.state, self._clock.monotonic())

    def look_again(self) -> None:
        """Have the create that waits look again, after a change."""
        self._changed.set()
