"""Ids: ours are ordered by time, received ones are brought to one writing."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.kit.ids import subject_id, uuid7


@given(st.integers(0, 2**47), st.integers(1, 10**6), st.binary(min_size=10, max_size=10))
def test_later_ids_sort_later(time_ms: int, later_ms: int, random_bytes: bytes) -> None:
    """Ids made at different milliseconds sort like their times, whatever the random bytes."""
    early = uuid7(time_ms * 1000, b"\xff" * 10)
    late = uuid7((time_ms + later_ms) * 1000, random_bytes)
    assert early < late
    assert uuid.UUID(late).version == 7


@pytest.mark.parametrize(
    ("id_type", "value", "expected"),
    [
        ("phone", "+86 138-0000-0000", "phone:13800000000"),
        ("phone", "１３８００００００００", "phone:13800000000"),
        ("email", " A@B.com ", "email:a@b.com"),
        ("customer_no", "００12", "customer_no:0012"),
    ],
)
def test_writings_of_one_id_become_one(id_type: str, value: str, expected: str) -> None:
    """Prefixes, full-width digits and case do not make another person."""
    assert subject_id(id_type, value) == expected


@pytest.mark.parametrize("value", ["", "   ", "x" * 256])
def test_empty_and_endless_ids_are_refused(value: str) -> None:
    """An id has 1 to 255 characters."""
    with pytest.raises(ValueError, match="1 to 255"):
        subject_id("login", value)
