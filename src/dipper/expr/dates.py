"""Dates and moments as plain integers: days and microseconds since 1970.

A moment is read on one wall clock, UTC+08:00 at all times, so that no result depends on a time
zone database. `day` is days since 1970-01-01, `moment_us` microseconds since 1970 in UTC.
"""

from __future__ import annotations

import re
from datetime import date

from dipper.kit.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US

ZONE_US = 8 * HOUR_US

# Fixed-width texts of years 1 to 9999; DuckDB (RE2) reads the same patterns.
DAY_PATTERN = (
    "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-(?:0[1-9]|1[0-2])-(?:[0-2][0-9]|3[01])"
)
TIME_PATTERN = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?"
MOMENT_PATTERN = f"{DAY_PATTERN}[ T]{TIME_PATTERN}"

_DAY = re.compile(DAY_PATTERN)
_MOMENT = re.compile(MOMENT_PATTERN)
_ORDINAL_1970 = date(1970, 1, 1).toordinal()
_DAY_UNITS = ("year", "quarter", "month", "week", "day")


def day_of(moment_us: int) -> int:
    """The day on the wall clock."""
    return (moment_us + ZONE_US) // DAY_US


def midnight(day: int) -> int:
    """The moment with which a day begins."""
    return day * DAY_US - ZONE_US


def year_of(day: int) -> int:
    """1 to 9999."""
    return date.fromordinal(day + _ORDINAL_1970).year


def month_of(day: int) -> int:
    """1 to 12."""
    return date.fromordinal(day + _ORDINAL_1970).month


def day_of_month(day: int) -> int:
    """1 to 31."""
    return date.fromordinal(day + _ORDINAL_1970).day


def truncate_day(unit: str, day: int) -> int:
    """The first day of the year, quarter, month, week (Monday) or day."""
    if unit == "day":
        return day
    if unit == "week":
        return day - (day + 3) % 7
    as_date = date.fromordinal(day + _ORDINAL_1970)
    month = as_date.month
    if unit == "year":
        month = 1
    elif unit == "quarter":
        month = (month - 1) // 3 * 3 + 1
    return date(as_date.year, month, 1).toordinal() - _ORDINAL_1970


def truncate_moment(unit: str, moment_us: int) -> int:
    """The moment with which the unit of `truncate_day`, or the hour, begins on the wall clock."""
    if unit == "hour":
        return moment_us - (moment_us + ZONE_US) % HOUR_US
    return midnight(truncate_day(unit, day_of(moment_us)))


def units_of(type_: str) -> tuple[str, ...]:
    """The units that `date_trunc` knows for a date or a timestamp."""
    return (*_DAY_UNITS, "hour") if type_ == "timestamp" else _DAY_UNITS


def parse_day(text: str) -> int | None:
    """The day of a text YYYY-MM-DD, or None."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).toordinal() - _ORDINAL_1970
    except ValueError:  # 30 February: the pattern admits it, the calendar does not.
        return None


def format_day(day: int) -> str:
    """YYYY-MM-DD."""
    return date.fromordinal(day + _ORDINAL_1970).isoformat()


def parse_moment(text: str) -> int | None:
    """The moment of a text YYYY-MM-DD HH:MM:SS[.ffffff] on the wall clock, or None."""
    if not _MOMENT.fullmatch(text):
        return None
    day = parse_day(text[:10])
    if day is None:
        return None
    time_us = int(text[11:13]) * HOUR_US + int(text[14:16]) * MINUTE_US
    time_us += int(text[17:19]) * SECOND_US + int(text[20:].ljust(6, "0"))
    return midnight(day) + time_us


def format_moment(moment_us: int) -> str:
    """YYYY-MM-DD HH:MM:SS on the wall clock, with a fraction where there is one."""
    day, time_us = divmod(moment_us + ZONE_US, DAY_US)
    seconds, fraction = divmod(time_us, SECOND_US)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{format_day(day)} {hour:02}:{minute:02}:{second:02}"
    return f"{text}.{fraction:06}".rstrip("0") if fraction else text
