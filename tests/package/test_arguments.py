"""Checks of arguments: what is refused, and in which words."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from runoutcome._checks import check_finite_number, check_functions, check_number, check_type, check_whole_number


@pytest.mark.parametrize("check", [check_whole_number, check_number, check_finite_number])
@pytest.mark.parametrize("value", [None, "2", b"2", True, [2], Decimal(2), 2j], ids=repr)
def test_what_is_no_number(check: Callable[[object, str], None], value: object) -> None:
    """The words of a caller are no numbers, and neither is a flag."""
    with pytest.raises(TypeError, match=f"^n is 0 or more; got {type(value).__name__}$"):
        check(value, "n is 0 or more")


@pytest.mark.parametrize("value", [2.0, math.nan, math.inf, Fraction(1, 2)], ids=repr)
def test_what_is_no_whole_number(value: object) -> None:
    """What is counted is no float, however round."""
    with pytest.raises(TypeError, match="n is 1 or more; got"):
        check_whole_number(value, "n is 1 or more")


@pytest.mark.parametrize("value", [-1, -0.5, math.nan, math.inf, -math.inf], ids=repr)
def test_what_is_no_finite_number(value: Any) -> None:
    """Below 0 is no length of time, and for ever has a word of its own."""
    with pytest.raises(ValueError, match="n is 0 or more; got"):
        check_finite_number(value, "n is 0 or more")


def test_bounds() -> None:
    """What is on a bound is within it, unless it is to be above."""
    check_whole_number(1, "n", least=1)
    check_finite_number(0, "n")
    check_finite_number(0.5, "n", is_above=True)
    check_number(math.nan, "n")
    with pytest.raises(ValueError, match="n; got 0"):
        check_whole_number(0, "n", least=1)
    with pytest.raises(ValueError, match="n; got 0"):
        check_finite_number(0, "n", is_above=True)


def test_functions() -> None:
    """None and what can be called are functions; of what is not, the first is named."""
    check_functions(on_update=None, on_fault=print)
    with pytest.raises(TypeError, match=r"^on_fault is a function, or None; got list$"):
        check_functions(on_update=None, on_fault=[])


def test_types() -> None:
    """Of what is of another type only the type is told."""
    check_type("x", str, "it is a text")
    with pytest.raises(TypeError, match=r"^it is a text; got int$"):
        check_type(5, str, "it is a text")
