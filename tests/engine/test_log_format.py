"""The bytes of the log are those of ADR 0001, computed here by other means."""

from __future__ import annotations

import hashlib
import struct

import pytest

from dipper.engine.embedded.log_format import (
    CHAIN_START,
    ERASED,
    FIRST_OF_GROUP,
    FileHeader,
    decode_file_header,
    encode_file_header,
    encode_group,
    erased_record,
    find_record,
    scan,
)
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind

SALTS = bytes(range(48))
ENTRIES = [
    Entry(RecordKind.EVENT, b'{"event":"bill_paid"}'),
    Entry(RecordKind.FAILED, b""),
    Entry(RecordKind.CONTROL, "缴费".encode()),
]


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, as RFC 3720 describes it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def split(data: bytes) -> list[bytes]:
    records = []
    while data:
        end = 64 + struct.unpack_from("<I", data)[0]
        records.append(data[:end])
        data = data[end:]
    return records


def test_record_layout() -> None:
    """Every field of a record stands where the decision says, little-endian."""
    group = encode_group([(ENTRIES[:1], 11), (ENTRIES[1:], 22)], 7, SALTS)
    assert (group.offset, group.count) == (7, 3)
    records = split(group.data)
    assert len(records) == 3
    for i, (record, entry) in enumerate(zip(records, ENTRIES, strict=True)):
        salt = SALTS[16 * i : 16 * i + 16]
        length, crc, version, kind, flags, zero, offset, received_us = struct.unpack_from(
            "<IIBBHIQq", record
        )
        assert length == 16 + len(entry.payload)
        assert crc == crc32c(record[8:])
        assert (version, kind, zero, offset) == (1, entry.kind, 0, 7 + i)
        assert flags == (FIRST_OF_GROUP if i == 0 else 0)
        assert received_us == (11 if i == 0 else 22)
        assert record[32:64] == hashlib.sha256(salt + entry.payload).digest()
        assert record[64:] == salt + entry.payload


def test_links_are_kind_offset_received_digest() -> None:
    """A record adds kind, offset, received and digest to the chain, and nothing else."""
    group = encode_group([(ENTRIES, 11)], 7, SALTS)
    links = b"".join(r[9:10] + r[16:24] + r[24:32] + r[32:64] for r in split(group.data))
    assert group.links == links
    chain = hashlib.sha256(CHAIN_START)
    assert scan(group.data, 0, 7, chain=chain).fault == ""
    assert chain.digest() == hashlib.sha256(bytes(32) + links).digest()


def test_file_header_layout() -> None:
    """A file begins with magic, version, partition, first offset, chain value and its own CRC."""
    before = hashlib.sha256(b"before").digest()
    raw = encode_file_header(FileHeader(3, 1 << 40, before))
    assert len(raw) == 64
    assert raw[:9] == b"DIPPRLOG\x01"
    assert struct.unpack_from("<IQ", raw, 12) == (3, 1 << 40)
    assert raw[24:56] == before
    assert struct.unpack_from("<I", raw, 60)[0] == crc32c(raw[:60])
    assert decode_file_header(raw) == FileHeader(3, 1 << 40, before)


@pytest.mark.parametrize("at", range(64))
def test_damaged_file_header(at: int) -> None:
    """A flipped bit anywhere in a file header is noticed."""
    raw = bytearray(encode_file_header(FileHeader(3, 9, CHAIN_START)))
    raw[at] ^= 1 << at % 8
    assert decode_file_header(bytes(raw)) is None


def test_erased_record_keeps_its_header() -> None:
    """An erased record loses its body and keeps kind, offset, received, digest and group mark."""
    group = encode_group([(ENTRIES, 11)], 7, SALTS)
    record = split(group.data)[0]
    erased = erased_record(record[:64])
    assert len(erased) == 64
    assert struct.unpack_from("<II", erased) == (0, crc32c(erased[8:]))
    assert struct.unpack_from("<H", erased, 10)[0] == ERASED | FIRST_OF_GROUP
    assert erased[8:10] + erased[12:] == record[8:10] + record[12:64]
    before, after = hashlib.sha256(), hashlib.sha256()
    scan(record, 0, 7, chain=before)
    assert scan(erased, 0, 7, chain=after, digests=True) == (64, 8, "")
    assert before.digest() == after.digest()


def test_scan_names_the_fault() -> None:
    """A scan ends before the first bad record and says what is wrong with it."""
    group = encode_group([(ENTRIES, 11)], 7, SALTS)
    first = len(split(group.data)[0])
    flipped = bytearray(group.data)
    flipped[first + 70] ^= 1
    assert scan(bytes(flipped), 0, 7) == (first, 8, "checksum does not match")
    assert scan(group.data[:-1], 0, 7).fault == "record is cut off"
    assert scan(group.data[: first + 9], 0, 7) == (first, 8, "record is cut off")
    assert "says offset 7, expected 8" in scan(group.data, 0, 8).fault
    assert scan(group.data, 0, 7, stop=8) == (first, 8, "")


def test_scan_checks_digests() -> None:
    """A payload exchanged together with its CRC passes the CRC and fails the digest."""
    record = bytearray(encode_group([(ENTRIES[:1], 11)], 0, SALTS[:16]).data)
    record[-1] ^= 1
    record[4:8] = crc32c(bytes(record[8:])).to_bytes(4, "little")
    assert scan(bytes(record), 0, 0).fault == ""
    assert scan(bytes(record), 0, 0, digests=True).fault == "digest does not match salt and payload"


def test_finds_the_next_record_after_garbage() -> None:
    """After damage the next whole record is found at any place, also far behind."""
    group = encode_group([(ENTRIES, 11)], 7, SALTS)
    garbage = b"\x01" * 777 + bytes(1 << 20) + b"\xff" * 13
    assert find_record(garbage + group.data, 0, 8) == (
        len(garbage) + len(split(group.data)[0]),
        8,
    )
    assert find_record(garbage + group.data, 0, 7) == (len(garbage), 7)
    assert find_record(garbage + group.data, 0, 10) is None
    assert find_record(garbage, 0, 0) is None
