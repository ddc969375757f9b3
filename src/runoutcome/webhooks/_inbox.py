"""`Inbox`: takes webhooks in, tells each once, and wakes those who wait for the run."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ._notice import Notice
from ._seen_ids import MemorySeenIds, SeenIds
from ._verify import TOLERANCE_SECONDS, Headers, Verifier

MAX_EARLY = 10_000


@dataclass(frozen=True)
class Receipt:
    """What became of a webhook."""

    notice: Notice
    is_new: bool
    """False for a copy of one that came before: acknowledge it, and do nothing else."""


class Inbox:
    """Where webhooks come in: `Runs(client, notices=inbox)` waits for its notices, any server feeds it.

    `receive` does all for a server that answers at the end; one that answers first calls `accept`, answers, and then
    `deliver`. `on_notice` is called with each new notice, also of runs that nobody waits for and of other events; for
    `deliver_async` it may be a coroutine function. What it raises is raised by whoever called, and the webhook's next
    copy counts as new. `seen` is where ids are remembered, for several processes a shared one; `clock` tells the
    seconds since the epoch. Thread-safe, and bound to no event loop.
    """

    def __init__(
        self,
        secrets: str | Sequence[str],
        *,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        seen: SeenIds | None = None,
        on_notice: Callable[[Notice], Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ValueError or TypeError for a secret that cannot be one; see `verify`."""
        self._verifier = Verifier.of(secrets, tolerance_seconds)
        self._seen: SeenIds = MemorySeenIds() if seen is None else seen
        self._on_notice = on_notice
        self._clock = clock
        # A wait that is garbage collected stops listening: at any moment, in any thread, also in one that is in here.
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
        """Verify a webhook and remember its id; nobody is told yet.

        Raises WebhookError for what is no webhook (answer 400), and what the store of ids raises (answer 500).
        """
        now = self._clock()
        notice = self._verifier.verify(body, headers, now)
        return Receipt(notice, self._seen.add(notice.webhook_id, now))

    def deliver(self, notice: Notice) -> None:
        """Wake those who wait for the notice's run, and call `on_notice`, which is a plain function here."""
        with self._forgetting_unless_done(notice):
            result = self._tell(notice)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise TypeError(
                    "deliver and receive call plain functions; await deliver_async for a coroutine function"
                )

    async def deliver_async(self, notice: Notice) -> None:
        """The same where `on_notice` may be a coroutine function."""
        with self._forgetting_unless_done(notice):
            result = self._tell(notice)
            if inspect.isawaitable(result):
                await result

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` for each new notice of a run: at once, if one came while nobody listened, else when it comes.

        `wake` is called in the thread that delivers, so it returns soon. Of the runs nobody has listened for, the last
        10,000 with a notice are remembered. Gives a function that ends this; a notice that is under way just then can
        still come.
        """
        listener = object()
        with self._lock:
            listeners = self._listeners.get(response_id, {})
            listeners[listener] = wake
            self._listeners[response_id] = listeners  # last: the collector may have ended the only other one meanwhile
            was_early = response_id in self._early
            self._early.pop(response_id, None)

        def stop() -> None:
            with self._lock:
                listeners = self._listeners.get(response_id, {})
                listeners.pop(listener, None)
                if not listeners:
                    self._listeners.pop(response_id, None)

        if was_early:
            wake()
        return stop

    def _tell(self, notice: Notice) -> Any:
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
            with suppress(RuntimeError):  # a loop that is closed: nobody waits there any more
                wake()

    @contextmanager
    def _forgetting_unless_done(self, notice: Notice) -> Generator[None]:
        try:
            yield
        except BaseException:
            with suppress(Exception):  # what went wrong first is what is told
                self._seen.discard(notice.webhook_id)
            raise
