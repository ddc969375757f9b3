"""The catalog of the commands: the published one, and on top of it the overlays that the environment names."""

from __future__ import annotations

import os

from ..._catalog.catalog import Catalog
from ..._catalog.overlay import CatalogError
from .._errors import UserError

VARIABLE = "RUNOUTCOME_CATALOG"


def catalog_in_use() -> Catalog:
    """Return the published catalog, extended by the files and dialects in RUNOUTCOME_CATALOG, the last one on top.

    Raises UserError for a name that is no overlay.
    """
    catalog = Catalog.load()
    for source in os.environ.get(VARIABLE, "").split(os.pathsep):
        if source.strip():
            try:
                catalog = catalog.extend(source.strip())
            except CatalogError as error:
                first, *more = str(error).splitlines()
                raise UserError(f"{VARIABLE}: {first}" + (f" ({len(more)} more)" if more else "")) from None
    return catalog


def overlaid(catalog: Catalog) -> str:
    """Return `, with the overlays azure, mine`; empty for the catalog as it is published."""
    names = catalog.overlays
    return f", with the overlay{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""
