"""Static uses of the webhooks' public API. Checked by mypy and pyright, both strict; never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route
from typing_extensions import assert_type

from runoutcome import AsyncRuns, Runs
from runoutcome.asgi import WebhookApp, webhook_route
from runoutcome.webhooks import (
    Inbox,
    MemorySeenIds,
    Notice,
    Receipt,
    RedisNotices,
    SeenIds,
    WebhookError,
    WebhookSignatureError,
    verify,
)


async def forms_of_headers(
    request: Request, plain: dict[str, str], environ: dict[str, Any], message: Message, either: Mapping[str, str]
) -> None:
    """Headers are taken as each framework has them."""
    body = await request.body()
    assert_type(verify(body, request.headers, "whsec_..."), Notice)
    assert_type(verify(body.decode(), plain, ["new", "old"], tolerance_seconds=60, now=0.0), Notice)
    verify(body, environ, ("new", "old"))
    verify(body, message, "secret")
    verify(body, either, "secret")
    verify(body, request.scope["headers"], "secret")
    verify(body, [(b"webhook-id", b"1")], "secret")
    verify(body, list(plain.items()), "secret")
    verify(await request.json(), plain, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def notices(notice: Notice) -> None:
    """The fields of a notice."""
    assert_type(notice.webhook_id, str)
    assert_type(notice.event_id, str | None)
    assert_type(notice.type, str)
    assert_type(notice.status, str)
    assert_type(notice.data_id, str | None)
    assert_type(notice.response_id, str | None)
    assert_type(notice.created_at, int | None)
    assert_type(notice.is_run, bool)
    notice.type = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


class Store:
    """A store of ids by somebody else."""

    def add(self, webhook_id: str, now: float) -> bool:
        """Part of the protocol."""
        raise NotImplementedError

    def discard(self, webhook_id: str) -> None:
        """Part of the protocol."""


async def inboxes(body: bytes, headers: dict[str, str], client: OpenAI, async_client: AsyncOpenAI) -> None:
    """An inbox takes functions of both colours, and is what both `Runs` listen to."""

    async def act(notice: Notice) -> None:
        raise NotImplementedError

    stores: tuple[SeenIds, ...] = (Store(), MemorySeenIds(max_ids=5, max_age_seconds=60))
    inbox = Inbox("whsec_...", seen=stores[0], on_notice=act, tolerance_seconds=60, clock=lambda: 0.0)
    Inbox(["new", "old"], on_notice=print)
    assert_type(inbox.receive(body, headers), Receipt)
    receipt = inbox.accept(body, headers)
    assert_type(receipt.is_new, bool)
    assert_type(receipt.notice, Notice)
    inbox.deliver(receipt.notice)
    await inbox.deliver_async(receipt.notice)
    assert_type(inbox.listen("resp_1", lambda: None), Callable[[], None])
    Runs(client, notices=inbox)
    shared = RedisNotices("redis://localhost", namespace="mine", keep_seconds=60)
    Inbox("secret", seen=shared, on_notice=shared.publish)
    Runs(client, notices=shared)
    AsyncRuns(async_client, notices=inbox)


def applications(inbox: Inbox) -> Starlette:
    """What serves an inbox fits into Starlette."""
    assert_type(webhook_route("/webhooks", inbox, max_body_bytes=10_000), Route)
    return Starlette(routes=[webhook_route("/webhooks", inbox), Mount("/hooks", WebhookApp(inbox))])


def errors(refused: WebhookError, forged: WebhookSignatureError) -> None:
    """The errors are the SDK's and Python's."""
    builtin: ValueError = refused
    theirs: openai.InvalidWebhookSignatureError = forged
    del builtin, theirs
