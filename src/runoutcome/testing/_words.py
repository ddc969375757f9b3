"""Outcome words that need no scenario: `completed`, `failed:CODE`, `stuck`, and codes and reasons in short."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ._script import STUCK, OutcomeScript

# The codes a failed body may carry, with the wording of the API where it is known: clients read delays and quota
# from it. "" stands for a code whose wording is not recorded.
_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "server_error": "The server had an error while processing your request. Sorry about that!",
        "rate_limit_exceeded": (
            "Rate limit reached for this model on tokens per min (TPM): Limit 30000, Used 30000, Requested 250. "
            "Please try again in 0.5s."
        ),
        "invalid_prompt": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "data_residency_mismatch": "",
        "bio_policy": "",
        "misalignment_policy_violation": "",
        "vector_store_timeout": "The vector store timed out.",
        "invalid_image": "",
        "invalid_image_format": "",
        "invalid_base64_image": "",
        "invalid_image_url": "",
        "image_too_large": "",
        "image_too_small": "",
        "image_parse_error": "",
        "image_content_policy_violation": "",
        "invalid_image_mode": "",
        "image_file_too_large": "",
        "unsupported_image_media_type": "",
        "empty_image_file": "",
        "failed_to_download_image": "",
        "image_file_not_found": "",
        "insufficient_quota": (
            "You exceeded your current quota, please check your plan and billing details. For more information on "
            "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
        "credit_balance_exhausted": "",
        "organization_spend_limit_exceeded": "",
        "project_spend_limit_exceeded": "",
        "usage_not_included": "",
        "slow_down": "",
        "server_is_overloaded": "Our servers are currently overloaded. Please try again later.",
        "flex_unavailable": "",
        "context_length_exceeded": (
            "Your input exceeds the context window of this model. Please adjust your input and try again."
        ),
        "cyber_policy": "",
        "internal_error": "",
        "processing_error": "",
    }
)
_REASONS = ("max_output_tokens", "content_filter", "max_messages", "steered")
_STATUSES = ("completed", "cancelled", "expired", "failed", "incomplete", STUCK)

OUTCOME_WORDS = (*_STATUSES, *_FAILURES, *_REASONS)
"""The words that need no scenario and no colon."""
OUTCOME_FORMS = "failed:CODE, incomplete:REASON, status:WORD"


def builtin_outcome(word: str) -> OutcomeScript | None:
    """The outcome a word names without a scenario; None where it names none."""
    if word in _STATUSES:
        return OutcomeScript(word, status=word)
    if word in _REASONS:
        return OutcomeScript(word, status="incomplete", reason=word)
    if word in _FAILURES:
        return OutcomeScript(word, status="failed", code=word)
    form, _, detail = word.partition(":")
    if form == "failed" and detail:
        return OutcomeScript(word, status="failed", code=detail)
    if form == "incomplete" and detail:
        return OutcomeScript(word, status="incomplete", reason=detail)
    if form == "status" and detail:
        return OutcomeScript(word, status=detail)
    return None


def default_message(code: str | int) -> str:
    """The API's wording for a code, or a sentence that says where the failure came from."""
    return _FAILURES.get(str(code)) or f"Emulated failure with code '{code}'."


def split_words(text: str) -> tuple[str, ...]:
    """The words of a comma list. Raises ValueError for an empty one."""
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise ValueError(f"'{text}' has an empty place: a list of outcome words is word[,word...]")
    return words
