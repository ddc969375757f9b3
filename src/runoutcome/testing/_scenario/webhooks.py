"""Settings of webhooks: receiver, signature, and faults on the way. Values only.

A table of a scenario has any of these fields:

    [webhooks]
    url = "http://127.0.0.1:8000/webhook"
    secret = "whsec_..."
    old_secret = "whsec_..."              # the secret before a rotation: there are two signatures from now on
    drop = 0.02                           # a share of the events, drawn by seed
    wrong_secret = 0.05
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from ..._catalog.validator import ValidationError, one_of, string, table
from ..._host_check import is_loopback
from .._errors import unknown
from .outcome_words import split_words
from .readers import checked, number, positive

Signer = Literal["secret", "old_secret", "both"]

SECRET_PREFIX = "whsec_"
DEFAULT_WEBHOOK_SECRET = SECRET_PREFIX + base64.b64encode(b"runoutcome emulates webhooks").decode()
"""Secret that signs if no other is given. It is public, so good for tests only."""
WEBHOOK_MARKER = "emulate_webhook"
"""Metadata key of a run with the faults of its webhook: see `Webhooks.marked`."""
SHARES = ("drop", "duplicates", "reorder", "delay", "wrong_secret", "old_timestamp", "bad_body")
"""Shares that are drawn for each event, in this order."""
# Settings of each word of the marker `emulate_webhook`.
_WORDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ok": {},
        "drop": {"drop": 1.0},
        "duplicate": {"duplicates": 1.0},
        "reorder": {"reorder": 1.0},
        "delay": {"delay": 1.0},
        "wrong-secret": {"wrong_secret": 1.0},
        "old-secret": {"sign_with": "old_secret"},
        "both-secrets": {"sign_with": "both"},
        "old-timestamp": {"old_timestamp": 1.0},
        "bad-body": {"bad_body": 1.0},
    }
)


@dataclass(frozen=True)
class Webhooks:
    """Delivery of webhooks. Shares of the events are 0 to 1; the emulator's `speed` divides seconds.

    Raises ScenarioError for a URL that is not on this machine, an unusable secret, and numbers out of range.
    """

    __module__ = "runoutcome.testing"

    url: str | None = None
    """Plain http on loopback; without a URL nothing is sent."""
    secret: str = field(default=DEFAULT_WEBHOOK_SECRET, repr=False)
    old_secret: str | None = field(default=None, repr=False)
    """The secret before a rotation."""
    sign_with: Signer | None = None
    """None: `both` with an old secret, else `secret`."""
    drop: float = 0.0
    """Share that is never sent."""
    duplicates: float = 0.0
    """Share that is sent twice, under one `webhook-id`."""
    duplicate_seconds: float = 1.0
    """Seconds from the first sending to the second."""
    reorder: float = 0.0
    """Share that is held back until a later event has been delivered."""
    reorder_seconds: float = 60.0
    """Seconds for which an event is held back at most, and half of it at least, unless released."""
    delay: float = 1.0
    """Share that is sent `delay_seconds` after the run has ended; the others at once."""
    delay_seconds: float = 0.0
    wrong_secret: float = 0.0
    """Share that is signed with another secret."""
    old_timestamp: float = 0.0
    """Share that was signed `old_timestamp_seconds` ago."""
    old_timestamp_seconds: float = 600.0
    """Seconds by the wall clock, not divided by the speed; receivers allow 300."""
    bad_body: float = 0.0
    """Share whose JSON is cut; the signature is good."""
    fault_attempts: int = 1
    """Attempts of an event that meet its wrong secret, old timestamp or bad body; later ones are good."""
    retry_seconds: float = 5.0
    """Seconds from an attempt that is not answered with 2xx to the next; each pause is twice the last, +-20 %."""
    retry_for_seconds: float = 259_200.0
    """Seconds from the first attempt to the last possible one; with 0 there is one attempt."""
    timeout_seconds: float = 10.0
    """Seconds that the receiver has to answer, not divided by the speed."""
    concurrency: int = 8
    """Deliveries under way at once; 1 keeps them in order."""

    def __post_init__(self) -> None:
        checked(_consistent, {key: value for key, value in vars(self).items() if value is not None}, "webhooks")

    @property
    def signed_with(self) -> Signer:
        """The secrets that sign."""
        return self.sign_with or ("both" if self.old_secret else "secret")

    @property
    def signers(self) -> tuple[str, ...]:
        """The secrets that sign, one signature each."""
        old = self.old_secret or self.secret
        return {"secret": (self.secret,), "old_secret": (old,), "both": (self.secret, old)}[self.signed_with]

    def sent_to(self, url: str | None = None, secret: str | None = None) -> "Webhooks":
        """The same with another receiver; None keeps the URL or the secret."""
        return replace(self, url=self.url if url is None else url, secret=self.secret if secret is None else secret)

    def marked(self, marker: str) -> "Webhooks":
        """The settings for a run with this marker: a comma list of words, which replaces all shares.

        Raises ValueError for an unknown word, and for one that needs an old secret if there is none.
        """
        changes: dict[str, Any] = dict.fromkeys(SHARES, 0.0)
        for word in split_words(marker):
            if word not in _WORDS:
                raise ValueError(unknown("word", word, _WORDS))
            changes |= _WORDS[word]
        return replace(self, **changes)


def read_webhooks(value: object) -> Webhooks:
    """Reader of the table `[webhooks]`."""
    return Webhooks(**_consistent(value))


def secret_bytes(secret: str) -> bytes:
    """The key of the HMAC: `whsec_` and base64 (`v1,` before it is ignored), or any other text as it stands.

    Raises ValueError for broken base64.
    """
    if secret.startswith(f"v1,{SECRET_PREFIX}"):
        secret = secret.removeprefix("v1,")
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected {SECRET_PREFIX} and base64: {error}") from None


def loopback_address(url: str) -> SplitResult:
    """The parts of a receiver's URL. Raises ValueError if it is not plain http on this machine."""
    parts = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        local = is_loopback(parts.hostname or "")
        usable = parts.scheme == "http" and parts.port != 0 and parts.username is None and url.isascii()
    except ValueError:
        local = usable = False
    # A character that ends a line would end the request line.
    if not (local and usable) or any(character <= " " for character in url):
        raise ValueError(f"expected http:// and localhost, 127.0.0.1 or [::1], got {url!r}")
    return parts


