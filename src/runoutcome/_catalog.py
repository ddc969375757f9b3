"""The published table: `data/catalog.json`, loaded into frozen values. Which row applies is decided in `_lookup`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ._model import Alternative, Entry, ErrorType, Match, Rule

CATALOG_VERSION = "1.0.0"


@dataclass(frozen=True)
class Surface:
    """One kind of object that says "200 OK" for a failure: where its status is, and what its statuses mean."""

    name: str
    object: str
    status_field: str
    pending: frozenset[str]
    terminal: frozenset[str]
    decided_by: Mapping[str, str]
    """Status -> the field whose value decides, for the statuses that need one."""


@dataclass(frozen=True)
class TypeRow:
    """What one `error_type` amounts to: an `openai` class name and the HTTP status that goes with it, or None."""

    error_class: str | None
    status_code: int | None


@dataclass(frozen=True)
class Catalog:
    """The rows and rules by which outcomes are decided. Frozen; `Catalog.load()` gives the shipped one."""

    version: str
    surfaces: Mapping[str, Surface]
    entries: tuple[Entry, ...]
    rules: tuple[Rule, ...]
    error_types: Mapping[str, TypeRow]
    http_statuses: Mapping[int, ErrorType]
    retryable_statuses: frozenset[int]
    upstream_error_types: Mapping[str, ErrorType]
    overlay: str | None = None
    _index: Mapping[tuple[str, str, Match, str | None], Entry] = field(init=False, repr=False, compare=False)
    _objects: Mapping[str, Surface] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {(entry.surface, entry.field, entry.match, entry.value): entry for entry in self.entries}
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_objects", {surface.object: surface for surface in self.surfaces.values()})

    @classmethod
    def load(cls) -> Catalog:
        """The catalog shipped with this release; read from disk once."""
        return _shipped()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Catalog:
        """A catalog from the plain form of `data/catalog.json`.

        Raises KeyError, TypeError or ValueError for data that does not have that form.
        """
        return cls(
            version=data["catalog_version"],
            surfaces={name: _surface(name, row) for name, row in data["surfaces"].items()},
            entries=tuple(_entry(row) for row in data["entries"]),
            rules=tuple(_rule(row) for row in data["rules"]),
            error_types={name: TypeRow(**row) for name, row in data["error_types"].items()},
            http_statuses={int(status): error_type for status, error_type in data["http_statuses"].items()},
            retryable_statuses=frozenset(data["retryable_statuses"]),
            upstream_error_types=dict(data["upstream_error_types"]),
        )

    def entry(self, surface: str, field: str, match: Match, value: str | None = None) -> Entry | None:
        """The row for exactly this surface, field and value; None where there is none."""
        return self._index.get((surface, field, match, value))

    def surface_of(self, object_name: object) -> Surface | None:
        """The surface whose bodies call themselves `object_name` (their `object` field)."""
        return self._objects.get(object_name) if isinstance(object_name, str) else None

    def rule(self, rule_id: str | None) -> Rule | None:
        """The rule of this id; None where there is none."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def find(self, value: str) -> tuple[Entry, ...]:
        """Every row for this literal code, reason or status, on any surface and field."""
        return tuple(entry for entry in self.entries if entry.match == "literal" and entry.value == value)


@lru_cache(maxsize=1)
def _shipped() -> Catalog:
    return Catalog.from_dict(json.loads(files("runoutcome").joinpath("data/catalog.json").read_text("utf-8")))


def _surface(name: str, row: Mapping[str, Any]) -> Surface:
    return Surface(
        name=name,
        object=row["object"],
        status_field=row["status_field"],
        pending=frozenset(row["pending"]),
        terminal=frozenset(row["terminal"]),
        decided_by=dict(row["decided_by"]),
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    values = dict(row)
    values["alternatives"] = tuple(Alternative(**alternative) for alternative in row["alternatives"])
    values["evidence"] = tuple(row["evidence"])
    return Entry(**values)


def _rule(row: Mapping[str, Any]) -> Rule:
    values = dict(row)
    values["evidence"] = tuple(row["evidence"])
    return Rule(**values)
