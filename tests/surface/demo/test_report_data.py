"""The report says what was done: held against the driver's own record of a small bank."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from dipper.surface.demo.driver import Tally
from dipper.surface.demo.report_data import speeds

FIELDS = {
    "events_imported": int,
    "events_sent": int,
    "events_acknowledged": int,
    "events_stored": int,
    "killed_and_recovered": bool,
    "replay_equal": bool,
    "persons": int,
    "users": int,
    "customers_existing": int,
    "customers_new": int,
    "decisions": int,
    "conversion_treated": float,
    "conversion_control": float,
    "existing_treated": float,
    "existing_control": float,
    "uplift_ci95": list,
    "placebo_ci95": list,
    "last_click_claimed": int,
    "incremental_customers": int,
    "match_rate": float,
    "gate_denials": dict,
    "share_of_achievable": float,
    "decide_p50_ms": float,
    "decide_p99_ms": float,
    "collect_events_per_s": float,
    "seconds": float,
}
MAY_BE_MISSING = {"uplift_ci95", "placebo_ci95", "incremental_customers"}


def test_the_fields_are_those_that_were_promised(data: dict[str, Any]) -> None:
    """Name by name and type by type; what there is not enough data for is null."""
    assert data.keys() == FIELDS.keys() | {"detail"}
    for name, kind in FIELDS.items():
        if data[name] is None:
            assert name in MAY_BE_MISSING, name
        else:
            assert isinstance(data[name], kind), name


def test_it_is_plain_json(data: dict[str, Any]) -> None:
    """What is read back is what was written, and no number is infinite."""
    assert json.loads(json.dumps(data, allow_nan=False)) == json.loads(json.dumps(data))


def test_people_are_those_of_the_bank(lived: Any, data: dict[str, Any]) -> None:
    """Existing customers are those whom the core knew before; new ones those whom it told of."""
    persons = lived.bank.persons
    assert data["persons"] == len(persons)
    assert data["customers_existing"] == int(persons.is_existing.sum())
    opened = {subject for kind, subject, _ in lived.driver.opened if kind == "person"}
    assert data["customers_new"] == sum(not persons.is_existing[subject] for subject in opened)


def test_the_first_steps_count_who_was_seen_who_agreed_and_who_is_known(
    lived: Any, data: dict[str, Any]
) -> None:
    """Reached are persons and devices of nobody; users agree to something still; of some users
    nothing is known that a tag could say."""
    persons, visitors = lived.bank.persons, data["detail"]["visitors"]
    steps = data["detail"]["steps"]["person"]
    assert 0 < visitors <= len(lived.bank.visitors)
    assert steps["reached"] == len(persons) + visitors
    assert data["users"] == steps["users"] == int(persons.consents_service.sum())
    assert steps["tagged"] < steps["users"]
    new = {one["stage"]: one["new"] for one in data["detail"]["life_cycle"]}
    assert new["visitor"] > visitors


def test_hospital_serves_and_sells_nothing(data: dict[str, Any]) -> None:
    """Appointments and fees are there, a service was shown to who agreed apart; no opening, no
    value."""
    (hospital,) = (s for s in data["detail"]["scenarios"] if s["scenario"] == "hospital")
    assert [step["event"] for step in hospital["funnel"]][:2] == [
        "appointment_made",
        "hospital_fee_paid",
    ]
    assert hospital["funnel"][1]["subjects"] > 0
    assert hospital["value"]["openings"] == 0
    assert hospital["value"]["value_fen"] == 0


def test_every_decision_asked_for_has_its_trace(lived: Any, data: dict[str, Any]) -> None:
    """In the arm that the driver was told."""
    assert data["decisions"] == lived.driver.tally.decisions == len(lived.driver.asked)
    assert data["detail"]["decisions_asked"] == data["decisions"]


def test_every_opening_is_counted_and_each_one_once(lived: Any, data: dict[str, Any]) -> None:
    """By channel, and its value among those of the branches."""
    found = data["detail"]["openings"]
    assert found["openings"] == len(lived.driver.opened)
    assert sum(found["by_channel"].values()) == found["openings"]
    assert sum(one["value_fen"] for one in data["detail"]["branches"]) == found["value_fen"]
    assert data["match_rate"] == found["matched"] / found["openings"]


def test_arms_hold_whom_the_driver_saw_in_them(lived: Any, data: dict[str, Any]) -> None:
    """By the first decision; only subjects with a passed offer count, so at most as many."""
    first: dict[int, str] = {}
    for one in sorted(lived.driver.asked, key=lambda asked: asked.step):
        if one.kind == "person":
            first.setdefault(one.subject, one.arm)
    seen = Counter(first.values())
    (headline,) = (x for x in data["detail"]["experiments"] if x["policy"] == "person_offers")
    arms = {
        arm: headline["new"]["arms"][arm]["subjects"]
        + headline["existing"]["arms"][arm]["subjects"]
        for arm in ("treated", "control", "placebo")
    }
    assert all(0 < arms[arm] <= seen[arm] for arm in arms), (arms, seen)
    treated = headline["new"]["arms"]["treated"]
    assert data["conversion_treated"] == treated["conversions"] / treated["subjects"]


def test_choices_lie_between_random_and_best(data: dict[str, Any]) -> None:
    """On the average of every stretch of decisions."""
    curve = data["detail"]["choices"]["curve"]
    assert len(curve) > 5
    for point in curve:
        assert 0 <= point["random"] <= point["best"]
        assert point["ours"] <= point["best"] + 1e-9
        assert point["single"] <= point["best"] + 1e-9


def test_gates_tell_their_rules(data: dict[str, Any]) -> None:
    """Each gate with its ids and sources; the counts are those of the headline."""
    gates = {gate["gate"]: gate for gate in data["detail"]["gates"]}
    assert {name: gate["denied"] for name, gate in gates.items()} == data["gate_denials"]
    assert "SUIT-01" in [rule["id"] for rule in gates["suitable"]["rules"]]
    assert all(rule["title"]["zh"] for gate in gates.values() for rule in gate["rules"])


def test_six_scenarios_have_their_funnels_and_sheets(data: dict[str, Any]) -> None:
    """A funnel falls from step to step; a sheet has all 22 indicators."""
    scenarios = data["detail"]["scenarios"]
    assert len(scenarios) == 6
    for scenario in scenarios:
        counts = [step["subjects"] for step in scenario["funnel"]]
        assert counts == sorted(counts, reverse=True)
        assert len(scenario["indicators"]) == 22


def test_one_decision_is_shown_from_candidates_to_offer(data: dict[str, Any]) -> None:
    """With sentences in both languages."""
    trace = data["detail"]["trace"]
    fall = trace["waterfall"]
    assert fall["candidates"] == fall["gates"][-1]["left"] + sum(
        len(gate["denied"]) for gate in fall["gates"]
    )
    assert fall["offers"]
    assert trace["sentences"]["zh"]
    assert trace["sentences"]["en"]


def test_nothing_of_a_person_stands_in_it(lived: Any, data: dict[str, Any]) -> None:
    """No id of anybody, though sentences are about somebody."""
    text = json.dumps(data, ensure_ascii=False)
    persons = lived.bank.persons
    for ids in (persons.login, persons.customer_no, persons.device):
        assert not any(f'"{id_}' in text or f":{id_}" in text for id_ in ids)


def test_speeds_are_those_of_one_caller_and_of_the_wall_clock() -> None:
    """Latency of decisions asked for alone; events by the time of the phases that sent them."""
    tally = Tally(alone_s=[0.001, 0.002, 0.003], together_s=[0.9], batched=500, batching_s=0.25)
    found = speeds(tally)
    assert found["decide_p50_ms"] == pytest.approx(2)
    assert found["decide_p99_ms"] == pytest.approx(2.98)
    assert found["collect_events_per_s"] == pytest.approx(2_000)
    assert speeds(Tally()) == dict.fromkeys(
        ("decide_p50_ms", "decide_p99_ms", "collect_events_per_s")
    )
