"""Records: layout, places, repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.fold.records import RecordLayout, arrange, insert, key_of

LAYOUT = RecordLayout(words=1, slots=1)


def row(time_us: int, seq: int = 0, order: int = 0, value: int = 0) -> list[int]:
    return [time_us, seq, order, 0, 0, 1, value]


rows_strategy = st.lists(
    st.builds(row, st.integers(0, 3), st.integers(-1, 1), st.integers(-2, 2), st.integers(0, 1)),
    max_size=12,
)


def matrix(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(-1, LAYOUT.width)


def test_bytes_structured_array_and_matrix_are_one_memory() -> None:
    """A row read as a structured array has the numbers that the matrix holds."""
    layout = RecordLayout(words=2, slots=3)
    numbers = np.arange(layout.width, dtype=np.int64).reshape(1, -1)
    record = np.frombuffer(numbers.tobytes(), dtype=layout.dtype)[0]
    assert layout.dtype.itemsize == layout.row_bytes == 8 * layout.width
    assert record["time_us"] == 0
    assert record["claim"] == 3
    assert record["event"] == 4
    assert record["mask"].tolist() == [5, 6]
    assert record["values"].tolist() == [7, 8, 9]


def test_a_layout_refuses_half_a_row() -> None:
    """Bytes that are no whole number of rows are an error, never a guess."""
    with pytest.raises(ValueError, match="reshape"):
        LAYOUT.matrix(bytes(LAYOUT.row_bytes + 8))


def test_rows_stand_by_time_then_seq_then_order() -> None:
    """The order of a timeline is (time, seq, order), negative numbers included."""
    given_rows = [row(2), row(1, 5), row(1, -5, 7), row(1, -5, -7)]
    assert [key_of(r) for r in arrange(matrix(given_rows))] == [
        (1, -5, -7),
        (1, -5, 7),
        (1, 5, 0),
        (2, 0, 0),
    ]


def test_one_key_with_other_content_is_two_rows() -> None:
    """A repeated row is dropped; a row that differs in a value stays."""
    rows = insert(matrix([row(1, value=1)]), matrix([row(1, value=1), row(1, value=2)]))
    assert rows[:, -1].tolist() == [1, 2]


@given(rows_strategy, st.randoms(use_true_random=False))
def test_the_arrangement_depends_on_the_set_alone(rows: list[list[int]], random: object) -> None:
    """Inserting rows one by one in any order, some twice, gives one arrangement."""
    whole = arrange(matrix(rows))
    shuffled = rows + rows[: len(rows) // 2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    built = LAYOUT.empty()
    for one in shuffled:
        built = insert(built, matrix([one]))
    assert built.tobytes() == whole.tobytes()
    assert sorted(map(tuple, whole.tolist())) == [tuple(r) for r in whole.tolist()]


@given(st.lists(st.tuples(*[st.integers(-2, 2)] * 7), max_size=12))
def test_arranged_rows_are_a_sorted_set(found: list[tuple[int, ...]]) -> None:
    """By all columns, the first one first, whatever was equal or in order before."""
    rows = np.array(found, np.int64).reshape(-1, 7)
    assert [tuple(row) for row in arrange(rows).tolist()] == sorted(set(found))
