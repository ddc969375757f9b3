"""An address in pickles of 0.1.0 before its rebuilding; what it names lives elsewhere now."""

from ._catalog.rows import Alternative as Alternative, Deprecation as Deprecation, Entry as Entry, Rule as Rule
from ._outcome.outcome import Outcome as Outcome
