"""Time is microseconds since 1970 in UTC, and texts that name no moment are refused."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.kit.clock import (
    DAY_US,
    from_datetime,
    from_iso,
    parse_duration_us,
    to_datetime,
    to_iso,
)

MOMENTS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)


@given(MOMENTS)
def test_text_and_datetime_keep_every_microsecond(time_us: int) -> None:
    """A moment written as text or datetime reads back as the same number."""
    assert from_iso(to_iso(time_us)) == time_us
    assert from_datetime(to_datetime(time_us)) == time_us


def test_a_zone_is_respected_and_its_absence_means_utc() -> None:
    """Eight in Shanghai is midnight in UTC."""
    assert from_iso("2026-11-24T08:00:00+08:00") == from_iso("2026-11-24T00:00:00")


def test_a_naive_datetime_is_refused() -> None:
    """A datetime without zone names no moment."""
    with pytest.raises(ValueError, match="without zone"):
        from_datetime(datetime(2026, 1, 1))


@pytest.mark.parametrize(("text", "days"), [("30d", 30), ("2w", 14), ("24h", 1)])
def test_durations_are_a_number_and_a_unit(text: str, days: int) -> None:
    """Units are s, m, h, d and w."""
    assert parse_duration_us(text) == days * DAY_US


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5h", "10", "10y", "1 d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing else is guessed at."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_us(text)
