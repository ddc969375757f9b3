"""What the catalog promises its users, and what it takes for granted about the SDK: both can be checked.

`diff` compares two versions of the catalog; `drift` compares the catalog with what a release of the SDK, or an OpenAPI
document, names. Nothing in the core knows of this.
"""

from ._change import Change, Diff, Severity, bump_between, raised, version_of
from ._diff import diff
from ._drift import Finding, drift
from ._published import (
    CURRENT,
    ContractError,
    read_catalog,
    released_between,
    released_versions,
    version_before,
)
from ._shape import Shape, Vocabulary

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
    "raised",
    "read_catalog",
    "released_between",
    "released_versions",
    "version_before",
    "version_of",
]
