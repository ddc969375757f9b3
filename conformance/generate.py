"""Writes `vectors.json`: the vectors of every row, computed from the row, and the cases of `cases/`, as they stand.

    python conformance/generate.py [FILE]

Nothing here asks `classify` what it thinks: a vector says what has to come out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from row_vectors import BLANK, Vector, vector, vectors_of_rows

from runoutcome import Catalog

HERE = Path(__file__).parent
_OUTCOMES = "outcomes.json"


def vectors_of_cases(directory: Path) -> Iterator[Vector]:
    """The cases of every file in `directory`, with what the file says for all of its cases filled in."""
    shared: dict[str, Any] = _read(directory / _OUTCOMES)
    for path in sorted(directory.glob("*.json")):
        if path.name == _OUTCOMES:
            continue
        theme = _read(path)
        for case in theme["cases"]:
            body = case["body"]
            if "body" in theme and isinstance(body, dict):
                body = {**theme["body"], **body}
            outcome = {**theme.get("outcome", {}), **_written_out(case["outcome"], shared)}
            if unknown := outcome.keys() - BLANK.keys():
                raise ValueError(f"{path.name}: {case['name']}: an outcome has no field {sorted(unknown)}")
            yield vector(case["name"], case["about"], body, outcome, case.get("surface"))


def text_of(vectors: list[Vector]) -> str:
    """The vectors as JSON, a line for each part, so that a change of one shows as such."""
    parts = (",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in each.items()) for each in vectors)
    return "[\n" + ",\n".join("{" + part + "}" for part in parts) + "\n]\n"


def main(target: Path) -> None:
    """Write all vectors to `target`."""
    vectors = [*vectors_of_rows(Catalog.load()), *vectors_of_cases(HERE / "cases")]
    target.write_bytes(text_of(vectors).encode("ascii"))


def _written_out(outcome: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """The outcome without `like`: the fields of the shared one of that name, under its own."""
    base = _written_out(shared[outcome["like"]], shared) if "like" in outcome else {}
    return {**base, **{key: value for key, value in outcome.items() if key != "like"}}


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "vectors.json")
