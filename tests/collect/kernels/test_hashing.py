"""SipHash-1-3."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dipper.collect.kernels.hashing import content_of, siphash

TEXTS = [b"a", b"hello", b"12345678", b"123456789", bytes(range(255)), b"x" * 4_096]


def hashed(data: bytes, *key: int) -> int:
    """The hash under a key of two words."""
    first, second = (np.uint64(word) for word in key)
    return int(siphash(first, second, np.frombuffer(data + bytes(8), np.uint8), 0, len(data)))


@pytest.mark.skipif(
    sys.hash_info.algorithm != "siphash13", reason="this Python hashes bytes with another function"
)
def test_it_is_the_function_that_python_uses() -> None:
    """Under a key of zeros, which is what PYTHONHASHSEED=0 makes of Python's own."""
    program = f"print([hash(text) for text in {TEXTS!r}])"
    theirs = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [hashed(text, 0, 0) for text in TEXTS] == eval(theirs)  # our own output


def test_key_place_and_length_count() -> None:
    """The same bytes hash alike wherever they stand, and otherwise under another key."""
    assert hashed(b"hello", 1, 2) != hashed(b"hello", 1, 3) != hashed(b"hello", 2, 2)
    data = np.frombuffer(b"xxhelloyy" + bytes(8), np.uint8)
    assert siphash(np.uint64(1), np.uint64(2), data, 2, 7) == hashed(b"hello", 1, 2)
    assert hashed(b"a\0", 0, 0) != hashed(b"a", 0, 0)


def test_a_content_hash_is_positive() -> None:
    """It fits a signed column and is never 0, which stands for none."""
    for number in range(2_000):
        data = np.frombuffer(str(number).encode() + bytes(8), np.uint8)
        assert 0 < content_of(data, 0, len(data) - 8) < 2**63
