"""What the tests of the core share: a client without a network, and hypothesis without clocks and files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from openai import OpenAI

from runoutcome import Catalog
from runoutcome._sdk.responses import native_http_library

# A deadline per example is a timed assert; a fixed seed makes a failure here a failure everywhere.
settings.register_profile(
    "runoutcome",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("runoutcome")

# A suite that a shell started in the background ignores Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Handler = Callable[[Any], Any]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The shipped catalog."""
    return Catalog.load()


@pytest.fixture(scope="session")
def http() -> ModuleType:
    """The HTTP library the installed SDK is written for: `httpx` or `httpx2`."""
    return native_http_library()


@pytest.fixture
def answering(http: ModuleType) -> Iterator[Callable[..., OpenAI]]:
    """Real clients whose requests are answered by a function, without a network; closed after the test."""
    with ExitStack() as clients:

        def answering(handler: Handler, **options: Any) -> OpenAI:
            given: dict[str, Any] = {
                "api_key": "sk-secret-key",
                "base_url": "https://api.example.test/v1",
                "max_retries": 0,
                **options,
            }
            transport = http.Client(transport=http.MockTransport(handler))
            return clients.enter_context(OpenAI(**given, http_client=transport))

        yield answering


@pytest.fixture
def http_error(http: ModuleType, answering: Callable[..., OpenAI]) -> Callable[..., Exception]:
    """Real HTTP errors: what the installed SDK's client makes of an answer."""
    client = answering(lambda request: http.Response(500))

    def http_error(status: int, error: object = None, headers: dict[str, str] | None = None) -> Exception:
        request = http.Request("POST", "https://api.example.test/v1/responses")
        response = http.Response(status, headers=headers, json={"error": error}, request=request)
        return client._make_status_error_from_response(response)

    return http_error