_STRING = string()


def _consistent(value: object) -> dict[str, Any]:
    settings = _TABLE(value)
    if settings.get("sign_with", "secret") != "secret" and not settings.get("old_secret"):
        raise ValidationError.at("sign_with", problem=f"'{settings['sign_with']}' needs an old_secret")
    return settings


def _url(value: object) -> str:
    url = _STRING(value)
    loopback_address(url)
    return url


def _secret(value: object) -> str:
    secret = _STRING(value)
    if not secret_bytes(secret):
        raise ValueError("expected a secret that is not empty")
    return secret


def _share(value: object) -> float:
    if number(value) > 1:
        raise ValidationError.expected("a share of the events, 0 to 1", value)
    return number(value)


def _above_zero(value: object) -> float:
    if number(value) == 0:
        raise ValidationError.expected("more than 0", value)
    return number(value)


_TABLE = table(
    {
        "url": _url,
        **dict.fromkeys(("secret", "old_secret"), _secret),
        "sign_with": one_of(*get_args(Signer)),
        **dict.fromkeys(SHARES, _share),
        **dict.fromkeys(("fault_attempts", "concurrency"), positive),
        **dict.fromkeys(("retry_seconds", "timeout_seconds"), _above_zero),
        **dict.fromkeys(("duplicate_seconds", "reorder_seconds", "delay_seconds"), number),
        **dict.fromkeys(("old_timestamp_seconds", "retry_for_seconds"), number),
    }
)
