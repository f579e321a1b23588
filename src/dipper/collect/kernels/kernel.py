"""The lane's kernel: a request's bytes in, records and their hashes out, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dipper.collect.kernels.compiled import inner, kernel
from dipper.collect.kernels.hashing import content_of, siphash
from dipper.collect.kernels.json_kernels import CLOSE, FAULT, QUOTE, at, time_us
from dipper.collect.kernels.names import EVENTS, UNKNOWN, find
from dipper.collect.kernels.scan_kernels import (
    COLUMNS,
    CONTENT,
    DEVICE,
    FINGERPRINT,
    IS_OPEN,
    MESSAGE,
    NAME,
    ORIGINAL,
    PAYLOAD,
    PAYLOAD_END,
    PROPERTIES,
    TIME,
    USER,
    WIDTH,
    scan,
)
from dipper.collect.kernels.write_kernels import (
    EVENT_NAME,
    EVENT_NAME_END,
    RULE_WIDTH,
    SCENARIO,
    SCENARIO_END,
    SEQ,
    find_columns,
    is_plain_id,
    put,
    put_int,
    put_integer,
    put_properties,
    put_text,
)

TIME_MAX_US = 7_258_118_400_000_000
SKEW_TOLERATED_US = 5_000_000
COLUMN_COUNT = 9
# Pieces of text between the values, in the order of writing.
HEAD, AFTER_ID, RECEIVED, SENT, CLAIMED, PROGRAM, PERSON, NEXT_DEVICE, DEVICE_ONLY = np.arange(9)
AFTER_SUBJECTS, SEQ_PIECE, PROPERTIES_PIECE, FIRST_COLUMN = np.arange(9, 13)
_COLUMN_LENGTH_MAX = 255
_ROOM_FOR_NUMBERS = 1_024
_U = np.uint64


class Tables(NamedTuple):
    """What the kernel knows of one source under one program, in flat memory.

    `table` holds the names (`places` of them), behind them the rules and their slots, and the places
    of `pieces` in `text`. `keys` are two words for fingerprints. A public source's persons are
    claims.
    """

    table: np.ndarray
    places: int
    rules: int
    pieces: int
    text: np.ndarray
    keys: np.ndarray
    is_public: bool


class Room(NamedTuple):
    """Memory that the kernel writes into: a row an event, the payloads, and notes."""

    rows: np.ndarray
    out: np.ndarray
    spans: np.ndarray
    sent: np.ndarray


@kernel
def run(
    b, size, is_single, received_us, event_max,
    table, places, rules, pieces, text, keys, is_public,
    rows, out, spans, sent,
):  # fmt: skip
    """Scan a request and write the records of all events for which the lane is open.

    The second line of arguments is a `Tables`, the third a `Room`. Gives the number of events, or
    FAULT for a request that must be read otherwise.
    """
    count = scan(b, size, is_single, table, places, text, rows, sent)
    if count < 0:
        return FAULT
    sent_us = np.int64(-1)
    if sent[0]:
        sent_us = time_us(b, sent[0], sent[1])
        if sent_us < 0 or sent_us >= TIME_MAX_US:
            return FAULT
    o = np.int64(0)
    for number in range(count):
        row = number * WIDTH
        if not rows[_U(row + IS_OPEN)]:
            continue
        end = FAULT
        # No record is longer than what came, all pieces, and some numbers.
        if len(out) - o > size + len(text) + _ROOM_FOR_NUMBERS:
            end = _write(
                b, rows, row, table, places, rules, pieces, text, keys, is_public,
                received_us, sent_us, out, o, spans,
            )  # fmt: skip
        if end < 0 or end - o > event_max:
            rows[_U(row + IS_OPEN)] = 0
            continue
        rows[_U(row + PAYLOAD)] = o
        rows[_U(row + PAYLOAD_END)] = end
        o = end
    return count


@inner
def _write(
    b, rows, row, table, places, rules, pieces, text, keys, is_public,
    received_us, sent_us, out, o, spans,
):  # fmt: skip
    """Write one record at o; the place behind it, or FAULT."""
    name, name_end = rows[_U(row + 2 * NAME)], rows[_U(row + 2 * NAME + 1)]
    properties = rows[_U(row + 2 * PROPERTIES)]
    if name == 0 or properties == 0:
        return FAULT
    number = find(table, places, text, EVENTS, b, name, name_end)
    if number == UNKNOWN:
        return FAULT
    rule = rules + RULE_WIDTH * number
    message, message_end = rows[_U(row + 2 * MESSAGE)], rows[_U(row + 2 * MESSAGE + 1)]
    original_us = time_us(b, rows[_U(row + 2 * TIME)], rows[_U(row + 2 * TIME + 1)])
    if not is_plain_id(b, message, message_end) or not 0 <= original_us < TIME_MAX_US:
        return FAULT
    event_us = original_us
    if sent_us >= 0 and abs(received_us - sent_us) > SKEW_TOLERATED_US:
        event_us = received_us - (sent_us - original_us)
    has_user = rows[_U(row + 2 * USER + 1)] > rows[_U(row + 2 * USER)]
    o = _put_piece(out, o, text, table, pieces, HEAD)
    o = put(out, o, b, message, message_end)
    o = _put_piece(out, o, text, table, pieces, AFTER_ID)
    o = put_int(out, o, event_us)
    o = _put_piece(out, o, text, table, pieces, RECEIVED)
    o = put_int(out, o, received_us)
    if sent_us >= 0:
        o = _put_piece(out, o, text, table, pieces, SENT)
        o = put_int(out, o, sent_us)
    if has_user and is_public:
        o = _put_piece(out, o, text, table, pieces, CLAIMED)
    o = _put_piece(out, o, text, table, pieces, PROGRAM)
    canonical = o
    o = put(out, o, text, table[_U(rule + EVENT_NAME)], table[_U(rule + EVENT_NAME_END)])
    o = _put_subjects(b, rows, row, out, o, text, table, pieces, has_user)
    if o < 0:
        return FAULT
    o = _put_piece(out, o, text, table, pieces, AFTER_SUBJECTS)
    o = put_int(out, o, original_us)
    columns = rows[_U(row + 2 * COLUMNS)]
    o = _put_columns(b, columns, out, o, table, places, text, pieces, rule, spans)
    if o < 0:
        return FAULT
    o = _put_piece(out, o, text, table, pieces, PROPERTIES_PIECE)
    o = put_properties(out, o, b, properties, table, places, text, rule, spans)
    if o < 0:
        return FAULT
    out[_U(o)] = CLOSE
    o += 1
    rows[_U(row + ORIGINAL)] = original_us
    rows[_U(row + CONTENT)] = content_of(out, canonical, o)
    rows[_U(row + FINGERPRINT)] = siphash(keys[0], keys[1], b, message, message_end)
    return o


@inner
def _put_piece(out, o, text, table, pieces, number):
    place = pieces + 2 * number
    return put(out, o, text, table[_U(place)], table[_U(place + 1)])


@inner
def _put_subjects(b, rows, row, out, o, text, table, pieces, has_user):
    """Write person and device; FAULT for ids that are stored in another writing."""
    device, device_end = rows[_U(row + 2 * DEVICE)], rows[_U(row + 2 * DEVICE + 1)]
    if has_user:
        user, user_end = rows[_U(row + 2 * USER)], rows[_U(row + 2 * USER + 1)]
        if not is_plain_id(b, user, user_end):
            return FAULT
        o = _put_piece(out, o, text, table, pieces, PERSON)
        o = put(out, o, b, user, user_end)
        out[_U(o)] = QUOTE
        o += 1
    elif device_end == device:
        return FAULT
    if device_end > device:
        if not is_plain_id(b, device, device_end):
            return FAULT
        o = _put_piece(out, o, text, table, pieces, NEXT_DEVICE if has_user else DEVICE_ONLY)
        o = put(out, o, b, device, device_end)
        out[_U(o)] = QUOTE
        o += 1
    return o


@inner
def _put_columns(b, columns, out, o, table, places, text, pieces, rule, spans):
    """Write `seq` and the columns, the event's own scenario where none came; FAULT if unusual."""
    for place in range(2 * (SEQ + 1)):
        spans[_U(place)] = 0
    if columns and not find_columns(b, columns, table, places, text, spans):
        return FAULT
    begin, end = spans[2 * SEQ], spans[2 * SEQ + 1]
    if begin and not (end - begin == 1 and at(b, begin) == 48):
        o = _put_piece(out, o, text, table, pieces, SEQ_PIECE)
        o = put_integer(out, o, b, begin, end)
        if o < 0:
            return FAULT
    if spans[0] == 0 or spans[1] - spans[0] == 2:
        o = put(out, o, text, table[_U(rule + SCENARIO)], table[_U(rule + SCENARIO_END)])
        spans[0] = 0
    for column in range(COLUMN_COUNT):
        begin, end = spans[_U(2 * column)], spans[_U(2 * column + 1)]
        if begin == 0:
            continue
        if end - begin - 2 > _COLUMN_LENGTH_MAX:
            return FAULT
        o = _put_piece(out, o, text, table, pieces, FIRST_COLUMN + column)
        o = put_text(out, o, b, begin + 1, end - 1)
        if o < 0:
            return FAULT
        out[_U(o)] = QUOTE
        o += 1
    return o
