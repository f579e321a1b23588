"""Stages are computed from facts, by the rules of the four-step method."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dipper.kit.clock import DAY_US
from dipper.measure.lifecycle import TITLES, Facts, Stage, life_cycle, stage

NOW = 100 * DAY_US
USER = Facts(
    subject="p",
    is_identified=True,
    has_consented=True,
    has_tag=False,
    has_clicked=False,
    active_days_30=0,
    has_applied=False,
    lines=frozenset(),
    open_accounts=0,
    last_core_us=None,
    last_event_us=NOW - DAY_US,
)
CUSTOMER = replace(USER, lines=frozenset({"deposit"}), open_accounts=1)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(USER, is_identified=False), Stage.VISITOR),
        (replace(USER, has_consented=False, has_clicked=True), Stage.VISITOR),
        (USER, Stage.USER),
        (replace(USER, has_tag=True), Stage.TAGGED),
        (replace(USER, has_tag=True, has_clicked=True), Stage.ENGAGED),
        (replace(USER, active_days_30=2), Stage.USER),
        (replace(USER, active_days_30=3), Stage.ENGAGED),
        (replace(USER, has_applied=True), Stage.APPLICANT),
        (CUSTOMER, Stage.CUSTOMER),
        (replace(CUSTOMER, last_core_us=NOW - 30 * DAY_US), Stage.ACTIVE),
        (replace(CUSTOMER, last_core_us=NOW - 30 * DAY_US - 1), Stage.CUSTOMER),
        (replace(CUSTOMER, lines=frozenset({"deposit", "loan"})), Stage.DEEPENED),
        (replace(CUSTOMER, last_event_us=NOW - 90 * DAY_US), Stage.DORMANT),
        (replace(CUSTOMER, open_accounts=0), Stage.LOST),
        # Only the core's word makes a customer, consent or not.
        (replace(CUSTOMER, has_consented=False), Stage.CUSTOMER),
    ],
)
def test_each_stage_has_its_rule(facts: Facts, expected: Stage) -> None:
    """Edges of windows included."""
    assert stage(facts, NOW) == expected


def test_everybody_is_counted_once_and_existing_customers_apart() -> None:
    """Users are all but visitors."""
    people = [
        USER,
        replace(USER, is_identified=False),
        CUSTOMER,
        replace(CUSTOMER, is_existing=True),
    ]
    found = life_cycle(people, NOW)
    assert (found.persons, found.users) == (4, 3)
    assert found.existing[Stage.CUSTOMER] == 1
    assert found.new[Stage.CUSTOMER] == 1


def test_every_stage_has_its_words() -> None:
    """In Chinese and English."""
    assert set(TITLES) == set(Stage)
