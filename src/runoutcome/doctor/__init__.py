"""Finds known mistakes with background runs in a source. Only reads it: nothing is run or imported."""

from inspect import isfunction

from ._check import Finding, SourceError, check_paths, check_source
from ._rules import RULES, Rule

__all__ = ["RULES", "Finding", "Rule", "SourceError", "check_paths", "check_source"]

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`
