"""Where a person stands on the way from visitor to customer, and how many stand where.

The stages and their rules are those of the four-step method. A stage is computed from facts, never
stored: the same facts give the same stage, whatever was thought before. A person whom the core
already knew enters at the core's stage and is counted apart (`is_existing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dipper.kit.clock import DAY_US

ACTIVE_DAYS_MIN = 3
ACTIVE_WINDOW_US = 30 * DAY_US
DORMANT_US = 90 * DAY_US


class Stage(StrEnum):
    """The stages in the order of the way; the last three are states of a customer."""

    VISITOR = "visitor"
    USER = "user"
    TAGGED = "tagged"
    ENGAGED = "engaged"
    APPLICANT = "applicant"
    CUSTOMER = "customer"
    ACTIVE = "active"
    DEEPENED = "deepened"
    DORMANT = "dormant"
    LOST = "lost"


TITLES: dict[Stage, tuple[str, str]] = {
    Stage.VISITOR: ("访客", "visitor"),
    Stage.USER: ("用户", "user"),
    Stage.TAGGED: ("已打标", "tagged"),
    Stage.ENGAGED: ("已互动", "engaged"),
    Stage.APPLICANT: ("申请中", "applicant"),
    Stage.CUSTOMER: ("客户", "customer"),
    Stage.ACTIVE: ("活跃客户", "active customer"),
    Stage.DEEPENED: ("深耕客户", "deepened"),
    Stage.DORMANT: ("沉睡", "dormant"),
    Stage.LOST: ("流失", "lost"),
}


@dataclass(frozen=True)
class Facts:
    """What the stage of one person rests on. Times in µs, None where it never happened.

    `lines` are the product lines ever opened, `open_accounts` those not closed.
    """

    subject: str
    is_identified: bool
    has_consented: bool
    has_tag: bool
    has_clicked: bool
    active_days_30: int
    has_applied: bool
    lines: frozenset[str]
    open_accounts: int
    last_core_us: int | None
    last_event_us: int | None
    is_existing: bool = False


def stage(facts: Facts, now_us: int) -> Stage:
    """The stage of a person at `now_us`."""
    if facts.lines:
        return _customer_stage(facts, now_us)
    if not (facts.is_identified and facts.has_consented):
        return Stage.VISITOR
    if facts.has_applied:
        return Stage.APPLICANT
    if facts.has_clicked or facts.active_days_30 >= ACTIVE_DAYS_MIN:
        return Stage.ENGAGED
    return Stage.TAGGED if facts.has_tag else Stage.USER


def _customer_stage(facts: Facts, now_us: int) -> Stage:
    if facts.open_accounts == 0:
        return Stage.LOST
    if facts.last_event_us is None or now_us - facts.last_event_us >= DORMANT_US:
        return Stage.DORMANT
    if len(facts.lines) >= 2:
        return Stage.DEEPENED
    if facts.last_core_us is not None and now_us - facts.last_core_us <= ACTIVE_WINDOW_US:
        return Stage.ACTIVE
    return Stage.CUSTOMER


@dataclass(frozen=True)
class LifeCycle:
    """Persons per stage; existing customers apart from those new to the bank."""

    new: dict[Stage, int]
    existing: dict[Stage, int]

    @property
    def persons(self) -> int:
        """Everybody."""
        return sum(self.new.values()) + sum(self.existing.values())

    @property
    def users(self) -> int:
        """Everybody who is at least a user."""
        return self.persons - self.new[Stage.VISITOR] - self.existing[Stage.VISITOR]


def life_cycle(people: Iterable[Facts], now_us: int) -> LifeCycle:
    """Count all persons by stage."""
    new: Counter[Stage] = Counter()
    existing: Counter[Stage] = Counter()
    for facts in people:
        (existing if facts.is_existing else new)[stage(facts, now_us)] += 1
    return LifeCycle({each: new[each] for each in Stage}, {each: existing[each] for each in Stage})
