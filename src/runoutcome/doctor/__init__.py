"""Points at the known mistakes with background runs in somebody's source. Reads it only: nothing is run or imported."""

from ._check import check_paths, check_source
from ._findings import Finding
from ._rules import RULES, Rule
from ._source import SourceError

__all__ = ["RULES", "Finding", "Rule", "SourceError", "check_paths", "check_source"]
