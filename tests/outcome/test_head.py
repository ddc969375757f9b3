"""The beginning of a body, read up to its status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from bodies import EXTRAS, short
from runoutcome._outcome.body import HEAD_BYTES, read_head

HEAD = {"id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_head_ends_with_the_status() -> None:
    """Only what stands before the status, and the status, is read."""
    assert read_head(json.dumps({**HEAD, "output": [1, 2], "model": "gpt-5.5"}).encode()) == HEAD


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_white_space_is_none_of_its_business(indent: Any) -> None:
    """White space may stand wherever JSON allows it."""
    assert read_head(b"\r\n " + json.dumps(HEAD, indent=indent).encode() + b" \n") == HEAD


@given(st.dictionaries(st.text(), JSON, max_size=6), st.sampled_from(["queued", "in_progress", "completed"]))
def test_it_says_what_the_whole_body_says(fields: dict[str, Any], status: str) -> None:
    """A head is never anything but the beginning of the parsed body, whatever stands before the status."""
    fields.pop("status", None)
    content = json.dumps({**fields, "status": status, "after": 1}).encode()
    head = read_head(content)
    assert head is None or head == {**fields, "status": status}


@given(st.binary(max_size=60))
def test_anything_else_is_no_head(content: bytes) -> None:
    """Bytes of any kind give None or a table with a status, and never an exception."""
    head = read_head(content)
    assert head is None or "status" in head


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"id": "resp_1"}',
        b'{"status": "queued"',
        b'{"id": 1 "status": "queued"}',
        b'{"id": nonsense, "status": "queued"}',
        b'{"id": ' + b"[" * 3000 + b'"status": "queued"}',
        json.dumps({"instructions": "x" * HEAD_BYTES, "status": "queued"}).encode(),
        json.dumps(HEAD).encode("utf-16"),
        json.dumps({**EXTRAS, "status": "completed"}).encode()[:-1],
        rb'{"st\u0061tus": "queued"}',
    ],
    ids=short,
)
def test_no_head(content: bytes) -> None:
    """A cut body, one whose status comes late, and what is no object are left to a whole reading."""
    assert read_head(content) is None


def test_a_nested_status_is_not_the_runs() -> None:
    """The status of something inside the body is not taken for that of the run."""
    content = json.dumps({"output": [{"status": "completed"}], "meta": {"status": "x"}, "status": "queued"}).encode()
    head = read_head(content)
    assert head is not None
    assert head["status"] == "queued"
