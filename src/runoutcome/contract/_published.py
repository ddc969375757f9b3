"""Reads catalogs: the released versions that come with the package, the shipped one, and files."""

import json
import re
from importlib.resources import files
from pathlib import Path

from .._catalog.catalog import CATALOG_VERSION, Catalog
from .._catalog.document import CATALOG, problems
from .._catalog.overlay import CatalogError, dialects, read_overlay
from ._change import version_of
from ._diff import Document
from ._exports import dump

CURRENT = "current"
_DATA = files("runoutcome").joinpath("data")
_OVERLAY_KEYS = frozenset({"entries", "rules", "upstream_error_types"})
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", re.ASCII)


class ContractError(Exception):
    """Input for a comparison that cannot be read or is not a catalog; the message says what to do."""

    __module__ = "runoutcome.contract"


def released_versions() -> list[str]:
    """Return the versions that are kept beside the catalog, the oldest first."""
    names = [path.name for path in _DATA.joinpath("released").iterdir()]
    versions = [name.removeprefix("catalog-").removesuffix(".json") for name in names if name.endswith(".json")]
    return sorted(versions, key=version_of)


def released_between(old: str, new: str) -> list[Document]:
    """Return the released catalogs between two versions, without these two."""
    first, last = version_of(old), version_of(new)
    return [read_catalog(version) for version in released_versions() if first < version_of(version) < last]


def version_before(version: str) -> str | None:
    """Return the newest released version that is older than this one; None if this is the first."""
    older = [one for one in released_versions() if version_of(one) < version_of(version)]
    return older[-1] if older else None


def read_catalog(name: str) -> Document:
    """Return the catalog called `name`: a version, `current` for the shipped one, or the path of a JSON file.

    A shipped dialect (`azure`, `azure@1.0.0`) or the file of an overlay is the published catalog with it on top, in the
    version of the overlay. Raises ContractError.
    """
    if name.partition("@")[0] in dialects() or name.endswith(".toml"):
        return _overlaid(name)
    if name in released_versions():
        return _parsed(_DATA.joinpath(f"released/catalog-{name}.json").read_bytes(), name)
    if name in (CURRENT, CATALOG_VERSION):
        return _parsed(_DATA.joinpath("catalog.json").read_bytes(), name)
    if _VERSION.fullmatch(name):
        raise ContractError(f"there is no catalog {name}; give {_choices()}")
    try:
        document = _parsed(Path(name).read_bytes(), name)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ContractError(f"{name} cannot be read: {reason}; give {_choices()}") from None
    if isinstance(document, dict) and "catalog_version" not in document and _OVERLAY_KEYS & document.keys():
        return _overlaid(name)
    if isinstance(document, dict) and "overlays" in document:
        return _with_overlays(document, name)
    faults = problems(document, CATALOG)
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ContractError(f"{name} is no catalog: {faults[0]}{more}")
    return document


def _overlaid(name: str) -> Document:
    try:
        version = read_overlay(name).version
        catalog = Catalog.load().extend(name)
    except CatalogError as error:
        raise ContractError(str(error).partition("\n")[0]) from None
    if version is None:
        raise ContractError(f'{name} has no version to compare; give it version = "1.0.0"')
    return {**overlaid_document(catalog), "catalog_version": version}


def overlaid_document(catalog: Catalog) -> Document:
    """Return the document of a catalog with overlays, without the names of the overlays in its rows."""
    document = dump(catalog)
    rows = {key: [{**row, "overlay": None} for row in document[key]] for key in ("entries", "rules")}
    return {**document, **rows, "overlays": list(catalog.overlays)}


def _with_overlays(document: Document, name: str) -> Document:
    """Read what `runoutcome catalog --json` prints with overlays, whose texts may be longer than the schema allows."""
    try:
        return {**overlaid_document(Catalog.from_dict(document)), "overlays": document["overlays"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ContractError(f"{name} is no catalog: {type(error).__name__}: {error}") from None


def _choices() -> str:
    versions = ", ".join(released_versions())
    return f"one of {versions}, the word {CURRENT}, a dialect, or the path of a catalog in JSON or of an overlay"


def _parsed(content: bytes, name: str) -> Document:
    try:
        document: Document = json.loads(content)
    except RecursionError:
        raise ContractError(f"{name} is nested too deeply for a catalog") from None
    except ValueError as error:
        raise ContractError(f"{name} is not JSON: {error}") from None
    return document
