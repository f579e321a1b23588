"""Ids by role."""

from __future__ import annotations

import pytest

from dipper.collect.sources import Source
from dipper.collect.subjects import BadId, partition_of, subjects_of

SERVER = Source("server", "server")
PHONES = Source("phones", "server", person_id_type="phone")


def test_the_three_plain_ids_get_their_types() -> None:
    """userId is a person of the source's type, anonymousId a device, groupId an organisation."""
    found = subjects_of(SERVER, "10001", "d-1", "913", None)
    assert found == {
        "person": "customer_no:10001",
        "device": "device:d-1",
        "organisation": "org_no:913",
    }


def test_one_id_has_one_writing() -> None:
    """Full-width digits, blanks and +86 do not make another person."""
    for given in ("13800000000", "+86 138 0000 0000", "１３８００００００００", 13800000000):
        assert subjects_of(PHONES, given, None, None, None) == {"person": "phone:13800000000"}
    assert subjects_of(SERVER, " 10001 ", None, None, None) == {"person": "customer_no:10001"}


def test_empty_ids_are_no_ids() -> None:
    """An SDK that sends an empty text names nobody."""
    assert subjects_of(SERVER, "", None, None, None) == {}


def test_further_roles_come_typed_or_with_the_type_of_their_role() -> None:
    """`context.dipper.subjects` takes `idtype:value` or a bare value."""
    more = {"operator": "10002", "case": "A-1", "organisation": 913, "on_behalf_of": "login:x"}
    assert subjects_of(SERVER, None, None, None, more) == {
        "operator": "customer_no:10002",
        "case": "case_no:A-1",
        "organisation": "org_no:913",
        "on_behalf_of": "login:x",
    }


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ({"boss": "1"}, "boss"),
        ({"operator": "x" * 256}, "operator"),
        ({"case": "case_no: "}, "case"),
    ],
)
def test_bad_ids_name_their_role(given: dict[str, str | int], role: str) -> None:
    """An unknown role, an empty or an endless id is refused, and it says which."""
    with pytest.raises(BadId) as caught:
        subjects_of(SERVER, "10001", None, None, given)
    assert caught.value.role == role


def test_the_first_id_decides_the_partition() -> None:
    """The person, else the device, else the first role in order; whatever the dict's order is."""
    person = {"person": "customer_no:1"}
    both = {"device": "device:9", "person": "customer_no:1"}
    assert partition_of(person, 4) == partition_of(both, 4)
    later = {"case": "case_no:5", "operator": "customer_no:7"}
    assert partition_of(later, 64) == partition_of({"operator": "customer_no:7"}, 64)
    used = {partition_of({"person": f"customer_no:{number}"}, 4) for number in range(100)}
    assert used == {0, 1, 2, 3}
    assert partition_of(person, 1) == 0
