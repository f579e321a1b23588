"""Tests of what the control plane shows of a subject."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from dipper.kit.clock import DAY_US
from dipper.profile import gather as gathering
from dipper.profile.gather import gather
from dipper.profile.id_state import read_header
from dipper.surface.api.platform import Platform, Reading

Call = Callable[..., tuple[int, dict[str, str], bytes]]


def ids_of(app: FastAPI, fits: Callable[[Reading, Any], bool]) -> list[str]:
    """The ids of the first subject that fits."""
    bank: Platform = app.state.platform
    with bank.read() as reading:
        for key, data in reading.view.scan("ids"):
            if read_header(data).is_plain:
                continue
            found = gather(reading.view, reading.served.tag_table, key)
            if found is not None and fits(reading, found):
                return found.ids()
    raise AssertionError("nobody fits")


def person(call: Call, text: str) -> dict[str, Any]:
    """The card of an id."""
    kind, _, value = text.partition(":")
    status, _, body = call("GET", f"/api/persons/{kind}/{value}")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_both_ids_of_a_customer_show_the_same(call: Call, app: FastAPI) -> None:
    """A login and a customer number that are bound name one subject."""
    ids = ids_of(app, lambda reading, found: found.kind == "person" and len(found.keys) == 2)
    one, other = (person(call, text) for text in ids)
    assert one["ids"] == other["ids"]
    assert one["tags"] == other["tags"]
    assert len(one["ids"]) == 2


def test_no_id_and_no_account_is_shown_whole(call: Call, app: FastAPI) -> None:
    """Not even the one that was asked for comes back unmasked (PFI-08)."""
    ids = ids_of(app, lambda reading, found: len(found.keys) == 2 and found.holdings({}) != ())
    shown = json.dumps(person(call, ids[0]))
    for text in ids:
        assert text.partition(":")[2] not in shown
    assert re.search(r'"account": "\*{4}\w{4}"', shown)
    assert re.search(r'"city": "\d\*{4}"', shown)


def test_the_events_behind_a_count_are_its_value(call: Call, app: FastAPI) -> None:
    """A tag that counts events is the number of events behind it."""
    ids = ids_of(app, lambda reading, found: found.kind == "person" and len(found.rows) > 60)
    tags = {tag["name"]: tag for tag in person(call, ids[0])["tags"]}
    counted = [name for name in tags if name.startswith(("bills_paid", "rides", "gates_opened"))]
    assert len(counted) == 4
    assert any(tags[name]["value"] for name in counted)
    for name in counted:
        assert tags[name]["events"] == tags[name]["value"]
    assert "events" not in tags["age_years"]


def test_a_tag_of_a_busy_person_is_shown_as_a_lower_bound(
    call: Call, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an id has as many records as are kept, older ones may count too."""
    ids = ids_of(app, lambda reading, found: found.kind == "person" and len(found.rows) > 60)
    assert not any(tag["at_least"] for tag in person(call, ids[0])["tags"])
    monkeypatch.setattr(gathering, "RECORDS_MAX", 1)
    tags = {tag["name"]: tag["at_least"] for tag in person(call, ids[0])["tags"]}
    assert any(tags.values())
    assert not tags["age_years"]


def test_sensitive_tags_and_segments_are_hidden(call: Call, app: FastAPI) -> None:
    """Who was in hospital is nobody's business in passing: no value, no name of the segment."""

    def was_in_hospital(reading: Reading, found: Any) -> bool:
        kind = reading.served.tag_table.kinds["person"]
        if found.kind != "person":
            return False
        values = kind.whole.at(found.rows, reading.now_us, found.known({}))
        return bool(values["segment.patients"])

    shown = person(call, ids_of(app, was_in_hospital)[0])
    assert {"name": None, "title": None, "sensitive": True} in shown["segments"]
    hidden = [tag for tag in shown["tags"] if tag["sensitive"]]
    assert {tag["name"] for tag in hidden} == {"hospital_visits_90d", "hospital_amount_90d"}
    assert all(tag["value"] is None and "events" not in tag for tag in hidden)


def test_consents_caps_and_assessment_are_there(call: Call, app: FastAPI) -> None:
    """What decides over offers is shown with its numbers."""

    def was_assessed(reading: Reading, found: Any) -> bool:
        return any(facts.assessment is not None for facts in found.facts)

    shown = person(call, ids_of(app, was_assessed)[0])
    assert shown["consents"]["personalised_service"]["given"] is True
    assert shown["caps"]["all_week"] == {"used": 0, "limit": 6}
    assert 1 <= shown["assessment"]["level"] <= 5


def test_an_organisation_is_shown_by_its_number(call: Call, app: FastAPI) -> None:
    """The path is the same for every kind of subject."""
    ids = ids_of(app, lambda reading, found: found.kind == "organisation")
    shown = person(call, ids[0])
    assert shown["kind"] == "organisation"
    assert {tag["name"] for tag in shown["tags"]} >= {"sales_7d", "invoices_30d"}


def test_a_device_names_who_has_it_now(call: Call, app: FastAPI) -> None:
    """Asked by a device, the person is shown who was bound to it last."""
    ids = ids_of(app, lambda reading, found: found.kind == "person" and bool(found.devices))
    with app.state.platform.read() as reading:
        from dipper.kit.hashing import hash128

        found = gather(reading.view, reading.served.tag_table, hash128(ids[0]))
        assert found is not None
        device = found.devices[0][1].id
        owner = found.devices[0][2].at(reading.now_us)
    shown = person(call, device)
    assert shown["kind"] == "person"
    assert (shown["ids"] == person(call, ids[0])["ids"]) == (owner in found.keys)


@pytest.mark.parametrize("path", ["/api/persons/login/nobody", "/api/persons/device/none"])
def test_a_stranger_is_not_found(call: Call, path: str) -> None:
    """404 that does not repeat the id."""
    status, _, body = call("GET", path)
    assert status == 404
    assert b"nobody is known" in body


def test_an_empty_id_is_bad_input(call: Call) -> None:
    """A blank is no id."""
    assert call("GET", "/api/persons/login/ ")[0] == 400


def test_a_window_begins_behind_its_edge(app: FastAPI) -> None:
    """(now - w, now]: the event at the edge is out, the one at now is in."""
    import numpy as np

    from dipper.surface.api.persons import counted_rows

    rows = np.zeros((3, 7), dtype=np.int64)
    rows[:, 0] = [0, 1, DAY_US]
    rows[:, 5] = 0b100
    assert len(counted_rows(rows, 2, DAY_US, DAY_US)) == 2
    assert len(counted_rows(rows, 2, 0, DAY_US)) == 3
    assert len(counted_rows(rows, 1, 0, DAY_US)) == 0
