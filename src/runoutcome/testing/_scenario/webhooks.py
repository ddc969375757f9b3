"""`Webhooks`: where the emulator delivers webhooks, how it signs them, and what goes wrong on the way. Values only.

A table of a scenario has any of its fields:

    [webhooks]
    url = "http://127.0.0.1:8000/webhook"
    secret = "whsec_..."
    old_secret = "whsec_..."              # the one before a rotation: from now on there are two signatures
    drop = 0.02                           # a share of the events, drawn by seed
    wrong_secret = 0.05
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from .._errors import ScenarioError, unknown
from .outcome_words import split_words
from .position import Place
from .signing import DEFAULT_WEBHOOK_SECRET, secret_bytes
from .table import Table

Signer = Literal["secret", "old_secret", "both"]

WEBHOOK_MARKER = "emulate_webhook"
"""The metadata key of a run that says what becomes of its webhook: see `Webhooks.marked`."""
SHARES = ("drop", "duplicates", "reorder", "delay", "wrong_secret", "old_timestamp", "bad_body")
"""What is drawn for each event, in this order."""
_SECONDS = ("duplicate_seconds", "reorder_seconds", "delay_seconds", "old_timestamp_seconds", "retry_for_seconds")
_COUNTS = ("fault_attempts", "concurrency")
_POSITIVE = ("retry_seconds", "timeout_seconds", *_COUNTS)
# What each word of the marker `emulate_webhook` sets.
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
    """How webhooks are delivered. Shares of the events are 0 to 1; the emulator's `speed` divides seconds.

    Raises ScenarioError for a URL that is not on this machine, a secret that is none, and numbers out of range.
    """

    url: str | None = None
    """Plain http on loopback; without one nothing is sent."""
    secret: str = field(default=DEFAULT_WEBHOOK_SECRET, repr=False)
    old_secret: str | None = field(default=None, repr=False)
    """The secret before a rotation."""
    sign_with: Signer | None = None
    """None: `both` where there is an old secret, else `secret`."""
    drop: float = 0.0
    """Share that is never sent."""
    duplicates: float = 0.0
    """Share that is sent twice, under one `webhook-id`."""
    duplicate_seconds: float = 1.0
    """From the first sending to the second."""
    reorder: float = 0.0
    """Share that is held back until a later event has been delivered."""
    reorder_seconds: float = 60.0
    """An event is held back half of it at least, unless released, and all of it at most."""
    delay: float = 1.0
    """Share that is sent `delay_seconds` after the run has ended; the others at once."""
    delay_seconds: float = 0.0
    wrong_secret: float = 0.0
    """Share that is signed with a secret nobody was told."""
    old_timestamp: float = 0.0
    """Share that was signed `old_timestamp_seconds` ago."""
    old_timestamp_seconds: float = 600.0
    """By the wall clock, whatever the speed; receivers allow 300."""
    bad_body: float = 0.0
    """Share whose JSON is cut; the signature is good."""
    fault_attempts: int = 1
    """The attempts of an event that meet its wrong secret, old timestamp or bad body; later ones are good."""
    retry_seconds: float = 5.0
    """From the first attempt that is not answered with 2xx to the next; each later pause is twice as long, +-20 %."""
    retry_for_seconds: float = 259_200.0
    """No attempt is later than this after the first; with 0 there is one attempt."""
    timeout_seconds: float = 10.0
    """The receiver's time to answer, whatever the speed."""
    concurrency: int = 8
    """Deliveries under way at once; 1 keeps them in order."""

    def __post_init__(self) -> None:
        if found := _first_problem(vars(self)):
            raise ScenarioError("webhooks: {}: {}".format(*found))

    @property
    def signed_with(self) -> Signer:
        """Which secrets sign."""
        return self.sign_with or ("both" if self.old_secret else "secret")

    @property
    def signers(self) -> tuple[str, ...]:
        """The secrets that sign, one signature each."""
        old = self.old_secret or self.secret
        return {"secret": (self.secret,), "old_secret": (old,), "both": (self.secret, old)}[self.signed_with]

    def sent_to(self, url: str | None = None, secret: str | None = None) -> Webhooks:
        """The same with another receiver; None leaves what is there."""
        return replace(self, url=self.url if url is None else url, secret=self.secret if secret is None else secret)

    def marked(self, marker: str) -> Webhooks:
        """The settings for a run with this marker: a comma list of words, which stands in for all shares.

        Raises ValueError for a word that is not known, and for one that needs an old secret where there is none.
        """
        changes: dict[str, Any] = dict.fromkeys(SHARES, 0.0)
        for word in split_words(marker):
            if word not in _WORDS:
                raise ValueError(unknown("word", word, _WORDS))
            changes |= _WORDS[word]
        return replace(self, **changes)


def read_webhooks(value: object, place: Place) -> Webhooks:
    """The table `[webhooks]` of a scenario. Raises ScenarioError with the line, the key and what is allowed."""
    keys = tuple(each.name for each in fields(Webhooks))
    table = Table(value, place, keys)
    texts = ("url", "secret", "old_secret", "sign_with")
    readers = {key: table.text if key in texts else table.positive if key in _COUNTS else table.number for key in keys}
    given = table.given(**readers)
    if found := _first_problem({**vars(Webhooks()), **given}):
        table.fail(*found)
    return Webhooks(**given)


def loopback_address(url: str) -> SplitResult:
    """The parts of a receiver's URL. Raises ValueError if it is not plain http on this machine."""
    parts = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        usable = parts.scheme == "http" and parts.port != 0 and parts.username is None and url.isascii()
    except ValueError:
        local = usable = False
    # What ends a line would end the request line.
    if not (local and usable) or any(character <= " " for character in url):
        raise ValueError(f"expected http:// and localhost, 127.0.0.1 or [::1], got {url!r}")
    return parts


def _first_problem(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first key whose value cannot be, and why."""
    problems = {
        "url": _url_problem(values["url"]),
        "secret": _secret_problem(values["secret"]),
        "old_secret": _secret_problem(values["old_secret"]),
        "sign_with": _signer_problem(values["sign_with"], values["old_secret"]),
        **{key: _share_problem(values[key]) for key in SHARES},
        **{key: _number_problem(values[key], positive=False) for key in _SECONDS},
        **{key: _number_problem(values[key], positive=True) for key in _POSITIVE},
    }
    return next(((key, problem) for key, problem in problems.items() if problem), None)


def _url_problem(url: str | None) -> str | None:
    try:
        _ = url is None or loopback_address(url)
    except ValueError as error:
        return str(error)
    return None


def _secret_problem(secret: str | None) -> str | None:
    try:
        return None if secret is None or secret_bytes(secret) else "expected a secret that is not empty"
    except ValueError as error:
        return str(error)


def _signer_problem(signer: str | None, old_secret: str | None) -> str | None:
    if signer is None or signer == "secret":
        return None
    if signer not in get_args(Signer):
        return unknown("word", signer, get_args(Signer))
    return None if old_secret else f"'{signer}' needs an old_secret"


def _share_problem(share: float) -> str | None:
    return None if 0 <= share <= 1 else f"expected a share of the events, 0 to 1, got {share!r}"


def _number_problem(number: float, *, positive: bool) -> str | None:
    if positive and not number > 0:
        return f"expected more than 0, got {number!r}"
    return None if 0 <= number < math.inf else f"expected a number, 0 or more, got {number!r}"
