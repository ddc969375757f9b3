"""The middleware on servers of others: in front of their real applications, on a socket, for the SDK's plain client."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from runoutcome import RunRateLimitError, raise_for_status
from runoutcome.testing import Emulator

SERVERS = Path(__file__).parent.parent / "servers"
IS_LITELLM = importlib.util.find_spec("litellm") is not None
PACKAGE = "litellm" if IS_LITELLM else "azure-ai-agentserver-responses"
READY_SECONDS, END_SECONDS = 120, 60


@contextmanager
def served(*command: str) -> Iterator[str]:
    """The address of the server while it runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [word.replace("PORT", str(port)) for word in command]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url, until = f"http://127.0.0.1:{port}", time.monotonic() + READY_SECONDS
            while not answers(url):
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    """Whether anything answers there."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    """A plain client of the server that this environment has."""
    with Emulator() as emulator:
        if IS_LITELLM:
            server, path = served(str(SERVERS / "litellm_proxy.py"), "PORT", emulator.base_url), "/v1"
        else:
            server, path = served(str(SERVERS / "agent_server.py"), "PORT"), ""
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
