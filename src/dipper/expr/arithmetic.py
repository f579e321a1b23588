"""What generated Python calls where one operator would not do: the reference arithmetic in words.

Arguments are never None unless the signature says so; a result of None is NULL. Generated code
inlines whatever a plain operator and a comparison can express (`dipper.expr.python_code`).
"""

from __future__ import annotations

import math
import re
import string
from typing import Any

from dipper.expr.types import INT_MAX, INT_MIN

DOUBLE_MAX = 1.7976931348623157e308

INT_PATTERN = "[+-]?[0-9]{1,30}"
DOUBLE_PATTERN = "[+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:[eE][+-]?[0-9]+)?"
BOOL_PATTERN = "[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]"
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_INT = re.compile(INT_PATTERN)
_DOUBLE = re.compile(DOUBLE_PATTERN)
_BOOL = re.compile(BOOL_PATTERN)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def divide_int(a: int, b: int) -> int | None:
    """Quotient truncated toward zero; None for a zero divisor and beyond 64 bits."""
    if b == 0:
        return None
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient if quotient <= INT_MAX else None


def modulo_int(a: int, b: int) -> int | None:
    """Remainder with the sign of `a`; None where `divide_int` is."""
    if b == 0 or (b == -1 and a == INT_MIN):
        return None
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


def truncate(x: float) -> float:
    """Without its fraction."""
    return math.modf(x)[1]


def round_half_away(x: float) -> float:
    """The nearest whole double, halves away from zero."""
    size = abs(x)
    whole = float(math.floor(size))
    if size - whole >= 0.5:
        whole += 1.0
    return math.copysign(whole, x)


def round_digits(x: float, scale: float) -> float:
    """`round(x * scale) / scale` where that is finite, else x; scale is 10 to the digits."""
    scaled = x * scale
    if not -DOUBLE_MAX <= scaled <= DOUBLE_MAX:
        return x
    return round_half_away(scaled) / scale


def floor_double(x: float) -> float:
    """The next whole double below."""
    return float(math.floor(x))


def ceil_double(x: float) -> float:
    """The next whole double above."""
    return float(math.ceil(x))


def least(*values: Any) -> Any:
    """The least of the values that are not None, or None."""
    return min((v for v in values if v is not None), default=None)


def greatest(*values: Any) -> Any:
    """The greatest of the values that are not None, or None."""
    return max((v for v in values if v is not None), default=None)


def lower(text: str) -> str:
    """ASCII letters in lower case."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper(text: str) -> str:
    """ASCII letters in upper case."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def replace(text: str, old: str, new: str) -> str:
    """Each `old` replaced; an empty `old` changes nothing."""
    return text.replace(old, new) if old else text


def substr_from_end(text: str, start: int, length: int) -> str:
    """`length` code points from position `start` < 0, which may lie before the text."""
    begin = len(text) + start
    return text[max(begin, 0) : max(begin + length, 0)]


def double_to_int(x: float) -> int | None:
    """The nearest int, halves away from zero; None beyond 64 bits."""
    rounded = int(round_half_away(x))
    return rounded if INT_MIN <= rounded <= INT_MAX else None


def double_to_text(x: float) -> str:
    """The shortest digits that read back as x; zero has no sign."""
    return repr(x) if x else "0.0"


def text_to_int(text: str) -> int | None:
    """An optional sign and 1 to 30 ASCII digits, else None."""
    if not _INT.fullmatch(text):
        return None
    value = int(text)
    return value if INT_MIN <= value <= INT_MAX else None


def text_to_double(text: str) -> float | None:
    """A plain decimal number, else None."""
    if not _DOUBLE.fullmatch(text):
        return None
    value = float(text)
    return value if -DOUBLE_MAX <= value <= DOUBLE_MAX else None


def text_to_bool(text: str) -> bool | None:
    """`true` or `false` in any case, else None."""
    return len(text) == 4 if _BOOL.fullmatch(text) else None
