"""The results of pytest, as checks, and the checks as the page `docs/compat.md`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD = """\
# Exceptions in the wild

What a raised run error does in packages that retry, store, send or translate exceptions, and how web frameworks take
webhooks in. Each check drives the real package, installed from the package registry into an environment of its own;
`make compat` runs them all and writes this page. A number is how often a check was made, each time with another error.
"Limitation" is said of the package.

"""


@dataclass(frozen=True)
class Check:
    """What one test found."""

    environment: str
    package: str
    version: str
    openai: str
    python: str
    behaviour: str
    result: str

    @property
    def line(self) -> str:
        """Where it was made, as the head of a column."""
        return f"openai {self.openai}, Python {self.python}"


def read_checks(results: Path, environment: str) -> list[Check]:
    """The checks in a JUnit XML file; what failed outside of a test (an import) is not among them."""
    cases = ET.parse(results).getroot().iter("testcase")
    return [Check(environment, **facts, result=result_of(case)) for case in cases if (facts := facts_of(case))]


def facts_of(case: ET.Element) -> dict[str, str]:
    """The properties that `conftest.py` puts on each test."""
    return {item.get("name", ""): item.get("value", "") for item in case.iter("property")}


def result_of(case: ET.Element) -> str:
    """One word for how a test ended, and why it was expected to fail or skipped."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is None:
        return "passed"
    word = "expected failure" if skipped.get("type") == "pytest.xfail" else "skipped"
    return f"{word}: {skipped.get('message')}"


def write_report(path: Path, checks: Sequence[Check]) -> None:
    """Writes the page: the packages and their versions first, then what was checked in each."""
    sections = [HEAD + table(["package", "version", "beside", "checks", "result"], summary(checks))]
    for package in distinct(check.package for check in checks):
        own = [check for check in checks if check.package == package]
        lines = distinct(check.line for check in own)
        rows = [
            [behaviour, *(tally(c.result for c in own if (c.behaviour, c.line) == (behaviour, line)) for line in lines)]
            for behaviour in distinct(check.behaviour for check in own)
        ]
        sections.append(f"\n## {package}\n\n" + table(["what was checked", *lines], rows))
    path.write_text("".join(sections))


def summary(checks: Sequence[Check]) -> list[list[str]]:
    """One row for each package in each environment."""
    places = distinct((check.package, check.environment) for check in checks)
    rows = []
    for package, environment in sorted(places, key=lambda place: place[0].lower()):
        own = [check for check in checks if (check.package, check.environment) == (package, environment)]
        rows.append([package, own[0].version, own[0].line, str(len(own)), tally(word(c.result) for c in own)])
    return rows


def word(result: str) -> str:
    """A result without its reason."""
    return result.partition(":")[0]


def tally(results: Iterable[str]) -> str:
    """The results with their numbers; a dash for none."""
    counts = Counter(results)
    return ", ".join(f"{result} ({number})" if number > 1 else result for result, number in counts.items()) or "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def distinct(values: Iterable) -> list:
    """Each value once, in the order of their first appearance."""
    return list(dict.fromkeys(values))
