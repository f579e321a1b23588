"""Random bytes by the block."""

from __future__ import annotations

from dipper.surface.http.entropy import BLOCK_BYTES, Entropy


def test_no_byte_is_given_twice() -> None:
    """Across blocks every id is another one."""
    source = Entropy()
    given = [source.randbytes(10) for _ in range(3 * BLOCK_BYTES // 10)]
    assert {len(one) for one in given} == {10}
    assert len(set(given)) == len(given)


def test_numbers_fill_the_unit_interval() -> None:
    """Numbers lie in [0, 1) and spread evenly."""
    source = Entropy()
    numbers = [source.random() for _ in range(20_000)]
    assert min(numbers) >= 0.0
    assert max(numbers) < 1.0
    for tenth in range(10):
        share = sum(tenth <= 10 * number < tenth + 1 for number in numbers) / len(numbers)
        assert 0.08 < share < 0.12
