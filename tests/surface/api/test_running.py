"""Tests of the control plane of a running platform: health, metrics, status, decisions, funnels."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from typing import Any

import pytest

from dipper.kit.clock import system_clock, to_iso


def event(**more: Any) -> dict[str, Any]:
    """A bill that somebody has paid just now."""
    return {
        "type": "track",
        "event": "bill_paid",
        "userId": "u000001",
        "messageId": secrets.token_hex(8),
        "timestamp": to_iso(system_clock()),
        "properties": {"amount_fen": 1_200},
    } | more


def counts(bank: Any) -> dict[str, int]:
    """What `/api/status` says of the server source."""
    found: dict[str, int] = bank.get("/api/status").json()["sources"]["scenario_server"]
    return found


def test_all_is_well(served_bank: Any) -> None:
    """Every process answers and nothing is behind."""
    served_bank.settle()
    found = served_bank.get("/healthz")
    assert found.status == 200
    assert found.json()["worker"] is True
    assert served_bank.get("/readyz").json()["ready"] is True


def test_each_record_received_is_in_exactly_one_count(served_bank: Any) -> None:
    """received = good + failed + duplicate + refused, and grows by what was sent."""
    before = counts(served_bank)
    twice = event()
    batch = [event(), event(), event(event="no_such_event"), twice, dict(twice)]
    served_bank.send({"batch": batch})
    after = counts(served_bank)
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {"received": 5, "good": 3, "failed": 1, "duplicate": 1, "refused": 0}


def test_metrics_say_the_same_as_the_status(served_bank: Any) -> None:
    """Prometheus reads lag, records by partition and the counts by source."""
    text = served_bank.get("/metrics").text
    found = dict(re.findall(r'^(\w+\{source="scenario_server",verdict="\w+"\}) (\S+)$', text, re.M))
    said = counts(served_bank)
    for verdict in ("good", "failed", "duplicate", "refused"):
        name = f'dipper_received_as_total{{source="scenario_server",verdict="{verdict}"}}'
        assert float(found[name]) == said[verdict]
    assert "dipper_worker_up 1.0" in text
    assert re.search(r'^dipper_projection_lag_records\{partition="0"\} \d', text, re.M)
    assert re.search(r"^dipper_lake_fresh_files \d", text, re.M)


def test_the_status_says_what_is_on_disk(served_bank: Any) -> None:
    """Program, tables and bytes of each store."""
    found = served_bank.get("/api/status").json()
    assert len(found["program"]) == 64
    assert all(found["disk_bytes"][name] > 0 for name in ("log", "state", "lake", "programs"))
    assert found["demo"] is True


def test_a_decision_is_explained_in_both_languages(served_bank: Any) -> None:
    """Trace, verdicts with rules, waterfall and sentences, for staff."""
    body = {"placement": "bill_payment_result", "ids": {"login": "u000002"}}
    reply = served_bank.send(body, "/v1/decide")
    served_bank.settle()
    found = served_bank.get(f"/api/decisions/{reply['decision_id']}").json()
    assert found["trace"]["decision_id"] == reply["decision_id"]
    assert found["waterfall"]["candidates"] == len(found["verdicts"])
    assert reply["decision_id"] in found["sentences"]["zh"][0]
    assert found["sentences"]["en"][0].startswith("Decision ")
    offers = [offer["offer"] for offer in reply["offers"]]
    assert found["waterfall"]["offers"] == offers


def test_an_unknown_decision_is_not_found(served_bank: Any) -> None:
    """404 as a problem."""
    assert served_bank.get("/api/decisions/nothing").status == 404


def test_a_funnel_over_http_is_the_funnel_of_the_command_line(
    served_bank: Any, kernels: str
) -> None:
    """One question, two doors, the same numbers."""
    asked = {
        "steps": [{"event": "bill_viewed"}, {"event": "bill_paid", "where": "amount_fen > 5000"}],
        "window": "7d",
        "breakdown": "bill_kind",
    }
    served_bank.settle()
    over_http = served_bank.post("/api/funnel", asked).json()
    command = [
        *(sys.executable, "-m", "dipper.surface.cli.main", "funnel", "bill_viewed"),
        *("--step", "bill_paid:amount_fen > 5000", "--window", "7d", "--by", "bill_kind"),
        *("-w", str(served_bank.workspace.folder), "--json"),
    ]
    environment = os.environ | {"NUMBA_CACHE_DIR": kernels}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert json.loads(done.stdout) == over_http
    viewed, paid = (step["subjects"] for step in over_http["steps"])
    assert viewed > paid > 0
    assert {group["value"] for group in over_http["groups"]} >= {"electricity", "water"}


@pytest.mark.parametrize(
    ("change", "where", "word"),
    [
        ({"steps": [{"event": "bill_payd"}]}, "steps[0]", "bill_paid"),
        ({"steps": [{"event": "bill_paid", "where": "amount > 1"}]}, "steps[0].where", "amount"),
        ({"steps": [{"event": "bill_paid", "where": "amount_fen"}]}, "steps[0].where", "bool"),
        ({"subject": "persons"}, "subject", "person"),
        ({"window": "7 days"}, "window", "7 days"),
        ({"start": "yesterday"}, "start", "RFC 3339"),
        ({"breakdown": "community"}, "breakdown", "C2"),
        ({"breakdown": "department"}, "breakdown", "sensitive"),
        ({"breakdown": "person"}, "breakdown", "no column"),
        ({"breakdown": "amount_fen"}, "breakdown", "int"),
    ],
)
def test_a_question_that_means_nothing_says_why(
    served_bank: Any, change: dict[str, Any], where: str, word: str
) -> None:
    """A misspelt event, a wrong type, a breakdown that names people: each with its place."""
    found = served_bank.post("/api/funnel", {"steps": [{"event": "bill_paid"}]} | change)
    assert found.status in (400, 404)
    problem = found.json()
    assert problem["where"].startswith(where)
    assert word in problem["detail"] + problem.get("hint", "")
