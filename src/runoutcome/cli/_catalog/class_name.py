"""`explain CLASS`: an exception class, how to catch it, and the values it is raised for. Loads the SDK."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ... import _sdk
from ..._catalog.catalog import Catalog
from ..._errors import bases, exceptions
from ...contract._address import value_of
from ...contract._meaning import Meaning
from ...contract._sample import outcome_of
from .explain_output import Pair

_OURS: dict[str, type[BaseException]] = {
    name: cls
    for module in (bases, exceptions)
    for name, cls in vars(module).items()
    if inspect.isclass(cls) and issubclass(cls, BaseException) and cls.__module__ == "runoutcome"
}
_MOST_VALUES = 20


@dataclass(frozen=True)
class ClassMeaning:
    """An exception class of this package, for a name that a user may have met."""

    asked: str
    cls: type[BaseException]
    values: tuple[str, ...]
    """Values of the catalog that it is raised for, with `retryable` where an identical new run may succeed."""

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.cls.__name__

    @property
    def text(self) -> str:
        """The first sentence of its documentation."""
        return (inspect.getdoc(self.cls) or "").partition("\n\n")[0].replace("\n", " ")

    @property
    def also(self) -> tuple[str, ...]:
        """Foreign classes by which it is caught, the nearest first."""
        return tuple(_public_name(base) for base in self.cls.__mro__[1:] if _is_foreign(base))

    def pairs(self) -> Iterator[Pair]:
        """Yield the facts with their labels."""
        yield "catch", f"except runoutcome.{self.name} as error:"
        yield "caught by", list(self.also)
        more = f"and {len(self.values) - _MOST_VALUES} more" if len(self.values) > _MOST_VALUES else ""
        yield "below it", [cls.__name__ for cls in _OURS.values() if self.cls in cls.__bases__]
        yield "raised for", [*self.values[:_MOST_VALUES], *([more] if more else [])]
        yield "more", "runoutcome explain VALUE" if self.values else f"python -m pydoc runoutcome.{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"exception": self.name, "text": self.text, "caught_by": list(self.also), "values": list(self.values)}


def classes_of(word: str, catalog: Catalog) -> Sequence[ClassMeaning]:
    """Return our classes that a class name stands for; none if it is no class, or one that no run is raised as.

    The name of an SDK's or a built-in class stands for the classes of this package that it catches first.
    """
    name = word.rpartition(".")[2]
    if name in _OURS:
        found = [_OURS[name]]
    else:
        foreign = getattr(_sdk, name, None) or getattr(builtins, name, None)
        found = [cls for cls in _OURS.values() if foreign in cls.__bases__]
    return [ClassMeaning(word, cls, tuple(_values(cls, catalog))) for cls in found]


def is_sdk_class(word: str) -> bool:
    """Return whether a word names an exception class of the SDK."""
    cls = getattr(_sdk, word.rpartition(".")[2], None)
    return inspect.isclass(cls) and issubclass(cls, Exception)


def nearest_classes(word: str) -> list[str]:
    """Return the class that a misspelt name of one means, in a list; none for a word that is not like a class."""
    name = word.rpartition(".")[2]
    known = [*_OURS, *(base.__name__ for cls in _OURS.values() for base in cls.__mro__ if _is_foreign(base))]
    return get_close_matches(name, known, n=1, cutoff=0.85) if name.endswith("ror") and name not in known else []


def _values(cls: type[BaseException], catalog: Catalog) -> Iterator[str]:
    seen: set[str] = set()
    for entry in catalog.entries:
        meaning = Meaning.of(outcome_of(catalog, entry), catalog)
        if meaning.exception == cls.__name__ and entry.match == "literal" and value_of(entry) not in seen:
            seen.add(value_of(entry))
            yield value_of(entry) + (" (retryable)" if meaning.outcome.retryable else "")


def _is_foreign(base: type) -> bool:
    package = base.__module__.partition(".")[0]
    return package == "openai" or base in (TimeoutError, ValueError)


def _public_name(base: type) -> str:
    return f"openai.{base.__name__}" if base.__module__ != "builtins" else base.__name__
