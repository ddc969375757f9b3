"""Files and directories: what is read, how it is decoded, and what is told when it cannot be."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from runoutcome.doctor import SourceError, check_paths
from runoutcome.doctor._check import LARGEST_BYTES

LOOP = """while response.status in ("queued", "in_progress"):
    response = client.responses.retrieve(response.id)
"""


def check(*paths: Path) -> tuple[list[tuple[str, int]], list[str]]:
    """The file and the line of each finding, and what could not be read."""
    errors: list[SourceError] = []
    findings = [finding for found in check_paths(paths, errors.append) for finding in found]
    return [(finding.file, finding.line) for finding in findings], [str(error) for error in errors]


def put(path: Path, content: str | bytes = LOOP) -> Path:
    """A file with a finding in its first line, unless it gets other content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_directory_is_searched(tmp_path: Path) -> None:
    """Every `*.py` below a directory is read, in order, and no other file."""
    files = [put(tmp_path / name) for name in ("a.py", "b/c.py", "b/d/e.py", "z.py")]
    for name in ("a.txt", "b.pyc", "notes.md", "noextension"):
        put(tmp_path / name)
    found, errors = check(tmp_path)
    assert sorted(found) == [(str(file), 1) for file in files]
    assert errors == []
    assert check(tmp_path) == (found, errors)


@pytest.mark.parametrize(
    "name", [".venv", ".git", ".hidden", "node_modules", "build", "dist", "__pycache__", "lib/site-packages"]
)
def test_directories_of_other_people_are_left_out(tmp_path: Path, name: str) -> None:
    """Environments, builds and hidden directories are left out, unless they are given themselves."""
    put(tmp_path / name / "package" / "module.py")
    assert check(tmp_path) == ([], [])
    assert len(check(tmp_path / name)[0]) == 1


def test_an_environment_of_any_name_is_left_out(tmp_path: Path) -> None:
    """What has a `pyvenv.cfg` is a virtual environment."""
    put(tmp_path / "env" / "module.py")
    put(tmp_path / "env" / "pyvenv.cfg", "home = /usr/bin\n")
    assert check(tmp_path) == ([], [])


def test_a_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    """A file that is given is read without the suffix too, and hidden ones are only read when given."""
    script, hidden = put(tmp_path / "script"), put(tmp_path / ".hidden.py")
    assert check(tmp_path) == ([], [])
    assert check(script, hidden)[0] == [(str(script), 1), (str(hidden), 1)]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """A file that is reached by several paths, or by a link, is read once."""
    file = put(tmp_path / "a.py")
    (tmp_path / "b.py").symlink_to(file)
    assert check(tmp_path, file, tmp_path) == ([(str(file), 1)], [])


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    """Links to directories are not followed, links to themselves are told."""
    file = put(tmp_path / "a" / "b.py")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self.py").symlink_to(tmp_path / "a" / "self.py")
    (tmp_path / "a" / "gone.py").symlink_to(tmp_path / "nowhere.py")
    found, errors = check(tmp_path)
    assert found == [(str(file), 1)]
    assert [error.partition(":")[0].rpartition(os.sep)[2] for error in errors] == ["gone.py", "self.py"]


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + LOOP.encode(),
        b"# -*- coding: latin-1 -*-\nname = '\xe9'\n" + LOOP.encode(),
        b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nprice = '\x80'\n" + LOOP.encode(),
        "name = 'é漢字'\n".encode() + LOOP.encode(),
        LOOP.replace("\n", "\r\n").encode(),
        LOOP.replace("\n", "\r").encode(),
        b"\x0c\n" + LOOP.encode(),
    ],
    ids=["utf-8 with a mark", "latin-1", "cp1252", "utf-8", "windows lines", "old mac lines", "form feed"],
)
def test_sources_are_decoded_as_python_does_it(tmp_path: Path, content: bytes) -> None:
    """The byte order mark, the coding line and any line end are understood, and lines are counted right."""
    found, errors = check(put(tmp_path / "a.py", content))
    line = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"while")[0].count(b"\n") + 1
    assert (found, errors) == ([(str(tmp_path / "a.py"), line)], [])


BROKEN = {
    "syntax": (b"def f(:\n    pass\n", "line 1: "),
    "python 2": (b"print 'hello'\n", "line 1: "),
    "tabs": (b"if x:\n\ty = 1\n        z = 2\n", "line 3: "),
    "bytes": (b"name = '\xff\xfe'\n", "cannot be decoded: "),
    "coding": (b"# coding: klingon\n", "cannot be decoded: "),
    "null": (b"x = 1\x00\n", ""),
    "deep": (b"x = " + b"(" * 50_000 + b")" * 50_000 + b"\n", ""),
    "deeper": (b"x = " + b"-" * 200_000 + b"1\n", ""),
    "huge": (b"# " + b"x" * LARGEST_BYTES + b"\n", "larger than 4 MiB"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is no Python, or too large to be source, is one line; the files after it are checked."""
    broken, good = put(tmp_path / "a.py", content), put(tmp_path / "b.py")
    found, (error,) = check(tmp_path)
    assert found == [(str(good), 1)]
    assert error.startswith(f"{broken}: {reason}")
    assert "\n" not in error


def test_a_large_file_is_read(tmp_path: Path) -> None:
    """Two megabytes of generated source are no trouble."""
    lines = b"x = {'key': [1, 2, 3], 'name': call(argument, keyword=1)}\n" * 500
    file = put(tmp_path / "a.py", b"# " + b"x" * 2_000_000 + b"\n" + lines + LOOP.encode())
    assert check(file) == ([(str(file), 502)], [])


def test_an_expression_that_is_long_is_no_error(tmp_path: Path) -> None:
    """A sum of a thousand terms is deep in the syntax tree, and read all the same."""
    file = put(tmp_path / "a.py", LOOP + "total = " + " + ".join(["term"] * 900) + "\n")
    assert check(file) == ([(str(file), 1)], [])


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is one line, not a traceback."""
    secret, good = put(tmp_path / "a.py"), put(tmp_path / "b.py")
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert check(tmp_path) == ([(str(good), 1)], [f"{secret}: Permission denied"])


def test_a_directory_that_may_not_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without permission is one line as well."""
    closed, good = tmp_path / "closed", put(tmp_path / "open" / "b.py")
    put(closed / "a.py")
    scandir = os.scandir

    def denied(path: str | Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert check(tmp_path) == ([(str(good), 1)], [f"{closed}: Permission denied"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """What is no regular file is told, and never opened."""
    os.mkfifo(tmp_path / "a.py")
    assert check(tmp_path) == ([], [f"{tmp_path / 'a.py'}: not a regular file"])


def test_nothing_is_run(tmp_path: Path) -> None:
    """A source is only read."""
    mark = tmp_path / "mark"
    check(put(tmp_path / "a.py", f"open({str(mark)!r}, 'w').write('run')\nclient.responses.create()\n"))
    assert not mark.exists()
