"""Verifies signatures of the Standard Webhooks scheme: HMAC-SHA256 over `id.timestamp.body`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .._checks import check_number, refuse_type
from ._errors import WebhookError, WebhookSignatureError
from ._notice import Notice, read_notice

TOLERANCE_SECONDS = 300.0
_PREFIX = "whsec_"
_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1,"
"""Before a signature, and with some providers before a secret."""
_LEAST_BYTES = 24


class HasItems(Protocol):
    """A mapping, or an object with `items` only: the headers of werkzeug and of the standard library."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Yield names and values."""
        ...


Headers = HasItems | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""The headers of a request as any framework has them; also Django's `META` and a WSGI environ."""


def verify(
    body: bytes | str,
    headers: Headers,
    secrets: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Notice:
    """Return the notice in a webhook that was signed with one of `secrets`.

    `body` is the raw body of the request, not parsed. A secret is `whsec_` and base64 (`v1,` before it is ignored), or
    any other text as it stands; its key has at least 24 bytes, as the scheme demands. `now` is in seconds since the
    epoch, this machine's time if left out; the webhook may have been signed up to `tolerance_seconds` before or after.

    Raises WebhookSignatureError (also an `openai.InvalidWebhookSignatureError`) if no signature is valid or the time is
    out of tolerance, WebhookError for a missing header or a body that is not an event, and ValueError or TypeError for
    a malformed secret.
    """
    verifier = Verifier.of(secrets, tolerance_seconds)
    del secrets  # error trackers send the variables of every frame
    if not isinstance(verifier, Verifier):
        raise verifier
    return verifier.verify(body, headers, time.time() if now is None else now)


@dataclass(frozen=True)
class Verifier:
    """Decoded secrets, and the tolerance between two clocks in seconds."""

    keys: tuple[bytes, ...] = field(repr=False)
    tolerance_seconds: float

    @classmethod
    def of(cls, secrets: object, tolerance_seconds: float) -> Verifier | ValueError | TypeError:
        """Return a verifier by these secrets, or the error to raise for a malformed one.

        The error is returned, and without a traceback: every frame of it would show the secrets.
        """
        try:
            check_number(tolerance_seconds, "tolerance_seconds is a number of seconds")
            if not tolerance_seconds >= 0:
                raise ValueError(f"tolerance_seconds is 0 or more; got {tolerance_seconds!r}")
            return cls(_keys(secrets), tolerance_seconds)
        except (ValueError, TypeError) as error:
            return error.with_traceback(None)

    def verify(self, body: bytes | str, headers: Headers, now: float) -> Notice:
        """See `verify`."""
        content, signing = _content(body), _signing_headers(headers)
        for name in (_ID, _TIMESTAMP, _SIGNATURE):
            if not signing.get(name):
                raise WebhookError(f"the header {name} is missing: pass all headers of the request")
        if not re.fullmatch(r"\d{1,12}", signing[_TIMESTAMP], re.ASCII):
            raise WebhookSignatureError(f"the header {_TIMESTAMP} is not a number of seconds")
        age = int(now) - int(signing[_TIMESTAMP])
        if abs(age) > self.tolerance_seconds:
            when = "ago" if age > 0 else "in the future"
            raise WebhookSignatureError(
                f"the webhook was signed {abs(age)} s {when}, and {self.tolerance_seconds:g} s are tolerated: "
                "it is a replay, or a clock is wrong"
            )
        signed = _bytes(f"{signing[_ID]}.{signing[_TIMESTAMP]}.") + content
        if not _holds(self.keys, signed, signing[_SIGNATURE]):
            raise WebhookSignatureError(
                "no signature of the webhook is valid: check that the secret belongs to this endpoint, "
                "and that the body is passed on unchanged"
            )
        return read_notice(content, signing[_ID])


def _keys(secrets: object) -> tuple[bytes, ...]:
    is_one = isinstance(secrets, (str, bytes, bytearray, Mapping))
    keys = tuple(map(_key, secrets if isinstance(secrets, Iterable) and not is_one else [secrets]))
    if not keys:
        raise ValueError("pass at least one webhook secret; got an empty list")
    return keys


def _key(secret: object) -> bytes:
    if not isinstance(secret, str):  # None is the value of an environment variable that is not set
        refuse_type(secret, f"a webhook secret is a text such as {_PREFIX}...")
    key = _decoded(secret)
    if not key:
        raise ValueError(f"a webhook secret is {_PREFIX} and base64, or any other text; this one is empty or cut")
    if len(key) < _LEAST_BYTES:
        raise ValueError(f"the key of a webhook secret has at least {_LEAST_BYTES} bytes; this one has {len(key)}")
    return key


def _decoded(secret: str) -> bytes:
    stripped = secret.strip().removeprefix(_VERSION)
    if not stripped.startswith(_PREFIX):
        return _bytes(secret) if stripped else b""
    try:
        return base64.b64decode(stripped.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return b""


def _holds(keys: Iterable[bytes], signed: bytes, header: str) -> bool:
    """Return whether one of the signatures was made with one of the keys, in a time that does not depend on which."""
    # A signature without a version is accepted, as in the SDK; one of another version is not base64 and never fits.
    received = [_bytes(part.removeprefix(_VERSION)) for part in header.split()]
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    results = [hmac.compare_digest(one, other) for one in expected for other in received]
    return any(results)


def _content(body: object) -> bytes:
    if isinstance(body, str):
        return _bytes(body)
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"pass the raw body, bytes or text, not the parsed one; got {type(body).__name__}")
    return bytes(body)


def _signing_headers(headers: Any) -> dict[str, str]:
    """Return the headers by their lower-case names; of several with one name the first."""
    signing: dict[str, str] = {}
    try:
        for name, value in headers.items() if hasattr(headers, "items") else headers:
            # Django's META and WSGI have HTTP_WEBHOOK_ID.
            signing.setdefault(_word(name).lower().replace("_", "-").removeprefix("http-"), _word(value))
    except (TypeError, ValueError):
        kind = type(headers).__name__
        raise WebhookError(f"pass the headers of the request, as a mapping or as pairs; got {kind}") from None
    return signing


def _word(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
