"""The middleware on servers of others: in front of their real applications, on a socket, for the SDK's plain client."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from server_process import free_port, running

from runoutcome import RunRateLimitError, raise_for_status
from runoutcome.testing import Emulator

SERVERS = Path(__file__).parent.parent / "servers"
IS_LITELLM = importlib.util.find_spec("litellm") is not None
PACKAGE = "litellm" if IS_LITELLM else "azure-ai-agentserver-responses"
END_SECONDS = 60


@contextmanager
def served(script: str, *words: str) -> Iterator[str]:
    """The address of a server of this environment while it runs; its port is its first argument."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([[sys.executable, SERVERS / script, str(port), *words]], url):
        yield url


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    """A plain client of the server that this environment has."""
    with Emulator() as emulator:
        if IS_LITELLM:
            server, path = served("litellm_proxy.py", emulator.base_url), "/v1"
        else:
            server, path = served("agent_server.py"), ""
        with server as url, openai.OpenAI(base_url=url + path, api_key="sk-any") as client:
            yield client


def ended(client: openai.OpenAI, word: str) -> Any:
    """The run after its end, as the plain client reads it."""
    run, until = (
        client.responses.create(model=f"emulate-{word}", input="Hi", background=True),
        time.monotonic() + END_SECONDS,
    )
    while run.status in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.2)
        run = client.responses.retrieve(run.id)
    return run


def test_a_failed_run_has_the_field(client: openai.OpenAI) -> None:
    """The field is in the error that the SDK's own model has, and says what our functions say."""
    run = ended(client, "rate_limit_exceeded")
    field = run.error.outcome
    assert (field["type"], field["class"], field["retryable"]) == ("rate_limit_error", "RateLimitError", True)
    with pytest.raises(RunRateLimitError):
        raise_for_status(run)


def test_an_incomplete_run_has_the_field(client: openai.OpenAI) -> None:
    """The field is in the details of a run that was cut off."""
    run = ended(client, "max_output_tokens")
    assert run.incomplete_details.outcome["action"] == "raise_limit"


def test_a_completed_run_has_none(client: openai.OpenAI) -> None:
    """Nothing is added to a run that completed."""
    run = ended(client, "completed")
    assert run.status == "completed"
    assert "outcome" not in run.to_json()
