"""Tests of who is one subject today, for questions over history."""

from __future__ import annotations

from typing import Any

from dipper.engine.ports import Identity
from dipper.kit.hashing import hash128
from dipper.profile.gather import read_stored
from dipper.profile.identity import Ownership, claim_of
from dipper.profile.today import identity_today, key_today

START = 1_790_000_000_000_000
DAY = 86_400_000_000

LOGIN, CORE, OTHER = (hash128(text) for text in ("login:a", "customer_no:C1", "customer_no:C2"))
DEVICE = hash128("device:d1")


def today(bank: Any) -> Identity:
    """The identity that the bank's state holds; asked for one id alone it is the same."""
    with bank.state.read() as reader:
        found = identity_today(reader)
        for key in (LOGIN, CORE, OTHER, DEVICE, hash128("login:never seen")):
            assert key_today(reader, key) == found.remap.get(key, key)
        return found


def bind(bank: Any, at_us: int, one: str, other: str, event: str = "subject_bound") -> None:
    """The core binds two ids."""
    said = {"person": one, "properties": {"other_id": other}, "trust": "core", "source": "core"}
    bank.project(bank.event(event, at_us, **said))


def owner(identity: Identity, device: bytes, time_us: int, claim: bytes | None) -> bytes | None:
    """Whose a row of the device is by the table: its claim where that is named, else by time."""
    assert identity.owners is not None
    rows = [row for row in identity.owners.to_pylist() if row["device"] == device]
    for wanted in (claim, None) if claim is not None else (None,):
        for row in rows:
            if row["claim"] == wanted and row["from_us"] <= time_us < row["to_us"]:
                return bytes(row["person"])
    return None


def test_a_bound_login_has_the_key_of_the_customer(bank: Any) -> None:
    """Rows that were written for the login are the customer's today."""
    bank.pay(START, "login:a")
    bind(bank, START + 1, "customer_no:C1", "login:a")
    assert dict(today(bank).remap) == {LOGIN: CORE}


def test_an_unbound_login_is_its_own_again(bank: Any) -> None:
    """The last word about the pair counts."""
    bind(bank, START, "customer_no:C1", "login:a")
    bind(bank, START + 1, "customer_no:C1", "login:a", "subject_unbound")
    assert dict(today(bank).remap) == {}


def test_three_ids_in_a_chain_have_one_key(bank: Any) -> None:
    """The smallest (priority, hash) names all."""
    bind(bank, START, "customer_no:C1", "login:a")
    bind(bank, START + 1, "customer_no:C2", "login:a")
    name = min(CORE, OTHER)
    assert dict(today(bank).remap) == {key: name for key in (CORE, OTHER, LOGIN) if key != name}


def test_a_shared_device_belongs_to_one_after_the_other(bank: Any) -> None:
    """By the table every row has the owner whom the state gives it, at every moment and claim."""
    bank.pay(START, "C1", device="d1")
    bank.pay(START + DAY, "C2", device="d1")
    bank.pay(START + 2 * DAY, "C1", device="d1")
    found = today(bank)
    with bank.state.read() as reader:
        stored = read_stored(reader, bank.table, DEVICE)
        assert stored is not None
        ownership = Ownership(stored.facts().bindings)
    for time_us in range(START - DAY, START + 3 * DAY, DAY // 4):
        assert owner(found, DEVICE, time_us, None) == ownership.at(time_us)
        for claim in (CORE, OTHER):
            assert owner(found, DEVICE, time_us, claim) == ownership.at(time_us, claim_of(claim))
        assert owner(found, DEVICE, time_us, LOGIN) == ownership.at(time_us, claim_of(LOGIN))


def test_a_device_of_nobody_has_no_owner(bank: Any) -> None:
    """A visitor's rows stay the device's."""
    bank.project(bank.event("page_opened", START, device="d1", trust="public", source="app"))
    found = today(bank)
    assert found.owners is not None
    assert found.owners.num_rows == 0
