"""`HostCheck`: ASGI middleware for servers on loopback, against pages of other sites (DNS rebinding).

A web page may point a name of its own at 127.0.0.1, and its scripts then reach whatever listens there. The browser
still sends that name in `Host`, so a server that answers to names of this machine alone is out of their reach.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(:\d*)?", re.IGNORECASE | re.ASCII)
_SHOWN = 100
_MISDIRECTED, _POLICY_VIOLATION = 421, 1008


class HostCheck:
    """Passes requests on if their `Host` is localhost, a loopback address or one of `hosts` (names without a port).

    `hint` says how to allow another name. Other requests get 421 with the API's error envelope.
    """

    def __init__(self, app: App, hosts: Collection[str] = (), *, hint: str = "") -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._hint = hint

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a scope of ASGI."""
        sent = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == b"host"]
        if scope["type"] not in ("http", "websocket") or (sent and all(map(self._is_allowed, sent))):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        elif (await receive())["type"] != "http.disconnect":  # a request that is cut is answered by the server itself
            await _refuse(send, self._reason(sent))

    def _is_allowed(self, sent: str) -> bool:
        match = _HOST.fullmatch(sent)
        host = match[1].strip("[]").lower() if match else ""
        return host in self._hosts or is_loopback(host)

    def _reason(self, sent: list[str]) -> str:
        got = f"the Host '{', '.join(sent)[:_SHOWN]}'" if sent else "no Host"
        return (
            f"This server answers to localhost, 127.0.0.1 and [::1] only; the request has {got}. {self._hint}".strip()
        )


def is_loopback(host: str) -> bool:
    """Return whether `host` is localhost or an address of this machine's loopback."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse(send: Send, reason: str) -> None:
    error = {"message": reason, "type": "invalid_request_error", "param": None, "code": "host_not_allowed"}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": _MISDIRECTED, "headers": headers})
    await send({"type": "http.response.body", "body": body})
