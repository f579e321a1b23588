"""Entries that stand in no file yet."""

from __future__ import annotations

import numpy as np

from dipper.collect.fingerprints import Fingerprints
from dipper.collect.unsaved import Unsaved


def enter(table: Fingerprints, unsaved: Unsaved, day: int, *keys: int) -> None:
    """Enter fingerprints, each with itself as its value."""
    array = np.array(keys, np.int64)
    table.enter(array, array + 1, None, unsaved, day)


def test_only_what_was_new_is_noted() -> None:
    """Known ones and the second of two in a batch are not; 0 stands for 1."""
    table, unsaved = Fingerprints(), Unsaved()
    enter(table, unsaved, 7, 5, 6, 5)
    enter(table, unsaved, 7, 6, 0)
    assert unsaved.rows().tolist() == [[7, 5, 6], [7, 6, 7], [7, 1, 1]]
    assert unsaved.entered == 3


def test_what_is_forgotten_is_not_written() -> None:
    """By day and fingerprint; entered again, it counts again."""
    table, unsaved = Fingerprints(), Unsaved()
    enter(table, unsaved, 7, 5, 6)
    unsaved.forget(7, 5)
    unsaved.forget(8, 6)
    assert unsaved.rows().tolist() == [[7, 6, 7]]
    table.remove(5)
    enter(table, unsaved, 7, 5)
    assert unsaved.rows().tolist() == [[7, 6, 7], [7, 5, 6]]


def test_the_first_rows_go_when_they_are_saved() -> None:
    """Also many thousands, while more have come."""
    table, unsaved = Fingerprints(), Unsaved()
    for start in range(0, 20_000, 1_000):
        enter(table, unsaved, 1, *range(start + 2, start + 1_002))
    assert len(unsaved.rows(12_345)) == 12_345
    unsaved.drop(12_345)
    assert unsaved.count == 7_655
    assert unsaved.rows()[:, 1].tolist() == list(range(12_347, 20_002))
    enter(table, unsaved, 1, 99_999)
    assert unsaved.rows()[-1].tolist() == [1, 99_999, 100_000]
    assert unsaved.entered == 20_001
