"""JSON on bytes, compiled."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from dipper.collect.kernels.json_kernels import FAULT, day_number, padded, time_us, value_end
from dipper.collect.time import parse_time

VALUE = '{"a":[1,2.5,{"b":"x\\"y\\u4e2d"}],"c":null,"d":{"e":[true,false,[]]},"f":-1e5,"é":"中"}'


def end_of(text: str | bytes) -> int:
    """Where the value at the beginning ends."""
    return int(value_end(padded(text.encode() if isinstance(text, str) else text), 0))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "[[]]",
        '{"a":{}}',
        "1",
        "-0.5e+10",
        '""',
        "true",
        "[1,2]",
        '"\\ud83d\\ude00"',
        '{ "a" : 1 , "b" : [ null ] }',
        "[" * 60 + "]" * 60,
        VALUE,
    ],
)
def test_a_value_ends_where_it_ends(text: str) -> None:
    """Whatever follows."""
    size = len(text.encode())
    for behind in ("", " ", ",1", "}", "x"):
        if not (behind == "x" and text == "1"):
            assert end_of(text + behind) == size


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[",
        "[1,]",
        '{"a":}',
        '{"a":1,}',
        "{a:1}",
        "{1:2}",
        "[}",
        "{]",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "tru",
        "nul",
        '"abc',
        "[01]",
        "NaN",
        '"\\x"',
        '"\\u12g4"',
        '"\\ud800"',
        '"\\ud800\\u0041"',
        '"\\udc00"',
        "",
        "[1 2]",
        '{"a" 1}',
        '"\n"',
        "[" * 61 + "]" * 61,
    ],
)
def test_what_is_no_json_is_a_fault(text: str) -> None:
    """And so are lone surrogates, and nesting that nobody needs."""
    assert end_of(text) == FAULT


def test_it_accepts_only_what_the_strict_decoder_accepts() -> None:
    """50,000 texts, each a good one with up to three changed, removed or added characters."""
    draw = random.Random(7)
    characters = b'{}[]",:\\0a1 ue.-+\n\x00\xff'
    good = VALUE.encode()
    agreed = 0
    for _ in range(50_000):
        text = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            place, act = draw.randrange(len(text)), draw.randrange(3)
            if act == 0:
                text[place] = draw.choice(characters)
            elif act == 1:
                del text[place]
            else:
                text.insert(place, draw.choice(characters))
        if end_of(bytes(text)) == len(text):
            msgspec.json.decode(bytes(text), type=msgspec.Raw)
            agreed += 1
    assert agreed > 1_000


def test_times_are_read_as_the_complete_judgement_reads_them() -> None:
    """To the microsecond, in the writings that SDKs send."""
    draw = random.Random(3)
    for _ in range(3_000):
        moment = datetime(1970, 1, 2, tzinfo=UTC) + timedelta(
            microseconds=draw.randrange(7_250_000_000_000_000)
        )
        for text in (
            moment.isoformat(),
            moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            moment.strftime("%Y-%m-%d %H:%M:%S+08:00"),
            moment.strftime("%Y-%m-%dT%H:%M:%S-05:30"),
        ):
            assert time_us(padded(text.encode()), 0, len(text)) == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T05:60:00Z",
        "2026-11-24T05:45:60Z",
        "2026-11-24T05:45:55",
        "2026-11-24T05:45:55.Z",
        "2026-11-24T05:45:55.1234567Z",
        "2026-11-24T05:45:55+0800",
        "2026-11-24T05:45:55+08:00x",
        "2026-11-24T05:45:55+24:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+08:00",
        "2026-11-24",
        "",
    ],
)
def test_other_times_are_left_alone(text: str) -> None:
    """No time, or one in another writing: the complete judgement decides."""
    assert time_us(padded(text.encode()), 0, len(text)) == -1


def test_days_are_counted_as_the_calendar_counts_them() -> None:
    """Every day from 1970 to 2200, and none that does not exist."""
    day = date(1970, 1, 1)
    for number in range(84_000):
        assert day_number(padded(str(day).encode()), 0) == number
        day += timedelta(days=1)
    for text in (
        "2100-02-29",
        "2026-00-10",
        "2026-01-00",
        "2026-04-31",
        "1969-12-31",
        "20260101xx",
    ):
        assert day_number(padded(text.encode()), 0) == -1
