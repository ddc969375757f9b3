"""The rules: the mistake that each finds, and its fix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ._module import Hit, Module
from ._rules_retrying import cancel_on_any_error, create_inside_retry, raw_httpx_predicate, retry_around_poll
from ._rules_waiting import failure_ignored, incomplete_ignored, poll_without_deadline, wait_for_completed_only


@dataclass(frozen=True)
class Rule:
    """A kind of mistake: its id, the function that finds it, and its fix."""

    __module__ = "runoutcome.doctor"

    id: str
    find: Callable[[Module], Iterator[Hit]]
    fix: str

    @classmethod
    def named(cls, id: str) -> "Rule":
        """Return the rule with this id. Raises KeyError if there is none."""
        return {rule.id: rule for rule in RULES}[id]

    def __reduce__(self) -> str | tuple[Any, ...]:
        # A pickle by id: the address of `find` is private, and may change between releases.
        return (Rule.named, (self.id,)) if self in RULES else super().__reduce__()


RULES = (
    Rule(
        "poll-without-deadline",
        poll_without_deadline,
        "Give the wait a deadline: Runs(client).poll(id, max_wait_seconds=...), or compare a clock.",
    ),
    Rule(
        "wait-for-completed-only",
        wait_for_completed_only,
        "Wait while the run is pending: Runs(client).poll(id), or test for every status that ends it.",
    ),
    Rule(
        "retry-around-poll",
        retry_around_poll,
        "Poll until the run ends, then decide once: raise_for_status(run) outside of the retry.",
    ),
    Rule(
        "raw-httpx-predicate",
        raw_httpx_predicate,
        "Use the SDK's exceptions: openai.APIConnectionError (APITimeoutError is one), openai.APIStatusError.",
    ),
    Rule(
        "incomplete-ignored",
        incomplete_ignored,
        "Check the status first: raise_for_status(run), or handle 'incomplete' as well.",
    ),
    Rule(
        "failure-ignored",
        failure_ignored,
        "Check the status first: raise_for_status(run), or reject every status but 'completed'.",
    ),
    Rule(
        "create-inside-retry",
        create_inside_retry,
        "Send a background create once: Runs(client).create(...), or max_retries=0 and no retry around it.",
    ),
    Rule(
        "cancel-on-any-error",
        cancel_on_any_error,
        "Cancel only at a deadline or on request: Runs(client).poll(id, on_timeout='cancel').",
    ),
)
