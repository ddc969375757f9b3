"""An address in pickles of 0.1.0 before its rebuilding; what it names lives elsewhere now."""

from ._runs.options import Auto as Auto
