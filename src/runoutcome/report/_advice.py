"""Advice for each action of the catalog, in one sentence, and the order of urgency."""

from collections.abc import Mapping

HELD = "look_up"
"""Action for a job that is held: its run may exist and be paid for."""

RUN_AGAIN = "--ambiguous resubmit"
"""Option that submits held jobs again."""

ADVICE: Mapping[str, str] = {
    HELD: f"Look each key up in the provider's logs. If there is no such run, run again with {RUN_AGAIN}.",
    "fix_account": "Mend the account: quota, credit, or the rights of the key. Then submit these jobs again.",
    "change_request": "Change the request. The same request would end in the same way.",
    "raise_limit": "Raise the limit that cut the output, such as max_output_tokens, and submit again.",
    "continue": "Continue from the output so far.",
    "resubmit": "Submit again: an identical new run may complete.",
    "resubmit_later": "Submit again later: the server was busy or limited.",
    "wait": "Wait: the run may still be going.",
    "none": "No remedy is known. Read the code, and the server's message in the results.",
}


def advice_for(action: str) -> str:
    """Return what to do, in one sentence."""
    return ADVICE.get(action, ADVICE["none"])


def urgency(action: str) -> int:
    """Return the place of an action in the order of urgency, from 0."""
    return list(ADVICE).index(action) if action in ADVICE else len(ADVICE)


def heading(action: str) -> str:
    """Return the action as a heading: `Fix account`."""
    return "Other" if action == "none" else action.replace("_", " ").capitalize()
