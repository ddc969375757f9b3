"""Signatures of webhooks by the Standard Webhooks scheme. Pure: the time is an argument."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
DEFAULT_WEBHOOK_SECRET = _PREFIX + base64.b64encode(b"runoutcome emulates webhooks").decode()
"""What signs where no secret is given. It is public: it proves nothing, and is good for tests only."""


def secret_bytes(secret: str) -> bytes:
    """The key of the HMAC: `whsec_` and base64, or any other text as it stands. Raises ValueError for broken base64."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected {_PREFIX} and base64: {error}") from None


def wrong_secret(secret: str) -> str:
    """A secret that is well formed, and not this one."""
    return _PREFIX + base64.b64encode(hashlib.sha256(b"not " + secret_bytes(secret)).digest()).decode()


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
