"""Ids that we make: a time-ordered UUID (version 7), given clock and randomness.

Ids that we receive are texts `idtype:value`; `normalise` brings the writings of one id together.
"""

from __future__ import annotations

import unicodedata

from dipper.kit.clock import Clock

ID_MAX = 255


def uuid7(now_us: int, random_bytes: bytes) -> str:
    """RFC 9562 version 7 from microseconds and 10 random bytes."""
    milliseconds = now_us // 1_000
    raw = bytearray(milliseconds.to_bytes(6, "big") + random_bytes[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return _written(raw)


def uuid8(digest: bytes) -> str:
    """RFC 9562 version 8 from 16 bytes that mean something to us: the same bytes, the same id."""
    raw = bytearray(digest)
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return _written(raw)


def _written(raw: bytearray) -> str:
    """16 bytes as RFC 9562 writes them. (uuid.UUID takes three times as long, in each decision.)"""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id(clock: Clock, random: object) -> str:
    """A fresh id; `random` is anything with `randbytes` (random.Random, SystemRandom)."""
    return uuid7(clock(), random.randbytes(10))  # type: ignore[attr-defined]


def normalise(id_type: str, value: str) -> str:
    """One writing per id: NFKC (full-width digits become plain), trimmed; phones lose +86."""
    text = unicodedata.normalize("NFKC", value).strip()
    if id_type in ("phone", "mobile"):
        text = text.replace(" ", "").replace("-", "")
        text = text.removeprefix("+86") if text.startswith("+86") else text.removeprefix("0086")
    elif id_type == "email":
        text = text.lower()
    return text


def subject_id(id_type: str, value: str) -> str:
    """The stored form `idtype:value` of an id. Raises ValueError when empty or too long."""
    text = normalise(id_type, value)
    if not text or len(text) > ID_MAX:
        raise ValueError(
            f"id of type {id_type!r} must have 1 to {ID_MAX} characters, got {len(text)}"
        )
    return f"{id_type}:{text}"
