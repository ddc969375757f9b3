"""Ctrl-C at every bytecode of ours after a POST was answered: what leaves names the run."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from openai import OpenAI

import runoutcome
from colours import PARAMS, VirtualClock, body_of, reply
from interrupts import Interrupt, interrupt_everywhere
from runoutcome import Runs
from runoutcome._sdk.responses import native_http_library
from runoutcome._waiting.resume_token import loads
from runoutcome.testing import ManualClock

# What an interrupt leaves half open is closed by the collector, at some point of the next round, which is traced, too.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
ROOMS = ("_drivers", "_operations", "_runs", "_sdk", "_waiting")


def our_modules() -> list[ModuleType]:
    """The modules of this package that a create and a wait go through."""
    assert runoutcome.Runs
    return [module for name, module in sys.modules.items() if name.startswith(tuple(f"runoutcome.{r}" for r in ROOMS))]


EVENT_STREAM = "".join(
    f"event: response.{status}\ndata: {json.dumps(event)}\n\n"
    for number, (status, of) in enumerate([("created", "queued"), ("completed", "completed")])
    for event in [{"type": f"response.{status}", "sequence_number": number, "response": body_of(of)}]
)


class Service:
    """A client of a server that answers each POST with a run, and notes what happened."""

    def __init__(self) -> None:
        self.is_posted = self.is_polled = self.is_leaving = False
        http = native_http_library()
        self.client = OpenAI(
            api_key="sk-none",
            base_url="https://api.example.test/v1",
            http_client=http.Client(transport=http.MockTransport(self._answer)),
        )
        self.runs = Runs(self.client, clock=VirtualClock(ManualClock(), lambda kind, what: None))

    def _answer(self, request: Any) -> Any:
        if request.method == "GET":
            self.is_polled = True
            return reply(body_of("completed"))
        is_stream = b'"stream"' in request.content
        answer = reply(text=EVENT_STREAM, content_type="text/event-stream") if is_stream else reply(body_of("queued"))
        self.is_posted = True
        return answer

    def stream(self) -> None:
        """Enter a stream of a new run; that ends it, as the with statement guards what comes after."""
        with self.runs.create_and_stream(**PARAMS):
            self.is_polled = True

    def leave(self) -> None:
        """Leave the stream of a new run after its first event."""
        with self.runs.create_and_stream(**PARAMS) as stream:
            next(stream)
            self.is_leaving = True


WAYS: dict[str, Callable[[Service], Any]] = {
    "create": lambda service: service.runs.create(**PARAMS),
    "create_and_poll": lambda service: service.runs.create_and_poll(**PARAMS),
}


def is_between(service: Service) -> bool:
    """True from the answer of the POST to the first poll."""
    return service.is_posted and not service.is_polled


def test_no_interrupt_loses_a_stream() -> None:
    """An interrupt of a create that opens a stream has the run's key, or the token."""

    def check(service: Service, interrupt: Interrupt | None) -> None:
        service.client.close()
        token, key = getattr(interrupt, "run_token", None), getattr(interrupt, "run_key", None)
        assert interrupt is None or key or (token and loads(token).response_id == "resp_1" and loads(token).key)

    count = interrupt_everywhere(our_modules(), Service, Service.stream, check, has_begun=is_between, everywhere=True)
    assert count > 100


@pytest.mark.parametrize("way", WAYS)
def test_from_the_answer_on_the_token_is_there(way: str) -> None:
    """An interrupt in our own code loses no answer of the SDK."""

    def check(service: Service, interrupt: Interrupt | None) -> None:
        service.client.close()
        assert interrupt is None or loads(interrupt.run_token).response_id == "resp_1"  # type: ignore[attr-defined]

    assert interrupt_everywhere(our_modules(), Service, WAYS[way], check, has_begun=is_between, everywhere=True) > 100


def test_an_interrupt_of_leaving_a_stream_has_its_token() -> None:
    """Ctrl-C where the with statement ends leaves with the run's token, but at the very start of `__exit__`."""
    nameless: list[str] = []

    def check(service: Service, interrupt: Interrupt | None) -> None:
        if interrupt is not None and not hasattr(interrupt, "run_token"):
            frames = traceback.extract_tb(interrupt.__traceback__)
            nameless.extend(frame.name for frame in frames if "/runoutcome/_" in frame.filename)

    points = interrupt_everywhere(
        our_modules(), Service, Service.leave, check, has_begun=lambda service: service.is_leaving
    )
    assert points > 10
    assert nameless == ["__exit__"]
