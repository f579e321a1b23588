"""Days and moments as integers, against the calendar of the standard library."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dipper.expr import dates
from dipper.kit.clock import from_datetime

CHINA = timezone(timedelta(hours=8))
DAYS = [-719_162, -1, 0, 1, 11_016, 19_782, 20_484, 2_932_896]


@pytest.mark.parametrize("day", DAYS)
def test_days_read_back(day: int) -> None:
    """A day is the distance to 1970-01-01, and its text reads back as the day."""
    as_date = date(1970, 1, 1) + timedelta(days=day)
    assert dates.format_day(day) == as_date.isoformat()
    assert dates.parse_day(as_date.isoformat()) == day
    parts = dates.year_of(day), dates.month_of(day), dates.day_of_month(day)
    assert parts == (as_date.year, as_date.month, as_date.day)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29 23:59:59.999999",
        "1970-01-01 08:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31 00:00:00.5",
    ],
)
def test_moments_are_read_at_utc_plus_8(text: str) -> None:
    """The text of a moment is the wall clock of China."""
    moment = dates.parse_moment(text)
    assert moment is not None
    if text > "0002":
        expected = datetime.fromisoformat(text.ljust(26, "0") if "." in text else text)
        assert moment == from_datetime(expected.replace(tzinfo=CHINA))
    assert dates.format_moment(moment) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-2-29",
        "2023-02-29",
        "0000-01-01",
        "2024-13-01",
        "2024-01-01 ",
        "20240101",
        "２０２４-01-01",
        "2024-01-01\n",
    ],
)
def test_other_texts_are_no_day(text: str) -> None:
    """Only YYYY-MM-DD in ASCII digits, and only days that exist."""
    assert dates.parse_day(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01",
        "2024-01-01 24:00:00",
        "2024-01-01 10:60:00",
        "2024-01-01 10:00",
        "2024-01-01 10:00:00Z",
        "2024-01-01 10:00:00.",
        "2024-01-01 10:00:00.1234567",
        "2023-02-29 10:00:00",
    ],
)
def test_other_texts_are_no_moment(text: str) -> None:
    """No zone, no missing seconds, no hour 24."""
    assert dates.parse_moment(text) is None


def test_units_begin_on_the_wall_clock() -> None:
    """A moment truncated is the moment at which its unit began in China."""
    moment = from_datetime(datetime(2026, 5, 31, 17, 30, tzinfo=UTC))  # 1 June, 01:30.
    began = {
        "hour": datetime(2026, 6, 1, 1, tzinfo=CHINA),
        "day": datetime(2026, 6, 1, tzinfo=CHINA),
        "week": datetime(2026, 6, 1, tzinfo=CHINA),
        "month": datetime(2026, 6, 1, tzinfo=CHINA),
        "quarter": datetime(2026, 4, 1, tzinfo=CHINA),
        "year": datetime(2026, 1, 1, tzinfo=CHINA),
    }
    for unit, expected in began.items():
        assert dates.truncate_moment(unit, moment) == from_datetime(expected)
    assert tuple(sorted(began)) == tuple(sorted(dates.units_of("timestamp")))
