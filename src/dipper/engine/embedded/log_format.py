"""The bytes of the embedded log: file header, record header, encoding of a group (ADR 0001).

Pure: offsets, times and salts come in, bytes go out. The loops here are the hot path of collection
and of every replay, so they are written flat.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from mmap import mmap
from typing import NamedTuple, Protocol

import google_crc32c
import numpy as np

from dipper.engine.ports import Entry

MAGIC = b"DIPPRLOG"
VERSION = 1
FILE_HEADER_BYTES = 64
HEADER_BYTES = 64
SALT_BYTES = 16
RECORD_OVERHEAD_BYTES = HEADER_BYTES + SALT_BYTES
ERASED = 1
FIRST_OF_GROUP = 2
FLAGS_KNOWN = ERASED | FIRST_OF_GROUP
KIND_MIN, KIND_MAX = 1, 3
CHAIN_START = bytes(32)
"""The chain value before the first file of a partition."""

HEADER = struct.Struct("<IIBBHIQq32s")
_PREFIX = struct.Struct("<II")
_TAIL = struct.Struct("<BBHIQq32s")
_FILE = struct.Struct("<8sB3xIQ32s4xI")
_SEARCH_BYTES = 1 << 20

Buffer = bytes | mmap


class Chain(Protocol):
    """The running SHA-256 of a file's chain (a hashlib object)."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class FileHeader(NamedTuple):
    """What the first 64 bytes of a segment say. `before` is the chain value of the file before."""

    partition: int
    first: int
    before: bytes


class Group(NamedTuple):
    """Records encoded to be written and synced together. `links` is what they add to the chain."""

    offset: int
    count: int
    data: bytes
    links: bytes


class Scan(NamedTuple):
    """How far a scan came: place and offset after the last good record, and what is wrong there.

    `fault` is empty when the scan ended at the end of the bytes or at the offset asked for.
    """

    position: int
    offset: int
    fault: str


def encode_file_header(header: FileHeader) -> bytes:
    """The 64 bytes with which a segment begins."""
    raw = _FILE.pack(MAGIC, VERSION, header.partition, header.first, header.before, 0)
    return raw[:60] + google_crc32c.value(raw[:60]).to_bytes(4, "little")


def decode_file_header(raw: bytes) -> FileHeader | None:
    """None when the bytes are no file header of this version or damaged."""
    if len(raw) < FILE_HEADER_BYTES:
        return None
    magic, version, partition, first, before, crc = _FILE.unpack_from(raw)
    if magic != MAGIC or version != VERSION or google_crc32c.value(raw[:60]) != crc:
        return None
    return FileHeader(partition, first, before)


def encode_group(
    batches: Iterable[tuple[Sequence[Entry], int]], offset: int, salts: bytes
) -> Group:
    """Encode (entries, received µs) pairs as one group from `offset` on.

    `salts` holds 16 random bytes for each entry. The first record carries FIRST_OF_GROUP, which
    promises that all before it was synced.
    """
    sha256, crc32c = hashlib.sha256, google_crc32c.value
    prefix, tail = _PREFIX.pack, _TAIL.pack
    parts: list[bytes] = []
    links: list[bytes] = []
    add, link = parts.append, links.append
    first, at, flags = offset, 0, FIRST_OF_GROUP
    for entries, received_us in batches:
        for kind, payload in entries:
            body = salts[at : at + 16] + payload
            at += 16
            head = tail(VERSION, kind, flags, 0, offset, received_us, sha256(body).digest())
            checked = head + body
            add(prefix(len(body), crc32c(checked)))
            add(checked)
            link(head[1:2])
            link(head[8:])
            offset += 1
            flags = 0
    return Group(first, offset - first, b"".join(parts), b"".join(links))


def erased_record(header: bytes) -> bytes:
    """The record that takes the place of one with this 64-byte header: empty body, flag, CRC."""
    _, _, version, kind, flags, zero, offset, received_us, digest = HEADER.unpack(header)
    rest = _TAIL.pack(version, kind, flags | ERASED, zero, offset, received_us, digest)
    return _PREFIX.pack(0, google_crc32c.value(rest)) + rest


def header_fault(
    length: int, version: int, kind: int, flags: int, zero: int, offset: int, expected: int
) -> str:
    """What is wrong with a record header whose CRC holds, or an empty text."""
    if version != VERSION:
        return f"record version {version}, this engine reads {VERSION}"
    if offset != expected:
        return f"record says offset {offset}, expected {expected}"
    if not KIND_MIN <= kind <= KIND_MAX or zero or flags & ~FLAGS_KNOWN:
        return f"unknown kind {kind} or flags {flags}"
    if flags & ERASED and length:
        return "record is marked erased and has a body"
    if not flags & ERASED and length < SALT_BYTES:
        return "record has no salt and is not marked erased"
    return ""


def scan(
    data: Buffer,
    position: int,
    offset: int,
    *,
    stop: int | None = None,
    chain: Chain | None = None,
    digests: bool = False,
) -> Scan:
    """Walk whole records from `position`, which must hold record `offset`, to the first fault.

    Stops before record `stop`. Feeds the links of good records to `chain`. With `digests` it also
    compares each digest with salt and payload.
    """
    size = len(data)
    unpack, crc32c = HEADER.unpack_from, google_crc32c.value
    links: list[bytes] = []
    fault = ""
    while position < size and offset != stop:
        if position + HEADER_BYTES > size:
            fault = "record is cut off"
            break
        length, crc, version, kind, flags, zero, says, _, digest = unpack(data, position)
        end = position + HEADER_BYTES + length
        if end > size:
            fault = "record is cut off"
            break
        checked = data[position + 8 : end]
        if crc32c(checked) != crc:
            fault = "checksum does not match"
            break
        fault = header_fault(length, version, kind, flags, zero, says, offset)
        if not fault and digests and length and hashlib.sha256(checked[56:]).digest() != digest:
            fault = "digest does not match salt and payload"
        if fault:
            break
        if chain is not None:
            links.append(checked[1:2])
            links.append(checked[8:56])
            if len(links) >= 8192:
                chain.update(b"".join(links))
                links.clear()
        position = end
        offset += 1
    if chain is not None:
        chain.update(b"".join(links))
    return Scan(position, offset, fault)


def find_record(data: Buffer, position: int, offset_min: int) -> tuple[int, int] | None:
    """The next place from `position` where a valid record of offset >= `offset_min` begins.

    Gives (position, offset) or None. Used only after damage: it tries every byte.
    """
    size = len(data)
    while position + HEADER_BYTES <= size:
        window = data[position : position + _SEARCH_BYTES + HEADER_BYTES]
        for at in _candidates(window):
            start = position + at
            offset = int.from_bytes(data[start + 16 : start + 24], "little")
            if offset >= offset_min and not scan(data, start, offset, stop=offset + 1).fault:
                return start, offset
        position += _SEARCH_BYTES
    return None


def _candidates(window: bytes) -> list[int]:
    """Places in the window whose fixed header bytes look like a record's."""
    raw = np.frombuffer(window, np.uint8)
    count = min(len(raw) - HEADER_BYTES + 1, _SEARCH_BYTES)
    if count <= 0:
        return []

    def column(index: int) -> np.ndarray:
        return raw[index : index + count]

    fits = (column(8) == VERSION) & (column(9) >= KIND_MIN) & (column(9) <= KIND_MAX)
    fits &= column(10) <= FLAGS_KNOWN
    for index in (11, 12, 13, 14, 15):
        fits &= column(index) == 0
    return [int(at) for at in np.flatnonzero(fits)]
