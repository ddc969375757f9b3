"""One run of many that is waited for: its steps, driven by whichever worker has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _sdk
from .._operations.effects import Effect, Pause, Steps, Tell
from .._sdk import event_loop as _async_backend


class Request:
    """A request in flight that may be called off."""

    def __init__(self) -> None:
        self.scope = _async_backend.CancelScope()
        self.has_ended = _async_backend.Event()


class Watch:
    """One run that is waited for: its steps, and whom they tell. Whoever carries out its effects owns it meanwhile."""

    __slots__ = (
        "_has_begun",
        "in_flight",
        "is_listening",
        "is_noticed",
        "is_over",
        "on_end",
        "on_tell",
        "response_id",
        "steps",
        "stop_listening",
    )

    def __init__(
        self,
        response_id: str,
        steps: Steps[_sdk.Response],
        on_tell: Callable[[Tell], None],
        on_end: Callable[[Watch, Any], None],
    ) -> None:
        self.response_id = response_id
        self.steps = steps
        self.on_tell = on_tell
        """Called with what the caller's own functions are to be told."""
        self.on_end = on_end
        """Called once, with the response or the exception."""
        self.is_noticed = False
        """A notice came that no pause has ended for yet."""
        self.is_listening = True
        """A notice ends the pause that it is in."""
        self.is_over = False
        self.in_flight: Request | None = None
        """The request that is made for it now (async only)."""
        self.stop_listening: Callable[[], None] | None = None
        self._has_begun = False

    def wake(self) -> Effect | None:
        """What the steps ask for when the run is due; None if that was their end."""
        if not self._has_begun:
            self._has_begun = True
            return self.go_on(None)
        noticed, self.is_noticed = self.is_noticed, False
        return self.go_on(noticed)

    def go_on(self, result: Any, error: BaseException | None = None) -> Effect | None:
        """What the steps ask for next, given what came of the last effect; None if that was their end."""
        if self.is_over:
            self.steps.close()
            return None
        try:
            effect = self.steps.send(result) if error is None else self.steps.throw(error)
            while isinstance(effect, Tell):
                self.on_tell(effect)
                effect = self.steps.send(None)
            return effect
        except StopIteration as end:
            self._end(end.value)
        except BaseException as ended:  # noqa: BLE001 - it is the caller's to see, whatever it is
            self._end(ended)
        return None

    def pause(self, effect: Pause) -> float:
        """How long to wait until it is woken, in seconds: not at all for a notice that has come meanwhile."""
        self.is_listening = effect.response_id is not None
        return 0.0 if self.is_noticed and self.is_listening else effect.seconds

    def leave(self) -> None:
        """Nobody waits for this run any more; it goes on by itself."""
        self.is_over = True
        stop, self.stop_listening = self.stop_listening, None
        if stop is not None:
            stop()

    def _end(self, ended: Any) -> None:
        self.leave()
        self.on_end(self, ended)
