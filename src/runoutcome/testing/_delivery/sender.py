"""`WebhookSender`: a thread that delivers the webhooks of an outbox, over plain HTTP to this machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import SplitResult

from .._errors import EmulatorError
from .._scenario.webhooks import loopback_address
from .._state.runs import Clock, EmulatedRun
from .event import Attempt, Delivery, DeliverySettings
from .outbox import Outbox

# The clock can be a test's, which gives no notice when it is moved.
_CHECK_SECONDS = 0.02
_STOP_SECONDS = 10.0
_KEPT = 100_000
_DRAIN_SECONDS = 1.0
_USER_AGENT = "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)"


class WebhookSender:
    """Delivers the webhooks of an emulator from `start` to `stop`; pending ones wait for the next `start`."""

    def __init__(self, settings: DeliverySettings, runs: Callable[[], Sequence[EmulatedRun]], clock: Clock) -> None:
        """Runs that have ended by now have no webhook; without a URL none has."""
        self._webhooks = settings.webhooks
        self._outbox = Outbox(settings, runs(), now=clock.now())
        self._runs = runs
        self._clock = clock
        self._deliveries: deque[Delivery] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()
        self._settles = self._idle_since = 0
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def deliveries(self) -> list[Delivery]:
        """The webhooks that were answered or given up, oldest first; at most the last 100,000."""
        with self._changed:
            return list(self._deliveries)

    def start(self) -> None:
        """Begin to deliver, if there is a URL."""
        if self._webhooks.url is None:
            return
        self._stopping, self._failure = False, None
        self._thread = threading.Thread(target=self._run, name="runoutcome-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break off what is under way and end the thread. Raises EmulatorError if it does not end."""
        thread, self._stopping = self._thread, True
        if thread is None:
            return
        thread.join(_STOP_SECONDS)
        if thread.is_alive():
            raise EmulatorError(f"the webhooks did not stop within {_STOP_SECONDS:g} s")
        self._thread = None

    def settle(self, timeout_seconds: float) -> None:
        """Return when all that is due by the clock is delivered. Raises EmulatorError if that takes longer."""
        if self._webhooks.url is None:
            return
        if self._thread is None:
            raise EmulatorError("webhooks are delivered only while the emulator runs")
        with self._changed:
            self._settles += 1
            number = self._settles
            done = self._changed.wait_for(
                lambda: self._idle_since >= number or self._failure is not None, timeout_seconds
            )
        if self._failure is not None:
            raise EmulatorError("webhooks are no longer delivered") from self._failure
        if not done:
            raise EmulatorError(f"webhooks that are due were not delivered within {timeout_seconds:g} s")

    def _run(self) -> None:
        try:
            asyncio.run(self._work(loopback_address(self._webhooks.url or "")))
        except BaseException as error:  # noqa: BLE001 - raised by `settle`
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    async def _work(self, address: SplitResult) -> None:
        under_way: dict[asyncio.Task[None], Attempt] = {}
        try:
            while not self._stopping:
                settles, now = self._settles, self._clock.now()
                self._outbox.update(self._runs())
                for attempt in self._outbox.take(now, self._webhooks.concurrency - len(under_way)):
                    under_way[asyncio.create_task(self._deliver(attempt, address))] = attempt
                if self._outbox.is_idle(now):
                    with self._changed:
                        self._idle_since = settles
                        self._changed.notify_all()
                if not under_way:
                    await asyncio.sleep(_CHECK_SECONDS)
                    continue
                done, _ = await asyncio.wait(under_way, timeout=_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del under_way[task]
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            for task, attempt in under_way.items():
                if task.cancelled():
                    self._outbox.give_back(attempt)

    async def _deliver(self, attempt: Attempt, address: SplitResult) -> None:
        at, timestamp = self._clock.now(), attempt.timestamp(time.time())
        request = _request(address, attempt.headers(timestamp), attempt.body)
        status, error = await _post(address, request, self._webhooks.timeout_seconds)
        self._outbox.settle(attempt, status)
        with self._changed:
            self._deliveries.append(attempt.delivery(at=at, timestamp=timestamp, status=status, error=error))


def _request(address: SplitResult, headers: dict[str, str], body: bytes) -> bytes:
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    lines = {
        "host": address.netloc,
        "user-agent": _USER_AGENT,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body


async def _post(address: SplitResult, request: bytes, timeout: float) -> tuple[int | None, str | None]:
    """The status of the receiver's answer, or the reason why there is none. Redirects are not followed."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address.hostname, address.port or 80), timeout)
    except asyncio.TimeoutError:
        return None, f"no connection within {timeout:g} s"
    except OSError as error:
        return None, f"no connection: {error.strerror or error}"
    try:
        status = await asyncio.wait_for(_exchange(reader, writer, request), timeout)
    except asyncio.TimeoutError:
        return None, f"no answer within {timeout:g} s"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        return None, "the connection broke, or the answer is not HTTP"
    else:
        # Closing while the receiver still writes would reset its connection.
        with suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(_read_to_end(reader), _DRAIN_SECONDS)
        return status, None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    await writer.drain()
    status = 100
    while status < 200:
        version, code, *_ = (await reader.readuntil(b"\r\n\r\n")).split(maxsplit=2)
        if not version.startswith(b"HTTP/1."):
            raise ValueError("not HTTP")
        status = int(code)
    return status


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass
