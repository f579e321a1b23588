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
    DEVICE,
    IS_OPEN,
    MESSAGE,
    NAME,
    PROPERTIES,
    TIME,
    USER,
    WIDTH,
    scan,
)
from dipper.collect.kernels.write_kernels import (
    CONSENT,
    EVENT_NAME,
    EVENT_NAME_END,
    RULE_WIDTH,
    SCENARIO,
    SCENARIO_END,
    SEQ,
    SUBJECTS,
    find_columns,
    is_plain_id,
    put,
    put_int,
    put_integer,
    put_more_subjects,
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

    `table` holds the names (`places` of them), behind them the rules and their slots, and the
    places of `pieces` in `text`. `keys` are two words for fingerprints.
    A public source's persons are claims.
    """

    table: np.ndarray
    places: int
    rules: int
    pieces: int
    text: np.ndarray
    keys: np.ndarray
    is_public: bool


class Room(NamedTuple):
    """Memory that the kernel writes into.

    `rows` tells where the fields of each event stand. For each event there is a number in `ends`
    (where its payload ends in `out`; 0 without one), `keys` (fingerprints), `contents` (hashes) and
    `originals` (times in µs). `spans` are notes; `facts` are those of the request.
    """

    rows: np.ndarray
    out: np.ndarray
    ends: np.ndarray
    keys: np.ndarray
    contents: np.ndarray
    originals: np.ndarray
    spans: np.ndarray
    facts: np.ndarray


# Facts of a request: where its sending time stands, where the first payload begins, how many events
# have one, the first and last of their original times, and how many of them are consents.
SENT_AT, SENT_END, FIRST, TAKEN, EARLIEST, LATEST, CONSENTS = range(7)


@kernel
def run(
    b, size, is_single, received_us, event_max, digits_max,
    table, places, rules, pieces, text, keys, is_public,
    rows, out, ends, fingerprints, contents, originals, spans, facts,
):  # fmt: skip
    """Scan a request and write the records of all events for which the lane is open.

    The second line of arguments is a `Tables`, the third a `Room`; of `digits_max` tells
    `put_double`. Gives the number of events, or
    FAULT for a request that must be read otherwise.
    """
    count = scan(b, size, is_single, table, places, text, rows, facts)
    if count < 0:
        return FAULT
    sent_us = np.int64(-1)
    if facts[SENT_AT]:
        sent_us = time_us(b, facts[SENT_AT], facts[SENT_END])
        if sent_us < 0 or sent_us >= TIME_MAX_US:
            return FAULT
    # Receipt and sending are the same for all records: written once, then copied.
    stamp = _put_piece(out, np.int64(0), text, table, pieces, RECEIVED)
    stamp = put_int(out, stamp, received_us)
    if sent_us >= 0:
        stamp = _put_piece(out, stamp, text, table, pieces, SENT)
        stamp = put_int(out, stamp, sent_us)
    o = facts[FIRST] = stamp
    facts[TAKEN] = facts[CONSENTS] = 0
    facts[EARLIEST], facts[LATEST] = TIME_MAX_US, 0
    for number in range(count):
        row = number * WIDTH
        ends[number] = 0
        if not rows[_U(row + IS_OPEN)]:
            continue
        end = FAULT
        # No record is longer than what came, all pieces, and some numbers.
        if len(out) - o > size + len(text) + _ROOM_FOR_NUMBERS:
            end = _write(
                b, rows, row, table, places, rules, pieces, text, keys, is_public,
                received_us, sent_us, stamp, out, o, spans,
                fingerprints, contents, originals, number, digits_max, facts,
            )  # fmt: skip
        if end < 0 or end - o > event_max:
            continue
        ends[number] = o = end
        facts[TAKEN] += 1
        facts[EARLIEST] = min(facts[EARLIEST], originals[number])
        facts[LATEST] = max(facts[LATEST], originals[number])
    return count


@inner
def _write(
    b, rows, row, table, places, rules, pieces, text, keys, is_public,
    received_us, sent_us, stamp, out, o, spans, fingerprints, contents, originals, number,
    digits_max, facts,
):  # fmt: skip
    """Write one record at o; the place behind it, or FAULT."""
    name, name_end = rows[_U(row + 2 * NAME)], rows[_U(row + 2 * NAME + 1)]
    properties = rows[_U(row + 2 * PROPERTIES)]
    if name == 0 or properties == 0:
        return FAULT
    found = find(table, places, text, EVENTS, b, name, name_end)
    if found == UNKNOWN:
        return FAULT
    rule = rules + RULE_WIDTH * found
    message, message_end = rows[_U(row + 2 * MESSAGE)], rows[_U(row + 2 * MESSAGE + 1)]
    original_us = time_us(b, rows[_U(row + 2 * TIME)], rows[_U(row + 2 * TIME + 1)])
    if not is_plain_id(b, message, message_end) or not 0 <= original_us < TIME_MAX_US:
        return FAULT
    event_us = original_us
    if sent_us >= 0 and abs(received_us - sent_us) > SKEW_TOLERATED_US:
        event_us = received_us - (sent_us - original_us)
    columns = rows[_U(row + 2 * COLUMNS)]
    for place in range(2 * (SUBJECTS + 1)):
        spans[_U(place)] = 0
    if columns and not find_columns(b, columns, table, places, text, spans):
        return FAULT
    more = spans[2 * SUBJECTS]
    if more and is_public:
        return FAULT  # Each of them would be a claim.
    has_user = rows[_U(row + 2 * USER + 1)] > rows[_U(row + 2 * USER)]
    o = _put_piece(out, o, text, table, pieces, HEAD)
    o = put(out, o, b, message, message_end)
    o = _put_piece(out, o, text, table, pieces, AFTER_ID)
    moment = o
    o = put_int(out, o, event_us)
    moment_end = o
    o = put(out, o, out, np.int64(0), stamp)
    if has_user and is_public:
        o = _put_piece(out, o, text, table, pieces, CLAIMED)
    o = _put_piece(out, o, text, table, pieces, PROGRAM)
    canonical = o
    o = put(out, o, text, table[_U(rule + EVENT_NAME)], table[_U(rule + EVENT_NAME_END)])
    o = _put_subjects(b, rows, row, out, o, text, table, places, pieces, has_user, more)
    if o < 0:
        return FAULT
    o = _put_piece(out, o, text, table, pieces, AFTER_SUBJECTS)
    if event_us == original_us:
        o = put(out, o, out, moment, moment_end)
    else:
        o = put_int(out, o, original_us)
    o = _put_columns(b, out, o, table, text, pieces, rule, spans)
    if o < 0:
        return FAULT
    o = _put_piece(out, o, text, table, pieces, PROPERTIES_PIECE)
    o = put_properties(out, o, b, properties, table, places, text, rule, spans, digits_max)
    if o < 0:
        return FAULT
    out[_U(o)] = CLOSE
    o += 1
    facts[CONSENTS] += table[_U(rule + CONSENT)]
    originals[number] = original_us
    contents[number] = content_of(out, canonical, o)
    fingerprints[number] = siphash(keys[0], keys[1], b, message, message_end)
    return o


@inner
def _put_piece(out, o, text, table, pieces, number):
    place = pieces + 2 * number
    return put(out, o, text, table[_U(place)], table[_U(place + 1)])


@inner
def _put_subjects(b, rows, row, out, o, text, table, places, pieces, has_user, more):
    """Write person, device and further ones; FAULT for ids that are stored in another writing."""
    device, device_end = rows[_U(row + 2 * DEVICE)], rows[_U(row + 2 * DEVICE + 1)]
    if has_user:
        user, user_end = rows[_U(row + 2 * USER)], rows[_U(row + 2 * USER + 1)]
        if not is_plain_id(b, user, user_end):
            return FAULT
        o = _put_piece(out, o, text, table, pieces, PERSON)
        o = put(out, o, b, user, user_end)
        out[_U(o)] = QUOTE
        o += 1
    elif device_end == device and not more:
        return FAULT
    if device_end > device:
        if not is_plain_id(b, device, device_end):
            return FAULT
        o = _put_piece(out, o, text, table, pieces, NEXT_DEVICE if has_user else DEVICE_ONLY)
        o = put(out, o, b, device, device_end)
        out[_U(o)] = QUOTE
        o += 1
    if more:
        is_first = not has_user and device_end == device
        o = put_more_subjects(out, o, b, more, table, places, text, is_first)
    return o


@inner
def _put_columns(b, out, o, table, text, pieces, rule, spans):
    """Write `seq` and the columns, the event's own scenario where none came; FAULT if unusual."""
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
