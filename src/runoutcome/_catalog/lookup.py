"""The lookup ladder: the row, rule or fallback that decides about a failure, a reason or a status. Pure and total.

    exact (surface, code)  ->  the same code on `response`  ->  numeric code 400-599, read as an HTTP status
    ->  the payload's own `outcome` field  ->  a catalogued code in `error.type` (if not retryable)
    ->  an `error_type` of ours, or the server's own word, in `error.type` (class only)
    ->  the row for "no code" or "unknown code", on the surface or on `response`

Message rules then refine the verdict: they change only `retryable` and `action`. So does a code for used-up quota in
`error.type` or in the error behind: nothing is retryable beside it. A code that the catalog knows beats what the
payload claims about itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .catalog import Catalog
from .rows import (
    ACTIONS,
    ERROR_TYPES,
    FAILURE,
    FAILURE_CODE,
    HOME,
    INCOMPLETE_REASON,
    RESUBMIT_ACTIONS,
    STATUS,
    Action,
    Entry,
    ErrorType,
    Match,
    Rule,
)

OUR_TYPES: dict[str, ErrorType] = {name: name for name in ERROR_TYPES}
_ACTIONS: dict[str, Action] = {name: name for name in ACTIONS}
_HTTP_STATUS = re.compile(r"[45]\d\d", re.ASCII)


class Claim(NamedTuple):
    """The `outcome` field of a payload: a server's own word about a failure, by a version of the catalog."""

    type: ErrorType
    retryable: bool = False
    action: str | None = None
    retry_after: float | None = None
    """Seconds."""


class Failure(NamedTuple):
    """Plain fields of an error object; every one may be missing."""

    code: str | None = None
    message: str | None = None
    type: str | None = None
    param: str | None = None
    claim: Claim | None = None
    is_null: bool = False
    """There was no error object at all."""
    causes: tuple[str, ...] = ()
    """Code and type of the provider's own error behind this one."""


class Verdict(NamedTuple):
    """Decision of the ladder."""

    entry: Entry | None
    error_class: str | None
    error_type: ErrorType | None
    status_code: int | None
    retryable: bool
    action: Action
    known: bool
    rule: Rule | None = None
    type_overlay: str | None = None
    """Name of the overlay by whose word for `error.type` the class was found."""

    @property
    def overlay(self) -> str | None:
        """Name of the overlay that decided; None where the published catalog did."""
        decider = self.rule or self.entry
        return (decider.overlay if decider else None) or self.type_overlay


def lookup(catalog: Catalog, surface: str, failure: Failure) -> Verdict:
    """The verdict on `failure`, as found on `surface`."""
    verdict = (
        _by_code(catalog, surface, failure)
        or _by_http_status(catalog, surface, failure)
        or _by_claim(catalog, surface, failure)
        or _by_code_in_type(catalog, surface, failure)
        or _by_upstream_type(catalog, surface, failure)
        or verdict_of(catalog, _failure_row(catalog, surface, failure))
    )
    return _refined(catalog, surface, failure, verdict)


def lookup_answer(catalog: Catalog, surface: str, failure: Failure, status_code: int) -> Verdict:
    """The verdict on an HTTP error, as found on `surface`.

    The HTTP status is a fact and gives the class, as it does in the SDK; what may be done about it is the code's to
    say, where the catalog knows the code.
    """
    verdict = _of_http_status(catalog, surface, failure, status_code)
    coded = _by_code(catalog, surface, failure)
    if coded is not None:
        verdict = verdict._replace(entry=coded.entry, retryable=coded.retryable, action=coded.action, known=True)
    return _refined(catalog, surface, failure, verdict)


def names_quota(catalog: Catalog, failure: Failure) -> bool:
    """True if `error.type`, or the error behind this one, has a code for used-up quota or unpaid bills."""
    words = (failure.type, *failure.causes)
    entries = (catalog.entry(HOME, FAILURE_CODE, "literal", each) for each in words if each)
    return any(each and (each.error_type, each.action) == ("rate_limit_error", "fix_account") for each in entries)


