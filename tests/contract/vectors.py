"""The committed conformance vectors, and how one is compared with an outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runoutcome import Catalog, classify

ROOT = Path(__file__).parents[2]
PATH = ROOT / "conformance" / "vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text("utf-8"))
_LEFT_OUT = ("catalog_version", "overlay")


def outcome_of(vector: dict[str, Any], body: Any, catalog: Catalog | None = None) -> dict[str, Any]:
    """The outcome of `body`, carried as it is given, in the form that a vector has it."""
    fields = classify(body, surface=vector.get("surface"), catalog=catalog).to_dict()
    return {name: value for name, value in fields.items() if name not in _LEFT_OUT}


def agree(expected: Any, found: Any) -> bool:
    """Whether two outcomes are equal by the vectors' rules: by value and kind, a wait within a microsecond."""
    wished, given = expected["retry_after"], found.get("retry_after")
    if isinstance(wished, float) and isinstance(given, float) and abs(wished - given) <= 1e-6:
        found = {**found, "retry_after": wished}
    return _text(expected) == _text(found)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # True is not 1 here, as it is in Python
