"""Reading one table of a scenario file: each value is checked, each error says where it is and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeGuard, TypeVar, cast

from .._errors import unknown
from .fault import Fault, parse_fault
from .outcome_words import split_words
from .position import Place
from .script import Seconds

T = TypeVar("T")


class Table:
    """A table of a scenario and the place it stands at. Raises ScenarioError for a key that is not in `allowed`."""

    def __init__(self, value: object, place: Place, allowed: Sequence[str]) -> None:
        self.place = place
        if not isinstance(value, Mapping):
            raise place.wrong("", f"expected a table, got {value!r}")
        self._values = cast(Mapping[str, Any], value)
        for key in self._values:
            if key not in allowed:
                raise place.wrong(key, unknown("key", key, allowed))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def given(self, **readers: Callable[[str], Any]) -> dict[str, Any]:
        """The keys that are present, each read by its reader; the others keep their defaults."""
        return {key: read(key) for key, read in readers.items() if key in self._values}

    def fail(self, key: str, problem: object) -> NoReturn:
        """Raises ScenarioError for a key of this table."""
        raise self.place.error(key, problem) from None

    def raw(self, key: str) -> Any:
        """The value as it stands; a missing key is an error."""
        if key not in self._values:
            self.fail(key, "is missing")
        return self._values[key]

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self.raw(key)
        if not isinstance(value, str) or not value:
            self.fail(key, f"expected a string that is not empty, got {value!r}")
        return value

    def string(self, key: str) -> str:
        """A string."""
        value = self.raw(key)
        return value if isinstance(value, str) else self.text(key)

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.text(key)
        if value not in allowed:
            self.fail(key, unknown("word", value, allowed))
        return value

    def number(self, key: str) -> float:
        """A finite number, 0 or more."""
        value = self.raw(key)
        if not _is_number(value):
            self.fail(key, f"expected a number, 0 or more, got {value!r}")
        return value

    def seconds(self, key: str) -> Seconds:
        """A number, or the least and the most of a span: `[0.2, 1.0]`."""
        value = self.raw(key)
        if not isinstance(value, list):
            return self.number(key)
        span = cast("list[object]", value)
        if len(span) != 2 or not all(_is_number(end) for end in span):
            self.fail(key, f"expected a number, or the least and the most of a span, got {value!r}")
        least, most = cast("list[float]", span)
        if most < least:
            self.fail(key, f"expected a span that goes up, got {value!r}")
        return least, most

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        value = self.number(key)
        if value > 1:
            self.fail(key, f"expected a number from 0 to 1, got {value!r}")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"expected a whole number, got {value!r}")
        return value

    def positive(self, key: str) -> int:
        """A whole number, 1 or more."""
        value = self.integer(key)
        if value < 1:
            self.fail(key, f"expected 1 or more, got {value}")
        return value

    def code(self, key: str) -> str | int:
        """A code: a string, or a whole number as some gateways send."""
        value = self.raw(key)
        return self.text(key) if isinstance(value, str) else self.integer(key)

    def strings(self, key: str) -> Mapping[str, str]:
        """A table of strings."""
        value = self.raw(key)
        if not isinstance(value, Mapping) or not all(
            isinstance(text, str) for text in cast(Mapping[str, object], value).values()
        ):
            self.fail(key, f"expected a table of strings, got {value!r}")
        return dict(cast(Mapping[str, str], value))

    def json(self, key: str) -> Mapping[str, Any]:
        """A table, or the text of a JSON object, which can hold null."""
        value = self.raw(key)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                self.fail(key, f"is not JSON: {error}")
        if not isinstance(value, Mapping):
            self.fail(key, f"expected a table, or the text of a JSON object, got {value!r}")
        table = dict(cast(Mapping[str, Any], value))
        self._check_json(key, table)
        return table

    def any_json(self, key: str) -> Any:
        """Whatever JSON can say."""
        value = self.raw(key)
        self._check_json(key, value)
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Outcome words: a comma list."""
        try:
            return split_words(self.text(key))
        except ValueError as error:
            self.fail(key, error)

    def fault(self, key: str, *, of_streams: bool = False) -> Fault:
        """One fault: a word, a status or a table; `of_streams` allows those that only a stream can have."""
        return self._fault(key, self.raw(key), of_streams)

    def faults(self, key: str, *, of_streams: bool = False) -> tuple[Fault, ...]:
        """A list of faults."""
        return tuple(self._fault(key, value, of_streams) for value in self._list(key))

    def each(self, key: str, read: Callable[[object, Place], T]) -> tuple[T, ...]:
        """The tables of an array, each read at its own place."""
        return tuple(read(value, self.place.at(key, n)) for n, value in enumerate(self._list(key), 1))

    def _check_json(self, key: str, value: object) -> None:
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            self.fail(key, f"cannot be sent as JSON: {error}")

    def _fault(self, key: str, value: object, of_streams: bool) -> Fault:
        try:
            fault = parse_fault(value)
        except ValueError as error:
            self.fail(key, error)
        if fault.is_of_a_stream and not of_streams:
            self.fail(key, f"'{fault.word}' is for streams only")
        return fault

    def _list(self, key: str) -> list[object]:
        value = self.raw(key)
        if not isinstance(value, list):
            self.fail(key, f"expected a list, got {value!r}")
        return cast("list[object]", value)


def _is_number(value: object) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
