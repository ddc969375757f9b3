"""Pages of items. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._state.request import JsonObject
from .parameters import check_choice, refuse

_ORDERS = ("asc", "desc")
_DEFAULT_LIMIT, _MAX_LIMIT = 20, 100


def items_page(items: Sequence[JsonObject], query: Mapping[str, str]) -> JsonObject:
    """One page of the items, by `order` (default `desc`), `limit` (20) and `after`, an id. Raises ApiError (400)."""
    order, after = query.get("order", "desc"), query.get("after")
    check_choice("order", order, _ORDERS)
    limit = _limit_of(query.get("limit"))
    items = [*items] if order == "asc" else [*reversed(items)]
    ids = [item["id"] for item in items]
    if after is not None:
        if after not in ids:
            refuse("after", f"No input item with id '{after}'.")
        items = items[ids.index(after) + 1 :]
    return page_of(items[:limit], has_more=len(items) > limit)


def page_of(items: Sequence[JsonObject], *, has_more: bool = False) -> JsonObject:
    """A page with these items."""
    return {
        "object": "list",
        "data": [*items],
        "first_id": items[0]["id"] if items else "",
        "last_id": items[-1]["id"] if items else "",
        "has_more": has_more,
    }


def _limit_of(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= _MAX_LIMIT or len(text) > 4:
        refuse("limit", f"Invalid 'limit': expected 1 to {_MAX_LIMIT}, but got '{text}'.")
    return int(text)
