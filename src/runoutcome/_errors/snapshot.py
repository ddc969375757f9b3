"""The contents of an exception as two short texts, so that its pickle stays under 2 KB. Pure.

The first text is the exception's own, with the server's message at its end. The second is JSON: it says where the
message starts, and names the row and the rule of the catalog. Two cuts, both marked with an ellipsis:

1. Each word has a greatest length: a message 300 characters, a code 100. An id of more than 300 is left out.
2. If both texts together are still too long, details are left out, and then the end of the text.

The decision, the token and the key are always there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import FAILURE_CODE, HOME, Entry
from .._outcome.outcome import Outcome
from .._waiting.attempts import Attempt, attempt_key, split_key
from .._waiting.resubmit import Refusal
from .._waiting.resume_token import ResumeToken, loads

VERSION = 1
HEAD_CHARS = 480
"""The text without the server's message."""
MESSAGE_CHARS = 300
CODE_CHARS = 100
WORD_CHARS = 80
ID_CHARS = 300  # gateways make ids of 200 characters and more
MAX_ATTEMPTS = 4
MAX_TOOLS = 4
TOTAL_BYTES = 1900
"""Both texts together, in UTF-8; the pickle of an exception adds about 100 bytes."""
_ELLIPSIS = "…"

# Field of `Outcome` -> its key in the JSON.
_DECISION = {
    "phase": "phase",
    "ok": "ok",
    "status": "status",
    "retryable": "retryable",
    "action": "action",
    "error_class": "class",
    "error_type": "type",
    "status_code": "http",
    "code": "code",
    "reason": "reason",
    "known": "known",
    "retry_after": "after",
    "surface": "surface",
    "overlay": "overlay",
    "tools_ran": "tools",
}
_DETAILS = {
    "has_output": "output",
    "catalog_version": "catalog",
    "retry_after_source": "after_source",
    "param": "param",
    "model": "model",
    "usage": "usage",
    "counts": "counts",
    "retry_after_requested": "after_uncut",
}
_DEFAULTS = {field.name: field.default for field in fields(Outcome)} | {"surface": HOME}
_CHARS = {"code": CODE_CHARS, "reason": CODE_CHARS}
_USUAL: list[Any] = [None, None, None, "failed", 1]
"""Id, code, tokens, status and retryability of an attempt whose row leaves them out, as early releases did."""


@dataclass(frozen=True)
class Snapshot:
    """Everything an exception carries beside its text."""

    outcome: Outcome | None = None
    run_token: str | None = None
    response_id: str | None = None
    key: str | None = None
    attempts: tuple[Attempt, ...] = ()
    not_resubmitted: Refusal | None = None
    poll_status_code: int | None = None
    request_id: str | None = None
    upstream_type: str | None = None
    """The server's own `error.type`, if it differs from the stable one."""
    body: dict[str, str] | None = None
    """The code and the type of a real HTTP error."""

    def with_token(self) -> Snapshot:
        """The same snapshot, a missing response id or key taken from its outcome or token."""
        token, outcome = token_in(self.run_token), self.outcome
        own_id = self.response_id or (outcome.response_id if outcome else None)
        response_id = own_id or (token.response_id if token else None)
        if outcome is not None and outcome.response_id is None:
            outcome = replace(outcome, response_id=response_id)
        key = self.key or (token.key if token else None)
        return replace(self, outcome=outcome, response_id=response_id, key=key)

    def dump(self, text: str) -> tuple[str, str]:
        """The two texts for an exception that says `text`."""
        token, outcome = token_in(self.run_token), self.outcome
        message = outcome.message if outcome else None
        state = _present(
            v=VERSION,
            token=self.run_token,
            id=None if token and token.response_id == self.response_id else _whole(self.response_id),
            key=None if token and token.key == self.key else self.key,
            not_again=self.not_resubmitted,
        )
        details = _present(
            poll=self.poll_status_code,
            request_id=self.request_id and _short(self.request_id, WORD_CHARS),
            error_type=self.upstream_type and _short(self.upstream_type, WORD_CHARS),
            body=self.body and {name: cut(value, CODE_CHARS) for name, value in self.body.items()},
            tries=[_row(attempt, outcome) for attempt in self.attempts[-MAX_ATTEMPTS:]] or None,
        )
        head = text.removesuffix(message or "")
        if outcome:
            state |= _values(outcome, _DECISION) | _references(outcome)
            details |= _values(outcome, _DETAILS)
            if len(outcome.label) > CODE_CHARS:
                head = head.replace(outcome.label, cut(outcome.label, CODE_CHARS))
        if message and text.endswith(message):
            head = cut(head, HEAD_CHARS)
            text, state["at"] = head + cut(message, MESSAGE_CHARS), len(head)
        else:
            text = cut(head, HEAD_CHARS + MESSAGE_CHARS)
            details |= _present(message=message and _short(message, MESSAGE_CHARS))
        if _size(text + _json(state | details)) > TOTAL_BYTES:
            details = {}
            text = cut_bytes(text, TOTAL_BYTES - _size(_json(state)))
        return text, _json(state | details)

    @classmethod
    def load(cls, text: str, state: str) -> Snapshot:
        """The snapshot that `dump` wrote. Raises ValueError for a `state` that is none, or of another version."""
        values = json.loads(state)
        if not isinstance(values, dict) or values.get("v") != VERSION:
            raise ValueError(f"not a runoutcome snapshot of version {VERSION}")
        snapshot = cls(
            outcome=_outcome(text, values),
            run_token=values.get("token"),
            response_id=values.get("id"),
            key=values.get("key"),
            not_resubmitted=values.get("not_again"),
            poll_status_code=values.get("poll"),
            request_id=values.get("request_id"),
            upstream_type=values.get("error_type"),
            body=values.get("body"),
        ).with_token()
        return replace(snapshot, attempts=_attempts(values.get("tries", ()), snapshot))


