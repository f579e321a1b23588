"""Everybody with the facts that their stage rests on, gathered from history.

Whoever has a timeline of its own was named by a source that is believed, so it is identified; who
is known by a device alone is a visitor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dipper.measure.activity import VISITOR, Seen
from dipper.measure.history import SUBJECT, History, Period
from dipper.measure.lifecycle import Facts
from dipper.measure.openings import Accounts

NOTHING = Accounts(frozenset(), 0)


@dataclass(frozen=True)
class Consents:
    """Who consents to something, and who has withdrawn a consent in a period; (kind, subject)."""

    given: frozenset[tuple[str, str]]
    withdrawn: frozenset[tuple[str, str]]


def consents(history: History, period: Period) -> Consents:
    """The last word on each purpose up to the end of a period, and the withdrawals in it."""
    rows = history.rows(
        f"SELECT kind, {SUBJECT}, arg_max(event, (time_us, seq, order_hash)), "  # noqa: S608
        "bool_or(event = 'consent_withdrawn' AND time_us >= $start_us) "
        "FROM timelines WHERE event IN ('consent_given', 'consent_withdrawn') "
        "AND time_us <= $end_us GROUP BY kind, subject, purpose",
        period.bounds,
    )
    return Consents(
        frozenset((kind, subject) for kind, subject, last, _ in rows if last == "consent_given"),
        frozenset((kind, subject) for kind, subject, _, withdrawn in rows if withdrawn),
    )


def people(
    kind: str,
    seen: Mapping[tuple[str, str], Seen],
    consented: Collection[tuple[str, str]],
    tagged: Collection[str],
    accounts: Mapping[tuple[str, str], Accounts],
    customer_since: Mapping[tuple[str, str], int],
    start_us: int,
) -> list[Facts]:
    """The facts of all subjects of one kind; existing customers are those before `start_us`."""
    found = []
    for (own_kind, subject), what in seen.items():
        if own_kind != kind:
            continue
        whose = (kind, subject)
        had = accounts.get(whose, NOTHING)
        found.append(
            Facts(
                subject=subject,
                is_identified=kind != VISITOR,
                has_consented=whose in consented,
                has_tag=subject in tagged,
                has_clicked=what.has_clicked,
                active_days_30=what.active_days_30,
                has_applied=what.has_applied,
                lines=had.lines,
                open_accounts=had.open_accounts,
                last_core_us=what.last_core_us,
                last_event_us=what.last_us,
                is_existing=customer_since.get(whose, start_us) < start_us,
            )
        )
    return found


@dataclass(frozen=True)
class Assessments:
    """Persons by their latest risk assessment: valid, run out, or none (of `persons`)."""

    valid: int
    expired: int
    without: int


def assessments(history: History, persons: int, now_us: int, time_zone: str) -> Assessments:
    """How many persons may be offered what needs an assessment; its last day belongs to it."""
    ((valid, expired),) = history.rows(
        "SELECT count(*) FILTER (last >= today), count(*) FILTER (last < today) FROM ("
        "SELECT arg_max(valid_until, (time_us, seq, order_hash)) AS last, "
        "CAST(make_timestamptz($now_us) AT TIME ZONE $zone AS DATE) AS today "
        "FROM timelines WHERE kind = 'person' AND event = 'assessment_recorded' "
        "AND trust = 'core' AND time_us <= $now_us GROUP BY subject)",
        {"now_us": now_us, "zone": time_zone},
    )
    return Assessments(valid, expired, persons - valid - expired)
