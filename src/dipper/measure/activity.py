"""Who was active, where and when: one row a subject and scenario, from one pass over history.

Behaviour is what a person or firm did, told by a public source, a server or a partner. What the
core says, what the engine writes and what was said about consent is no behaviour, but may be an
event all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dipper.kit.clock import DAY_US
from dipper.measure.history import SUBJECT, History
from dipper.measure.lifecycle import ACTIVE_WINDOW_US

WEEK_US = 7 * DAY_US
COHORT_WEEKS_AGO = 4

NO_BEHAVIOUR = (
    "consent_given",
    "consent_withdrawn",
    "subject_bound",
    "subject_unbound",
    "identify",
    "group",
    "alias",
    "offer_shown",
    "contact_sent",
    "contact_failed",
)
KINDS = ("person", "organisation")
VISITOR = "device"
"""Who was never named is known by a device alone, and counted by it."""


@dataclass(frozen=True)
class Seen:
    """What a subject did over all its scenarios. Times in µs, None where it never happened."""

    last_us: int | None
    last_core_us: int | None
    active_days_30: int
    has_applied: bool
    has_clicked: bool


@dataclass(frozen=True)
class InScenario:
    """What a subject did in one scenario: active in the last 30 days, in the cohort's week (four
    weeks before the last one), in the last week."""

    kind: str
    subject: str
    scenario: str
    is_active_30: bool
    in_cohort: bool
    has_returned: bool


def activity(
    history: History, now_us: int, time_zone: str, applications: Iterable[str]
) -> dict[tuple[str, str], Seen]:
    """(kind, subject) -> what it did up to `now_us`; days are those of the time zone (IANA).

    `applications` are the events that say that a product was applied for.
    """
    parameters = {
        "now_us": now_us,
        "active_us": now_us - ACTIVE_WINDOW_US,
        "zone": time_zone,
        "apply": [*applications],
    }
    rows = history.rows(_SEEN, parameters)
    return {(kind, subject): Seen(*values) for kind, subject, *values in rows}


def in_scenarios(history: History, now_us: int) -> list[InScenario]:
    """Behaviour by subject and scenario up to `now_us`, in order of kind, scenario, subject."""
    parameters = {
        "now_us": now_us,
        "active_us": now_us - ACTIVE_WINDOW_US,
        "week_us": now_us - WEEK_US,
        "cohort_us": now_us - (COHORT_WEEKS_AGO + 1) * WEEK_US,
        "cohort_end_us": now_us - COHORT_WEEKS_AGO * WEEK_US,
    }
    return [InScenario(*row) for row in history.rows(_IN_SCENARIO, parameters)]


_NAMES = ", ".join(f"'{name}'" for name in NO_BEHAVIOUR)
_KINDS = ", ".join(f"'{kind}'" for kind in (*KINDS, VISITOR))
_BEHAVES = f"trust NOT IN ('engine', 'core') AND event NOT IN ({_NAMES})"
_UP_TO_NOW = f"kind IN ({_KINDS}) AND time_us <= $now_us"

_SEEN = f"""
SELECT
    kind,
    {SUBJECT},
    max(time_us) FILTER (trust <> 'engine'),
    max(time_us) FILTER (trust = 'core'),
    count(DISTINCT CAST(time AT TIME ZONE $zone AS DATE))
        FILTER ({_BEHAVES} AND time_us > $active_us),
    coalesce(bool_or(list_contains($apply, event)), FALSE),
    coalesce(bool_or(event = 'offer_clicked'), FALSE)
FROM timelines WHERE {_UP_TO_NOW} GROUP BY kind, subject
"""  # noqa: S608

_IN_SCENARIO = f"""
SELECT
    kind,
    {SUBJECT},
    scenario,
    bool_or(time_us > $active_us),
    bool_or(time_us > $cohort_us AND time_us <= $cohort_end_us),
    bool_or(time_us > $week_us)
FROM timelines WHERE {_UP_TO_NOW} AND scenario IS NOT NULL AND {_BEHAVES}
GROUP BY kind, scenario, subject ORDER BY kind, scenario, subject
"""  # noqa: S608
