"""`Gateway`: the ASGI application in front of an upstream, and the answers where it has none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from urllib.parse import quote

from .._catalog.catalog import Catalog
from .._host_check import HostCheck
from .._sdk.upstream import UnusableUpstreamError, Upstream, UpstreamError
from ..asgi import OutcomeMiddleware
from ._errors import GatewayError, error_answer, failure_answer
from ._headers import values_of
from ._proxy import App, Message, Proxy, Receive, Send
from ._recorder import Recorder, Recording
from ._strict import StrictPolls

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 900.0
"""A create that is not in the background answers after minutes: longer than the 10 minutes that the SDKs wait."""
_STOPPED = "the gateway was stopped"
_HINT = "Another name is allowed by runoutcome gateway --allow-host NAME."


class Gateway:
    """An ASGI application that passes all requests on to `upstream`, and adds the `outcome` field to failed runs.

        serve(Gateway("https://api.openai.com/v1"), port=8080)

    `upstream` is a base URL of the API. A path that begins with its path is passed on as it is; any other is appended
    to it. With `strict`, the poll of a failed or incomplete run is answered with an HTTP error. `catalog` may have
    overlays. `record` is a new file that gets what passes, for `runoutcome.testing.Replay`: without keys, and without
    prompts and outputs unless `record_content`. `silence_seconds` is the time without a byte after which the gateway
    gives up. `allowed_hosts` are names, besides those of this machine, that clients may have in `Host`. `report` gets a
    line for each request without an answer of the upstream; no header or query is in it. Raises GatewayError for a URL
    or a file that cannot be used.
    """

    __module__ = "runoutcome.gateway"

    def __init__(
        self,
        upstream: str,
        *,
        strict: bool = False,
        catalog: Catalog | None = None,
        record: str | os.PathLike[str] | None = None,
        record_content: bool = False,
        silence_seconds: float = SILENCE_SECONDS,
        allowed_hosts: Collection[str] = (),
        report: Callable[[str], None] | None = None,
    ) -> None:
        if not silence_seconds > 0:
            raise GatewayError(f"the timeout is more than 0 seconds; got {silence_seconds}")
        try:
            self._upstream = Upstream(upstream, connect_seconds=CONNECT_SECONDS, silence_seconds=silence_seconds)
        except UnusableUpstreamError as error:
            raise GatewayError(f"upstream: {error}") from None
        self._report = report
        proxy: App = Proxy(self._upstream)
        self._recording: Recording | None = None
        if record is not None:
            self._recording = Recording(record, base_path=self.base_path, with_content=record_content, report=report)
            proxy = Recorder(proxy, self._recording, self.upstream)
        outcomes = OutcomeMiddleware(proxy, catalog=catalog)
        self._inner: App = StrictPolls(outcomes, catalog=catalog) if strict else outcomes
        self._app = HostCheck(self._answered, allowed_hosts, hint=_HINT)

    @property
    def upstream(self) -> str:
        """The base URL of the upstream."""
        return self._upstream.name

    @property
    def upstream_address(self) -> tuple[str, int]:
        """Host and port of the upstream."""
        return self._upstream.address

    @property
    def base_path(self) -> str:
        """The path of the base URL for clients."""
        return self._upstream.prefix.decode("ascii") or "/v1"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a scope of ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            path = scope.get("raw_path") or quote(scope["path"]).encode()  # not every server knows the raw one
            await self._app({**scope, "raw_path": path}, receive, send)

    async def aclose(self) -> None:
        """Close the connections to the upstream, and the recording."""
        self.close_recording()
        await self._upstream.aclose()

    def close_recording(self) -> None:
        """Close the recording, if there is one; a file without a request is removed."""
        if self._recording is not None:
            self._recording.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answered(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on. An answer that breaks off after its head leaves its connection broken too."""
        is_begun = False

        async def send_on(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        async def refuse(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
            if not is_begun:
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

        refusal = _refusal(scope)
        try:
            if refusal is None:
                return await self._inner(scope, receive, send_on)
        except asyncio.CancelledError:  # the server stops; its own answer is a 500, on which the SDKs create again
            await refuse(*failure_answer(UpstreamError("read_error", _STOPPED), self.upstream, scope["method"]))
            raise
        except UpstreamError as error:
            refusal = failure_answer(error, self.upstream, scope["method"])
            self._report_fault(scope, f"{error.kind}: {error}")
        except Exception as error:  # noqa: BLE001 - a traceback could show a key
            message = "The gateway failed. The API may have received the request."
            refusal = error_answer(502, "gateway_failed", message, may_repeat=False)
            self._report_fault(scope, f"the gateway failed: {type(error).__name__}")
        return await refuse(*refusal)

    def _report_fault(self, scope: Message, text: str) -> None:
        if self._report is not None:
            self._report(f"{scope['method']} {scope['raw_path'].decode('ascii', 'replace')}: {text}")


def _refusal(scope: Message) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
    """The answer to a request that is not passed on; None for any other."""
    if not scope["raw_path"].startswith(b"/"):  # `GET http://other/`, `OPTIONS *`
        text = "The gateway passes on requests for a path, not for a whole URL."
        return error_answer(400, "gateway_no_path", text, may_repeat=False)
    if b"websocket" in values_of(scope["headers"], b"upgrade"):
        return error_answer(501, "gateway_no_websocket", "The gateway does not pass on WebSockets.", may_repeat=False)
    return None
