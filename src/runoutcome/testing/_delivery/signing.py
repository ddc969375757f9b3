"""Signatures of webhooks by the Standard Webhooks scheme. Pure: the time is an argument."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from .._scenario.webhooks import SECRET_PREFIX, secret_bytes


def wrong_secret(secret: str) -> str:
    """Another well-formed secret."""
    return SECRET_PREFIX + base64.b64encode(hashlib.sha256(b"not " + secret_bytes(secret)).digest()).decode()


def signed_headers(webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of one delivery at `timestamp` (Unix seconds), with one signature for each secret."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(secret, content)}" for secret in secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    return base64.b64encode(hmac.digest(secret_bytes(secret), content, hashlib.sha256)).decode()
