"""Who may talk to a server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from runoutcome._host_check import HostCheck

pytestmark = pytest.mark.once


def ask(
    *hosts: bytes, kind: str = "http", allowed: tuple[str, ...] = (), received: str = "http.request"
) -> list[MutableMapping[str, Any]]:
    """What a request with these `Host` headers is answered."""
    sent: list[MutableMapping[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "passed"})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": received}

    scope = {"type": kind, **({} if kind == "lifespan" else {"headers": [(b"host", host) for host in hosts]})}
    asyncio.run(HostCheck(app, allowed, hint="Ask for more.")(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LocalHost:8000", b"127.0.0.1", b"127.0.0.1:80", b"127.8.9.1:", b"[::1]", b"[::1]:8000", b"Box:1"],
)
def test_names_of_this_machine_pass(host: bytes) -> None:
    """localhost, loopback addresses and allowed names pass, with any port and in any case."""
    assert ask(host, allowed=("box",)) == [{"type": "passed"}]


@pytest.mark.parametrize(
    "host",
    [
        b"example.com",
        b"localhost.example.com",
        b"127.0.0.1.example.com:80",
        b"example.com@localhost",
        b"localhost@example.com",
        b"192.168.0.1",
        b"[::2]:80",
        b"0.0.0.0",
        b"2130706433",
        b"",
        b"localhost example.com",
        b"\xff",
    ],
)
def test_other_names_are_refused(host: bytes) -> None:
    """Any other name gets 421 and an error that says which names are answered."""
    start, body = ask(host)
    assert start["status"] == 421
    message = json.loads(body["body"])["error"]["message"]
    assert message.startswith("This server answers to localhost, 127.0.0.1 and [::1] only; the request has the Host")
    assert message.endswith("Ask for more.")


def test_every_host_counts() -> None:
    """One name that is not allowed among several, and no name at all, are refused."""
    assert ask(b"localhost", b"example.com")[0]["status"] == 421
    assert ask()[0]["status"] == 421


def test_a_client_that_has_left_gets_no_answer() -> None:
    """Nothing is sent for a request that was cut."""
    assert ask(b"example.com", received="http.disconnect") == []


def test_other_scopes() -> None:
    """A websocket is closed; the lifespan of the server has no host and passes."""
    assert ask(b"example.com", kind="websocket") == [{"type": "websocket.close", "code": 1008}]
    assert ask(b"localhost", kind="websocket") == [{"type": "passed"}]
    assert ask(kind="lifespan") == [{"type": "passed"}]
