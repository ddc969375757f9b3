"""Reading a job file: every fault is found, with its line, before anything is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batches import line

from runoutcome.batch import JobFileError, JobLine, Store, read_jobs


def write(folder: Path, *lines: Any) -> Path:
    """A job file of these lines; what is no text is written as JSON."""
    path = folder / "jobs.jsonl"
    texts = (text if isinstance(text, str) else json.dumps(text) for text in lines)
    path.write_bytes("\n".join(texts).encode("utf-8", "surrogateescape"))
    return path


def test_jobs_are_read_in_their_order(tmp_path: Path) -> None:
    """Each job has its line, its id and its body as it stands in the file."""
    body = {"model": "gpt-5", "input": [{"role": "user", "content": "hi"}], "some_new_field": {"a": [1, None]}}
    jobs = read_jobs(write(tmp_path, line("b", body), "", "   ", line("a"), ""))
    assert [(job.line, job.custom_id) for job in jobs] == [(1, "b"), (4, "a")]
    assert jobs[0].body == body


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_other_systems_are_read(tmp_path: Path, ending: str, mark: str) -> None:
    """A byte order mark and Windows line ends do not matter; a Unicode line separator is text."""
    path = tmp_path / "jobs.jsonl"
    rows = [line("a\u2028b", {"model": "m", "input": "x\u2028y\x85z"}), line("b")]
    path.write_bytes((mark + ending.join(json.dumps(row, ensure_ascii=False) for row in rows) + ending).encode())
    assert [job.custom_id for job in read_jobs(path)] == ["a\u2028b", "b"]


GOOD = {"model": "gpt-5", "input": "x"}
BAD_LINES: dict[str, tuple[Any, str]] = {
    "no JSON": ("{nope", "not JSON"),
    "two objects": ("{} {}", "not JSON"),
    "cut": ('{"custom_id": "a"', "not JSON"),
    "NaN": ('{"custom_id": NaN}', "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "not UTF-8": ("\udcff", "not UTF-8"),
    "list": ([], "object is expected"),
    "null": ("null", "object is expected"),
    "empty object": ({}, "custom_id, method, url, body missing"),
    "no body": ({"custom_id": "a", "method": "POST", "url": "/v1/responses"}, "body missing"),
    "empty id": (line(""), "custom_id is a string"),
    "blank id": (line("  "), "custom_id is a string"),
    "number id": (line("x", custom_id=7), "custom_id is a string"),
    "null id": (line("x", custom_id=None), "custom_id is a string"),
    "method": (line("x", method="GET"), 'method is "POST"'),
    "url": (line("x", url="/v1/chat/completions"), 'url is "/v1/responses"'),
    "body text": (line("x", "hi"), "body is the JSON object"),
    "body null": (line("x", body=None), "body is the JSON object"),
    "body empty": (line("x", body={}), "body is the JSON object"),
    "no model": (line("x", {"input": "x"}), "model is missing"),
    "model number": (line("x", {"model": 5}), "model is the name"),
    "model null": (line("x", {"model": None}), "model is the name"),
    "stream": (line("x", {**GOOD, "stream": True}), "stream is set"),
    "background": (line("x", {**GOOD, "background": False}), "background is not true"),
    "metadata": (line("x", {**GOOD, "metadata": "team"}), "metadata is an object"),
}


@pytest.mark.parametrize(("bad", "says"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_named(tmp_path: Path, bad: Any, says: str) -> None:
    """The error says which line it is and what to do, and no file is made."""
    path = write(tmp_path, line("good"), "", bad, line("later"))
    with pytest.raises(JobFileError, match=says) as caught:
        read_jobs(path)
    assert f"{path}, line 3: " in str(caught.value)
    assert len(str(caught.value)) < 500
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**GOOD, "background_options": "8h"}, id="background_options is no object"),
        pytest.param({**GOOD, "background": None}, id="background is null, which makes a foreground run"),
        pytest.param({**GOOD, "input": "\ud83d"}, id="half an emoji, which cannot be sent"),
        pytest.param({**GOOD, "metadata": ["a"]}, id="metadata is a list"),
    ],
)
def test_a_body_that_cannot_be_run_is_found_before_any_post(tmp_path: Path, body: dict[str, Any]) -> None:
    """What would stop the batch later, or make another kind of run, is found when the file is read."""
    with pytest.raises(JobFileError):
        read_jobs(write(tmp_path, line("x", body)))


def test_a_number_that_json_cannot_send_is_found(tmp_path: Path) -> None:
    """A number too large for a float cannot be sent, so it is found when the file is read."""
    with pytest.raises(JobFileError):
        read_jobs(write(tmp_path, json.dumps(line("x", GOOD)).replace('"x"}', '"x", "temperature": 1e999}', 1)))


def test_an_id_that_cannot_be_sent_is_found(tmp_path: Path) -> None:
    """The custom_id is part of the key, so half a character in it is found when the file is read."""
    with pytest.raises(JobFileError):
        read_jobs(write(tmp_path, line("half \ud83d")))


def test_an_id_that_is_used_twice_is_found(tmp_path: Path) -> None:
    """Both lines are named."""
    with pytest.raises(JobFileError, match=r"line 4: .*'a' is used by line 1 already"):
        read_jobs(write(tmp_path, line("a"), line("b"), "", line("a")))


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n", "\ufeff"])
def test_an_empty_file_is_an_error(tmp_path: Path, text: str) -> None:
    """A file without a job says what to put into it."""
    with pytest.raises(JobFileError, match="is empty"):
        read_jobs(write(tmp_path, text))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A missing file and a directory are named, without a traceback's words."""
    with pytest.raises(JobFileError, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_jobs(tmp_path / "nowhere.jsonl")
    with pytest.raises(JobFileError, match="is a directory"):
        read_jobs(tmp_path)


def test_the_digest_is_of_the_body_alone(tmp_path: Path) -> None:
    """The order of keys and the place in the file do not matter; every value does."""
    one, two = {"model": "m", "input": "x"}, {"input": "x", "model": "m"}
    assert JobLine(1, "a", one).digest == JobLine(9, "b", two).digest
    assert JobLine(1, "a", one).digest != JobLine(1, "a", {**one, "input": "y"}).digest


def test_checking_creates_nothing(tmp_path: Path) -> None:
    """`Store.check` looks at everything and makes no file."""
    store = Store(tmp_path / "results.jsonl")
    store.check(read_jobs(write(tmp_path, line("a"))))
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