def token_in(text: str | None) -> ResumeToken | None:
    """The resume token in `text`; None if there is no text, or it cannot be read."""
    try:
        return loads(text) if text else None
    except ValueError:
        return None


def cut(text: str, chars: int) -> str:
    """`text`, or its beginning and an ellipsis if it has more than `chars` characters."""
    return text if len(text) <= chars else text[: max(0, chars - 1)] + _ELLIPSIS


def cut_bytes(text: str, size: int) -> str:
    """`text`, or its beginning and an ellipsis if it takes more than `size` bytes in UTF-8."""
    if _size(text) <= size:
        return text
    room = max(0, size - len(_ELLIPSIS.encode()))
    return text.encode("utf-8", "surrogatepass")[:room].decode("utf-8", "ignore") + _ELLIPSIS


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _values(outcome: Outcome, keys: dict[str, str]) -> dict[str, Any]:
    """The values of an outcome that are not the usual ones, its words cut."""
    values: dict[str, Any] = {}
    for name, key in keys.items():
        value = getattr(outcome, name)
        if value != _DEFAULTS[name]:
            values[key] = _short(value, _CHARS.get(name, WORD_CHARS)) if isinstance(value, str) else value
    if "tools" in values:  # that a tool acted always travels; its names only as far as they are short
        values["tools"] = [_short(tool, WORD_CHARS) for tool in values["tools"][:MAX_TOOLS]]
    return values


def _references(outcome: Outcome) -> dict[str, Any]:
    """The names of an outcome's row and rule; none of an overlay's, which the shipped catalog does not have."""
    if outcome.overlay is not None:
        return {}
    entry, rule, about = outcome.entry, outcome.rule, outcome.output_entry
    return _present(
        entry=[entry.field, entry.match, entry.value] if entry else None,
        rule=rule.id if rule else None,
        about=[about.field, about.match, about.value] if about else None,
    )


def _outcome(text: str, values: dict[str, Any]) -> Outcome | None:
    if "phase" not in values:
        return None
    names = _DECISION | _DETAILS
    facts: dict[str, Any] = {"surface": HOME} | {name: values[key] for name, key in names.items() if key in values}
    message = text[values["at"] :] or _ELLIPSIS if "at" in values else values.get("message")
    if "tools_ran" in facts:
        facts["tools_ran"] = tuple(facts["tools_ran"])
    if "overlay" not in values:
        catalog = Catalog.load()
        facts["entry"] = _entry(catalog, facts["surface"] or HOME, facts.get("code"), values.get("entry"))
        facts["rule"] = catalog.rule(values.get("rule"))
        if "about" in values:
            facts["output_entry"] = catalog.entry(facts["surface"] or HOME, *values["about"])
    return Outcome(**facts, message=message, response_id=values.get("id"))


def _entry(catalog: Catalog, surface: str, code: str | None, reference: list[Any] | None) -> Entry | None:
    """The row by its field, match and value; early releases left them out where the code alone names the row."""
    if reference is None:
        own = catalog.surfaces.get(surface)
        entry = catalog.entry(surface, own.code_field, "literal", code) if own else None
        return entry or catalog.entry(HOME, FAILURE_CODE, "literal", code)
    field, match, value = reference
    return catalog.entry(surface, field, match, value) or catalog.entry(HOME, field, match, value)


def _row(attempt: Attempt, own: Outcome | None) -> list[Any]:
    """An attempt as JSON: its number alone if it is the run of the exception's own outcome."""
    if own is not None and attempt.response_id is not None and attempt.response_id == own.response_id:
        return [attempt.number]
    status, code = (text and _short(text, WORD_CHARS) for text in (attempt.status, attempt.code))
    return [attempt.number, _whole(attempt.response_id), code, attempt.total_tokens, status, int(attempt.retryable)]


def _attempts(rows: Sequence[list[Any]], snapshot: Snapshot) -> tuple[Attempt, ...]:
    """The attempts in `rows`; their keys follow from the key of the snapshot, which is that of any of them."""
    base = (split_key(snapshot.key) or (None, 0))[0]
    attempts: list[Attempt] = []
    for number, *values in rows:
        key = attempt_key(base, number) if base is not None else None
        if not values and snapshot.outcome is not None:
            attempts.append(Attempt.of(number, key, snapshot.outcome))
        else:
            response_id, code, tokens, status, retryable = [*values, *_USUAL[len(values) :]]
            attempts.append(Attempt(number, key, response_id, status, code, bool(retryable), tokens))
    return tuple(attempts)


def _short(text: str, chars: int) -> str:
    """`text` cut to `chars` characters, and to a third if its JSON would take more than two bytes for each of them."""
    short = cut(text, chars)
    return short if _size(_json(short)) - 2 <= 2 * chars else cut(text, chars // 3)


def _whole(response_id: str | None) -> str | None:
    """`response_id`, or None if it is too long: half an id is worse than none."""
    return response_id if response_id and _size(_json(response_id)) - 2 <= ID_CHARS else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
