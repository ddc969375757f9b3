"""What each client made of each scenario, as numbers, and the numbers as the page `docs/verdicts.md`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from report import distinct, table

HEAD = """\
# Verdicts on clients

What published clients of background runs do when things go wrong, measured: `make verdicts` lets each of them loose on
`runoutcome emulate --scenario NAME --speed {speed:g} --verdict`, and writes this page. Each is the newest version of
its package, from its registry, in an environment without runoutcome; it is used as its own documentation shows, with
defaults, and knows of the emulator by `OPENAI_BASE_URL` and `OPENAI_API_KEY` alone. The scripts are in
`compat/clients/`. A background create with `store: false` is accepted, as the newest guide says
(`unstored_background = "keep"`).

Each client is given {jobs} different jobs at once, and {seconds} seconds. Outcomes and faults are drawn by seed in the
order of the requests; which job meets which still depends on timing, so some numbers differ by a few from one
measurement to the next. At this speed most runs take one to five seconds, and a few ten. Real runs take minutes, and
most days are better than these scenarios: the numbers show what a client does about a fault, not how often one comes.

To be fair: the faults of `outage` come three or four in a row, one more than the retries of the SDKs get over. Some ids
of `expiry` are gone before their runs end, and nobody can read those; and the status `expired`, which ends others, is
none that the API documents for a response. LangChain and openai-agents are not here, because neither waits for a
background run.

"""
EXAMPLES = """
## The examples that openai-python publishes

Those for responses, unchanged, from the source distribution of each version, on `runoutcome emulate --speed 60`. The
last one expects the model to call its tool; the emulator leaves a choice of tools alone, unless the request demands one
or the scenario names one.

"""
COLUMNS = """\
- *paid runs*: more than {jobs} means that jobs were run again, rightly or not.
- *answers*: jobs whose whole answer reached the caller, of those with a run that completed.
- *told*: jobs of which the caller was told, by an exception or a status, that they did not complete.
- *taken for answers*: jobs whose caller was given nothing or half a text as if all were well.
- *unfinished*: jobs of which the caller heard nothing.
- *findings*: what they mean and how they are decided is in [the verdict](verdict.md). `E` is an error, which costs
  money or results, `W` a warning, which costs requests. A submission with another body is another job to the verdict.
"""
WIDTH = 120
PENDING = (None, "queued", "in_progress")
WHOLE = re.compile(r'Emulated answer, .*"', re.DOTALL)
"""What the emulator writes ends with a quotation; half of it does not."""


@dataclass(frozen=True)
class Conditions:
    """What was the same for every client."""

    jobs: int
    speed: float
    seconds: int


@dataclass(frozen=True)
class Example:
    """What came of one published example."""

    name: str
    version: str
    result: str


@dataclass(frozen=True)
class Drive:
    """One client against one scenario."""

    client: str
    way: str
    version: str
    scenario: str
    jobs: int
    returned: bool
    """It came to an end by itself."""
    answers: Sequence[Mapping[str, str]]
    """What its caller had: for each job that came back its prompt, status and text."""
    verdict: Mapping[str, Any]
    """The JSON of `runoutcome emulate --verdict`."""

    @property
    def runs(self) -> list[Mapping[str, Any]]:
        """Those of the jobs; what was over with the answer to its create is a question of the client's own."""
        return [run for run in self.verdict["runs"] if run["polls"] or run["streams"] or run["told"] in PENDING]

    @property
    def paid_runs(self) -> int:
        """What would have been on the bill."""
        return sum(run["status"] is not None for run in self.runs)

    @property
    def completed_jobs(self) -> int:
        """Jobs with a run that completed, whether anybody knows or not."""
        return len({run["job"] for run in self.runs if run["status"] == "completed"})

    @property
    def whole_answers(self) -> int:
        """Jobs whose answer reached the caller; the emulator quotes the prompt at the end of a whole answer."""
        return sum(is_whole(answer) for answer in self.answers)

    @property
    def told(self) -> int:
        """Jobs whose caller was told that they did not complete."""
        return sum(answer["status"] != "completed" for answer in self.answers)

    @property
    def mistaken(self) -> int:
        """Jobs whose caller was told that they completed, and was not given the answer."""
        return sum(answer["status"] == "completed" and not is_whole(answer) for answer in self.answers)

    @property
    def unfinished(self) -> int:
        """Jobs of which the caller never heard."""
        return self.jobs - len(self.answers)

    def findings(self) -> str:
        """The kinds, each with its severity and number."""
        kinds = Counter((found["severity"][0].upper(), found["kind"]) for found in self.verdict["findings"])
        return ", ".join(f"{number} {severity} `{kind}`" for (severity, kind), number in kinds.items()) or "none"

    def total(self) -> str:
        """The findings by severity."""
        severities = Counter(found["severity"] for found in self.verdict["findings"])
        return ", ".join(count(number, severity) for severity, number in severities.items()) or "none"

    def sentence(self) -> str:
        """What it comes to."""
        lost = max(0, self.completed_jobs - self.whole_answers)
        ended = "had no result" if self.returned else "had not come back when the client was ended"
        said = [
            (self.paid_runs - self.jobs, "{} more than there are jobs", "run"),
            (lost, "{} completed, and the answer did not reach the caller", "job"),
            (self.mistaken, "{} passed for completed without a whole answer", "job"),
            (self.unfinished, f"{{}} {ended}", "job"),
        ]
        parts = [text.format(count(number, noun)) for number, text, noun in said if number > 0]
        if parts:
            return "; ".join(parts) + "."
        if not self.paid_runs:
            return "No run was made."
        every = "Every failure" if not self.completed_jobs else "Every answer"
        return f"{every} reached the caller" + (", and every failure." if self.told and self.completed_jobs else ".")


