"""One of many runs that are waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from .. import _sdk
from .._operations.effects import Effect, Pause, Steps, Tell
from .._sdk import event_loop


class Request:
    """A request in flight that can be called off."""

    def __init__(self) -> None:
        self.scope = event_loop.CancelScope()
        self.has_ended = event_loop.Event()


class PendingRun:
    """The steps of one wait, and the functions that hear of it.

    A scheduler owns it while it pauses, and the thread or task of its poll owns it meanwhile.
    """

    __slots__ = (
        "_has_paused",
        "_listens",
        "_on_end",
        "_on_tell",
        "_steps",
        "context",
        "is_noticed",
        "is_over",
        "request",
        "response_id",
        "stops",
    )

    def __init__(
        self,
        response_id: str,
        steps: Steps[_sdk.Response],
        on_tell: Callable[[Tell], None],
        on_end: Callable[[PendingRun, Any], None],
    ) -> None:
        """`on_tell` takes calls of the caller's functions; `on_end` takes the response or the exception, once."""
        self.response_id = response_id
        self.context = copy_context()
        """That of the caller, for the polls."""
        self.is_noticed = False
        """A notice came that has ended no pause yet."""
        self.is_over = False
        self.request: Request | None = None
        """The request that is made for it now (async only)."""
        self.stops: Iterator[Callable[[], None]] = iter(())
        """The function that ends listening for notices; an iterator gives it to one thread only."""
        self._steps, self._on_tell, self._on_end = steps, on_tell, on_end
        self._has_paused, self._listens = False, True

    def notice(self) -> bool:
        """Remember a notice until the end of a pause; return whether it ends the pause of this moment."""
        self.is_noticed = True
        return self._listens

    def pause(self, effect: Pause) -> float:
        """Begin a pause; return its seconds: 0 after a notice that came meanwhile."""
        self._has_paused, self._listens = True, effect.response_id is not None
        return 0.0 if self.is_noticed and self._listens else effect.seconds

    def end_pause(self) -> bool | None:
        """Return what the steps get at the end of a pause: whether a notice came; None at their beginning."""
        if not self._has_paused:
            return None
        is_noticed, self.is_noticed = self.is_noticed, False
        return is_noticed

    def advance(self, result: Any, error: BaseException | None = None) -> Effect | None:
        """Give the steps the result of their last effect, or its error. Return their next effect; None at the end."""
        if self.is_over:
            self._steps.close()
            return None
        try:
            effect = self._steps.send(result) if error is None else self._steps.throw(error)
            while isinstance(effect, Tell):
                self._on_tell(effect)
                effect = self._steps.send(None)
            return effect
        except StopIteration as end:
            self._end(end.value)
        except BaseException as ended:  # noqa: BLE001 - it is the caller's to see, whatever it is
            self._end(ended)
        return None

    def leave(self) -> None:
        """Stop waiting; the run goes on by itself."""
        self.is_over = True
        for stop in self.stops:
            stop()

    def close(self) -> None:
        """Close the steps, unless a thread is in them: it closes them then. Raises nothing, for others go on."""
        with suppress(Exception):
            self._steps.close()

    def _end(self, value: Any) -> None:
        self.leave()
        self._on_end(self, value)
