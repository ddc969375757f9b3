"""Flask: an endpoint that hands each webhook to an inbox."""

from __future__ import annotations

import pytest
from flask import Flask, request
from receivers import FAULTS, PATH, SECRET, answers_to, example, serving_wsgi

from runoutcome.webhooks import Inbox, WebhookError

PACKAGE = "flask"
WITH = ("werkzeug",)


@pytest.mark.parametrize("headers", ["headers", "environ"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_endpoint_receives(fault: str, headers: str) -> None:
    """`inbox.receive(request.get_data(), request.headers)` takes webhooks in, also with `request.environ`."""
    inbox, app = Inbox(SECRET), Flask(__name__)

    @app.post(PATH)
    def webhook() -> tuple[str, int]:
        try:
            receipt = inbox.receive(request.get_data(), getattr(request, headers))
        except WebhookError as error:
            return str(error), 400
        return "", 204 if receipt.is_new else 200

    with serving_wsgi(app) as base:
        assert answers_to(base + PATH, fault, inbox) == (FAULTS[fault], ["the waiter"])


def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `docs/webhooks.md` shows takes webhooks in, and refuses what is none."""
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    shown = example("import Flask")
    with serving_wsgi(shown["app"]) as base:
        assert answers_to(base + PATH, "wrong-secret", shown["inbox"]) == ([400, 204], ["the waiter"])
