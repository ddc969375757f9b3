"""How the benchmark `chaos` holds what a client said against the truth."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "chaos_outcomes.py"
PROMPT, TEXT = "Write report 1.", "Otters do well in space."


@pytest.fixture(scope="module")
def judging() -> Any:
    """The module; what is in `benchmarks` is no package."""
    spec = importlib.util.spec_from_file_location("chaos_outcomes", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["chaos_outcomes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMPLETED = {"status": "completed", "text": TEXT}
CANCELLED_BY_ITS_CLIENT = {**COMPLETED, "cancelled": True}
INCOMPLETE = {"status": "incomplete", "text": TEXT[:9], "reason": "max_output_tokens"}
CODED = {"status": "failed", "text": "", "code": "invalid_prompt", "message": "Your prompt was flagged."}
NULL = {"status": "failed", "text": ""}
CANCELLED = {"status": "cancelled", "text": ""}


@pytest.mark.parametrize(
    ("runs", "answer", "expected"),
    [
        ([COMPLETED], ("completed", TEXT), "right"),
        ([CODED, COMPLETED], ("completed", TEXT), "right"),
        ([COMPLETED], ("completed", TEXT[:9]), "wrong"),
        ([COMPLETED], ("completed", ""), "wrong"),
        ([COMPLETED], ("raised InternalServerError", "503"), "lost"),
        ([COMPLETED], ("failed", ""), "lost"),
        ([COMPLETED], None, "lost"),
        ([CANCELLED_BY_ITS_CLIENT], ("cancelled", ""), "lost"),
        ([INCOMPLETE], ("completed", TEXT[:9]), "wrong"),
        ([INCOMPLETE], ("incomplete", TEXT[:9]), "right"),
        ([INCOMPLETE], ("max_tokens", TEXT[:9]), "right"),
        ([INCOMPLETE], ("raised IncompleteError", "max_output_tokens"), "right"),
        ([CODED], ("failed", ""), "right"),
        ([CODED], ("raised BadRequestError", "invalid_prompt"), "right"),
        ([CODED], ("error", "Your prompt was flagged."), "right"),
        ([CODED], ("raised JSONDecodeError", "Expecting value"), "wrong"),
        ([CODED], ("raised InternalServerError", "the server failed to answer"), "wrong"),
        ([CODED], ("completed", ""), "wrong"),
        ([NULL], ("raised RuntimeError", "Response resp_1 reached terminal status failed: no details"), "right"),
        ([NULL], ("error", "Background response failed"), "right"),
        ([NULL], ("raised PollingError", "Polling response resp_1 failed"), "wrong"),
        ([NULL], ("completed", ""), "wrong"),
        ([CANCELLED], ("raised RuntimeError", "The response was cancelled."), "right"),
        ([CANCELLED], ("completed", ""), "wrong"),
        ([CODED], None, "silent"),
        ([], ("raised InternalServerError", "503"), "right"),
        ([], ("completed", TEXT), "wrong"),
    ],
)
def test_a_job_is_judged_by_its_runs(judging: Any, runs: list[Any], answer: Any, expected: str) -> None:
    """What a client said of a job is right, wrong, lost or nothing, by how its runs ended or would have ended."""
    made = [judging.Run(PROMPT, **run) for run in runs]
    assert judging.judge(made, judging.Answer(*answer) if answer else None) == expected


def test_jobs_are_counted(judging: Any) -> None:
    """The sums have each job once, and every run that was made."""
    runs = [judging.Run("a", **CODED), judging.Run("a", **COMPLETED), judging.Run("b", **INCOMPLETE)]
    runs += [judging.Run("c", **CANCELLED_BY_ITS_CLIENT), judging.Run("d", **CODED), judging.Run("e", **CODED)]
    said = {
        "a": ("completed", TEXT),
        "b": ("completed", TEXT[:9]),
        "d": ("failed", "invalid_prompt"),
        "e": ("failed", ""),
    }
    sums = judging.count("abcde", {prompt: judging.Answer(*answer) for prompt, answer in said.items()}, runs)
    assert (sums.jobs, sums.right, sums.wrong, sums.halves, sums.lost, sums.silent) == (5, 3, 1, 1, 1, 0)
    assert (sums.paid, sums.extra, sums.cancelled) == (6, 1, 1)
    assert (sums.codes, sums.codes_told) == (2, 1)
