"""Webhooks for a receiver in any web framework: the emulator sends them, and what came of it is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from openai import OpenAI

from runoutcome.testing import DEFAULT_WEBHOOK_SECRET, Emulator, ManualClock
from runoutcome.testing._serving.listener import Listener
from runoutcome.testing._serving.loop_thread import LoopThread
from runoutcome.webhooks import Inbox

SECRET = DEFAULT_WEBHOOK_SECRET
PATH = "/webhooks/openai"
FAULTS = {
    "ok": [204],
    "duplicate": [204, 200],
    "wrong-secret": [400, 204],
    "old-timestamp": [400, 204],
    "bad-body": [400, 204],
}
"""What the emulator sends, and what a receiver answers."""


class Quiet(WSGIRequestHandler):
    """Writes no line per request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Part of the interface."""


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    """A WSGI application on loopback; gives the beginning of its addresses."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving_asgi(app: Any) -> Iterator[str]:
    """An ASGI application on loopback, served by uvicorn."""
    server = Listener(app, 0, LoopThread())
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def answers_to(url: str, fault: str, inbox: Inbox) -> tuple[list[int | None], list[str]]:
    """What the receiver at `url` answered to the webhooks of one run, and whom its inbox woke."""
    woken: list[str] = []
    clock = ManualClock()
    with (
        Emulator(webhook_url=url, webhook_secret=SECRET, clock=clock) as emulator,
        OpenAI(base_url=emulator.base_url, api_key="any", max_retries=0) as client,
    ):
        metadata = {"emulate_webhook": fault}
        run = client.responses.create(model="gpt-5", input="hi", background=True, metadata=metadata)
        told = threading.Event()
        inbox.listen(run.id, lambda: (woken.append("the waiter"), told.set()))
        clock.advance(3600)
        statuses = [delivery.status for delivery in emulator.settle_webhooks()]
        told.wait(10)  # an ASGI receiver wakes after its answer
    return statuses, woken


def example(word: str) -> dict[str, Any]:
    """The names that the block of `docs/webhooks.md` with this word in it defines."""
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")
    (block,) = (block for block in re.findall(r"```py\n(.*?)```", page, re.DOTALL) if word in block)
    names: dict[str, Any] = {"__name__": "example"}
    exec(block, names)
    return names
