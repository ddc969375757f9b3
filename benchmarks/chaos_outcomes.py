"""What a client said of each job, beside the truth: right, wrong, lost, or nothing at all. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Judgement = Literal["right", "wrong", "lost", "silent"]

# An error without a code has nothing but its status to be known by; "polling failed" does not say that the run did.
_SAID_TO_FAIL = re.compile(r"(?!.*\bpolling\b).*\b(status|response|run)\W+(\w+\W+){0,2}failed\b", re.I | re.S)

_ALSO = {"max_output_tokens": ("max_tokens", "length")}
"""Other words that say the same, in packages that have their own."""


@dataclass(frozen=True)
class Run:
    """The truth about one run: how it ended, or would have ended had nobody cancelled it."""

    prompt: str
    status: str
    text: str
    code: str | None = None
    message: str | None = None
    reason: str | None = None
    cancelled: bool = False
    """The client cancelled it, with effect."""


@dataclass(frozen=True)
class Answer:
    """What the caller was given for one job: a status in the client's words (`completed`, or anything), and a text."""

    status: str
    text: str


@dataclass(frozen=True)
class Sums:
    """The jobs of one client, counted."""

    jobs: int
    right: int
    wrong: int
    halves: int
    """Of the wrong ones those where half a text, or none, of an incomplete run passed for a success."""
    lost: int
    silent: int
    paid: int
    """Runs that were made."""
    cancelled: int
    """Runs that the client cancelled."""
    codes: int
    """Jobs whose last run failed with a code."""
    codes_told: int
    """Those of them of which the caller was told the code."""

    @property
    def extra(self) -> int:
        """Runs that were made beyond one for each job."""
        return self.paid - self.jobs


def judge(runs: Sequence[Run], answer: Answer | None) -> Judgement:
    """What one job came to.

    `wrong`: success was reported without a run's own text, or an end that no run of it had. `lost`: a run completed,
    or would have, and the caller was told something else, or nothing. `silent`: nothing was told of any other run.
    """
    texts = {run.text for run in runs if run.status == "completed"}
    if answer is not None and answer.status == "completed":
        return "right" if answer.text in texts else "wrong"
    if texts:
        return "lost"
    if answer is None:
        return "silent"
    # Where no run was made, what was told is the refusal.
    return "right" if not runs or any(names(answer, run) for run in runs) else "wrong"


def names(answer: Answer, run: Run) -> bool:
    """The caller was told how this run ended: by its code, its message, its reason or its status."""
    said = f"{answer.status} {answer.text}"
    words = (run.code, run.message, run.reason, *_ALSO.get(run.reason or "", ()))
    if answer.status == run.status or any(word is not None and word in said for word in words):
        return True
    if run.status == "failed":
        return run.code is None and _SAID_TO_FAIL.match(said) is not None
    return run.status in said.lower()


def count(prompts: Iterable[str], answers: Mapping[str, Answer], runs: Iterable[Run]) -> Sums:
    """The sums over all jobs; `runs` are oldest first."""
    by_prompt: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_prompt[run.prompt].append(run)
    jobs = [(by_prompt[prompt], answers.get(prompt)) for prompt in prompts]
    judged = Counter(judge(made, answer) for made, answer in jobs)
    coded = [(made[-1].code, answer) for made, answer in jobs if made and made[-1].code]
    return Sums(
        jobs=len(jobs),
        right=judged["right"],
        wrong=judged["wrong"],
        halves=sum(is_half(made, answer) for made, answer in jobs),
        lost=judged["lost"],
        silent=judged["silent"],
        paid=sum(map(len, by_prompt.values())),
        cancelled=sum(run.cancelled for made in by_prompt.values() for run in made),
        codes=len(coded),
        codes_told=sum(code in f"{answer.status} {answer.text}" for code, answer in coded if answer is not None),
    )


def is_half(runs: Sequence[Run], answer: Answer | None) -> bool:
    """An incomplete run passed for a success."""
    is_success = answer is not None and answer.status == "completed"
    return is_success and judge(runs, answer) == "wrong" and bool(runs) and runs[-1].status == "incomplete"


def run_of(truth: Mapping[str, Any]) -> Run:
    """The JSON form, as a `Run`."""
    return Run(**truth)
