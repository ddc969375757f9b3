"""The first events of a stream, however its bytes are cut."""

from __future__ import annotations

import json

import pytest

from runoutcome._sdk.stream_opening import Opening

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_what_is_odd_is_left_out_only_before_the_run_is_named(size: int, end: str) -> None:
    """Comments stay, odd events go, and all that follows the id is handed on as it came."""
    later = f"data: {{not json{end}{end}data: null{end}{end}data: cut"
    sent = f": ping{end}{end}data: null{end}{end}event: e{end}data: {json.dumps(CREATED)}{end}{end}{later}".encode()
    opening = Opening()
    got = b"".join(opening.feed(sent[start : start + size]) for start in range(0, len(sent), size)).decode()
    assert got == f": ping{end}{end}event: e\ndata: {json.dumps(CREATED)}\n\n{later}"
