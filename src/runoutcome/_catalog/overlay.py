"""Reads an overlay, a user's own rows for the catalog, from a TOML or JSON file or a mapping. Strict, and precise.

What it amounts to on top of a catalog is `Catalog.extend`'s to say; the form is `data/overlay.schema.json`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from .document import OVERLAY, problems

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Source = str | os.PathLike[str] | Mapping[str, Any]
_MAX_TOLD = 8


class CatalogError(ValueError):
    """An overlay or catalog that cannot be used: names the file, the key, and what is allowed there."""

    __module__ = "runoutcome"


@dataclass(frozen=True)
class Overlay:
    """An overlay of the right form; whether its rows go with a catalog is not looked at yet."""

    name: str
    where: str
    """The file, or how else to call it in an error."""
    version: str | None = None
    entries: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    upstream_error_types: Mapping[str, Any] = field(default_factory=dict[str, Any])


def dialects() -> tuple[str, ...]:
    """The names of the overlays that are shipped, each for a server whose words differ."""
    names = (path.name for path in _dialect_directory().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def released_dialects(name: str) -> tuple[str, ...]:
    """The released versions of a shipped dialect, as `azure@1.0.0`, the oldest first; empty for any other name."""
    paths = (path.name.removesuffix(".toml").rpartition("-") for path in _released_directory().iterdir())
    versions = [version for dialect, _, version in paths if dialect == name]
    return tuple(f"{name}@{version}" for version in sorted(versions, key=lambda text: [*map(int, text.split("."))]))


def read_overlay(source: Source) -> Overlay:
    """The overlay of a file (`.toml` or `.json`), of a mapping, or the shipped one of this name.

    A shipped one can be named with a released version, as `azure@1.0.0`.

    Raises CatalogError for what cannot be read or does not have the form of an overlay.
    """
    if isinstance(source, Mapping):
        document, where, name = _plain(source), "the overlay", "overlay"
    else:
        document, where, name = _read(source)
    wrong = problems(document, OVERLAY) or list(_contradictions(document))
    if wrong:
        raise broken(where, wrong)
    return Overlay(
        name=document.get("name", name),
        where=where,
        version=document.get("version"),
        entries=tuple(document.get("entries", ())),
        rules=tuple(document.get("rules", ())),
        upstream_error_types=document.get("upstream_error_types", {}),
    )


def broken(where: str, wrong: list[str]) -> CatalogError:
    """The error that lists what is wrong, a line each."""
    lines = [*wrong[:_MAX_TOLD], *([f"and {len(wrong) - _MAX_TOLD} more"] if len(wrong) > _MAX_TOLD else [])]
    return CatalogError("\n".join(f"{where}: {line}" for line in lines))


def _read(source: str | os.PathLike[str]) -> tuple[Any, str, str]:
    where = os.fspath(source)
    dialect, _, version = where.partition("@")
    if where in dialects():
        return tomllib.loads(_dialect_directory().joinpath(f"{where}.toml").read_text("utf-8")), where, where
    if where in (released := released_dialects(dialect)):
        text = _released_directory().joinpath(f"{dialect}-{version}.toml").read_text("utf-8")
        return tomllib.loads(text), where, dialect
    if version and released:
        raise CatalogError(f"{where}: not one of the released {', '.join(released)}")
    path = Path(where)
    if path.suffix not in (".toml", ".json"):
        raise CatalogError(f"{where}: not one of {', '.join(dialects())}, and no .toml or .json file")
    try:
        text = path.read_text("utf-8-sig")
        return (tomllib.loads if path.suffix == ".toml" else json.loads)(text), where, path.stem
    except OSError as error:
        raise CatalogError(f"{where}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # of TOML, JSON and UTF-8
        raise CatalogError(f"{where}: is not {path.suffix[1:].upper()}: {error}") from None


def _contradictions(document: Any) -> Iterator[str]:
    """Problems of a document of the right form that its schema cannot express."""
    for number, rule in enumerate(document.get("rules", ())):
        try:
            re.compile(rule["pattern"])
        except re.error as error:
            yield f"rules[{number}].pattern: is no regular expression: {error}"
    for number, entry in enumerate(document.get("entries", ())):
        if ("value" in entry) is (entry.get("match") == "null"):
            yield f'entries[{number}]: needs either a value, or match = "null" for a field that is null or missing'
        if "phase" in entry and entry.get("field") != "status":
            yield f'entries[{number}].phase: goes with field = "status" only'


def _plain(value: Any) -> Any:
    """Mappings of any type as dicts, sequences as lists: what a file would have given."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _dialect_directory() -> Any:
    return files("runoutcome").joinpath("data/dialects")


def _released_directory() -> Any:
    return files("runoutcome").joinpath("data/released/dialects")
