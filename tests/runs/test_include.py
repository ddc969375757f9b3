"""`include`: fields that the API gives on request only are asked for by the polls of the run, too."""

from __future__ import annotations

from typing import Any

import pytest

from colours import PARAMS, WAYS, OpenWorld, Script, open_worlds
from runoutcome import WaitTimeoutError

worlds = pytest.fixture(params=WAYS)(open_worlds)
LOGPROBS, OUTPUTS = "message.output_text.logprobs", "code_interpreter_call.outputs"
ASKING = {**PARAMS, "include": [LOGPROBS, "reasoning.encrypted_content", OUTPUTS]}


def included(request: Any) -> list[str]:
    """The fields that a request asks for by its query."""
    return request.url.params.get_list("include[]")


def test_polls_ask_for_what_the_create_asked_for(worlds: OpenWorld) -> None:
    """Each poll has the `include` of its create, but for encrypted reasoning, which the API gives for no stored run."""
    script = Script(["queued", "in_progress", "completed"])
    worlds(answer=script).call("create_and_poll", **ASKING)
    assert script.methods == ["POST", "GET", "GET"]
    assert [included(poll) for poll in script.requests[1:]] == [[LOGPROBS, OUTPUTS]] * 2


def test_a_create_without_it(worlds: OpenWorld) -> None:
    """Without `include` polls have no query, and tokens nothing of it."""
    tokens: list[str] = []
    script = Script(["queued", "completed"])
    worlds(answer=script).call("create_and_poll", **PARAMS, on_submitted=tokens.append)
    assert script.requests[1].url.query == b""
    assert "include" not in tokens[0]


@pytest.mark.parametrize("method", ["poll", "create_and_poll"])
def test_the_token_keeps_it(worlds: OpenWorld, method: str) -> None:
    """A wait that goes on by the token asks for the same."""
    first, second = Script(["queued"]), Script(["completed"])
    with pytest.raises(WaitTimeoutError) as caught:
        worlds(answer=first).call("create_and_poll", **ASKING, max_wait_seconds=0)
    token = caught.value.run_token
    world = worlds(answer=second)
    world.call("poll", token) if method == "poll" else world.call("create_and_poll", **PARAMS, resume=token)
    assert [(request.method, included(request)) for request in second.requests] == [("GET", [LOGPROBS, OUTPUTS])]


def test_a_job_that_resumes_by_an_id(worlds: OpenWorld) -> None:
    """A bare id says nothing of it: the parameters of the job do."""
    script = Script(["completed"])
    worlds(answer=script).call("create_and_poll", **ASKING, resume="resp_1")
    assert included(script.requests[0]) == [LOGPROBS, OUTPUTS]
