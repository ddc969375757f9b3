"""`runoutcome doctor`: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Done, call

LOOP = "while response.status in PENDING:\n    response = client.responses.retrieve(response.id)\n"


def doctor(*words: object) -> Done:
    """The command in a terminal so wide that nothing is folded."""
    return call("doctor", *words, COLUMNS="200")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a finding in one of two files."""
    (tmp_path / "good.py").write_text("print('hello')\n")
    (tmp_path / "bad.py").write_text("import time\n" + LOOP)
    return tmp_path


def test_findings_are_shown_and_give_exit_code_1(project: Path) -> None:
    """A finding is a line with its position and what is wrong, then what to do and where to read on."""
    done = doctor(project)
    place, fix, see = done.stdout.splitlines()
    assert place.startswith(f"{project / 'bad.py'}:2: poll-without-deadline: this loop around responses.retrieve")
    assert fix.split()[0] == "fix"
    assert see.split() == ["see", "docs/doctor.md#poll-without-deadline"]
    assert (done.returncode, done.stderr) == (1, "1 finding in 2 files\n")


def test_no_finding_gives_exit_code_0(project: Path) -> None:
    """Without a finding nothing is printed but the sum, on stderr."""
    assert doctor(project / "good.py") == Done(0, "", "no finding in 1 file\n")


def test_json_is_a_list_of_findings(project: Path) -> None:
    """`--json` prints one list, with the same keys for each finding, and nothing on stderr."""
    done = doctor(project, "--json")
    (finding,) = json.loads(done.stdout)
    assert list(finding) == ["file", "line", "rule", "message", "fix", "docs"]
    assert (finding["file"], finding["line"]) == (str(project / "bad.py"), 2)
    assert (done.returncode, done.stderr) == (1, "")


def test_json_of_nothing_is_an_empty_list(project: Path) -> None:
    """No finding is an empty list and exit code 0."""
    assert doctor(project / "good.py", "--json") == Done(0, "[]\n", "")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_path_that_is_not_there_is_one_line(project: Path, options: tuple[str, ...]) -> None:
    """A wrong path is told before anything is checked: exit code 2."""
    line = f"runoutcome: {project / 'nowhere'}: no such file or directory\n"
    assert doctor(project, project / "nowhere", *options) == Done(2, "", line)


def test_a_file_that_does_not_parse_is_one_line(project: Path) -> None:
    """The rest is checked and shown, and the exit code says that the answer is not whole."""
    (project / "broken.py").write_text("def f(:\n")
    done = doctor(project, "--json")
    assert (done.returncode, len(json.loads(done.stdout)), done.stderr.count("\n")) == (2, 1, 1)
    assert done.stderr.startswith(f"runoutcome: {project / 'broken.py'}: line 1: ")


def test_an_empty_directory_is_no_error(tmp_path: Path) -> None:
    """Nothing to check is no finding."""
    assert doctor(tmp_path) == Done(0, "", "no finding in 0 files\n")


def test_what_a_source_is_called_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """A file name with an escape sequence is written out."""
    (tmp_path / "a\x1b[31m.py").write_text(LOOP)
    done = doctor(tmp_path)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "\\x1b[31m.py:1:" in done.stdout
