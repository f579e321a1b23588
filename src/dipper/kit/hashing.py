"""The few hashes that stored data depends on. A change here is a migration.

`hash64` names ids, message ids and texts in fixed-width records; `hash128` names subjects;
`digest` is for content addresses and the log's chain; `unit_interval` turns a hash into a draw
for assignment. All are blake2b or SHA-256, so that any language can compute them again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def hash64(text: str) -> int:
    """Signed 64-bit hash of a text: the first 8 bytes of blake2b, little-endian."""
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True
    )


def hash128(text: str) -> bytes:
    """16-byte hash of a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def digest(data: bytes) -> str:
    """SHA-256 in hex: the address of immutable content (programs, tables, models)."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def unit_interval(*parts: str) -> float:
    """A number in [0, 1) from a hash of the parts: the draw of a deterministic assignment."""
    raw = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return (int.from_bytes(raw, "little") >> 11) / float(1 << 53)
