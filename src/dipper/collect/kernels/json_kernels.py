"""JSON on bytes, compiled: find the end of a value, read an integer, a time, a date.

Strict where it matters: what these kernels accept is JSON, and everything unusual (other writings
of a number, escapes, letters outside ASCII and Chinese) is left to the complete judgement, which is
slower and knows it all. A body ends in zeros (`PAD`), so that no kernel looks beyond it.
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import inner, kernel

PAD = b"\0" * 16
FAULT = -1

QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = 123, 125, 91, 93
_DEPTH_MAX = 60
_DAY_US = 86_400_000_000
_ONE = np.uint64(1)
_PLAIN = np.array([c >= 32 and c not in (QUOTE, BACKSLASH) for c in range(256)])


@inner
def at(b, i):
    """The byte at i. Unsigned places are not counted from the end, so nothing is checked."""
    return b[np.uint64(i)]


@inner
def blank(b, i):
    """The place of the next byte that is no white space."""
    while at(b, i) == 32 or at(b, i) == 10 or at(b, i) == 13 or at(b, i) == 9:
        i += 1
    return i


@inner
def plain_end(b, i):
    """The place of the next quote, backslash or control character. Most of the time goes here."""
    j = np.uint64(i)  # an unsigned place is not checked for counting from the end
    while _PLAIN[b[j]]:
        j += _ONE
    return np.int64(j)


@inner
def string_end(b, i):
    """The place of the quote that ends the string whose first byte is at i, or FAULT.

    Checks escapes; a lone surrogate is a fault.
    """
    while True:
        i = plain_end(b, i)
        c = at(b, i)
        if c == QUOTE:
            return i
        if c != BACKSLASH:
            return FAULT
        c = at(b, i + 1)
        if c == 117:  # u
            code = hex4(b, i + 2)
            i += 6
            if code < 0 or 0xDC00 <= code < 0xE000:
                return FAULT
            if 0xD800 <= code < 0xDC00:
                if at(b, i) != BACKSLASH or at(b, i + 1) != 117:
                    return FAULT
                low = hex4(b, i + 2)
                if low < 0xDC00 or low >= 0xE000:
                    return FAULT
                i += 6
        elif (
            c == QUOTE
            or c == BACKSLASH
            or c == 47
            or c == 98
            or c == 102
            or c == 110
            or c == 114
            or c == 116
        ):
            i += 2
        else:
            return FAULT


@inner
def hex4(b, i):
    """The number in four hexadecimal digits, or -1."""
    code = 0
    for k in range(4):
        c = at(b, i + k)
        if 48 <= c <= 57:
            digit = c - 48
        elif 97 <= c <= 102:
            digit = c - 87
        elif 65 <= c <= 70:
            digit = c - 55
        else:
            return -1
        code = code * 16 + digit
    return code


@inner
def number_end(b, i):
    """The place behind the number at i, or FAULT."""
    if at(b, i) == 45:
        i += 1
    if at(b, i) == 48:
        i += 1
    elif 49 <= at(b, i) <= 57:
        while 48 <= at(b, i) <= 57:
            i += 1
    else:
        return FAULT
    if at(b, i) == 46:
        i += 1
        if not 48 <= at(b, i) <= 57:
            return FAULT
        while 48 <= at(b, i) <= 57:
            i += 1
    if at(b, i) == 101 or at(b, i) == 69:
        i += 1
        if at(b, i) == 43 or at(b, i) == 45:
            i += 1
        if not 48 <= at(b, i) <= 57:
            return FAULT
        while 48 <= at(b, i) <= 57:
            i += 1
    return i


@inner
def word_end(b, i):
    """The place behind true, false or null at i, or FAULT."""
    if at(b, i) == 116 and at(b, i + 1) == 114 and at(b, i + 2) == 117 and at(b, i + 3) == 101:
        return i + 4
    if at(b, i) == 110 and at(b, i + 1) == 117 and at(b, i + 2) == 108 and at(b, i + 3) == 108:
        return i + 4
    if (
        at(b, i) == 102
        and at(b, i + 1) == 97
        and at(b, i + 2) == 108
        and at(b, i + 3) == 115
        and at(b, i + 4) == 101
    ):
        return i + 5
    return FAULT


@inner
def simple_end(b, i):
    """The place behind the text, number or word at i, or FAULT."""
    c = at(b, i)
    if c == QUOTE:
        end = string_end(b, i + 1)
        return end + 1 if end >= 0 else FAULT
    if c == 45 or 48 <= c <= 57:
        return number_end(b, i)
    return word_end(b, i)


@kernel
def value_end(b, i):
    """The place behind the value at i, or FAULT. Nested deeper than 60 is a fault here."""
    c = at(b, i)
    if c != OPEN and c != OPEN_LIST:
        return simple_end(b, i)
    kinds = 0  # one bit a level: 1 is an object
    depth = 0
    while True:
        # A value begins at i.
        c = at(b, i)
        if c == OPEN or c == OPEN_LIST:
            depth += 1
            if depth > _DEPTH_MAX:
                return FAULT
            kinds = (kinds << 1) | (1 if c == OPEN else 0)
            i = blank(b, i + 1)
            if at(b, i) == (CLOSE if c == OPEN else CLOSE_LIST):
                i += 1
                depth -= 1
                kinds >>= 1
            else:
                if c == OPEN:
                    i = _member(b, i)
                    if i < 0:
                        return FAULT
                continue
        else:
            i = simple_end(b, i)
            if i < 0:
                return FAULT
        # A value has ended before i: close what ends with it, or go to the next one.
        while depth:
            i = blank(b, i)
            c = at(b, i)
            i += 1
            if c == COMMA:
                i = blank(b, i)
                if kinds & 1:
                    i = _member(b, i)
                    if i < 0:
                        return FAULT
                break
            if c != (CLOSE if kinds & 1 else CLOSE_LIST):
                return FAULT
            depth -= 1
            kinds >>= 1
        else:
            return i


@inner
def _member(b, i):
    """From the name of a member at i to its value, or FAULT."""
    if at(b, i) != QUOTE:
        return FAULT
    i = string_end(b, i + 1)
    if i < 0:
        return FAULT
    i = blank(b, i + 1)
    if at(b, i) != COLON:
        return FAULT
    return blank(b, i + 1)


@inner
def digits(b, i, count):
    """The number in so many digits at i, or -1."""
    number = 0
    for k in range(count):
        c = at(b, i + k)
        if not 48 <= c <= 57:
            return -1
        number = number * 10 + (c - 48)
    return number


@kernel
def day_number(b, i):
    """Days since 1970 of the date YYYY-MM-DD at i, or -1 for no date or one before 1970."""
    year, month, day = (
        digits(b, i, np.int64(4)),
        digits(b, i + 5, np.int64(2)),
        digits(b, i + 8, np.int64(2)),
    )
    if (
        year < 1970
        or month < 1
        or month > 12
        or day < 1
        or at(b, i + 4) != 45
        or at(b, i + 7) != 45
    ):
        return -1
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 30 + (month + month // 8) % 2
    if month == 2:
        last = 29 if is_leap else 28
    if day > last:
        return -1
    # Days of a year that begins in March, so that the leap day is its last.
    shifted = year - (1 if month <= 2 else 0)
    months = (month + 9) % 12
    in_year = (153 * months + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + in_year - 719_468


@kernel
def time_us(b, i, end):
    """µs since 1970 of the RFC 3339 time in at(b, i:end), or -1 for any other writing."""
    day = day_number(b, i)
    if day < 0 or end - i < 20 or (at(b, i + 10) != 84 and at(b, i + 10) != 32):
        return -1
    hour, minute, second = (
        digits(b, i + 11, np.int64(2)),
        digits(b, i + 14, np.int64(2)),
        digits(b, i + 17, np.int64(2)),
    )
    if at(b, i + 13) != COLON or at(b, i + 16) != COLON:
        return -1
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    found = day * _DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
    i += 19
    if at(b, i) == 46:
        i += 1
        scale = 100_000
        begin = i
        while 48 <= at(b, i) <= 57:
            found += (at(b, i) - 48) * scale
            scale //= 10
            i += 1
        if i == begin or i - begin > 6:
            return -1
    if at(b, i) == 90:
        return found if i + 1 == end else -1
    if (at(b, i) != 43 and at(b, i) != 45) or i + 6 != end or at(b, i + 3) != COLON:
        return -1
    hour, minute = digits(b, i + 1, np.int64(2)), digits(b, i + 4, np.int64(2))
    if hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return -1
    zone = (hour * 60 + minute) * 60_000_000
    found += -zone if at(b, i) == 43 else zone
    return found if found >= 0 else -1


def padded(body: bytes) -> np.ndarray:
    """The bytes of a body, followed by zeros."""
    return np.frombuffer(body + PAD, np.uint8)
