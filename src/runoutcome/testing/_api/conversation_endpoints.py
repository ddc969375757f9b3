"""Endpoints of conversations: each reads a request, looks the conversation up, and responds."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from .._errors import ApiError
from .._state.conversations import Conversations
from .._state.ledger import Effect, Ledger
from .._state.request import JsonObject, metadata_of
from .._state.runs import Clock
from .create_request import check_items, parse_object
from .endpoints import Handled
from .item_pages import items_page, page_of
from .parameters import check_metadata, check_type


class ConversationEndpoints:
    """One method per endpoint. Each raises ApiError where the API refuses. Scenarios have no effect on them."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._conversations = Conversations()

    async def create(self, request: Request) -> Handled:
        """Create a conversation."""
        body = _parsed(await request.body())
        conversation = self._conversations.create(metadata_of(body), body.get("items") or (), self._clock.now())
        return _answer(conversation.body())

    async def retrieve(self, request: Request) -> Handled:
        """Retrieve a conversation."""
        return _answer(self._conversations.find(_id_in(request)).body())

    async def update(self, request: Request) -> Handled:
        """Replace the metadata of a conversation."""
        body = _parsed(await request.body())
        return _answer(self._conversations.update(_id_in(request), metadata_of(body)).body())

    async def delete(self, request: Request) -> Handled:
        """Delete a conversation."""
        self._conversations.delete(_id_in(request))
        return _answer({"id": _id_in(request), "object": "conversation.deleted", "deleted": True})

    async def add_items(self, request: Request) -> Handled:
        """Put items into a conversation: the page of the new ones."""
        items = _parsed(await request.body()).get("items")
        check_type("items", items, (list,), optional=False)
        return _answer(page_of(self._conversations.add(_id_in(request), items or (), self._clock.now())[1]))

    async def list_items(self, request: Request) -> Handled:
        """List the items of a conversation: one page."""
        return _answer(items_page(self._items(request), request.query_params))

    async def retrieve_item(self, request: Request) -> Handled:
        """Retrieve an item of a conversation."""
        return _answer(self._item(request))

    async def delete_item(self, request: Request) -> Handled:
        """Delete an item of a conversation: the conversation afterwards."""
        return _answer(self._conversations.remove_item(_id_in(request), self._item(request)["id"]).body())

    def _items(self, request: Request) -> list[JsonObject]:
        return self._conversations.find(_id_in(request)).all_items(self._ledger.runs, self._clock.now())

    def _item(self, request: Request) -> JsonObject:
        item_id = request.path_params["item"]
        for item in self._items(request):
            if item["id"] == item_id:
                return item
        raise ApiError(404, f"Item with id '{item_id}' not found.")


def _id_in(request: Request) -> str:
    conversation_id: str = request.path_params["conversation"]
    return conversation_id


def _answer(body: JsonObject) -> Handled:
    return Effect(), JSONResponse(body)


def _parsed(raw: bytes) -> JsonObject:
    """The body of a request, `{}` without one. Raises ApiError (400) for wrong items or metadata."""
    body = parse_object(raw or b"{}")
    check_type("metadata", body.get("metadata"), (dict,))
    check_metadata(metadata_of(body))
    check_type("items", body.get("items"), (list,))
    check_items("items", body.get("items"), "type", "role", "id")
    return body
