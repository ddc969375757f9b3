"""Outcome words that need no scenario: every row of the catalog by its value or id, and a few forms. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from ..._catalog.catalog import Catalog
from ..._catalog.rows import FAILURE_CODE, INCOMPLETE_REASON, STATUS, Entry
from .script import STUCK, OutcomeScript

_SURFACE = "response"
# Messages of the API: clients read delays and quota from them.
_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "server_error": "The server had an error while processing your request. Sorry about that!",
        "rate_limit_exceeded": (
            "Rate limit reached for this model on tokens per min (TPM): Limit 30000, Used 30000, Requested 250. "
            "Please try again in 0.5s."
        ),
        "invalid_prompt": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "vector_store_timeout": "The vector store timed out.",
        "insufficient_quota": (
            "You exceeded your current quota, please check your plan and billing details. For more information on "
            "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
        "server_is_overloaded": "Our servers are currently overloaded. Please try again later.",
        "context_length_exceeded": (
            "Your input exceeds the context window of this model. Please adjust your input and try again."
        ),
    }
)
_UNKNOWN_CODE = "emulated_unknown_code"
_UNKNOWN_REASON = "emulated_unknown_reason"
_UNKNOWN_STATUS = "emulated_unknown_status"
_UNKNOWN_HTTP_STATUS = 503

# Of two rows with the same value, the word stands for the one whose field comes first.
_FIELDS = (STATUS, INCOMPLETE_REASON, FAILURE_CODE)
# The words that most scenarios use.
_FIRST = ("completed", "cancelled", "expired", "failed", "incomplete", STUCK)

OUTCOME_FORMS = "failed:CODE, incomplete:REASON, status:WORD, any row of `runoutcome catalog` by its value or id"


def outcome_words() -> tuple[str, ...]:
    """The words that need no scenario, without the forms with a colon and the ids of rows."""
    return tuple(word for word in _builtins() if "/" not in word)


def builtin_outcome(word: str) -> OutcomeScript | None:
    """The outcome that a word names without a scenario, if any."""
    if script := _builtins().get(word):
        return script
    form, _, detail = word.partition(":")
    if form == "failed" and detail:
        return OutcomeScript(word, status="failed", code=detail)
    if form == "incomplete" and detail:
        return OutcomeScript(word, status="incomplete", reason=detail)
    if form == "status" and detail:
        return _with_status(word, detail)
    return None


@lru_cache(maxsize=1)
def _builtins() -> Mapping[str, OutcomeScript]:
    words = {word: _with_status(word, word) for word in _FIRST}
    surface = Catalog.load().surfaces[_SURFACE]
    # Rows about the output are words for a completed run, and no end of their own.
    entries = [row for row in Catalog.load().entries if row.surface == _SURFACE and row.field != surface.output_field]
    for field in _FIELDS:
        for entry in entries:
            if entry.field == field and entry.value is not None:
                words.setdefault(entry.value, replace(_outcome_of(entry), name=entry.value))
    return MappingProxyType(words | {entry.id: _outcome_of(entry) for entry in entries})


def _with_status(word: str, status: str) -> OutcomeScript:
    # A run that stays queued was never in progress.
    return OutcomeScript(word, status=STUCK if status == "queued" else status)


def _outcome_of(entry: Entry) -> OutcomeScript:
    """An outcome that the catalog judges by this row."""
    if entry.field == STATUS:
        return _with_status(entry.id, entry.value or _UNKNOWN_STATUS)
    if entry.field == INCOMPLETE_REASON:
        unknown = _UNKNOWN_REASON if entry.match == "unknown" else None
        return OutcomeScript(entry.id, status="incomplete", reason=entry.value or unknown)
    if entry.field != FAILURE_CODE:
        return OutcomeScript(entry.id, status="failed")
    if entry.match == "null":
        return OutcomeScript(entry.id, status="failed", message="Emulated failure without a code.")
    code = _UNKNOWN_HTTP_STATUS if entry.match == "http_status" else _UNKNOWN_CODE
    return OutcomeScript(entry.id, status="failed", code=entry.value or code)


def default_message(code: str | int) -> str:
    """The API's message for a code, or a sentence that names the emulator as its source."""
    return _MESSAGES.get(str(code)) or f"Emulated failure with code '{code}'."


def split_words(text: str) -> tuple[str, ...]:
    """The words of a comma list. Raises ValueError for an empty one."""
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise ValueError(f"'{text}' has an empty item: a list of outcome words is word[,word...]")
    return words
