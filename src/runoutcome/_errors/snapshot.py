"""Outcome <-> one short text and one short JSON text, so that an exception travels in under 1 KB. Pure.

A snapshot is `(text, state)`. The server's message stands once, at the end of the text; the state says where it
starts. What is cut is marked with an ellipsis. Only what was decided travels: rows and rules are found again by
their place in the catalog.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from .._catalog.catalog import Catalog
from .._catalog.rows import Entry
from .._outcome.outcome import Outcome

MESSAGE_CHARS = 300
CODE_CHARS = 100
WORD_CHARS = 80
ID_CHARS = 300  # gateways make ids of 200 characters and more
HEAD_CHARS = 480
HEAD_BYTES = 160
"""What is kept free for the words of the catalog, however much else there is."""
TOTAL_BYTES = 900
"""What text and state may weigh together; the pickle of an exception adds about 100 bytes."""
_ELLIPSIS = "…"
_AT = ',"at":999'

# Field of `Outcome` -> its key in a snapshot.
_KEYS = {
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
    "response_id": "id",
    "retry_after": "after",
    "surface": "surface",
    "has_output": "output",
    "overlay": "overlay",
    "catalog_version": "catalog",
    "retry_after_source": "after_source",
    "param": "param",
    "model": "model",
    "usage": "usage",
    "counts": "counts",
}
_CHARS = {"code": CODE_CHARS, "reason": CODE_CHARS}
_DEFAULTS = {spec.name: spec.default for spec in fields(Outcome)} | {"surface": "response"}
# What is dropped first where not all of it fits. What was decided, the token and the key always travel.
_DROPPED_FIRST = (
    *(
        "usage",
        "counts",
        "body",
        "model",
        "param",
        "after_source",
        "request_id",
        "error_type",
        "poll",
        "catalog",
        "output",
        "tries",
    ),
    *("not_again", "overlay", "surface", "rule", "after", "entry", "known", "reason"),
)


def dump(text: str, outcome: Outcome | None, extra: dict[str, Any]) -> tuple[str, str]:
    """The snapshot of an exception that says `text`, holds `outcome` and, beside it, the JSON values of `extra`."""
    message = outcome.message if outcome else None
    split = message is not None and text.endswith(message)
    head = text[: -len(message)] if message and split else text
    state: dict[str, Any] = {"v": 1, **{key: value for key, value in extra.items() if value is not None}}
    if outcome:
        state.update(_facts(outcome))
        if len(outcome.label) > CODE_CHARS:
            head = head.replace(outcome.label, cut(outcome.label, CODE_CHARS))
    for key in _DROPPED_FIRST:
        if _weight(_json(state)) > TOTAL_BYTES - HEAD_BYTES:
            state.pop(key, None)
    head = cut(head, HEAD_CHARS, TOTAL_BYTES - _weight(_json(state)) - len(_AT))
    if message and split:
        state["at"] = len(head)
    room = max(0, TOTAL_BYTES - _weight(head) - _weight(_json(state)))
    if message and not split and room > 2 * WORD_CHARS:
        state["message"] = _light(message, min(MESSAGE_CHARS, room // 2))
    tail = cut(message, MESSAGE_CHARS, room) if message and split else ""
    return head + tail, _json(state)


def load(text: str, state: str) -> tuple[Outcome | None, dict[str, Any]]:
    """What `dump` was given: the outcome (None where there was none) and the extra values.

    Raises ValueError if `state` is no snapshot of a version this release knows.
    """
    values = json.loads(state)
    if not isinstance(values, dict) or values.pop("v", None) != 1:
        raise ValueError("not a runoutcome snapshot of version 1")
    start = values.pop("at", None)
    message = values.pop("message", None) if start is None else text[start:]
    entry, rule = values.pop("entry", None), values.pop("rule", None)
    if "phase" not in values:
        return None, values
    facts: dict[str, Any] = {"surface": "response", "message": message}
    facts.update({name: values.pop(key) for name, key in _KEYS.items() if key in values})
    outcome = Outcome(**facts)
    if outcome.overlay is not None:  # the published catalog's row is not the one that decided
        return outcome, values
    catalog = Catalog.load()
    return replace(outcome, entry=_entry(catalog, outcome, entry), rule=catalog.rule(rule)), values


def cut(text: str, chars: int, weight: int | None = None) -> str:
    """`text`, or its beginning and an ellipsis if it has more than `chars` characters or `weight` bytes."""
    if len(text) <= chars and (weight is None or _weight(text) <= weight):
        return text
    short = text[: max(0, chars - 1)]
    if weight is not None:
        room = max(0, weight - len(_ELLIPSIS.encode()))
        short = short.encode("utf-8", "surrogatepass")[:room].decode("utf-8", "ignore")
    return short + _ELLIPSIS


def _facts(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, key in _KEYS.items():
        value = getattr(outcome, name)
        if value != _DEFAULTS[name]:
            facts[key] = _light(value, _CHARS.get(name, WORD_CHARS)) if isinstance(value, str) else value
    facts["phase"] = outcome.phase
    if outcome.response_id and _is_light(outcome.response_id, ID_CHARS):
        facts["id"] = outcome.response_id
    else:
        facts.pop("id", None)  # half an id is worse than none
    if outcome.entry and not _is_obvious(outcome.entry, outcome):
        facts["entry"] = [outcome.entry.field, outcome.entry.match, outcome.entry.value]
    if outcome.rule:
        facts["rule"] = outcome.rule.id
    return facts


def _is_obvious(entry: Entry, outcome: Outcome) -> bool:
    """The row can be found again by the outcome's own code."""
    return entry.match == "literal" and entry.field.endswith(".code") and entry.value == outcome.code


def _entry(catalog: Catalog, outcome: Outcome, place: list[Any] | None) -> Entry | None:
    surface = outcome.surface or "response"
    if place is None:
        known = catalog.surfaces.get(surface)
        own = catalog.entry(surface, known.code_field, "literal", outcome.code) if known else None
        return own or catalog.entry("response", "error.code", "literal", outcome.code)
    field, match, value = place
    return catalog.entry(surface, field, match, value) or catalog.entry("response", field, match, value)


def _light(text: str, chars: int) -> str:
    """`text`, cut to so many characters, which weigh no more bytes than that, as JSON too."""
    short = cut(text, chars, chars)
    return short if _is_light(short, chars) else cut(text, chars // 6)


def _is_light(text: str, weight: int) -> bool:
    return _weight(json.dumps(text, ensure_ascii=False)) - 2 <= weight


def _json(state: Any) -> str:
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"))


def _weight(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
