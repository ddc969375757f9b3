"""Webhooks as the provider sends them, signed here by hand: what tests of receivers share."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runoutcome.testing._serving.listener import Listener
from runoutcome.testing._serving.loop_thread import LoopThread

SECRET = "whsec_" + base64.b64encode(b"the secret of this receiver").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the secret before this one").decode()
FOREIGN_SECRET = "whsec_" + base64.b64encode(b"the secret of somebody else").decode()
KEYS = {
    SECRET: b"the secret of this receiver",
    OLD_SECRET: b"the secret before this one",
    FOREIGN_SECRET: b"the secret of somebody else",
}
NOW = 1_800_000_000
"""Seconds since the epoch at which samples are signed, and verified."""


def event(type: object = "response.completed", data_id: object = "resp_1", **fields: Any) -> bytes:
    """The body of a webhook."""
    body = {"object": "event", "id": "evt_1", "type": type, "created_at": NOW - 5, "data": {"id": data_id}, **fields}
    return json.dumps(body).encode()


def signature(body: bytes, secret: str, webhook_id: str, timestamp: object) -> str:
    """The base64 of one signature, without its version."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(KEYS.get(secret, secret.encode()), signed, hashlib.sha256).digest()).decode()


def sign(body: bytes, *, by: Sequence[str] = (SECRET,), at: object = NOW, webhook_id: str = "wh_1") -> dict[str, str]:
    """The headers of a webhook."""
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature(body, secret, webhook_id, at)}" for secret in by),
    }


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An ASGI application served by uvicorn on loopback; gives the beginning of its addresses."""
    server = Listener(app, 0, LoopThread())
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
