"""The published table: `data/catalog.json`, loaded into frozen values, and extended by users' own rows.

Which row applies is decided in `_lookup`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from .extend import Extension
from .overlay import Source, read_overlay
from .rows import Alternative, Deprecation, Entry, ErrorType, Match, Rule, Surface, TypeRow

CATALOG_VERSION = "1.2.0"


@dataclass(frozen=True)
class Catalog:
    """The rows and rules by which outcomes are decided. Frozen; `Catalog.load()` gives the shipped one."""

    __module__ = "runoutcome"

    version: str
    surfaces: Mapping[str, Surface]
    entries: tuple[Entry, ...]
    rules: tuple[Rule, ...]
    error_types: Mapping[str, TypeRow]
    http_statuses: Mapping[int, ErrorType]
    retryable_statuses: frozenset[int]
    upstream_error_types: Mapping[str, ErrorType]
    overlays: tuple[str, ...] = ()
    """The names of the overlays on top of the published catalog, in the order they came."""
    type_overlays: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Which overlay brought a word for `error.type`."""
    _index: Mapping[tuple[str, str, Match, str | None], Entry] = field(init=False, repr=False, compare=False)
    _objects: Mapping[str, Surface] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {(entry.surface, entry.field, entry.match, entry.value): entry for entry in self.entries}
        object.__setattr__(self, "_index", index)
        names = {name: each for each in self.surfaces.values() for name in (each.object, *each.aliases) if name}
        object.__setattr__(self, "_objects", names)

    @classmethod
    def load(cls) -> "Catalog":
        """The catalog shipped with this release; read from disk once."""
        return _shipped()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Catalog":
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

    def extend(self, source: Source) -> "Catalog":
        """This catalog with an overlay on top: rows it does not have, and other decisions about rows it has.

        `source` is a `.toml` or `.json` file, a mapping of the same keys, or the name of a shipped dialect
        (`"azure"`, `"litellm"`, `"ogx"`, `"openrouter"`, `"vllm"`, `"xai"`), also of a released version
        (`"azure@1.0.0"`). Extend again for more; the last one wins.
        Outcomes name the overlay that decided. Raises CatalogError (a ValueError) for what is no overlay, with the
        file, the key and what is allowed there.
        """
        overlay = read_overlay(source)
        added = Extension(overlay, self.surfaces, self.error_types, self.version)
        entries = added.entries(self.entry)
        mine = {(entry.surface, entry.field, entry.match, entry.value): entry for entry in entries}
        rules = added.rules()
        ids = {rule.id for rule in rules}
        return replace(
            self,
            surfaces=added.surfaces_with_statuses(),
            entries=(*({**self._index, **mine}).values(),),
            rules=(*rules, *(rule for rule in self.rules if rule.id not in ids)),
            upstream_error_types={**self.upstream_error_types, **overlay.upstream_error_types},
            type_overlays={**self.type_overlays, **dict.fromkeys(overlay.upstream_error_types, overlay.name)},
            overlays=(*self.overlays, overlay.name),
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
    values: dict[str, Any] = {**row, "aliases": tuple(row.get("aliases", ()))}
    for key in ("pending", "terminal", "completed"):
        if key in values:
            values[key] = frozenset(values[key])
    return Surface(name=name, **values)


def _entry(row: Mapping[str, Any]) -> Entry:
    values = dict(row)
    values["alternatives"] = tuple(Alternative(**alternative) for alternative in row["alternatives"])
    values["evidence"] = tuple(row["evidence"])
    values["deprecated"] = Deprecation(**row["deprecated"]) if row.get("deprecated") else None
    return Entry(**values)


def _rule(row: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = {**row, "evidence": tuple(row["evidence"]), "words": tuple(row.get("words", ()))}
    return Rule(**values)
