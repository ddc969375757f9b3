"""Checks that the OpenAPI overlays fit a document: each target is there once, and is not overwritten. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from .._catalog.catalog import Catalog
from ._drift import Finding
from ._openapi_overlay import Action, fields, meanings

_FILE = "src/runoutcome/contract/_openapi_overlay.py"
_STEP = re.compile(r"(?P<deep>\.\.)?\.?(?:\['(?P<quoted>[^']+)'\]|(?P<plain>[A-Za-z]+)|(?P<items>\[\*\]))")


def overlay_findings(catalog: Catalog, surfaces: Container[str], document: Any, source: str) -> list[Finding]:
    """Return where the two overlays do not fit `document`, for the surfaces whose schemas it has."""
    found: list[Finding] = []
    for surface in catalog.surfaces.values():
        if surface.name in surfaces:
            for actions in (*([action] for action in meanings(catalog, surface)), list(fields(surface))):
                found += _findings(surface.name, actions, document, source)
    return found


def selected(document: Any, target: str) -> list[Any]:
    """Return what a JSONPath of the overlays selects: names, `..` and `[*]`."""
    nodes = [document]
    for step in _STEP.finditer(target[1:]):
        places = [inner for node in nodes for inner in _within(node)] if step["deep"] else nodes
        if step["items"]:
            nodes = [item for place in places for item in _items(place)]
        else:
            name = step["quoted"] or step["plain"]
            nodes = [place[name] for place in places if isinstance(place, dict) and name in place]
    return nodes


def _findings(surface: str, actions: Sequence[Action], document: Any, source: str) -> Iterator[Finding]:
    """Yield the finding about actions of which one has to find its place, and that once."""
    if not actions:
        return
    target, added = actions[0]["target"], actions[0]["update"].keys()
    nodes = [node for action in actions for node in selected(document, action["target"])]
    if len(nodes) != 1:
        message = f"the overlay has one place for it in {source}, and finds {len(nodes)}"
    elif not isinstance(nodes[0], dict):
        message = f"in {source} this is no object that can be added to"
    elif taken := sorted(added & nodes[0].keys()):
        message = f"{source} has {', '.join(taken)} there already, and the overlay would change it"
    else:
        return
    yield Finding(surface, None, target, "overlay", message, f"{_FILE}: aim at its new place")


def _within(node: Any) -> Iterator[Any]:
    yield node
    for inner in _items(node):
        yield from _within(inner)


def _items(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
