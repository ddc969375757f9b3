"""What the catalog promises its users, in every form, and what it takes for granted about the SDK.

Nothing in the core knows of this. Four groups of modules, of which none uses another, but for `_published`:

- two versions compared: `_diff`, by `_entries`, `_surfaces` and `_rows`; its values in `_change`; which versions there
  are in `_published`
- the SDK, or an OpenAPI document, compared with the catalog: `_drift`, by the shapes of `_models` and `_openapi`
  (`_shape`); what is left out on purpose in `_left_out`
- other forms: `_exports`, with `_csv`, `_openapi_overlay`, `_typescript`; `_dump` is the plain form
- pages for people: `_pages` and `_index`, in the words of `_phrases` and `_meaning`, with a body from `_sample`, at the
  places of `_address`, written with `_markdown`
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
