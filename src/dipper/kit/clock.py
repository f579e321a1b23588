"""Time is passed in: a clock is any function that returns microseconds since 1970 in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    """Microseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000


def to_datetime(time_us: int) -> datetime:
    """An aware UTC datetime."""
    return datetime.fromtimestamp(time_us // SECOND_US, UTC).replace(
        microsecond=time_us % SECOND_US
    )


def from_datetime(moment: datetime) -> int:
    """Microseconds since 1970; a naive datetime is an error, for it names no moment."""
    if moment.tzinfo is None:
        raise ValueError(f"time without zone: {moment.isoformat()}")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def to_iso(time_us: int) -> str:
    """RFC 3339 in UTC with microseconds and a Z."""
    return to_datetime(time_us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 text; without zone it is taken as UTC.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


_UNITS_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}


def parse_duration_us(text: str) -> int:
    """'30d', '12h', '15m', '90s' or '2w' in microseconds. Raises ValueError otherwise."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS_US or not number.isdigit() or int(number) == 0:
        raise ValueError(f"not a duration: {text!r} (expected a number and one of s, m, h, d, w)")
    return int(number) * _UNITS_US[unit]
