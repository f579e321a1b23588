"""Four times."""

from __future__ import annotations

import pytest

from dipper.collect.time import day_of, event_time, parse_time
from dipper.kit.clock import SECOND_US, from_iso

RECEIVED = from_iso("2026-11-24T05:45:56Z")


def test_a_small_skew_moves_no_event() -> None:
    """Up to 5 s between sent and received is network delay, so that copies agree."""
    original = RECEIVED - 60 * SECOND_US
    for skew in (-5 * SECOND_US, 0, 5 * SECOND_US):
        assert event_time(original, RECEIVED - skew, RECEIVED) == original


def test_a_wrong_clock_is_corrected() -> None:
    """Above 5 s the difference of sent and original counts back from the receipt."""
    wrong = RECEIVED + 3_600 * SECOND_US
    assert event_time(wrong - 7 * SECOND_US, wrong, RECEIVED) == RECEIVED - 7 * SECOND_US
    late = RECEIVED - 5 * SECOND_US - 1
    assert event_time(late - 10, late, RECEIVED) == RECEIVED - 10


def test_what_is_unknown_is_not_guessed() -> None:
    """Without sent the original counts, without original the receipt."""
    assert event_time(123, None, RECEIVED) == 123
    assert event_time(None, RECEIVED - 99 * SECOND_US, RECEIVED) == RECEIVED


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T08:00:00+08:00", 0),
        ("1970-01-01T00:00:00.000001", 1),
        ("2026-11-24T05:45:55.618+00:00", 1_795_499_155_618_000),
        ("2026-11-24 05:45:55.618048Z", 1_795_499_155_618_048),
    ],
)
def test_iso_times_are_read(text: str, time_us: int) -> None:
    """To the microsecond, in any zone; without zone they are UTC."""
    assert parse_time(text) == time_us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1795499155618",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2016-12-31T23:59:60Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """A time that is no time, or lies outside 1970 to 2200, is an error."""
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_days_are_utc() -> None:
    """The day of duplicates turns at midnight UTC."""
    assert day_of(from_iso("2026-11-24T23:59:59.999999Z")) + 1 == day_of(
        from_iso("2026-11-25T00:00:00Z")
    )
