"""What the API checks and reads in the query of a retrieve. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import QueryParams

from .._errors import ApiError
from .parameters import check_include, invalid

_BOOLEANS = ("true", "false")
_LONGEST = 15


@dataclass(frozen=True)
class PollQuery:
    """A retrieve: of the body, or of the events after the one numbered `starting_after` (-1: all)."""

    stream: bool = False
    starting_after: int = -1


def parse_poll(query: QueryParams) -> PollQuery:
    """The query of a retrieve. Raises ApiError (400) where the API would."""
    check_include([*query.getlist("include"), *query.getlist("include[]")])
    for name in ("stream", "include_obfuscation"):
        if query.get(name, "false") not in _BOOLEANS:
            message = f"Invalid type for '{name}': expected a boolean, but got '{query[name]}' instead."
            raise ApiError(400, message, param=name, code="invalid_type")
    stream = query.get("stream") == "true"
    after = query.get("starting_after")
    if after is None:
        return PollQuery(stream)
    if not stream:
        invalid("starting_after", "'starting_after' can only be used with 'stream' set to true.")
    if not (after.isascii() and after.isdigit() and len(after) <= _LONGEST):
        message = f"Invalid type for 'starting_after': expected an integer, 0 or more, but got '{after}' instead."
        raise ApiError(400, message, param="starting_after", code="invalid_type")
    return PollQuery(stream, int(after))