def _refined(catalog: Catalog, surface: str, failure: Failure, verdict: Verdict) -> Verdict:
    rule = _matching_rule(catalog, surface, failure)
    # Where a rule changes nothing, the row's own words say more than the rule's.
    if rule is not None and (rule.retryable, rule.action) != (verdict.retryable, verdict.action):
        verdict = verdict._replace(rule=rule, retryable=rule.retryable, action=rule.action)
    if verdict.retryable and names_quota(catalog, failure):
        return verdict._replace(rule=None, retryable=False, action="fix_account")
    return verdict


def lookup_value(catalog: Catalog, surface: str, field: str, value: str | None) -> Verdict:
    """The verdict on one value of a field, such as a status."""
    if entry := _literal_row(catalog, surface, field, value):
        return verdict_of(catalog, entry, known=True)
    return verdict_of(catalog, _fallback_row(catalog, surface, field, field, value))


def lookup_reason(catalog: Catalog, surface: str, field: str, reason: str | None, status: str | None) -> Verdict:
    """The verdict on the reason of a status; a reason without a row is an unknown reason, or decides nothing."""
    if entry := _literal_row(catalog, surface, field, reason):
        return verdict_of(catalog, entry, known=True)
    if status == "incomplete":
        return verdict_of(catalog, _fallback_row(catalog, surface, field, INCOMPLETE_REASON, reason))
    return lookup_value(catalog, surface, STATUS, status)._replace(known=reason is None)


def verdict_of(catalog: Catalog, entry: Entry | None, *, known: bool = False) -> Verdict:
    """The verdict that `entry` gives; a class without an observed status takes the status of its error type."""
    if entry is None:
        return Verdict(None, "APIError", "unknown_error", None, False, "none", known=False)
    status_code = entry.status_code
    if status_code is None and entry.error_type is not None:
        status_code = catalog.error_types[entry.error_type].status_code
    return Verdict(entry, entry.error_class, entry.error_type, status_code, entry.retryable, entry.action, known)


def _literal_row(catalog: Catalog, surface: str, field: str, value: str | None) -> Entry | None:
    return catalog.entry(surface, field, "literal", value) if value is not None else None


def _fallback_row(catalog: Catalog, surface: str, field: str, home_field: str, value: str | None) -> Entry | None:
    """The row for no value, or for a value without a row of its own; `home_field` is the same field on `response`."""
    matches: tuple[Match, ...] = ("null", "unknown") if value is None else ("unknown",)
    rows = (catalog.entry(*home, match) for home in ((surface, field), (HOME, home_field)) for match in matches)
    return next((row for row in rows if row), None)


def _failure_row(catalog: Catalog, surface: str, failure: Failure) -> Entry | None:
    """The row for a failure whose code has no row of its own."""
    own = catalog.surfaces.get(surface) or catalog.surfaces[HOME]
    if failure.is_null:
        return _fallback_row(catalog, surface, own.failure_field, FAILURE, None)
    return _fallback_row(catalog, surface, own.code_field, FAILURE_CODE, failure.code)


def _by_code(catalog: Catalog, surface: str, failure: Failure) -> Verdict | None:
    own = catalog.surfaces.get(surface) or catalog.surfaces[HOME]
    entry = _literal_row(catalog, surface, own.code_field, failure.code)
    entry = entry or _literal_row(catalog, HOME, FAILURE_CODE, failure.code)
    return verdict_of(catalog, entry, known=True) if entry else None


def _by_http_status(catalog: Catalog, surface: str, failure: Failure) -> Verdict | None:
    if failure.code is None or not _HTTP_STATUS.fullmatch(failure.code):
        return None
    return _of_http_status(catalog, surface, failure, int(failure.code))


def _of_http_status(catalog: Catalog, surface: str, failure: Failure, status_code: int) -> Verdict:
    error_type = error_type_of_status(catalog, status_code)
    is_quota = names_quota(catalog, failure)
    retryable = is_retryable_status(catalog, status_code) and not is_quota
    entry = catalog.entry(surface, FAILURE_CODE, "http_status") or catalog.entry(HOME, FAILURE_CODE, "http_status")
    error_class = catalog.error_types[error_type].error_class
    action: Action = "fix_account" if is_quota else _action_of_status(status_code, retryable)
    return Verdict(entry, error_class, error_type, status_code, retryable, action, known=False)


