"""Compares what a source names (the installed SDK, an OpenAPI document) with what the catalog knows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from .._catalog.catalog import Catalog
from .._catalog.rows import FAILURE_CODE, HOME, STATUS, Surface
from ._left_out import FIELDS, OBJECTS, READ
from ._shape import Shape, Vocabulary, find

Kind = Literal["value", "field", "lost", "surface"]
FILE = "src/runoutcome/data/catalog.json"
_FAILING = frozenset({"failed", "error", "errored", "incomplete", "expired", "cancelled", "canceled"})
_FAILURE_WORDS = frozenset({"error", "errors", "failure", "failures", "failed", "incomplete", "reason"})


@dataclass(frozen=True)
class Finding:
    """Something a source names and the catalog does not know, or the other way round."""

    surface: str
    field: str | None
    value: str | None
    kind: Kind
    """`value`: no row for it. `field`: nothing reads it. `lost`: the catalog looks there in vain. `surface`: bodies
    that may fail and that no surface covers."""
    message: str
    fix: str

    def to_dict(self) -> dict[str, str | None]:
        """The JSON form."""
        return asdict(self)


def drift(catalog: Catalog, vocabulary: Vocabulary) -> list[Finding]:
    """What of `vocabulary` the catalog does not know; nothing if it knows all."""
    found: list[Finding] = []
    source = vocabulary.source
    for name, path in vocabulary.lost.items():
        message = f"{source} has no {path} any more"
        found.append(Finding(name, None, path, "lost", message, f"{FILE}: name its new place as sdk_model of {name}"))
    for name, body in vocabulary.bodies.items():
        surface = catalog.surfaces[name]
        found += _of_object(surface, body, source)
        found += [one for path in _paths(surface) for one in _of_values(catalog, surface, path, body, source)]
        found += _of_fields(surface, body, source)
    found += _of_surfaces(catalog, vocabulary)
    return found


def _paths(surface: Surface) -> list[str]:
    """The fields whose values decide."""
    return list(dict.fromkeys((surface.status_field, *surface.decided_by.values())))


def _of_object(surface: Surface, body: Shape, source: str) -> Iterator[Finding]:
    shape = find(body, "object")
    for text in sorted(shape.texts() - {surface.object, *surface.aliases} if shape else ()):
        message = f"in {source} its bodies call themselves {text!r}, by which they are not found"
        fix = f"{FILE}: add {text!r} to the aliases of {surface.name}"
        yield Finding(surface.name, "object", text, "value", message, fix)


def _of_values(catalog: Catalog, surface: Surface, path: str, body: Shape, source: str) -> Iterator[Finding]:
    shape = find(body, path)
    if shape is None:
        message = f"{source} has no such field any more: its values are not watched"
        fix = f"{FILE}: look up where {surface.name} has it now"
        yield Finding(surface.name, path, None, "lost", message, fix)
        return
    for value in sorted(shape.texts()):
        missing = _missing(catalog, surface, path, value)
        if missing:
            message = f"{source} names it, and the catalog does not know it"
            yield Finding(surface.name, path, value, "value", message, f"{FILE}: {missing}")


def _missing(catalog: Catalog, surface: Surface, path: str, value: str) -> str | None:
    """What to add for a value; None for one that is known."""
    row = f"add an entry for {surface.name} {path} = {value!r}"
    if path == surface.status_field:
        has_row = catalog.entry(surface.name, STATUS, "literal", value)
        listed = value in surface.pending | surface.terminal
        todo = [*([] if has_row else [row]), *([] if listed else ["list it as pending or terminal of the surface"])]
        return " and ".join(todo) or None
    entry = catalog.entry(surface.name, path, "literal", value)
    if entry is None and path == surface.code_field:
        entry = catalog.entry(HOME, FAILURE_CODE, "literal", value)
    return None if entry else row


def _of_fields(surface: Surface, body: Shape, source: str) -> Iterator[Finding]:
    """Fields that speak of a failure and that nothing reads: of the body, and of the objects on the way to a value."""
    read = {surface.status_field, surface.failure_field, *(f"{surface.failure_field}.{name}" for name in READ)}
    read |= set(surface.decided_by.values())
    parents = {path[:at] for path in read for at, letter in enumerate(path) if letter == "."}
    named = [name for name in body.fields() if _says_failure(name)]
    for parent in sorted(parents):
        shape = find(body, parent)
        named += [f"{parent}.{name}" for name in (shape.fields() if shape else ())]
    for path in named:
        if path not in read | parents | FIELDS.keys():
            message = f"{source} has it, and nothing reads it"
            fix = "read it in src/runoutcome/_body.py, or list it in contract/_left_out.py with the reason"
            yield Finding(surface.name, path, None, "field", message, fix)


def _says_failure(name: str) -> bool:
    is_time = name.endswith("_at")
    return name == "status_details" or not (is_time or _FAILURE_WORDS.isdisjoint(name.split("_")))


def _of_surfaces(catalog: Catalog, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Bodies with a name and a status that may be bad; what has no name is an item inside another body."""
    known = {name for surface in catalog.surfaces.values() for name in (surface.object, *surface.aliases)}
    told = {*known, *OBJECTS}
    for path, shape in vocabulary.others.items():
        name, status = find(shape, "object"), find(shape, STATUS)
        bad = sorted(status.texts() & _FAILING) if status else []
        for called in sorted(name.texts() - told) if name and bad else ():
            told.add(called)
            message = f"{path} of {vocabulary.source} may be {', '.join(bad)}, and no surface covers it"
            fix = f"{FILE}: add a surface, or list {called!r} in contract/_left_out.py with the reason"
            yield Finding(called, STATUS, None, "surface", message, fix)
