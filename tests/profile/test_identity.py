"""Bindings: who is one subject, and whose a device's records are."""

from __future__ import annotations

from typing import Any

from dipper.profile.identity import Binding, Ownership, claim_of, keep_binding

DAY = 86_400_000_000
START = 1_790_000_000_000_000

P, Q = b"p" * 16, b"q" * 16


def binding(time_us: int, person: bytes, is_bound: bool = True, order: int = 0) -> Binding:
    return Binding(time_us, 0, order, is_bound, person)


def anonymous(bank: Any, at_us: int, device: str = "d1", **fields: Any) -> None:
    properties = {"biller": "water"}
    bank.project(
        bank.event(
            "page_opened",
            at_us,
            device=device,
            source="app",
            trust="public",
            properties=properties,
            **fields,
        )
    )


def test_a_device_belongs_to_whoever_was_bound_last() -> None:
    """Before the first binding to the first person, then to each in turn."""
    owner = Ownership([binding(10, P), binding(20, Q), binding(30, P)])
    assert [owner.at(t) for t in (5, 10, 19, 20, 29, 30)] == [P, P, P, Q, Q, P]


def test_an_unbinding_gives_the_device_back() -> None:
    """After an unbinding the person bound before has it again, or nobody."""
    owner = Ownership(
        [binding(10, P), binding(20, Q), binding(30, Q, False), binding(40, P, False)]
    )
    assert [owner.at(t) for t in (5, 25, 30, 40)] == [P, Q, P, None]


def test_a_claim_counts_when_the_pair_is_bound() -> None:
    """A claimed person who is bound gets the record, whoever had the device then."""
    owner = Ownership([binding(10, P), binding(20, Q)])
    assert owner.at(25, claim_of(P)) == P
    assert owner.at(25, claim_of(b"x" * 16)) == Q


def test_bindings_of_a_day_are_kept_first_and_last() -> None:
    """However often a server repeats a pair, a day has at most two entries of it."""
    kept: list[Binding] = []
    for n in (5, 1, 9, 3, 9):
        kept = keep_binding(kept, binding(n, P))
    kept = keep_binding(kept, binding(DAY + 1, P))
    assert [b.time_us for b in kept] == [1, 9, DAY + 1]


def test_an_anonymous_past_becomes_the_persons(bank: Any) -> None:
    """What a device did before anybody was known counts for the person once both are bound."""
    anonymous(bank, START)
    anonymous(bank, START + 1)
    assert bank.subject("C1").tags["pages_7d"] == 0
    assert bank.subject("device:d1", now_us=START + 2).tags["pages_7d"] == 2
    bank.project(bank.event("page_opened", START + 5, person="C1", device="d1"))
    person = bank.subject("C1", now_us=START + 10)
    assert person.tags["pages_7d"] == 3
    through_device = bank.subject("device:d1", now_us=START + 10)
    assert through_device.key == person.key
    assert through_device.kind == "person"


def test_a_claim_is_not_believed_until_it_is_bound(bank: Any) -> None:
    """A userId from a public key changes nothing of that person until a server binds the pair."""
    anonymous(bank, START, person="C1", claims=("person",))
    assert bank.subject("C1", now_us=START).tags["pages_7d"] == 0
    assert bank.subject("C1").ids == ("customer_no:C1",)
    bank.project(
        bank.event("subject_bound", START + 9, person="C1", properties={"other_id": "device:d1"})
    )
    assert bank.subject("C1", now_us=START + 9).tags["pages_7d"] == 1


def test_a_forged_binding_from_a_public_key_has_no_effect(bank: Any) -> None:
    """A public source without a token binds nothing, even if the claim was not marked."""
    anonymous(bank, START)
    done = bank.project(
        bank.event(
            "subject_bound",
            START,
            person="C1",
            device="d1",
            source="app",
            trust="public",
            properties={"other_id": "device:d1"},
        )
    )
    assert done.failed
    assert bank.subject("C1", now_us=START).tags["pages_7d"] == 0


def test_a_bank_may_accept_the_risk_of_claims(bank: Any) -> None:
    """A source with `claims: tags` writes into the claimed person's timeline."""
    anonymous(bank, START, person="C1", claims=("person",), message_id="x")
    bank.project(
        bank.event(
            "page_opened",
            START,
            person="C1",
            device="d9",
            source="trusting_app",
            trust="public",
            claims=("person",),
        )
    )
    assert bank.subject("C1", now_us=START).tags["pages_7d"] == 1


def test_a_device_never_merges_persons(bank: Any) -> None:
    """Two persons on one phone stay two, and each has what was done while the phone was theirs."""
    bank.project(bank.event("page_opened", START, person="C1", device="d1"))
    anonymous(bank, START + 1)
    bank.project(bank.event("page_opened", START + 2 * DAY, person="C2", device="d1"))
    anonymous(bank, START + 2 * DAY + 1)
    anonymous(bank, START + 2 * DAY + 2)
    first, second = (bank.subject(c, now_us=START + 3 * DAY) for c in ("C1", "C2"))
    assert first.key != second.key
    assert (first.tags["pages_7d"], second.tags["pages_7d"]) == (2, 3)
    assert bank.subject("device:d1", now_us=START + 3 * DAY).key == second.key


def test_person_ids_join_and_part(bank: Any) -> None:
    """Bound ids are one subject under the core's id; unbound they are two again."""
    bank.pay(START, person="C1")
    bank.pay(START + 1, person="login:l1")
    bound = bank.event("subject_bound", START + 5, person="C1", properties={"other_id": "login:l1"})
    bank.project(bound)
    joined = bank.subject("login:l1", now_us=START + 10)
    assert joined.key == bank.subject("C1", now_us=START + 10).key
    assert set(joined.ids) == {"customer_no:C1", "login:l1"}
    assert joined.tags["bills"] == 2
    bank.project(
        bank.event("subject_unbound", START + 6, person="C1", properties={"other_id": "login:l1"})
    )
    assert bank.subject("C1", now_us=START + 10).tags["bills"] == 1


def test_a_late_unbinding_does_not_part_what_was_bound_after(bank: Any) -> None:
    """The last word in timeline order counts, not the last to arrive."""
    other = {"other_id": "login:l1"}
    bank.project(bank.event("subject_bound", START + 5, person="C1", properties=other))
    bank.project(bank.event("subject_unbound", START + 1, person="C1", properties=other))
    assert len(bank.subject("C1").ids) == 2


def test_persons_and_organisations_never_join(bank: Any) -> None:
    """Who acts for a firm is related to it; a binding of both is refused with its reason."""
    done = bank.project(
        bank.event("subject_bound", START, person="C1", properties={"other_id": "org_no:O1"})
    )
    assert "never join" in done.failed[0][1]