def _by_claim(catalog: Catalog, surface: str, failure: Failure) -> Verdict | None:
    claim = failure.claim
    return claimed(catalog, verdict_of(catalog, _failure_row(catalog, surface, failure)), claim) if claim else None


def claimed(catalog: Catalog, verdict: Verdict, claim: Claim) -> Verdict:
    """The verdict on a value without a row, by the payload's own `outcome` field."""
    row = catalog.error_types[claim.type]
    # Unknown, cancelled or incomplete is never made again on a payload's word: only what has an HTTP status.
    retryable = claim.retryable and row.status_code is not None
    action = _claimed_action(claim.action, retryable)
    return verdict._replace(
        error_class=row.error_class,
        error_type=claim.type,
        status_code=row.status_code,
        retryable=retryable,
        action=action,
        known=False,
    )


def _by_code_in_type(catalog: Catalog, surface: str, failure: Failure) -> Verdict | None:
    """A catalogued code that stands in `error.type`: it may say that a run is not retryable, never that it is."""
    if failure.code is not None or failure.type is None:
        return None
    verdict = _by_code(catalog, surface, failure._replace(code=failure.type))
    return verdict._replace(known=False) if verdict and not verdict.retryable else None


def _by_upstream_type(catalog: Catalog, surface: str, failure: Failure) -> Verdict | None:
    error_type = catalog.upstream_error_types.get(failure.type or "") or OUR_TYPES.get(failure.type or "")
    # `api_status_error` means "its actual status", and a payload without a numeric code has none.
    if error_type is None or failure.type == "api_status_error":
        return None
    verdict = _by_type(catalog, surface, failure, error_type, False, "none")
    return verdict._replace(type_overlay=catalog.type_overlays.get(failure.type or ""))


def _by_type(
    catalog: Catalog, surface: str, failure: Failure, error_type: ErrorType, retryable: bool, action: Action
) -> Verdict:
    row = catalog.error_types[error_type]
    entry = _failure_row(catalog, surface, failure)
    return Verdict(entry, row.error_class, error_type, row.status_code, retryable, action, known=False)


def error_type_of_status(catalog: Catalog, status_code: int) -> ErrorType:
    """The SDK's own status table (`_make_status_error`): named 4xx, anything from 500, else a bare status error."""
    if status_code >= 500:
        return "internal_server_error"
    return catalog.http_statuses.get(status_code, "api_status_error")


def is_retryable_status(catalog: Catalog, status_code: int) -> bool:
    """The SDK's own retry table: 408, 409, 429 and anything from 500."""
    return status_code >= 500 or status_code in catalog.retryable_statuses


def _action_of_status(status_code: int, retryable: bool) -> Action:
    if retryable:
        return "resubmit_later" if status_code in (429, 503) else "resubmit"
    return "fix_account" if status_code in (401, 402, 403) else "change_request"


def _claimed_action(claim: str | None, retryable: bool) -> Action:
    action = _ACTIONS.get(claim or "")
    # A payload may not contradict itself: only a retryable failure is resubmitted.
    if action is None or (action in RESUBMIT_ACTIONS) != retryable:
        return "resubmit" if retryable else "none"
    return action


def _matching_rule(catalog: Catalog, surface: str, failure: Failure) -> Rule | None:
    """The first rule that fits; an overlay's yields to a published one for any code that takes `retryable` away."""
    matches = _matching_rules(catalog, surface, failure)
    rule = next(matches, None)
    if rule is not None and rule.overlay is not None and rule.retryable:
        return next((other for other in matches if other.forbids_for_any_code), rule)
    return rule


def _matching_rules(catalog: Catalog, surface: str, failure: Failure) -> Iterator[Rule]:
    if not failure.message:
        return
    message = failure.message.lower()
    for rule in catalog.rules:
        if not rule.is_for(surface, failure.code):
            continue
        if rule.words and not any(word in message for word in rule.words):
            continue
        if _pattern(rule.pattern).search(message):
            yield rule


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
