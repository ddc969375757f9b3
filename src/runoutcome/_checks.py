"""Argument checks: errors that name the argument, raised before anything is sent or paid for.

Each check is told what is `expected`, in a sentence that begins with the name. The message never quotes what is of
another type: it may be a response, with its prompt.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, NoReturn


def check_whole_number(value: object, expected: str, least: int = 0) -> None:
    """Raises TypeError for what is no whole number (True is none), and ValueError for one below `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        refuse_type(value, expected)
    if int(value) < least:
        raise ValueError(f"{expected}; got {value!r}")


def check_number(value: object, expected: str) -> None:
    """Raises TypeError for what is no number (True is none)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        refuse_type(value, expected)


def check_finite_number(value: object, expected: str, *, is_above: bool = False) -> None:
    """Raises TypeError for what is no number, and ValueError for NaN, infinity and one below 0, or 0 if `is_above`."""
    check_number(value, expected)
    number: Any = value
    if not (0 < number < math.inf or (number == 0 and not is_above)):
        raise ValueError(f"{expected}; got {value!r}")


def check_type(value: object, kind: type, expected: str) -> None:
    """Raises TypeError for what is no `kind`."""
    if not isinstance(value, kind):
        refuse_type(value, expected)


def check_functions(**functions: object) -> None:
    """Raises TypeError for what can neither be called nor is None."""
    for name, function in functions.items():
        if function is not None and not callable(function):
            refuse_type(function, f"{name} is a function, or None")


def refuse_type(value: object, expected: str) -> NoReturn:
    """Raises the TypeError of an argument of another type."""
    raise TypeError(f"{expected}; got {type(value).__name__}")
