"""The beginning of a run's body, up to its status: all that a poll needs to know of a run that is still going."""

from __future__ import annotations

import json
import re
from typing import Any

HEAD_BYTES = 4096
"""How far the status is looked for. The API writes it fourth, after the id, the object and the time of creation."""
_OPEN = re.compile(r"[ \t\n\r]*\{")
_NAME = re.compile(r'[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_COMMA = re.compile(r"[ \t\n\r]*,")
_decode = json.JSONDecoder().raw_decode


def read_head(content: bytes) -> dict[str, Any] | None:
    """The fields of a JSON object up to and with `status`; None if that takes reading all of it.

    What comes after them is not looked at, except that it ends as an object does: a cut body is no head.
    """
    if not content[-8:].rstrip().endswith(b"}"):
        return None
    text = content[:HEAD_BYTES].decode("utf-8", "ignore")
    place, head = _OPEN.match(text), dict[str, Any]()
    while place and (name := _NAME.match(text, place.end())):
        try:
            head[name[1]], end = _decode(text, name.end())
        except (ValueError, RecursionError):  # a value that goes beyond the head, or is no JSON
            return None
        if name[1] == "status":
            return head
        place = _COMMA.match(text, end)
    return None
