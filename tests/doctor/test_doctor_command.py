"""The command: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from runoutcome.cli._doctor import EXIT_CODES, doctor
from runoutcome.cli._errors import guarded

LOOP = "while response.status in PENDING:\n    response = client.responses.retrieve(response.id)\n"


def run(*paths: object, as_json: bool = False) -> int:
    """The exit code of the command."""
    return guarded(lambda: doctor([str(path) for path in paths], as_json))


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is folded."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a finding in one of two files."""
    (tmp_path / "good.py").write_text("print('hello')\n")
    (tmp_path / "bad.py").write_text("import time\n" + LOOP)
    return tmp_path


def test_findings_are_shown_and_give_exit_code_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is a line with its place and what is wrong, then what to do and where to read on."""
    assert run(project) == 1
    out, err = capsys.readouterr()
    place, fix, see = out.splitlines()
    assert place.startswith(f"{project / 'bad.py'}:2: poll-without-deadline: nothing but the end of the run")
    assert fix.split()[0] == "fix"
    assert see.split() == ["see", "docs/doctor.md#poll-without-deadline"]
    assert err == "1 finding in 2 files\n"


def test_no_finding_gives_exit_code_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a finding nothing is printed but the sum, on stderr."""
    assert run(project / "good.py") == 0
    assert capsys.readouterr() == ("", "no finding in 1 file\n")


def test_json_is_a_list_of_findings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one list, with the same keys for each finding, and nothing on stderr."""
    assert run(project, as_json=True) == 1
    out, err = capsys.readouterr()
    (finding,) = json.loads(out)
    assert list(finding) == ["file", "line", "rule", "message", "fix", "docs"]
    assert (finding["file"], finding["line"]) == (str(project / "bad.py"), 2)
    assert err == ""


def test_json_of_nothing_is_an_empty_list(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No finding is an empty list and exit code 0."""
    assert run(project / "good.py", as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_path_that_is_not_there_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """A wrong path is told before anything is checked: exit code 2."""
    assert run(project, project / "nowhere", as_json=as_json) == 2
    assert capsys.readouterr() == ("", f"runoutcome: {project / 'nowhere'}: no such file or directory\n")


def test_a_file_that_does_not_parse_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rest is checked and shown, and the exit code says that the answer is not whole."""
    (project / "broken.py").write_text("def f(:\n")
    assert run(project, as_json=True) == 2
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert err.startswith(f"runoutcome: {project / 'broken.py'}: line 1: ")
    assert err.count("\n") == 1


def test_an_empty_directory_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to check is no finding."""
    assert run(tmp_path) == 0
    assert capsys.readouterr().err == "no finding in 0 files\n"


def test_what_a_source_is_called_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name with an escape sequence is written out."""
    (tmp_path / "a\x1b[31m.py").write_text(LOOP)
    assert run(tmp_path) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[31m.py:1:" in out


def test_it_works_as_a_command() -> None:
    """Its arguments and its option are ones typer understands."""
    app = typer.Typer()
    app.command(epilog=EXIT_CODES)(doctor)
    command = typer.main.get_command(app)
    assert {name for parameter in command.params for name in parameter.opts} >= {"paths", "--json"}
