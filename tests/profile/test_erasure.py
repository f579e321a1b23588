"""Erasure in the state: what goes, what stays, and what is refused afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dipper.engine.embedded.state import EmbeddedState
from dipper.profile.erasure import erase_changes, ids_to_erase, tombstone
from dipper.profile.project import project

DAY = 86_400_000_000
START = 1_790_000_000_000_000
KEY = b"k" * 32
PUBLIC = {"source": "app", "trust": "public"}


@pytest.fixture
def lived(bank: Any) -> Any:
    """C1 has a phone, a login, and a phone shared with C2; both have paid and decided."""
    bank.tick(START)
    bank.project(bank.event("page_opened", START, person="C1", device="own"))
    bank.project(bank.event("page_opened", START, person="C1", device="shared"))
    bank.project(bank.event("page_opened", START + DAY, person="C2", device="shared"))
    for at_us in (START + 1, START + DAY + 1):
        bank.project(
            bank.event("page_opened", at_us, device="shared", properties={"biller": "x"}, **PUBLIC)
        )
    bound = bank.event("subject_bound", START, person="C1", properties={"other_id": "login:l1"})
    bank.project(bound)
    for person in ("C1", "C2"):
        bank.pay(START + 2, person=person, properties={"biller": f"secret-of-{person}"})
        properties = {"decision_id": f"D-{person}"}
        engine = {"source": "engine", "trust": "engine"}
        bank.project(
            bank.event("decision_made", START + 3, person=person, properties=properties, **engine)
        )
    bank.tick(START + 2 * DAY)
    return bank


def erase(bank: Any) -> list[str]:
    with bank.state.read() as reader:
        ids = ids_to_erase(reader, bank.table, "customer_no:C1")
        changes = erase_changes(reader, bank.table, ids, KEY, START)
    bank.state.write(changes, {})
    return ids


def test_all_ids_of_the_person_go_and_shared_devices_stay(lived: Any) -> None:
    """Erased are the person's ids and the phone that only this person has had."""
    assert set(erase(lived)) == {"customer_no:C1", "login:l1", "device:own"}
    assert lived.subject("C1").last_time_us is None
    assert lived.subject("login:l1").ids == ("login:l1",)


def test_nothing_of_the_person_is_left_in_the_files(lived: Any, tmp_path: Path) -> None:
    """After compaction no file of the state holds id, text or decision of the erased person."""
    erase(lived)
    lived.state.compact()
    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for trace in (b"customer_no:C1", b"login:l1", b"device:own", b"secret-of-C1", b"D-C1"):
        assert trace not in stored
    for trace in (b"customer_no:C2", b"device:shared", b"secret-of-C2", b"D-C2"):
        assert trace in stored


def test_others_keep_their_counts(lived: Any) -> None:
    """Who shared a phone with the erased person loses nothing of his own."""
    before = lived.subject("C2", now_us=START + 2 * DAY)
    erase(lived)
    after = lived.subject("C2", now_us=START + 2 * DAY)
    assert after.tags == before.tags
    assert after.segments == before.segments
    assert lived.subject("device:shared", now_us=START + 2 * DAY).key == after.key


def test_no_timer_rings_for_the_erased(lived: Any) -> None:
    """Timers, standings and pending looks of the erased ids are gone."""
    erase(lived)
    done = lived.tick(START + 60 * DAY)
    assert all("C1" not in str(event.subjects) for event in done.announcements)
    assert done.announcements


def test_later_events_of_the_erased_are_refused(lived: Any) -> None:
    """An event of an erased id has no effect and is counted by its source."""
    erase(lived)
    done = lived.project(
        lived.event("bill_paid", START + 9, person="C1", properties={"amount_fen": 100}),
        erasure_key=KEY,
    )
    assert done.refused == {"server": 1}
    assert lived.subject("C1").last_time_us is None
    assert lived.subject("C1", erasure_key=KEY).erased is True
    assert lived.subject("C2", erasure_key=KEY).erased is False


def test_only_the_erased_role_of_a_shared_event_goes(lived: Any) -> None:
    """The organisation keeps the row of an event whose person is erased."""
    erase(lived)
    lived.project(
        lived.event("bill_paid", START + 9, person="C1", organisation="O1"), erasure_key=KEY
    )
    assert lived.subject("org_no:O1", now_us=START + 9).tags["sales_7d"] == 1


def test_a_new_consent_lifts_the_refusal(lived: Any) -> None:
    """After `reinstated` the id is like any new one."""
    erase(lived)
    mark = tombstone("customer_no:C1", KEY).hex()
    lived.project(lived.control("reinstated", ids={mark: START}))
    lived.pay(START + 9)
    assert lived.subject("C1").tags["bills"] == 0
    assert lived.subject("C1", now_us=START + 9).tags["bills"] == 1


def test_the_control_record_alone_erases(lived: Any) -> None:
    """A projector that reads only the log finds the ids by their tombstones."""
    with lived.state.read() as reader:
        ids = ids_to_erase(reader, lived.table, "customer_no:C1")
    marks = [tombstone(text, KEY).hex() for text in ids]
    lived.project(lived.control("erased", ids=marks), erasure_key=KEY)
    by_record = lived.state.dump_digest()
    assert lived.subject("C1").last_time_us is None
    erase(lived)
    assert lived.state.dump_digest() == by_record


def test_a_rebuild_equals_the_state_after_the_erasure(bank: Any, tmp_path: Path) -> None:
    """Projecting a log from which the person's payloads are gone gives the ids that were left."""
    own = [
        bank.event("page_opened", START, person="C1", device="shared"),
        bank.event("page_opened", START + 1, device="shared", **PUBLIC),
        bank.event("bill_paid", START + 2, person="C1", properties={"amount_fen": 100}),
    ]
    others = [
        bank.event("page_opened", START + DAY, person="C2", device="shared"),
        bank.event("page_opened", START + DAY + 1, device="shared", **PUBLIC),
        bank.event("bill_paid", START + 2, person="C2", properties={"amount_fen": 100}),
    ]
    bank.project(*own, *others)
    erase(bank)
    rebuilt = EmbeddedState(tmp_path / "rebuilt")
    emptied = [record._replace(payload=b"", erased=True) for record in own]
    with rebuilt.read() as reader:
        done = project([*emptied, *others], reader, bank.table)
    rebuilt.write(done.changes, {})
    with rebuilt.read() as one, bank.state.read() as other:
        assert list(one.scan("ids")) == list(other.scan("ids"))
    rebuilt.close()


def test_an_erased_id_hides_no_living_one(lived: Any) -> None:
    """Named together with others it names nobody; the subject is erased where all of them are."""
    erase(lived)
    alive = lived.subject("C2", erasure_key=KEY)
    for ids in (("C1", "C2"), ("C2", "login:l1"), ("device:own", "C2", "C1")):
        found = lived.subject(*ids, erasure_key=KEY)
        assert found == alive
        assert (found.erased, found.found_by) == (False, "customer_no:C2")
    shared = lived.subject("C1", "device:shared", now_us=START + 3 * DAY, erasure_key=KEY)
    assert (shared.ids, shared.found_by) == (("customer_no:C2",), "device:shared")
    gone = lived.subject("C1", "login:l1", "device:own", erasure_key=KEY)
    assert (gone.erased, gone.last_time_us, gone.lots) == (True, None, {})
