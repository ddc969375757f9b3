"""An address in pickles of 0.1.0 before its rebuilding; what it names lives elsewhere now."""

from ._catalog.rows import Surface as Surface, TypeRow as TypeRow
