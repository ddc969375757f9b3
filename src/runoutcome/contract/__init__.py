"""The catalog's promise to its users: versions compared, other forms, pages, and a check against the SDK's types.

The core imports nothing of this. Four groups of modules:

- two versions compared: `_diff`, its values in `_change`, the released versions in `_published`
- the SDK or an OpenAPI document compared with the catalog: `_drift`, with types read by `_models` and `_openapi`;
  `_overlay_check` says whether the overlays fit the document
- other forms: `_exports`, with `_openapi_overlay` and `_typescript`
- pages for people: `_pages`, in the words of `_meaning`, with outcomes from `_sample`, at the addresses of `_address`
"""

from inspect import isfunction

from ._change import Change, Diff, Severity, bump_between, raised, version_of
from ._diff import diff
from ._drift import Finding, Shape, Vocabulary, drift
from ._published import (
    CURRENT,
    ContractError,
    overlaid_document,
    read_catalog,
    released_between,
    released_versions,
    version_before,
)

__all__ = [
    "CURRENT",
    "Change",
    "ContractError",
    "Diff",
    "Finding",
    "Severity",
    "Shape",
    "Vocabulary",
    "bump_between",
    "diff",
    "drift",
    "overlaid_document",
    "raised",
    "read_catalog",
    "released_between",
    "released_versions",
    "version_before",
    "version_of",
]

for _name in __all__:
    if isfunction(_value := globals()[_name]):
        _value.__module__ = __name__  # its address in pickles and in `help()`
