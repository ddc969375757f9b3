"""The vectors of the rows: for each row of the catalog a body that meets it, and what the row's own fields then say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runoutcome import Catalog, Entry
from runoutcome._catalog.rows import Surface

Vector = dict[str, Any]
Fields = dict[str, Any]

_NOTHING = (
    *("phase", "status", "surface", "code", "reason", "message", "param", "error_class", "error_type", "status_code"),
    *("retry_after", "retry_after_requested", "retry_after_source", "response_id", "model", "usage", "counts"),
    *("refusal", "entry", "rule", "output_entry"),
)
_NO = ("ok", "retryable", "known", "has_output")
BLANK: Fields = {**dict.fromkeys(_NOTHING), **dict.fromkeys(_NO, False), "action": "none"}
BLANK |= {"failed_items": [], "tools_ran": []}
"""Every field of an outcome, where nothing is known."""

UNKNOWN = "a_word_nobody_knows"
SAID = "Something went wrong."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
ID = "run_1"
ROW = "batch.output_row"
STATUS_CODES = (400, 401, 402, 403, 404, 408, 409, 418, 422, 429, 451, 499, 500, 502, 503, 504, 529, 599)
COUNTS = {"total": 9, "completed": 7, "failed": 2}
_LISTS = frozenset({"errors.data"})
_ACCOUNT, _LATER = (401, 402, 403), (429, 503)


def vector(name: str, about: str, body: Any, outcome: Fields, surface: str | None = None) -> Vector:
    """One vector. `outcome` may leave out what is blank, the uncut delay, and the row of a response without output."""
    named = {"surface": surface} if surface is not None else {}
    full = {**BLANK, "retry_after_requested": outcome.get("retry_after"), **outcome}
    if (full["ok"], full["surface"], full["has_output"]) == (True, "response", False) and "output_entry" not in outcome:
        full["output_entry"] = "response/output/empty"
    return {"name": name, "about": about, **named, "body": body, "outcome": full}


def vectors_of_rows(catalog: Catalog) -> Iterator[Vector]:
    """The vectors of every entry, surface and table of the catalog."""
    for entry in catalog.entries:
        if entry.field != catalog.surfaces[entry.surface].output_field:  # words for a completed run, which decide none
            yield _of_entry(catalog, entry)
    for place in catalog.surfaces.values():
        yield from _of_surface(catalog, place)
    yield from _of_http_statuses(catalog)
    yield from _of_types(catalog)


def says(catalog: Catalog, entry: Entry | None, *, known: bool) -> Fields:
    """What a row decides: its own fields, and the HTTP status of its error type where it has none."""
    assert entry is not None
    kind = catalog.error_types.get(entry.error_type or "")
    return {
        "error_class": entry.error_class,
        "error_type": entry.error_type,
        "status_code": entry.status_code or (kind.status_code if kind else None),
        "retryable": entry.retryable,
        "action": entry.action,
        "known": known,
        "entry": entry.id,
    }


def _of_entry(catalog: Catalog, entry: Entry) -> Vector:
    place = catalog.surfaces[entry.surface]
    word = {"literal": entry.value, "null": None, "unknown": UNKNOWN, "http_status": 503}[entry.match]
    name = f"row-{entry.surface}-{entry.field}-{entry.value if entry.match == 'literal' else 'any-' + entry.match}"
    about = f"A body that meets the row {entry.id}."
    known = entry.match == "literal"
    if entry.field == "status":
        decider = _deciding(catalog, place, entry)
        body = _body(place, word)
        if place.name == ROW:
            answer = {"status_code": 200, "request_id": "req_1", "body": {"id": "chatcmpl_1", "model": "m"}}
            body = _row(None, answer) if word == "completed" else _row({}, None)
        told = {**_ended(place, word), **says(catalog, decider, known=decider.match == "literal")}
        if place.name == ROW and word == "completed":
            told |= {"has_output": True, "model": "m"}
        return vector(name, about, body, told)
    if entry.field == place.status_field:  # the HTTP status of a row, which is no HTTP error
        answer = {"status_code": int(entry.value or ""), "request_id": "", "body": {}}
        return vector(name, about, _row(None, answer), {**_ended(place, "failed"), **says(catalog, entry, known=known)})
    if entry.field == place.failure_field:
        return _failed(catalog, place, name, about, None, says(catalog, entry, known=False))
    if entry.field == place.code_field:
        if entry.match == "http_status":
            told = {**_by_status(catalog, 503), "entry": entry.id}
        else:
            told = says(catalog, entry, known=known)
        code = None if word is None else str(word)
        return _failed(catalog, place, name, about, {"code": word, "message": SAID}, {**told, "code": code})
    status = "cancelled" if entry.error_type == "cancelled_error" else "incomplete"
    body = {**_body(place, status), **_at(entry.field, word)}
    return vector(name, about, body, {**_ended(place, status), **says(catalog, entry, known=known), "reason": word})


def _deciding(catalog: Catalog, place: Surface, entry: Entry) -> Entry:
    """The row that decides about a body with this status and nothing else: that of the field that should say more."""
    field = place.decided_by.get(entry.value or "")
    own: Entry | None
    if field == place.code_field and place.name == ROW:  # a row without an error was not told to have failed
        own = catalog.entry("response", "error.code", "null")
    elif field == place.code_field:
        own = catalog.entry(place.name, place.failure_field, "null") or catalog.entry("response", "error", "null")
    elif field is not None and entry.value == "incomplete":
        own = catalog.entry(place.name, field, "null")
        own = own or catalog.entry("response", "incomplete_details.reason", "null")
    else:
        own = entry
    assert own is not None
    return own


def _of_surface(catalog: Catalog, place: Surface) -> Iterator[Vector]:
    name = place.name
    if name != ROW:
        yield from _of_statuses(catalog, place)
    if place.code_field not in place.decided_by.values():
        return

    def failed(what: str, about: str, error: Any, told: Fields) -> Vector:
        return _failed(catalog, place, f"surface-{name}-{what}", f"{name}: {about}", error, told)

    def row(match: Any, value: str | None = None) -> Entry | None:
        own = catalog.entry(name, place.code_field, match, value)
        return own or catalog.entry("response", "error.code", match, value)

    unknown = {**says(catalog, row("unknown"), known=False), "code": UNKNOWN}
    yield failed("unknown-code", "a code that nobody knows.", {"code": UNKNOWN, "message": SAID}, unknown)
    yield failed("no-code", "an error without a code.", {"message": SAID}, says(catalog, row("null"), known=False))
    overloaded = {**says(catalog, row("literal", "server_is_overloaded"), known=True), "code": "server_is_overloaded"}
    about = "a code without a row of this surface is that of `response`."
    yield failed("inherited-code", about, {"code": "server_is_overloaded", "message": SAID}, overloaded)
    numeric = {**_by_status(catalog, 409), "entry": f"{_entry_id(row('http_status'))}", "code": "409"}
    yield failed("numeric-code", "a code that is an HTTP status.", {"code": 409, "message": SAID}, numeric)
    quota = {**unknown, "message": QUOTA, "action": "fix_account", "rule": "quota-used-up"}
    yield failed("quota-wording", "quota wording under a code that nobody knows.", {"code": UNKNOWN}, quota)


def _of_statuses(catalog: Catalog, place: Surface) -> Iterator[Vector]:
    name = place.name
    ended = min(place.completed)
    completed = {**_ended(place, ended), **says(catalog, catalog.entry(name, "status", "literal", ended), known=True)}
    nobody = catalog.entry(name, "status", "unknown") or catalog.entry("response", "status", "unknown")
    open_ended = {**says(catalog, nobody, known=False), "phase": "unknown", "surface": name, "response_id": ID}
    about = f"{name}: a status that nobody knows."
    yield vector(f"surface-{name}-unknown-status", about, _body(place, UNKNOWN), {**open_ended, "status": UNKNOWN})
    silent = {key: value for key, value in _body(place, None).items() if key != "status"}
    yield vector(f"surface-{name}-no-status", f"{name}: no status at all.", silent, open_ended)
    # The usual words for a result and for counts, so that a surface which has neither is seen to read neither.
    read = {"model": "m", "usage": {"input_tokens": 5}}
    full = {**_body(place, ended), **read, "output": ["x"], "request_counts": COUNTS}
    for field, value in ((place.output_field, "x"), (place.counts_field, COUNTS)):
        full |= _at(field, value) if field else {}
    result = {**completed, **read, "has_output": place.output_field is not None}
    result["counts"] = COUNTS if place.counts_field else None
    yield vector(f"surface-{name}-result", f"{name}: completed, with a result and counts.", full, result)
    text = [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]
    told = {**completed, "has_output": place.output_field == "output"}
    yield vector(
        f"surface-{name}-output", f"{name}: completed, with a text.", {**_body(place, ended), "output": text}, told
    )
    nameless = {key: value for key, value in _body(place, ended).items() if key != "object"}
    yield vector(f"surface-{name}-named", f"{name}: a body that does not name itself.", nameless, completed, name)
    for alias in place.aliases:
        called = {**_body(place, ended), "object": alias}
        yield vector(f"surface-{name}-alias-{alias}", f"{name}: another name for it.", called, completed)


def _of_http_statuses(catalog: Catalog) -> Iterator[Vector]:
    for code in STATUS_CODES:
        told = {**_by_status(catalog, code), "entry": "response/error.code/<http_status>", "code": str(code)}
        about = f"The text {code} as a code is read as an HTTP status."
        error = {"code": str(code), "message": SAID}
        yield _failed(catalog, catalog.surfaces["response"], f"http-status-{code}", about, error, told)


def _of_types(catalog: Catalog) -> Iterator[Vector]:
    home = catalog.surfaces["response"]
    unknown = says(catalog, catalog.entry("response", "error.code", "unknown"), known=False)
    types = {**{name: name for name in catalog.error_types}, **catalog.upstream_error_types}
    for word, error_type in types.items():
        kind = catalog.error_types[error_type]
        told = {"error_class": kind.error_class, "error_type": error_type, "status_code": kind.status_code}
        told = {**unknown, **({} if error_type == "api_status_error" else told), "code": UNKNOWN}
        error = {"code": UNKNOWN, "message": SAID, "type": word, "param": None}
        yield _failed(catalog, home, f"type-{word}", f"The type {word} beside an unknown code.", error, told)


def _by_status(catalog: Catalog, code: int) -> Fields:
    """What the SDK makes of an HTTP status, and what may be done about it."""
    error_type = "internal_server_error" if code >= 500 else catalog.http_statuses.get(code, "api_status_error")
    retryable = code >= 500 or code in catalog.retryable_statuses
    action = ("resubmit_later" if code in _LATER else "resubmit") if retryable else "change_request"
    action = "fix_account" if code in _ACCOUNT else action
    kind = {"error_class": catalog.error_types[error_type].error_class, "error_type": error_type}
    return {**kind, "status_code": code, "retryable": retryable, "action": action}


def _failed(catalog: Catalog, place: Surface, name: str, about: str, error: Any, told: Fields) -> Vector:
    """A failed body with this error, where the surface has its errors."""
    said = {"message": told.get("message", SAID)} if error else {}
    error = {**error, **said} if error else error
    status = next(status for status, field in place.decided_by.items() if field == place.code_field)
    if place.name == ROW:
        body = _row(error, None)
    else:
        listed = [error] if place.failure_field in _LISTS and error is not None else error
        body = {**_body(place, status), **_at(place.failure_field, listed)}
    return vector(name, about, body, {**_ended(place, status), **told, **said})


def _body(place: Surface, status: str | None) -> Fields:
    return {"object": place.object, "id": ID, "status": status}


def _row(error: Any, answer: Any) -> Fields:
    return {"id": ID, "custom_id": "line-1", "response": answer, "error": error}


def _at(path: str, value: Any) -> Fields:
    """A body's part with `value` at the end of `path`."""
    first, _, rest = path.partition(".")
    return {first: _at(rest, value) if rest else value}


def _ended(place: Surface, status: str | None) -> Fields:
    phase = "pending" if status in place.pending else "terminal" if status in place.terminal else "unknown"
    about = {"surface": place.name, "status": status, "response_id": ID}
    return {"phase": phase, "ok": status in place.completed, **about}


def _entry_id(entry: Entry | None) -> str | None:
    return entry.id if entry else None
