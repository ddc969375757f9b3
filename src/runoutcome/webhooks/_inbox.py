"""`Inbox`: accepts webhooks, delivers each once, and wakes the waits for its run."""

import inspect
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from .._checks import check_functions, refuse_type
from ._notice import Notice
from ._seen_ids import MemorySeenIds, SeenIds
from ._verify import TOLERANCE_SECONDS, Headers, Verifier

MAX_EARLY = 10_000


@dataclass(frozen=True)
class Receipt:
    """Result of accepting a webhook."""

    __module__ = "runoutcome.webhooks"

    notice: Notice
    is_new: bool
    """False for a copy of an earlier webhook: acknowledge it, and do nothing else."""


class Inbox:
    """Accepts webhooks from any server; `Runs(client, notices=inbox)` waits for its notices.

    `receive` is for a server that answers at the end; a server that answers first calls `accept`, answers, and then
    calls `deliver`. `on_notice` gets each new notice, also those of other events and of runs without a wait; for
    `deliver_async` it may be a coroutine function. Its exceptions go to the caller, and the webhook's next copy counts
    as new. `seen` remembers ids; several processes share one. `clock` returns seconds since the epoch. Thread-safe, and
    bound to no event loop.
    """

    __module__ = "runoutcome.webhooks"

    def __init__(
        self,
        secrets: str | Sequence[str],
        *,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        seen: SeenIds | None = None,
        on_notice: Callable[[Notice], Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ValueError or TypeError for a malformed secret (see `verify`), TypeError for another `seen`."""
        verifier = Verifier.of(secrets, tolerance_seconds)
        del secrets  # error trackers send the variables of every frame
        if not isinstance(verifier, Verifier):
            raise verifier
        if seen is not None and not (hasattr(seen, "add") and hasattr(seen, "discard")):
            refuse_type(seen, "seen has the methods add and discard, as RedisNotices has, or is None")
        check_functions(on_notice=on_notice)
        self._verifier = verifier
        self._seen: SeenIds = MemorySeenIds() if seen is None else seen
        self._on_notice = on_notice
        self._clock = clock
        # Reentrant: a garbage collected wait stops listening, at any moment, also in a thread that has the lock.
        self._lock = threading.RLock()
        self._listeners: dict[str, dict[object, Callable[[], None]]] = {}
        self._early: dict[str, None] = {}  # oldest first

    def receive(self, body: bytes | str, headers: Headers) -> Receipt:
        """Verify a webhook and, if it is new, deliver its notice. Raises what `accept` and `deliver` raise."""
        receipt = self.accept(body, headers)
        if receipt.is_new:
            self.deliver(receipt.notice)
        return receipt

    def accept(self, body: bytes | str, headers: Headers) -> Receipt:
        """Verify a webhook and remember its id, without delivering it.

        Raises WebhookError for a request that is not a webhook (answer 400), and the errors of `seen` (answer 500).
        """
        now = self._clock()
        notice = self._verifier.verify(body, headers, now)
        return Receipt(notice, self._seen.add(notice.webhook_id, now))

    def deliver(self, notice: Notice) -> None:
        """Wake the waits for the notice's run, and call `on_notice`, which has to be a plain function here."""
        with self._forgotten_on_error(notice):
            result = self._dispatch(notice)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise TypeError(
                    "deliver and receive call plain functions; await deliver_async for a coroutine function"
                )

    async def deliver_async(self, notice: Notice) -> None:
        """Do the same as `deliver` with an `on_notice` that may be a coroutine function."""
        with self._forgotten_on_error(notice):
            result = self._dispatch(notice)
            if inspect.isawaitable(result):
                await result

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` for each new notice of a run: at once, if one came before any listener, else when it comes.

        `wake` is called in the thread that delivers, so it has to return soon. Of the runs without a listener, the last
        10,000 with a notice are remembered. Returns a function that stops this; a notice that is being delivered at
        that moment can still call `wake`.
        """
        listener = object()
        with self._lock:
            listeners = self._listeners.get(response_id, {})
            listeners[listener] = wake
            self._listeners[response_id] = listeners  # last: the collector may have ended the only other one meanwhile
            is_early = response_id in self._early
            self._early.pop(response_id, None)

        def stop() -> None:
            with self._lock:
                listeners = self._listeners.get(response_id, {})
                listeners.pop(listener, None)
                if not listeners:
                    self._listeners.pop(response_id, None)

        if is_early:
            wake()
        return stop

    def _dispatch(self, notice: Notice) -> Any:
        if notice.response_id is not None:
            self._wake(notice.response_id)
        return self._on_notice(notice) if self._on_notice is not None else None

    def _wake(self, response_id: str) -> None:
        with self._lock:
            wakes = list(self._listeners.get(response_id, {}).values())
            if not wakes:
                self._early.pop(response_id, None)
                self._early[response_id] = None
                if len(self._early) > MAX_EARLY:
                    del self._early[next(iter(self._early))]
        for wake in wakes:
            with suppress(RuntimeError):  # its event loop is closed, and the wait gone
                wake()

    @contextmanager
    def _forgotten_on_error(self, notice: Notice) -> Generator[None]:
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the first error is the one to raise
                self._seen.discard(notice.webhook_id)
            raise