def is_whole(answer: Mapping[str, str]) -> bool:
    """The caller was given the whole text of a completed run."""
    return answer["status"] == "completed" and WHOLE.fullmatch(answer["text"]) is not None


def count(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def write_verdicts(
    path: Path,
    conditions: Conditions,
    scenarios: Mapping[str, str],
    examples: Sequence[Example],
    drives: Sequence[Drive],
) -> None:
    """Writes the page: the scenarios, an overview, the published examples, and a table for each client."""
    facts = vars(conditions)
    sections = [HEAD.format(**facts), table(["scenario", "what happens in it"], scenarios.items())]
    sections.append("\n## Overview\n\n" + overview(drives))
    sections.append(EXAMPLES + example_table(examples))
    sections.append("\n## Client by client\n\n" + COLUMNS.format(**facts))
    for client in distinct(drive.client for drive in drives):
        own = [drive for drive in drives if drive.client == client]
        about = fill(f"{own[0].version}: {own[0].way}.", WIDTH, break_long_words=False, break_on_hyphens=False)
        sections.append(f"\n### {client}\n\n{about}\n\n{client_table(own)}")
    path.write_text("".join(sections))


def overview(drives: Sequence[Drive]) -> str:
    """The findings of each client in each scenario."""
    scenarios = distinct(drive.scenario for drive in drives)
    cells = {(drive.client, drive.scenario): drive.total() for drive in drives}
    rows = [
        [client, *(cells.get((client, scenario), "-") for scenario in scenarios)]
        for client in distinct(drive.client for drive in drives)
    ]
    return table(["findings", *scenarios], rows)


def example_table(examples: Sequence[Example]) -> str:
    """Each example on each line of the SDK."""
    lines = distinct(example.version for example in examples)
    results = {(example.name, example.version): example.result for example in examples}
    names = distinct(example.name for example in examples)
    rows = [[f"`{name}`", *(results.get((name, line), "-") for line in lines)] for name in names]
    return table(["example", *lines], rows)


def client_table(drives: Iterable[Drive]) -> str:
    """One row for each scenario."""
    head = ["scenario", "paid runs", "answers", "told", "taken for answers", "unfinished", "polls"]
    rows = []
    for drive in drives:
        polls = drive.verdict["totals"]["polls"]
        answers = f"{drive.whole_answers} of {drive.completed_jobs}"
        numbers = [drive.paid_runs, answers, drive.told, drive.mistaken, drive.unfinished, polls]
        rows.append([drive.scenario, *map(str, numbers), drive.findings(), drive.sentence()])
    return table([*head, "findings", "in short"], rows)
