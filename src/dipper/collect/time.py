"""Four times: the sender's original, the sender's sent, received, and the event time.

A phone with a wrong clock states a wrong original and a sent that is wrong by as much, so the
difference of the two is right. Small differences are network delay: they move no event, so that all
copies of a message agree (CONTRACTS: within 5 s).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dipper.kit.clock import DAY_US
from dipper.kit.limits import SKEW_TOLERATED_US

TIME_MIN_US = 0
TIME_MAX_US = 7_258_118_400_000_000
"""1970 to 2200: beyond it a time is a mistake."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_read = datetime.fromisoformat


def parse_time(text: str) -> int:
    """µs since 1970 of an ISO 8601 text; without zone it is taken as UTC.

    Raises ValueError for anything else and for times outside 1970 to 2200.
    """
    moment = _read(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    time_us = (moment - _EPOCH) // _US
    if not TIME_MIN_US <= time_us < TIME_MAX_US:
        raise ValueError(f"{text} is not between 1970 and 2200")
    return time_us


def event_time(original_us: int | None, sent_us: int | None, received_us: int) -> int:
    """The moment at which the event happened, in µs."""
    if original_us is None:
        return received_us
    if sent_us is None or -SKEW_TOLERATED_US <= received_us - sent_us <= SKEW_TOLERATED_US:
        return original_us
    return received_us - (sent_us - original_us)


def day_of(time_us: int) -> int:
    """The UTC day, counted from 1970."""
    return time_us // DAY_US
