"""Conversations of an emulator: their own items, and those of the runs in them. Kept in memory only."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .._errors import ApiError
from .input_items import listed_items, request_items
from .output import output_of
from .request import JsonObject
from .runs import EmulatedRun, ended_at, has_come, status_at


@dataclass(frozen=True)
class Conversation:
    """One conversation, and the items that a client has put into it, each with its time (Unix seconds)."""

    id: str
    created_at: float
    metadata: Mapping[str, str]
    items: tuple[tuple[float, JsonObject], ...] = ()
    removed: frozenset[str] = field(default=frozenset())

    def body(self) -> JsonObject:
        """The body as the API sends it."""
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": int(self.created_at),
            "metadata": dict(self.metadata),
        }

    def all_items(self, runs: Iterable[EmulatedRun], now: float) -> list[JsonObject]:
        """Its items at `now`, oldest first: its own, and input and output of each run in it that has ended."""
        own = [*self.items, *(item for run in runs if _is_in(run, self.id) for item in _items_of(run, now))]
        return [item for _, item in sorted(own, key=lambda pair: pair[0]) if item["id"] not in self.removed]


class Conversations:
    """Creates, changes and finds conversations. Called from the server's thread."""

    def __init__(self) -> None:
        self._by_id: dict[str, Conversation] = {}

    def create(self, metadata: Mapping[str, str], items: Iterable[JsonObject], now: float) -> Conversation:
        """A new conversation with these items."""
        conversation = Conversation(f"conv_{secrets.token_hex(24)}", now, metadata)
        self._by_id[conversation.id] = conversation
        return self.add(conversation.id, items, now)[0]

    def find(self, conversation_id: str) -> Conversation:
        """The conversation. Raises ApiError (404) for an unknown id."""
        if conversation := self._by_id.get(conversation_id):
            return conversation
        raise ApiError(404, f"Conversation with id '{conversation_id}' not found.")

    def add(
        self, conversation_id: str, items: Iterable[JsonObject], now: float
    ) -> tuple[Conversation, list[JsonObject]]:
        """Put items into it; returns it, and the items as they are listed. Raises ApiError (404) for an unknown id."""
        before = self.find(conversation_id)
        listed = listed_items(items, f"{conversation_id}/{len(before.items)}")
        own = (*before.items, *((now, item) for item in listed))
        return self._put(replace(before, items=own)), listed

    def update(self, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace its metadata. Raises ApiError (404) for an unknown id."""
        return self._put(replace(self.find(conversation_id), metadata=metadata))

    def remove_item(self, conversation_id: str, item_id: str) -> Conversation:
        """Take an item out of it. Raises ApiError (404) for an unknown id."""
        before = self.find(conversation_id)
        return self._put(replace(before, removed=before.removed | {item_id}))

    def delete(self, conversation_id: str) -> None:
        """Forget it; its runs stay. Raises ApiError (404) for an unknown id."""
        del self._by_id[self.find(conversation_id).id]

    def _put(self, conversation: Conversation) -> Conversation:
        self._by_id[conversation.id] = conversation
        return conversation


def _is_in(run: EmulatedRun, conversation_id: str) -> bool:
    conversation = run.request.get("conversation")
    named = conversation.get("id") if isinstance(conversation, dict) else conversation
    return named == conversation_id


def _items_of(run: EmulatedRun, now: float) -> Iterator[tuple[float, JsonObject]]:
    ended = ended_at(run)
    if ended is not None and has_come(ended, now):
        for item in (*listed_items(request_items(run.request), run.id), *output_of(run, status_at(run, now))):
            yield ended, item
