"""Rewrites a segment without the bodies of some records; all else stays to the byte.

Works on a file that nobody appends to: a closed segment, or the one in use between two groups.
Readers hold the old file until they see that the name leads to another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import google_crc32c

from dipper.engine.embedded.log_disk import Disk, write_all
from dipper.engine.embedded.log_folder import (
    ERASING_SUFFIX,
    VERIFY_HINT,
    erasing,
    file_header,
    mapped,
    segment_inodes,
    segment_path,
)
from dipper.engine.embedded.log_format import (
    ERASED,
    FILE_HEADER_BYTES,
    HEADER,
    HEADER_BYTES,
    Buffer,
    erased_record,
)
from dipper.kit.errors import Corrupt

_COPY_BYTES = 4 << 20

Piece = bytes | tuple[int, int]
"""Bytes to write, or a range (start, end) of the old file to copy."""


def rewrite_segment(
    disk: Disk, path: Path, partition: int, offsets: Collection[int], stop: int, suffix: str
) -> tuple[int, int]:
    """Erase the offsets in a segment that ends before record `stop`.

    Gives the count of records that lost their body now, and the file's length. The new file is
    made beside the old one with `suffix`, synced, renamed over it, and the folder synced. Raises
    Corrupt when the file is damaged and OSError when the disk refuses; then the old file stands.
    """
    with mapped(path) as data:
        header = file_header(data[:FILE_HEADER_BYTES], path, partition, int(path.stem))
        pieces, count = _pieces(data, path, header.first, frozenset(offsets), stop)
        length = sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in pieces)
        if not count and length == len(data):
            return 0, length
        beside = path.with_suffix(suffix)
        _write_beside(disk, beside, _chunks(data, pieces))
    disk.rename(beside, path)
    disk.fsync_dir(path.parent)
    return count, length


def erase_closed(
    disk: Disk, folder: Path, partition: int, offsets: Collection[int], end: int | None = None
) -> int:
    """Erase offsets in all segments but the last; in the last too if `end` gives its end.

    Waits for another process that rewrites segments of the partition. Gives the count.
    """
    count = 0
    with erasing(folder):
        for unfinished in folder.glob(f"*{ERASING_SUFFIX}"):
            disk.remove(unfinished)
        firsts = list(segment_inodes(folder))
        stops = firsts[1:] if end is None else [*firsts[1:], end]
        for first, stop in zip(firsts, stops, strict=False):
            touched = [offset for offset in offsets if first <= offset < stop]
            if touched:
                path = segment_path(folder, first)
                count += rewrite_segment(disk, path, partition, touched, stop, ERASING_SUFFIX)[0]
    return count


def _write_beside(disk: Disk, path: Path, chunks: Iterator[bytes]) -> None:
    descriptor = disk.open(path, append=True)
    try:
        disk.ftruncate(descriptor, 0)
        for chunk in chunks:
            write_all(disk, descriptor, chunk)
        disk.fdatasync(descriptor)
    except OSError:
        disk.remove(path)
        raise
    finally:
        disk.close(descriptor)


def _pieces(
    data: Buffer, path: Path, first: int, offsets: frozenset[int], stop: int
) -> tuple[list[Piece], int]:
    """What the new file is made of, and how many records it erases."""
    pieces: list[Piece] = []
    unpack, size = HEADER.unpack_from, len(data)
    kept_from, position, count = 0, FILE_HEADER_BYTES, 0
    for offset in range(first, stop):
        end = position + HEADER_BYTES
        if end <= size:
            length, crc, _, _, flags, _, says, _, _ = unpack(data, position)
            end += length
        if end > size or says != offset:
            raise Corrupt(
                f"record {offset} is not where it should be",
                where=f"{path}+{position}",
                hint=VERIFY_HINT,
            )
        if offset in offsets and not flags & ERASED:
            if google_crc32c.value(data[position + 8 : end]) != crc:
                raise Corrupt(
                    f"record {offset}: checksum does not match",
                    where=f"{path}+{position}",
                    hint=VERIFY_HINT,
                )
            pieces.append((kept_from, position))
            pieces.append(erased_record(data[position : position + HEADER_BYTES]))
            kept_from = end
            count += 1
        position = end
    pieces.append((kept_from, position))
    return pieces, count


def _chunks(data: Buffer, pieces: list[Piece]) -> Iterator[bytes]:
    """The pieces' bytes in chunks of about _COPY_BYTES."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        parts = (
            [piece]
            if isinstance(piece, bytes)
            else [
                data[at : min(at + _COPY_BYTES, piece[1])]
                for at in range(piece[0], piece[1], _COPY_BYTES)
            ]
        )
        for part in parts:
            held.append(part)
            size += len(part)
            if size >= _COPY_BYTES:
                yield b"".join(held)
                held.clear()
                size = 0
    yield b"".join(held)
