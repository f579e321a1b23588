"""The reference arithmetic against exact rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from dipper.expr import arithmetic
from dipper.expr.types import INT_MAX, INT_MIN

INTS = st.integers(INT_MIN, INT_MAX) | st.sampled_from([INT_MIN, INT_MAX, -1, 0, 1, 7, -7])
DOUBLES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-99, 99).map(
    lambda n: n / 2
)


@given(INTS, INTS)
def test_division_truncates_and_the_remainder_completes_it(a: int, b: int) -> None:
    """quotient * b + remainder = a, the remainder has the sign of a; together NULL or not."""
    quotient, remainder = arithmetic.divide_int(a, b), arithmetic.modulo_int(a, b)
    if b == 0 or (a == INT_MIN and b == -1):
        assert quotient is None
        assert remainder is None
        return
    assert quotient == math.trunc(Fraction(a, b))
    assert remainder is not None
    assert quotient * b + remainder == a
    assert remainder == 0 or (remainder < 0) == (a < 0)


@given(DOUBLES)
def test_half_rounds_away_from_zero(x: float) -> None:
    """The exact value plus a half, cut off, with the sign put back."""
    exact = math.floor(abs(Fraction(x)) + Fraction(1, 2))
    assert arithmetic.round_half_away(x) == math.copysign(exact, x)


@given(DOUBLES)
def test_a_double_as_int_is_rounded_or_null(x: float) -> None:
    """In 64 bits or not at all."""
    exact = math.floor(abs(Fraction(x)) + Fraction(1, 2)) * (-1 if x < 0 else 1)
    expected = exact if INT_MIN <= exact <= INT_MAX else None
    assert arithmetic.double_to_int(x) == expected


@given(DOUBLES)
def test_the_text_of_a_double_reads_back(x: float) -> None:
    """Shortest digits lose nothing."""
    assert arithmetic.text_to_double(arithmetic.double_to_text(x)) == x


@given(DOUBLES, st.integers(0, 15))
def test_rounding_to_digits_stays_finite(x: float, digits: int) -> None:
    """Where the scaled value overflows, x stays; else the distance is at most half a digit."""
    scale = 10.0**digits
    rounded = arithmetic.round_digits(x, scale)
    assert math.isfinite(rounded)
    assert abs(rounded - x) <= 0.5000001 / scale + abs(x) * 1e-15
