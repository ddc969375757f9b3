"""`RedisNotices`: notices for the waits of other processes, over Redis."""

from __future__ import annotations

import inspect
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .._checks import check_finite_number, check_type, refuse_type
from .._outcome.body import parse_json
from ._notice import Notice
from ._seen_ids import MAX_AGE_SECONDS

if TYPE_CHECKING:
    from redis import Redis

KEEP_SECONDS = 6 * 3600.0
CONNECT_SECONDS, SOCKET_SECONDS = 2.0, 2.0
TURN_SECONDS = 0.2
"""How long the thread listens before it looks for new waits."""
CHECK_SECONDS, CHECK_AT_ONCE = 30.0, 500
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.2, 10.0
_LOGGER = logging.getLogger("runoutcome")


@dataclass
class _Listener:
    """One wait."""

    wake: Callable[[], None]
    heard: str | None = None
    """The webhook that woke it last."""


class RedisNotices:
    """Passes notices of runs from the processes that receive webhooks to those that wait.

    The process that receives webhooks makes `Inbox(secret, seen=notices, on_notice=notices.publish)`; one that waits
    makes `Runs(client, notices=notices)`. `client` is a `redis.Redis`, or a URL such as `redis://localhost`. Keys begin
    with `namespace`. A notice that comes before its wait is kept for `keep_seconds`. Only ids, types and times are
    stored. Thread-safe, and bound to no event loop; a forked process listens for itself.

    Raises ImportError for a URL without the package `redis`, TypeError for another client, such as one of
    `redis.asyncio`, and TypeError or ValueError for a `keep_seconds` that is no time, or below 1.
    """

    __module__ = "runoutcome.webhooks"

    def __init__(
        self, client: Redis | str, *, namespace: str = "runoutcome", keep_seconds: float = KEEP_SECONDS
    ) -> None:
        check_finite_number(keep_seconds, "keep_seconds is a number of seconds, 1 or more")
        if keep_seconds < 1:
            raise ValueError(f"keep_seconds is a number of seconds, 1 or more; got {keep_seconds!r}")
        check_type(namespace, str, "namespace is a text")
        if not isinstance(client, str) and (isinstance(client, type) or not hasattr(client, "pubsub")):
            refuse_type(client, "client is a redis.Redis, or its URL")
        self._is_mine = isinstance(client, str)
        self._client: Any = _connect(client) if isinstance(client, str) else client
        if inspect.iscoroutinefunction(self._client.execute_command):
            raise TypeError("client is a redis.Redis, also for AsyncRuns; got one of redis.asyncio")
        self._namespace, self._keep_seconds = namespace, int(keep_seconds)
        self._channel = f"{namespace}:notices"
        # Reentrant: a garbage collected wait stops listening, at any moment, also in a thread that has the lock.
        self._lock = threading.RLock()
        self._idle = threading.Event()  # set while nobody waits: the thread need not try again
        self._listeners: dict[str, list[_Listener]] = {}
        self._unchecked: dict[str, None] = {}
        """Runs of new waits, whose notices may have come before."""
        self._thread: threading.Thread | None = None
        self._failures = 0
        """Attempts in a row to reach Redis that failed; only the thread uses it."""
        self._process = os.getpid()

    # In the process that receives webhooks

    def add(self, webhook_id: str, now: float) -> bool:
        """Remember the id of a webhook for 72 hours; True if no process had it. Raises the errors of the client."""
        return bool(self._client.set(self._key("seen", webhook_id), 1, nx=True, ex=int(MAX_AGE_SECONDS)))

    def discard(self, webhook_id: str) -> None:
        """Forget the id of a webhook. Raises the errors of the client."""
        self._client.delete(self._key("seen", webhook_id))

    def publish(self, notice: Notice) -> None:
        """Pass a notice on, if it is about a run. Raises the errors of the client."""
        if notice.response_id is None:
            return
        values = {"id": notice.response_id, "webhook": notice.webhook_id, "type": notice.type, "at": notice.created_at}
        text = json.dumps(values)
        with self._client.pipeline() as pipeline:
            pipeline.set(self._key("notice", notice.response_id), text, ex=self._keep_seconds)
            pipeline.publish(self._channel, text)
            pipeline.execute()

    def close(self) -> None:
        """End all listening, and close the connections, unless the client is the caller's. Waits poll from then on."""
        with self._lock:
            self._listeners.clear()
            self._unchecked.clear()
            self._idle.set()
            thread = self._thread if self._process == os.getpid() else None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if self._is_mine:
            self._client.close()

    # In a process that waits

    def listen(self, response_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from a thread, for each notice of the run, also for one that came before and is kept still.

        Returns a function that stops this. Redis is asked by a thread; while it cannot be reached, nothing is heard.
        """
        listener = _Listener(wake)
        with self._lock:
            if self._process != os.getpid():  # a fork copies no threads
                self._process, self._thread = os.getpid(), None
            self._listeners[response_id] = [*self._listeners.get(response_id, ()), listener]
            self._unchecked[response_id] = None
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="runoutcome redis", daemon=True)
                self._thread.start()

        def stop() -> None:
            with self._lock:
                left = [other for other in self._listeners.get(response_id, ()) if other is not listener]
                if left:
                    self._listeners[response_id] = left
                else:
                    self._listeners.pop(response_id, None)
                    self._unchecked.pop(response_id, None)
                if not self._listeners:
                    self._idle.set()

        return stop

    def _run(self) -> None:
        """Listen as long as somebody waits, over lost connections too."""
        while self._is_needed():
            try:
                with closing(self._client.pubsub()) as pubsub:
                    pubsub.subscribe(self._channel)
                    self._hear(pubsub)
            except Exception as error:  # noqa: BLE001 - polls find the ends of runs meanwhile
                if not self._failures:
                    words = f"Redis cannot be reached ({type(error).__name__}), so waits poll"
                    _log(logging.WARNING, "notices_lost", words)
                self._idle.wait(min(FIRST_DELAY_SECONDS * 2.0 ** min(self._failures, 10), MAX_DELAY_SECONDS))
                self._failures += 1

    def _hear(self, pubsub: Any) -> None:
        next_check = time.monotonic() + CHECK_SECONDS
        while self._is_needed():
            message: dict[str, Any] = pubsub.get_message(timeout=TURN_SECONDS) or {}
            kind = message.get("type")
            if kind == "message":
                self._deliver(message["data"])
            if kind == "subscribe" or time.monotonic() >= next_check:  # also after a reconnect of the client's own
                next_check = time.monotonic() + CHECK_SECONDS
                with self._lock:
                    self._unchecked = dict.fromkeys(self._listeners)
            self._check()
            if kind == "subscribe" and self._failures:
                self._failures = 0
                _log(logging.INFO, "notices_back", "Redis can be reached again")

    def _is_needed(self) -> bool:
        with self._lock:
            if self._listeners:
                return True
            self._thread = None
            return False

    def _check(self) -> None:
        """Look for notices that came before their waits."""
        while True:
            with self._lock:
                ids = list(islice(self._unchecked, CHECK_AT_ONCE))
            if not ids:
                return
            for text in self._client.mget([self._key("notice", response_id) for response_id in ids]):
                self._deliver(text)
            with self._lock:
                for response_id in ids:
                    self._unchecked.pop(response_id, None)

    def _deliver(self, text: object) -> None:
        """Wake the waits for the run of a notice, each once for each webhook."""
        values = _parse(text)
        webhook_id = str(values.get("webhook"))
        with self._lock:
            listeners = [one for one in self._listeners.get(str(values.get("id")), ()) if one.heard != webhook_id]
            for listener in listeners:
                listener.heard = webhook_id
        _wake_all(listener.wake for listener in listeners)

    def _key(self, kind: str, name: str) -> str:
        return f"{self._namespace}:{kind}:{name}"


def _connect(url: str) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError as error:
        raise ImportError("RedisNotices needs the package redis: pip install 'runoutcome[redis]'") from error
    return redis.Redis.from_url(
        url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=SOCKET_SECONDS, retry=Retry(NoBackoff(), 1)
    )


def _parse(text: object) -> dict[str, Any]:
    """The values of a notice; none for what another program wrote."""
    try:
        values = parse_json(text) if isinstance(text, (str, bytes)) else None
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _wake_all(wakes: Iterable[Callable[[], None]]) -> None:
    for wake in wakes:
        with suppress(Exception):  # such as a closed event loop: one wait harms no other
            wake()


def _log(level: int, event: str, words: str) -> None:
    _LOGGER.log(level, "%s: %s", event, words, extra={"run_event": event, "response_id": None})
