"""Reads catalogs: the released versions that come with the package, the shipped one, and files."""

import json
import re
from importlib.resources import files
from pathlib import Path

from .._catalog.catalog import CATALOG_VERSION
from .._catalog.document import CATALOG, problems
from ._change import version_of
from ._diff import Document

CURRENT = "current"
_DATA = files("runoutcome").joinpath("data")
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

    Raises ContractError.
    """
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
    faults = problems(document, CATALOG)
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ContractError(f"{name} is no catalog: {faults[0]}{more}")
    return document


def _choices() -> str:
    return f"one of {', '.join(released_versions())}, the word {CURRENT}, or the path of a catalog in JSON"


def _parsed(content: bytes, name: str) -> Document:
    try:
        document: Document = json.loads(content)
    except RecursionError:
        raise ContractError(f"{name} is nested too deeply for a catalog") from None
    except ValueError as error:
        raise ContractError(f"{name} is not JSON: {error}") from None
    return document
