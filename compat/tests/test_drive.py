"""What lets the foreign clients loose, and what makes a page of it; run by `make verdicts` before it measures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import frameworks
import pytest
from drive import CLIENTS, TABLE, Client, drive, run_client, tomllib
from run import Environment
from verdicts import Conditions, Drive, Example, write_verdicts

PACKAGE = "runoutcome"
PROMPT = "Write report 1 about otters in space."
WHOLE = f'Emulated answer, no model was called. The prompt began: "{PROMPT}"'
COMPLETED = {"job": "a", "status": "completed", "told": "completed", "polls": 2, "streams": 0}


def driven(*answers: tuple[str, str], runs: tuple[Mapping[str, Any], ...] = (COMPLETED,), jobs: int = 1) -> Drive:
    """A client with these answers, and these runs in its verdict."""
    told = [{"prompt": PROMPT, "status": status, "text": text} for status, text in answers]
    finding = {"kind": "duplicate_run", "severity": "error"}
    verdict = {"totals": {"polls": 2}, "runs": runs, "findings": [finding] * (len(runs) - 1)}
    return Drive("client", "its way", "client 1.0", "happy", jobs, True, told, verdict)


def test_a_whole_answer_of_a_completed_run_counts():
    """An answer is counted if its whole text came with the status completed."""
    seen = driven(("completed", WHOLE))
    assert (seen.whole_answers, seen.completed_jobs, seen.sentence()) == (1, 1, "Every answer reached the caller.")


@pytest.mark.parametrize("text", ["", WHOLE[: len(WHOLE) // 2]])
def test_nothing_and_half_a_text_are_taken_for_answers(text: str):
    """A job that is said to be completed with nothing or half a text is counted as taken for an answer."""
    assert driven(("completed", text)).mistaken == 1


def test_a_failure_that_is_told_is_no_mistake():
    """A status or an exception that says the job did not complete is counted as told."""
    seen = driven(("failed", ""), ("raised APIError", "no"), jobs=2)
    assert (seen.told, seen.mistaken, seen.unfinished) == (2, 0, 0)


def test_what_never_came_back_is_unfinished():
    """A job without an answer is counted as unfinished."""
    assert driven(jobs=3).unfinished == 3


def test_the_second_run_of_a_job_is_paid_for():
    """Two runs of one job are two paid runs, and the sentence says so."""
    seen = driven(("completed", WHOLE), runs=(COMPLETED, COMPLETED))
    assert seen.paid_runs == 2
    assert seen.sentence() == "1 run more than there are jobs."


def test_a_question_of_the_clients_own_is_no_job():
    """A run that was over with the answer to its create was made in the foreground, and is not counted."""
    own = {**COMPLETED, "job": "b", "polls": 0}
    assert driven(("completed", WHOLE), runs=(COMPLETED, own)).paid_runs == 1


def test_the_page_has_every_measurement(tmp_path: Path):
    """The page has the conditions, an overview, the examples, and a row for each scenario of each client."""
    page = tmp_path / "verdicts.md"
    example = Example("background.py", "openai 3.0", "ran")
    seen = driven(("completed", WHOLE), runs=(COMPLETED, COMPLETED))
    write_verdicts(page, Conditions(1, 0.5, 9), {"happy": "All is well."}, [example], [seen])
    text = page.read_text()
    assert "--speed 0.5" in text
    assert "| client | 1 error |" in text
    assert "| `background.py` | ran |" in text
    assert "| happy | 2 | 1 of 1 | 0 | 0 | 0 | 2 | 1 E `duplicate_run` | 1 run more than there are jobs. |" in text


@pytest.mark.parametrize("path", [TABLE, frameworks.TABLE])
def test_every_client_has_its_script_and_its_environment(path: Path):
    """The table of clients names scripts that exist and environments that it describes."""
    table = tomllib.loads(path.read_text())
    known = {*table["environments"], *table.get("node", ())}
    for fields in table["clients"].values():
        assert (CLIENTS / fields["script"]).is_file()
        assert fields.get("environment") in {*known, None}


def test_a_client_knows_of_the_emulator_by_two_variables(monkeypatch: pytest.MonkeyPatch):
    """A client has the two variables of the SDK, and no other of them."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    code = "import os; print(*sorted(name for name in os.environ if name.startswith('OPENAI')))"
    assert run_client([sys.executable, "-c", code], "http://127.0.0.1:1/v1", 60)[1].split() == [
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ]


def test_a_client_that_does_not_return_is_ended():
    """A client that outlasts its time is ended, and what it had written is kept."""
    code = "import time; print('here', flush=True); time.sleep(600)"
    assert run_client([sys.executable, "-c", code], "http://127.0.0.1:1/v1", 2)[:2] == (None, "here\n")


def test_our_own_client_has_no_findings():
    """`AsyncRuns` against the scenario `outage` has all answers and no finding, in processes of their own."""
    own = Client("own", "runoutcome", "runoutcome_runs.py", "defaults")
    seen = drive(own, "outage", None, Conditions(4, 1, 60))
    assert (seen.whole_answers, seen.completed_jobs, seen.findings()) == (4, 4, "none")


def test_the_page_of_frameworks(monkeypatch: pytest.MonkeyPatch):
    """The page of frameworks has the versions, a table for each scenario, and what a kill costs."""
    monkeypatch.setattr(frameworks, "versions", lambda *_: "package 1.0, Python 3.0")
    client = Client("agents", "agents", "own.py", "defaults", "own")
    environment = Environment("own", (), ())
    seen = driven(("raised SomeError", ""), runs=({**COMPLETED, "status": "failed"},))
    drives = {("agents", scenario): seen for scenario in frameworks.SCENARIOS}
    text = frameworks.page([client], {"own": environment}, Conditions(1, 0.5, 9), drives, [2])
    assert "| agents | defaults | package 1.0, Python 3.0 |" in text
    assert text.count("| 1 jobs | agents |") == len(frameworks.SCENARIOS) + 1
    assert "| of these, with the id of the run | 0 of 1 |" in text
    assert text.endswith("| paid runs | 2 |\n")
