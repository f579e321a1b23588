"""Takes a request apart, compiled: where each event's fields stand, and which need a second look.

WIDTH numbers of `rows` an event. A fault in the JSON, or anything unusual outside the events, gives
the whole request back; anything unusual in one event closes the lane for that event alone.
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import inner
from dipper.collect.kernels.json_kernels import (
    CLOSE,
    CLOSE_LIST,
    COLON,
    COMMA,
    FAULT,
    OPEN,
    OPEN_LIST,
    QUOTE,
    at,
    blank,
    plain_end,
    value_end,
)
from dipper.collect.kernels.names import CONTEXT, EVENT, REQUEST, find, word_at

# Fields of a row, a start and an end each, in the numbers by which names are found.
NAME, USER, DEVICE, MESSAGE, TIME, PROPERTIES, COLUMNS, RAW = np.arange(8)
TEXTS = 5  # the fields before it are texts
IS_OPEN = 16
WIDTH = 17
# Further numbers of an event's members: its type, its context, what a track event has not, and the
# sending time, which counts only where the event is the whole request.
TYPE, CONTEXT_MEMBER, NOT_HERE, SENT = range(20, 24)
# Members of a batch, and the only member of a context that counts.
BATCH, BATCH_SENT, BATCH_KEY, BATCH_CONTEXT = range(4)
DIPPER = 0

_NULL = 110  # the n of null
_U = np.uint64
_TRACK = _U(int.from_bytes(b'"track"', "little"))
_SEVEN_BYTES = _U(2**56 - 1)


@inner
def scan(b, size, is_single, table, places, text, rows, sent):
    """Fill a row for each event, and `sent` with start and end of the sending time (0 without).

    Gives the number of events, or FAULT for a request that another reader must read.
    """
    sent[0] = 0
    i = blank(b, 0)
    if at(b, i) != OPEN:
        return FAULT
    count = 1
    if is_single:
        i = _scan_event(b, i, table, places, text, rows, np.int64(0), sent, is_single)
    else:
        i, count = _scan_batch(b, i, table, places, text, rows, sent, is_single)
    if i < 0 or blank(b, i) != size:
        return FAULT
    return count


@inner
def _scan_batch(b, i, table, places, text, rows, sent, is_single):
    count = -1
    i = blank(b, i + 1)
    while at(b, i) == QUOTE:
        end = plain_end(b, i + 1)
        value = _value_of_member(b, end)
        if value < 0:
            return FAULT, count
        member = find(table, places, text, REQUEST, b, i + 1, end)
        i = value
        if member == BATCH:
            if count >= 0:
                return FAULT, count
            i, count = _scan_events(b, i, table, places, text, rows, sent, is_single)
        elif member == BATCH_SENT and at(b, i) == QUOTE and sent[0] == 0:
            i = _scan_sent(b, i, sent)
        elif member == BATCH_KEY and at(b, i) == QUOTE:
            i = value_end(b, i)
        elif member >= 0 and at(b, i) != _NULL:
            return FAULT, count
        else:
            i = value_end(b, i)
        i = _next_member(b, i)
        if i < 0:
            return FAULT, count
    if at(b, i) != CLOSE or count < 0:
        return FAULT, count
    return i + 1, count


@inner
def _scan_events(b, i, table, places, text, rows, sent, is_single):
    if at(b, i) != OPEN_LIST:
        return FAULT, -1
    i = blank(b, i + 1)
    count = 0
    while at(b, i) == OPEN:
        if (count + 1) * WIDTH > len(rows):
            return FAULT, -1
        i = _scan_event(b, i, table, places, text, rows, count * WIDTH, sent, is_single)
        if i < 0:
            return FAULT, -1
        count += 1
        i = blank(b, i)
        if at(b, i) != COMMA:
            break
        i = blank(b, i + 1)
        if at(b, i) != OPEN:
            return FAULT, -1
    if at(b, i) != CLOSE_LIST:
        return FAULT, -1
    return i + 1, count


@inner
def _scan_event(b, i, table, places, text, rows, row, sent, is_single):
    """The place behind the event at i, or FAULT."""
    for field in range(_U(row), _U(row + WIDTH)):
        rows[field] = 0
    rows[_U(row + IS_OPEN)] = 1
    rows[_U(row + 2 * RAW)] = i
    i = blank(b, i + 1)
    while at(b, i) == QUOTE:
        end = plain_end(b, i + 1)
        value = _value_of_member(b, end)
        if value < 0:
            return FAULT
        member = find(table, places, text, EVENT, b, i + 1, end)
        if member == CONTEXT_MEMBER and at(b, value) == OPEN:
            i = _scan_context(b, value, table, places, text, rows, row)
        elif member == SENT and is_single and at(b, value) == QUOTE and sent[0] == 0:
            i = _scan_sent(b, value, sent)
        else:
            i = value_end(b, value)
            is_said = member >= 0 and at(b, value) != _NULL
            if is_said and i >= 0 and not _take(b, member, value, i, rows, row):
                rows[_U(row + IS_OPEN)] = 0
        i = _next_member(b, i)
        if i < 0:
            return FAULT
    if at(b, i) != CLOSE:
        return FAULT
    rows[_U(row + 2 * RAW + 1)] = i + 1
    return i + 1


@inner
def _take(b, member, begin, end, rows, row):
    """Note where a member's value stands; False where the event needs the complete judgement."""
    if member == TYPE:
        return end - begin == 7 and (word_at(b, begin) & _SEVEN_BYTES) == _TRACK
    if member > COLUMNS or rows[_U(row + 2 * member)] != 0:
        return False
    if member < TEXTS:
        # Without quotes, and only if it needs no unescaping.
        if at(b, begin) != QUOTE or plain_end(b, begin + 1) != end - 1:
            return False
        begin += 1
        end -= 1
    elif at(b, begin) != OPEN:
        return False
    rows[_U(row + 2 * member)] = begin
    rows[_U(row + 2 * member + 1)] = end
    return True


@inner
def _scan_context(b, i, table, places, text, rows, row):
    """Look for the columns in a context; the place behind it."""
    i = blank(b, i + 1)
    while at(b, i) == QUOTE:
        end = plain_end(b, i + 1)
        value = _value_of_member(b, end)
        if value < 0:
            return FAULT
        member = find(table, places, text, CONTEXT, b, i + 1, end)
        i = value_end(b, value)
        is_said = member == DIPPER and at(b, value) != _NULL
        if is_said and i >= 0 and not _take(b, COLUMNS, value, i, rows, row):
            rows[_U(row + IS_OPEN)] = 0
        i = _next_member(b, i)
        if i < 0:
            return FAULT
    return i + 1 if at(b, i) == CLOSE else FAULT


@inner
def _scan_sent(b, i, sent):
    end = plain_end(b, i + 1)
    if at(b, end) != QUOTE:
        return FAULT
    sent[0] = i + 1
    sent[1] = end
    return end + 1


@inner
def _value_of_member(b, end):
    """From the quote that ends a member's name to its value; FAULT for a name with escapes."""
    if at(b, end) != QUOTE:
        return FAULT
    i = blank(b, end + 1)
    if at(b, i) != COLON:
        return FAULT
    return blank(b, i + 1)


@inner
def _next_member(b, i):
    """From behind a value to the next member's name or to the closing brace; FAULT otherwise."""
    if i < 0:
        return FAULT
    i = blank(b, i)
    if at(b, i) != COMMA:
        return i if at(b, i) == CLOSE else FAULT
    i = blank(b, i + 1)
    return i if at(b, i) == QUOTE else FAULT
