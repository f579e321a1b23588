"""Writes the record of an event, compiled: checks each part as the plan says, byte for byte as
`canonical.encode_all` would write it.

Gives FAULT for whatever is not exactly as declared, and what was written of it is written over.
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import inner, kernel
from dipper.collect.kernels.json_kernels import (
    BACKSLASH,
    CLOSE,
    COLON,
    COMMA,
    FAULT,
    OPEN,
    QUOTE,
    at,
    blank,
    day_number,
    hex4,
    plain_end,
    value_end,
)
from dipper.collect.kernels.names import COLUMNS as COLUMN_NAMES
from dipper.collect.kernels.names import REWRITTEN, UNKNOWN, find
from dipper.collect.kernels.names import SUBJECTS as ROLE_NAMES

# Kinds of properties. OTHER is judged completely.
BOOL, INT, DOUBLE, TEXT, CHOICE, NUMBER, DATE, OTHER = range(8)
# A rule in the table: its slots and how many, the mask of required ones, its name and its default
# scenario as they are written, the scope of its properties' names, and 1 for a consent.
SLOTS, SLOT_COUNT, REQUIRED, EVENT_NAME, EVENT_NAME_END, SCENARIO, SCENARIO_END, SCOPE, CONSENT = (
    range(9)
)
RULE_WIDTH = 9
# A slot: what a property is, its name as it is written, the scope of its allowed texts.
KIND, KEY, KEY_END, CHOICES = range(4)
SLOT_WIDTH = 4
SEQ, SUBJECTS, COLUMN_FAULT = 9, 10, 11
"""In the scope of columns: the texts are 0 to 8, then `seq` and `subjects`; the rest closes the
lane."""
_U = np.uint64
_ID_MAX = 255
_CARD_DIGITS_MAX = 19
_SUSPECT_DIGITS = 12
ANY_DIGITS, SHORTEST_DIGITS = 15, 17
"""Significant digits up to which a double is as short as it can be: whoever wrote it, or where the
shortest writing is what came."""
_ZEROS_MAX = 4
"""So many zeros may stand behind the point before an exponent would be written."""


@inner
def put(out, o, source, start, end):
    """Copy bytes; the place behind them."""
    to, begin = _U(o), _U(start)
    for i in range(_U(end - start)):
        out[to + i] = source[begin + i]
    return o + (end - start)


@kernel
def put_int(out, o, number):
    """Write a number in decimal."""
    if number < 0:
        out[_U(o)] = 45
        o += 1
        number = -number
    count = 1
    rest = number // 10
    while rest:
        rest //= 10
        count += 1
    for k in range(count):
        out[_U(o + count - 1 - k)] = 48 + number % 10
        number //= 10
    return o + count


@inner
def is_plain_id(b, start, end):
    """Whether an id is stored as it is written: ASCII, no blank at its ends, 1 to 255 long."""
    if not 0 < end - start <= _ID_MAX or at(b, start) == 32 or at(b, end - 1) == 32:
        return False
    seen = np.uint8(0)
    for i in range(_U(start), _U(end)):
        seen |= b[i]
    return seen < 128


@kernel
def put_text(out, o, b, start, end):
    """Copy a text of ASCII and Chinese that holds nothing suspicious; FAULT otherwise.

    Suspicious is what `guard.secret_texts.SUSPECT` finds, except a bare number of card length.
    Chinese letters may be escaped, as Python's SDKs send them; they are written plain.
    """
    run = longest = plain_digits = 0
    was_gap = False
    begin, i = o, start
    while i < end:
        c = at(b, i)
        if 48 <= c <= 57:
            run += 1
            plain_digits += 1
            longest = max(longest, run)
            was_gap = False
        elif (c == 32 or c == 45) and run and not was_gap:
            was_gap = True
        else:
            run = 0
            was_gap = False
        if c < 128 and c != BACKSLASH:
            if c == 61 or c == COLON or c == OPEN or c == 91:
                return FAULT
            out[_U(o)] = c
            o += 1
            i += 1
            continue
        if c == BACKSLASH:
            code = hex4(b, i + 2) if at(b, i + 1) == 117 else -1
            i += 6
        else:
            code = ((c & 15) << 12) | ((at(b, i + 1) & 63) << 6) | (at(b, i + 2) & 63)
            if c >> 4 != 14 or at(b, i + 1) >> 6 != 2 or at(b, i + 2) >> 6 != 2 or i + 3 > end:
                return FAULT
            i += 3
        if not 0x4E00 <= code <= 0x9FFF:
            return FAULT
        out[_U(o)] = 224 | (code >> 12)
        out[_U(o + 1)] = 128 | ((code >> 6) & 63)
        out[_U(o + 2)] = 128 | (code & 63)
        o += 3
    length = o - begin
    if longest >= _SUSPECT_DIGITS and not (plain_digits == length <= _CARD_DIGITS_MAX):
        return FAULT
    return o


@kernel
def put_integer(out, o, b, start, end):
    """Copy an integer of at most 18 digits; FAULT for another writing."""
    i = start + 1 if at(b, start) == 45 else start
    if not 0 < end - i <= 18 or (at(b, i) == 48 and (end - i > 1 or i > start)):
        return FAULT
    for k in range(i, end):
        if not 48 <= at(b, k) <= 57:
            return FAULT
    return put(out, o, b, start, end)


@kernel
def put_double(out, o, b, start, end, digits_max):
    """Copy a number in the shortest writing of its double; FAULT where another may be shorter.

    Up to `digits_max` digits the shortest writing is the one that came, if it has no exponent, no
    needless zero, and is not so small that an exponent would be written.
    """
    i = start + 1 if at(b, start) == 45 else start
    whole = i
    while 48 <= at(b, i) <= 57:
        i += 1
    before = i - whole
    if before == 0 or before > ANY_DIGITS or (at(b, whole) == 48 and before > 1):
        return FAULT
    if i == end:
        if at(b, whole) == 48 and whole > start:
            return FAULT
        o = put(out, o, b, start, end)
        out[_U(o)] = 46
        out[_U(o + 1)] = 48
        return o + 2
    if at(b, i) != 46:
        return FAULT
    after = end - i - 1
    zeros = 0
    while at(b, whole) == 48 and zeros < after and at(b, i + 1 + zeros) == 48:
        zeros += 1
    digits = after - zeros + (before if at(b, whole) != 48 else 0)
    if after < 1 or zeros > _ZEROS_MAX or digits > digits_max:
        return FAULT
    for k in range(i + 1, end):
        if not 48 <= at(b, k) <= 57:
            return FAULT
    if at(b, end - 1) == 48 and (after > 1 or (at(b, whole) == 48 and whole > start)):
        return FAULT
    return put(out, o, b, start, end)


@inner
def put_value(out, o, b, start, end, slot, table, places, text, digits_max):
    """Write the value of a property in its declared type; FAULT if it is of another one."""
    kind = table[_U(slot + KIND)]
    c = at(b, start)
    if kind == INT:
        return put_integer(out, o, b, start, end)
    if kind == DOUBLE:
        return put_double(out, o, b, start, end, digits_max)
    if kind == BOOL:
        return put(out, o, b, start, end) if c == 116 or c == 102 else FAULT
    if kind == NUMBER:
        known = find(table, places, text, table[_U(slot + CHOICES)], b, start, end)
        return put(out, o, b, start, end) if known != UNKNOWN else FAULT
    if c != QUOTE or kind == OTHER:
        return FAULT
    if kind == TEXT:
        out[_U(o)] = QUOTE
        o = put_text(out, o + 1, b, start + 1, end - 1)
        if o < 0:
            return FAULT
        out[_U(o)] = QUOTE
        return o + 1
    if kind == CHOICE:
        if find(table, places, text, table[_U(slot + CHOICES)], b, start + 1, end - 1) == UNKNOWN:
            return FAULT
    elif end - start != 12 or day_number(b, start + 1) < 0:
        return FAULT
    return put(out, o, b, start, end)


@inner
def put_properties(out, o, b, start, table, places, text, rule, spans, digits_max):
    """Write the object of properties that begins at `start`, in the order of slots, or FAULT."""
    slots, count = table[_U(rule + SLOTS)], table[_U(rule + SLOT_COUNT)]
    scope, required = table[_U(rule + SCOPE)], table[_U(rule + REQUIRED)]
    seen = np.int64(0)
    i = blank(b, start + 1)
    while at(b, i) == QUOTE:
        end = plain_end(b, i + 1)
        if at(b, end) != QUOTE:
            return FAULT  # a name with escapes
        slot = find(table, places, text, scope, b, i + 1, end)
        if slot == UNKNOWN or (seen >> slot) & 1:
            return FAULT
        i = blank(b, blank(b, end + 1) + 1)
        spans[_U(2 * slot)] = i
        i = value_end(b, i)
        spans[_U(2 * slot + 1)] = i
        seen |= np.int64(1) << slot
        i = blank(b, i)
        if at(b, i) == COMMA:
            i = blank(b, i + 1)
    if at(b, i) != CLOSE or seen & required != required:
        return FAULT
    out[_U(o)] = OPEN
    o += 1
    first = True
    for number in range(count):
        if not (seen >> number) & 1:
            continue
        slot = slots + SLOT_WIDTH * number
        begin, end = spans[_U(2 * number)], spans[_U(2 * number + 1)]
        if not first:
            out[_U(o)] = COMMA
            o += 1
        first = False
        o = put(out, o, text, table[_U(slot + KEY)], table[_U(slot + KEY_END)])
        if at(b, begin) == 110:
            if (required >> number) & 1:
                return FAULT
            o = put(out, o, b, begin, end)
        else:
            o = put_value(out, o, b, begin, end, slot, table, places, text, digits_max)
        if o < 0:
            return FAULT
    out[_U(o)] = CLOSE
    return o + 1


@inner
def _is_of_column(column, first):
    """Whether a value may stand in a column, by its first byte."""
    if column == SUBJECTS:
        return first == OPEN
    return (column == SEQ) != (first == QUOTE)


@inner
def find_columns(b, start, table, places, text, spans):
    """Where the columns of the object at `start` stand, into spans; False if one is unusual."""
    i = blank(b, start + 1)
    while at(b, i) == QUOTE:
        end = plain_end(b, i + 1)
        if at(b, end) != QUOTE:
            return False  # a name with escapes
        column = find(table, places, text, COLUMN_NAMES, b, i + 1, end)
        i = blank(b, blank(b, end + 1) + 1)
        begin = i
        i = value_end(b, i)
        if column != UNKNOWN and at(b, begin) != 110:
            if (
                column == COLUMN_FAULT
                or spans[_U(2 * column)]
                or not _is_of_column(column, at(b, begin))
            ):
                return False
            spans[_U(2 * column)] = begin
            spans[_U(2 * column + 1)] = i
        i = blank(b, i)
        if at(b, i) == COMMA:
            i = blank(b, i + 1)
    return at(b, i) == CLOSE


@inner
def put_more_subjects(out, o, b, start, table, places, text, first):
    """Write the further subjects of the object at `start`; FAULT unless each is `idtype:value` in
    letters and digits, which is how it is stored. `first` says that no id stands before them."""
    seen = np.int64(0)
    i = blank(b, start + 1)
    while at(b, i) == QUOTE:
        begin, end = i, plain_end(b, i + 1)
        if at(b, end) != QUOTE:
            return FAULT  # a name with escapes
        role = find(table, places, text, ROLE_NAMES, b, begin + 1, end)
        i = blank(b, blank(b, end + 1) + 1)
        if role == UNKNOWN or (seen >> role) & 1 or at(b, i) != QUOTE:
            return FAULT
        seen |= np.int64(1) << role
        value = i
        i = value_end(b, i)
        if not _is_typed_id(b, value + 1, i - 1, table, places, text):
            return FAULT
        if not first:
            out[_U(o)] = COMMA
            o += 1
        first = False
        o = put(out, o, b, begin, end + 1)
        out[_U(o)] = COLON
        o = put(out, o + 1, b, value, i)
        i = blank(b, i)
        if at(b, i) == COMMA:
            i = blank(b, i + 1)
    return o if at(b, i) == CLOSE and seen else FAULT


@inner
def _is_typed_id(b, start, end, table, places, text):
    """Whether a text is an id type, a colon, and 1 to 255 letters and digits."""
    i = start
    while _is_alphanumeric(at(b, i)) or at(b, i) == 95:
        i += 1
    if i == start or at(b, i) != COLON or 48 <= at(b, start) <= 57:
        return False
    if find(table, places, text, REWRITTEN, b, start, i) != UNKNOWN:
        return False
    if not 0 < end - i - 1 <= _ID_MAX:
        return False
    i += 1
    while i < end and _is_alphanumeric(at(b, i)):
        i += 1
    return i == end


@inner
def _is_alphanumeric(c):
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122
