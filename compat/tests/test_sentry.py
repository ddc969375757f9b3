"""Sentry: the event that the real SDK builds for a run error, and what is in the bytes it would send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from errors import EVERY, FINAL, RETRYABLE, error, leaked
from runoutcome import RunError

PACKAGE = "sentry-sdk"
DSN = "http://public@127.0.0.1/1"


class MemoryTransport(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.sent: list[bytes] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep the bytes."""
        self.sent.append(envelope.serialize())


@pytest.fixture
def captured() -> Iterator[Callable[..., bytes]]:
    """What Sentry sends for an error, set up as given; it is switched off after the test."""
    error(EVERY[-1])  # Sentry watches the SDK's requests too: those that make the errors are sent before it is set up

    def captured(exc: Exception, **options: Any) -> bytes:
        sentry_sdk.init(dsn=DSN, transport=MemoryTransport, **options)
        sentry_sdk.capture_exception(exc)
        transport = sentry_sdk.get_client().transport
        assert isinstance(transport, MemoryTransport)
        (envelope,) = transport.sent
        return envelope

    with sentry_sdk.isolation_scope():
        yield captured
        sentry_sdk.init()


def event_in(envelope: bytes) -> dict[str, Any]:
    """The event of an envelope: headers, item headers, item."""
    return json.loads(envelope.splitlines()[2])


def frames_in(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames of all exceptions of an event."""
    found = event["exception"]["values"]
    return [frame for exc in found for frame in (exc.get("stacktrace") or {}).get("frames", [])]


@pytest.mark.parametrize("name", EVERY)
def test_an_event_has_class_and_text(captured: Callable[..., bytes], name: str) -> None:
    """`capture_exception` sends one event whose last exception has the error's module, class and text."""
    sent = error(name)
    raised = event_in(captured(sent))["exception"]["values"][-1]
    assert (raised["module"], raised["type"], raised["value"]) == ("runoutcome", type(sent).__name__, str(sent))


@pytest.mark.parametrize("name", EVERY)
def test_an_event_without_locals_has_no_secret(captured: Callable[..., bytes], name: str) -> None:
    """With `include_local_variables=False` no key, prompt or output is in the bytes that Sentry sends."""
    assert leaked(captured(error(name), include_local_variables=False)) == []


@pytest.mark.parametrize("name", EVERY)
def test_only_locals_can_hold_a_prompt(captured: Callable[..., bytes], name: str) -> None:
    """Limitation: by default Sentry sends the local variables of every frame, the SDK's with their prompts too; beside
    those, no key, prompt or output is in an event.
    """
    event = event_in(captured(error(name)))
    for frame in frames_in(event):
        frame.pop("vars", None)
    assert leaked(json.dumps(event)) == []


@pytest.mark.parametrize("name", [*RETRYABLE, *FINAL])
def test_our_own_frame_does_not_hold_the_body(captured: Callable[..., bytes], name: str) -> None:
    """The frame of `raise_for_status`, as Sentry sends it by default, holds no prompt or output."""
    frames = [frame for frame in frames_in(event_in(captured(error(name)))) if frame["module"].startswith("runoutcome")]
    assert frames
    assert leaked(json.dumps(frames)) == []


@pytest.mark.parametrize("name", [*RETRYABLE, *FINAL])
def test_a_hook_can_add_the_outcome(captured: Callable[..., bytes], name: str) -> None:
    """A `before_send` hook that adds `outcome.to_dict()` as a context: it is in the event, without a secret."""

    def add_outcome(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        exc = hint["exc_info"][1]
        if isinstance(exc, RunError):
            event.setdefault("contexts", {})["run"] = exc.outcome.to_dict()
        return event

    sent = error(name)
    envelope = captured(sent, before_send=add_outcome, include_local_variables=False)
    context = event_in(envelope)["contexts"]["run"]
    assert isinstance(sent, RunError)
    assert (context["code"], context["retryable"], context["action"]) == (sent.code, sent.retryable, sent.action)
    assert leaked(envelope) == []
