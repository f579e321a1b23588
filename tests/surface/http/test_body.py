"""Bodies of requests."""

from __future__ import annotations

import gzip
import zlib

import pytest

from dipper.surface.http.body import BadEncoding, TooLarge, inflate


def test_plain_bodies_pass() -> None:
    """With and without the word for it."""
    for encoding in (b"", b"identity"):
        assert inflate(b"{}", encoding, 10) == b"{}"


def test_gzip_is_inflated_to_the_limit_and_no_further() -> None:
    """The limit counts what comes out; one byte more is too large."""
    packed = gzip.compress(b"x" * 1_000)
    assert inflate(packed, b"gzip", 1_000) == b"x" * 1_000
    with pytest.raises(TooLarge):
        inflate(packed, b"gzip", 999)


def test_many_members_count_together() -> None:
    """A bomb of many small parts is one bomb."""
    member = gzip.compress(b"x" * 400)
    assert inflate(member * 2, b"", 800) == b"x" * 800
    with pytest.raises(TooLarge):
        inflate(member * 3, b"", 1_000)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"x" * 1_000)[:-20],
        gzip.compress(b"x") + b"rest",
        b"\x1f\x8b" + b"x" * 50,
        gzip.compress(b"x")[:-8] + b"\x00" * 8,
    ],
    ids=["cut", "longer", "no gzip", "wrong sum"],
)
def test_broken_gzip_is_said_to_be_broken(body: bytes) -> None:
    """Cut, followed by something else, or with a wrong checksum."""
    with pytest.raises(BadEncoding):
        inflate(body, b"gzip", 10_000)


def test_other_encodings_are_not_known() -> None:
    """Brotli and deflate are refused, not guessed."""
    for encoding, body in ((b"br", b"x"), (b"deflate", zlib.compress(b"x"))):
        with pytest.raises(BadEncoding, match="not known"):
            inflate(body, encoding, 100)
