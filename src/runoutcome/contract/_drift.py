"""Compares the vocabulary of the installed SDK, or of an OpenAPI document, with the catalog. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from .._catalog.catalog import Catalog
from .._catalog.rows import FAILURE_CODE, HOME, STATUS, Surface

Kind = Literal["value", "field", "lost", "surface", "overlay"]
FILE = "src/runoutcome/data/catalog.json"
_FAILING = frozenset({"failed", "error", "errored", "incomplete", "expired", "cancelled", "canceled"})
_FAILURE_WORDS = frozenset({"error", "errors", "failure", "failures", "failed", "incomplete", "reason"})

READ = frozenset(
    {"code", "message", "param", "type", "outcome"} | {"headers", "resets_in_seconds", "error", "detail", "metadata"}
)
"""The fields of an error object that `classify` reads, on any surface."""

FIELDS: Mapping[str, str] = {
    "error.misalignment": "explains one code, which has a row; a person finds the explanation in the body",
    "errors.object": "always `list`",
    "errors.data.line": "where in the input file the error is; a person finds it in the body",
    "status_details.type": "the status again",
    "error_file_id": "names the file of the failed requests; its lines are judged as `batch.output_row`",
}
"""Failure fields left out on purpose, by their path in the body, each with the reason."""

_AGENTS = "it holds turns, or what turns run in; each turn is a surface"
_PART = "a part of something that says itself how it ended"
_THING = "a thing, not a run: it does not end"

OBJECTS: Mapping[str, str] = {
    "agent.automation.invocation": _AGENTS,
    "agent.environment": _AGENTS,
    "agent.session": _AGENTS,
    "chatkit.session": _THING,
    "file": "the status is deprecated; an upload that fails is an HTTP error",
    "organization.invite": _THING,
    "realtime.item": _PART,
    "thread.message": _PART,
    "thread.run.step": _PART,
    "upload": "it fails by an HTTP error of its last request; cancelled and expired are the caller's doing",
    "vector_store": "it only expires; its files fail, and are surfaces",
}
"""Bodies left out on purpose, by their `object`, each with the reason: they may be "200 OK" without success."""


class Shape(Protocol):
    """The type of one value; of the items, where the value is a list. Read from annotations or from a JSON schema."""

    def texts(self) -> frozenset[str]:
        """Return the literal texts it may be; none where any text will do."""
        ...

    def fields(self) -> Mapping[str, "Shape"]:
        """Return the fields it may have, in any of its variants."""
        ...


Shape.__module__ = "runoutcome.contract"  # in the body it would be a member of the protocol


@dataclass(frozen=True)
class Vocabulary:
    """The types that one source names: a release of the SDK, or an OpenAPI document."""

    __module__ = "runoutcome.contract"

    source: str
    """Its name, such as `openai 3.54.0`."""
    bodies: Mapping[str, Shape]
    """Surface -> the type of its bodies."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Surface -> the name of the type that the source should have, and does not."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Surface -> the reason why it cannot be compared, and need not be."""
    others: Mapping[str, Shape] = field(default_factory=dict)
    """Every type of the source by name, to find bodies that no surface covers."""


@dataclass(frozen=True)
class Finding:
    """A word that a source has and the catalog does not know, or the other way round."""

    __module__ = "runoutcome.contract"

    surface: str
    field: str | None
    value: str | None
    kind: Kind
    """`value`: no row for it. `field`: nothing reads it. `lost`: the catalog looks there in vain. `surface`: bodies
    that may fail and that no surface covers. `overlay`: an OpenAPI overlay does not fit the document."""
    message: str
    fix: str

    def to_dict(self) -> dict[str, str | None]:
        """The JSON form."""
        return asdict(self)


def drift(catalog: Catalog, vocabulary: Vocabulary) -> list[Finding]:
    """Return the words of `vocabulary` that the catalog does not know; an empty list if it knows all."""
    source = vocabulary.source
    findings: list[Finding] = []
    for name, path in vocabulary.lost.items():
        fix = f"{FILE}: name its new place as sdk_model of {name}"
        findings.append(Finding(name, None, path, "lost", f"{source} has no {path} any more", fix))
    for name, body in vocabulary.bodies.items():
        surface = catalog.surfaces[name]
        findings += _object_findings(surface, body, source)
        for path in dict.fromkeys((surface.status_field, *surface.decided_by.values())):
            findings += _value_findings(catalog, surface, path, body, source)
        findings += _field_findings(surface, body, source)
    return [*findings, *_surface_findings(catalog, vocabulary)]


def find(shape: Shape | None, path: str) -> Shape | None:
    """Return the type at the end of a dotted path; None where the type has no such path."""
    for name in path.split("."):
        shape = shape.fields().get(name) if shape else None
    return shape


def _object_findings(surface: Surface, body: Shape, source: str) -> Iterator[Finding]:
    shape = find(body, "object")
    for text in sorted(shape.texts() - {surface.object, *surface.aliases} if shape else ()):
        message = f"in {source} its bodies call themselves {text!r}, by which they are not found"
        fix = f"{FILE}: add {text!r} to the aliases of {surface.name}"
        yield Finding(surface.name, "object", text, "value", message, fix)


def _value_findings(catalog: Catalog, surface: Surface, path: str, body: Shape, source: str) -> Iterator[Finding]:
    shape = find(body, path)
    if shape is None:
        message = f"{source} has no such field any more: its values are not watched"
        fix = f"{FILE}: look up where {surface.name} has it now"
        yield Finding(surface.name, path, None, "lost", message, fix)
        return
    for value in sorted(shape.texts()):
        if addition := _addition(catalog, surface, path, value):
            message = f"{source} names it, and the catalog does not know it"
            yield Finding(surface.name, path, value, "value", message, f"{FILE}: {addition}")


def _addition(catalog: Catalog, surface: Surface, path: str, value: str) -> str | None:
    """Return what to add to the catalog for a value; None for a known one."""
    row = f"add an entry for {surface.name} {path} = {value!r}"
    if path == surface.status_field:
        has_row = catalog.entry(surface.name, STATUS, "literal", value)
        is_listed = value in surface.pending | surface.terminal
        steps = [*([] if has_row else [row]), *([] if is_listed else ["list it as pending or terminal of the surface"])]
        return " and ".join(steps) or None
    entry = catalog.entry(surface.name, path, "literal", value)
    if entry is None and path == surface.code_field:
        entry = catalog.entry(HOME, FAILURE_CODE, "literal", value)
    return None if entry else row


def _field_findings(surface: Surface, body: Shape, source: str) -> Iterator[Finding]:
    """Find fields about a failure that nothing reads: of the body, and of the objects on the way to a value."""
    read = {surface.status_field, surface.failure_field, *(f"{surface.failure_field}.{name}" for name in READ)}
    read |= set(surface.decided_by.values())
    parents = {path[:at] for path in read for at, letter in enumerate(path) if letter == "."}
    named = [name for name in body.fields() if _names_failure(name)]
    for parent in sorted(parents):
        shape = find(body, parent)
        named += [f"{parent}.{name}" for name in (shape.fields() if shape else ())]
    for path in named:
        if path not in read | parents | FIELDS.keys():
            message = f"{source} has it, and nothing reads it"
            fix = "read it in src/runoutcome/_outcome/body.py, or list it in contract/_drift.py with the reason"
            yield Finding(surface.name, path, None, "field", message, fix)


def _names_failure(name: str) -> bool:
    is_time = name.endswith("_at")
    return name == "status_details" or not (is_time or _FAILURE_WORDS.isdisjoint(name.split("_")))


def _surface_findings(catalog: Catalog, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Find bodies with a name and a status that may be bad; a type without a name is an item inside another body."""
    covered = {name for surface in catalog.surfaces.values() for name in (surface.object, *surface.aliases)}
    covered |= OBJECTS.keys()
    for path, shape in vocabulary.others.items():
        name, status = find(shape, "object"), find(shape, STATUS)
        bad = sorted(status.texts() & _FAILING) if status else []
        for called in sorted(name.texts() - covered) if name and bad else ():
            covered.add(called)
            message = f"{path} of {vocabulary.source} may be {', '.join(bad)}, and no surface covers it"
            fix = f"{FILE}: add a surface, or list {called!r} in contract/_drift.py with the reason"
            yield Finding(called, STATUS, None, "surface", message, fix)
