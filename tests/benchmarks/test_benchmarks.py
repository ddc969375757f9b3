"""The benchmarks still run, and what they are made of is right; what they measure is not a matter of tests."""

from __future__ import annotations

import ast
import datetime
import math
import platform
from pathlib import Path

import pytest

import dispatch
import results
import simulation
from simulation import Run, Tally, simulate
from tables import table

TODAY = datetime.date(2026, 11, 23)


# The document


def test_a_document_has_all_sections_in_order() -> None:
    """What the benchmarks gave stands below one heading and one description of the machine, in the order asked for."""
    told: list[str] = []
    text = results.compose(["a", "b"], False, lambda name, quick: f"\n## {name} {quick}\n\ntext\n\n", told.append)
    assert text.startswith("# Measurements\n\nMeasured on ")
    assert text.endswith("\n\n## a False\n\ntext\n\n## b False\n\ntext\n")
    assert len(told) == 2


def test_a_document_says_with_what_it_was_measured() -> None:
    """It names the date, the machine, Python and the packages, and neither the host, the user nor a path."""
    text = results.described(TODAY)
    for word in ("2026-11-23", "CPUs", platform.machine(), platform.python_version(), "openai ", "runoutcome "):
        assert word in text
    assert platform.node() not in text
    assert str(Path.home()) not in text


def test_what_raises_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one benchmark fails, nothing is written: a claim that does not hold stops the whole."""

    def fail(name: str, quick: bool) -> str:
        raise RuntimeError(f"{name} does not hold")

    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(results, "run_apart", fail)
    with pytest.raises(RuntimeError, match="does not hold"):
        results.main([])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "written"),
    [([], True), (["--quick"], False), (["detection"], False), (["detection", "--quick"], False)],
)
def test_only_a_whole_run_is_written(
    arguments: list[str], written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some benchmarks, or all in a hurry, are shown; only all of them, done properly, are written."""
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(results, "run_apart", lambda name, quick: f"## {name}")
    assert results.main(arguments) == 0
    assert (tmp_path / "RESULTS.md").exists() is written


@pytest.mark.parametrize("arguments", [["nothing"], ["--fast"], ["detection", "-x"]])
def test_unknown_words_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A benchmark or an option that does not exist ends in the usage, and nothing runs."""
    assert results.main(arguments) == 2
    assert "usage: results.py" in capsys.readouterr().err


def test_a_benchmark_runs_in_a_process_of_its_own() -> None:
    """A section is made by a fresh interpreter, and comes back as text."""
    assert results.run_apart("detection", True).startswith("## How late")


@pytest.mark.parametrize("name", results.SECTIONS)
def test_every_benchmark_has_a_section(name: str) -> None:
    """A benchmark that the document names is there, and gives its section for one argument, `quick`."""
    tree = ast.parse((results.HERE / f"{name}.py").read_text("utf-8"))
    (section,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "section")
    assert [one.arg for one in section.args.args] == ["quick"]


def test_a_table_can_be_read_as_text() -> None:
    """Words are aligned to the left, numbers to the right."""
    assert table(("what", "number"), [("a", "1"), ("longer", "1,000")]).splitlines() == [
        "| what   | number |",
        "|:-------|-------:|",
        "| a      |      1 |",
        "| longer |  1,000 |",
    ]


# The simulation


def test_all_runs_are_polled_to_their_ends() -> None:
    """With enough places no poll is late, no run is forgotten, and each end is seen by its last poll."""
    runs = simulation.mixed_runs(200)
    tally = simulate(runs, 48)
    assert tally.polls == sum(run.polls for run, _ in runs) == tally.lateness[0]
    assert all(run.lag > 0 for run, _ in runs)
    assert math.fsum(run.lag / (run.ends - run.created) for run, _ in runs) / 200 < 0.05


def test_what_is_too_much_comes_late_and_evenly() -> None:
    """One place that bears 36 polls a second is shared evenly by runs that ask for 100, and none is passed over."""
    runs = simulation.endless_runs(2000)
    tally = simulate(runs, 1, 300.0)
    polls = [run.polls for run, _ in runs]
    assert 300 * 34 < tally.polls < 300 * 39
    assert max(polls) - min(polls) <= 1
    assert tally.late(0.5) > 10


def test_a_simulation_can_be_made_again() -> None:
    """The same runs give the same polls."""
    one, other = (simulate(simulation.mixed_runs(50), 2) for _ in range(2))
    assert one == other


def test_lateness_is_counted_by_share() -> None:
    """The lateness at a share is what so many polls do not exceed."""
    tally = Tally(polls=100)
    tally.lateness.update({0: 50, 20: 49, 3000: 1})
    assert [tally.late(share) for share in (0.5, 0.51, 0.99, 1.0)] == [0.0, 0.02, 0.02, 3.0]


def test_a_waiting_run_is_small() -> None:
    """The real steps of a wait are measured, and are some kilobytes for each run."""
    cost = simulation.costs(200)
    assert 500 < cost.steps_bytes < 20_000
    assert 0 < cost.schedule_bytes < 1000


def test_a_run_is_nobody_elses() -> None:
    """Two runs that are equal in all they hold are two in the schedule."""
    (one, _), (other, _) = simulation.endless_runs(2)
    assert isinstance(one, Run)
    assert len({one, other}) == 2


# The others


@pytest.mark.parametrize("subject", dispatch.subjects(), ids=lambda subject: subject.name)
def test_what_judging_is_measured_by_works(subject: dispatch.Subject) -> None:
    """Each subject of the benchmark can be called, and what it is compared with is measured, too."""
    assert subject.run() is not None
    assert subject.beside is None or subject.beside in {other.name for other in dispatch.subjects()}
