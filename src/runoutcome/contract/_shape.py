"""What a type says about a value, whether it is written as Python annotations or as a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Shape(Protocol):
    """The type of one value; of the items, where the value is a list."""

    def texts(self) -> frozenset[str]:
        """The literal texts it may be; none where any text will do."""
        ...

    def fields(self) -> Mapping[str, Shape]:
        """The fields it may have, in any of its variants."""
        ...


@dataclass(frozen=True)
class Vocabulary:
    """What one source, a release of the SDK or an OpenAPI document, names."""

    source: str
    """How to call it, such as `openai 3.54.0`."""
    bodies: Mapping[str, Shape]
    """Surface -> the type of its bodies."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Surface -> the name under which the source should have its type, and has none."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Surface -> why nothing can be said about it, and nothing has to be."""
    others: Mapping[str, Shape] = field(default_factory=dict)
    """Every type of the source by name, to find what no surface covers."""


def find(shape: Shape | None, path: str) -> Shape | None:
    """The type at the end of a dotted path; None where the path leaves what the type names."""
    for name in path.split("."):
        shape = shape.fields().get(name) if shape else None
    return shape
