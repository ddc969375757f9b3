"""FastAPI: the route of an inbox, the mounted application, and an endpoint of one's own."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, HTTPException, Request, Response
from receivers import FAULTS, PATH, SECRET, answers_to, example, serving_asgi

from runoutcome.asgi import WebhookApp, webhook_route
from runoutcome.webhooks import Inbox, WebhookError

PACKAGE = "fastapi"
WITH = ("starlette", "uvicorn")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_route_serves_an_inbox(fault: str) -> None:
    """`webhook_route` among the routes of an app takes webhooks in, whatever goes wrong with them."""
    inbox, app = Inbox(SECRET), FastAPI()
    app.router.routes.append(webhook_route(PATH, inbox))
    with serving_asgi(app) as base:
        assert answers_to(base + PATH, fault, inbox) == (FAULTS[fault], ["the waiter"])


def test_a_mounted_application_serves_an_inbox() -> None:
    """`app.mount` with a `WebhookApp` takes webhooks in at a path with a slash at its end."""
    inbox, app = Inbox(SECRET), FastAPI()
    app.mount(PATH, WebhookApp(inbox))
    with serving_asgi(app) as base:
        assert answers_to(f"{base}{PATH}/", "ok", inbox) == ([204], ["the waiter"])


def test_the_route_is_not_in_the_schema() -> None:
    """The OpenAPI document of an app does not name the route."""
    app = FastAPI()
    app.router.routes.append(webhook_route(PATH, Inbox(SECRET)))
    assert app.openapi()["paths"] == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_endpoint_of_ones_own(fault: str) -> None:
    """An endpoint that hands the raw body and the headers to `inbox.receive` does the same."""
    inbox, app = Inbox(SECRET), FastAPI()

    @app.post(PATH)
    async def webhook(request: Request) -> Response:
        try:
            receipt = inbox.receive(await request.body(), request.headers)
        except WebhookError as error:
            raise HTTPException(400, str(error)) from error
        return Response(status_code=204 if receipt.is_new else 200)

    with serving_asgi(app) as base:
        assert answers_to(base + PATH, fault, inbox) == (FAULTS[fault], ["the waiter"])


def test_a_parsed_body_is_told_at_once() -> None:
    """An endpoint that hands on the body as FastAPI parsed it fails with an error that says what is wrong."""
    inbox, app = Inbox(SECRET), FastAPI()
    errors: list[str] = []

    @app.post(PATH)
    async def webhook(request: Request, body: Annotated[dict[str, Any], Body()]) -> Response:
        try:
            inbox.receive(body, request.headers)  # type: ignore[arg-type]
        except TypeError as error:
            errors.append(str(error))
            inbox.deliver(inbox.accept(await request.body(), request.headers).notice)
        return Response(status_code=204)

    with serving_asgi(app) as base:
        assert answers_to(base + PATH, "ok", inbox) == ([204], ["the waiter"])
    assert errors == ["pass the raw body, bytes or text, not the parsed one; got dict"]


def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `docs/webhooks.md` shows takes webhooks in."""
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    shown = example("import FastAPI")
    with serving_asgi(shown["app"]) as base:
        assert answers_to(base + PATH, "ok", shown["inbox"]) == ([204], ["the waiter"])
