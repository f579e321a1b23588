"""Checks every byte of a partition: CRCs, digests, the order of offsets, the chain over files.

It needs no lock and may run beside a writer: what is not synced yet is left out. One place of
damage does not hide the next: the check goes on at the next whole record.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from dipper.engine.embedded.log_disk import COUNTER_BYTES
from dipper.engine.embedded.log_folder import (
    HEAD,
    STOP,
    mapped,
    read_stop_mark,
    segment_inodes,
    segment_path,
)
from dipper.engine.embedded.log_format import (
    CHAIN_START,
    FILE_HEADER_BYTES,
    HEADER,
    HEADER_BYTES,
    Buffer,
    Chain,
    Scan,
    decode_file_header,
    find_record,
    scan,
)
from dipper.engine.embedded.log_recovery import tail_fault
from dipper.engine.ports import Damage


@dataclass
class _Check:
    """The state of a check between files. `chain` is None when damage has broken it."""

    partition: int
    synced: int
    chain: bytes | None = None
    found: list[Damage] = field(default_factory=list)

    def report(self, offset: int, path: Path, position: int, what: str) -> None:
        self.found.append(Damage(self.partition, offset, f"{path}+{position}", what))


def verify_partition(folder: Path, partition: int) -> list[Damage]:
    """All places of the partition where stored bytes are not what was written."""
    mark = read_stop_mark(folder)
    head = _head(folder)
    check = _Check(partition, max(head, mark.records) if mark and mark.clean else head)
    firsts = list(segment_inodes(folder))
    end = firsts[0] if firsts else 0
    if firsts and end == 0:
        check.chain = CHAIN_START
    for first, following in zip(firsts, [*firsts[1:], None], strict=True):
        path = segment_path(folder, first)
        # A writer may cut what it could not sync off the last file; a map of it would break.
        with mapped(path) if following is not None else nullcontext(path.read_bytes()) as data:
            end = _verify_segment(check, path, data, first, following)
    if end < check.synced:
        check.report(end, folder, 0, f"{check.synced} records were synced, {end} are there")
    if (folder / STOP).exists() and mark is None:
        check.report(end, folder / STOP, 0, "the stop mark is damaged")
    if mark is not None and mark.clean and not check.found:
        if head != mark.records:
            check.report(end, folder / HEAD, 0, f"head says {head}, the stop mark {mark.records}")
        elif check.chain is not None and check.chain.hex() != mark.chain:
            check.report(end, folder / STOP, 0, "the chain does not end where the stop mark says")
    return check.found


def _head(folder: Path) -> int:
    path = folder / HEAD
    return int.from_bytes(path.read_bytes()[:COUNTER_BYTES], "little") if path.exists() else 0


def _verify_segment(
    check: _Check, path: Path, data: Buffer, first: int, following: int | None
) -> int:
    """Check one file; gives the offset at which it ends and leaves its chain value in `check`."""
    before = _verify_file_header(check, path, data, first)
    chain = hashlib.sha256(before or b"")
    is_whole = before is not None
    position, offset = FILE_HEADER_BYTES, first
    while True:
        found = scan(data, position, offset, stop=following, chain=chain, digests=True)
        if not found.fault or _is_torn(check, data, found, following):
            break
        check.report(found.offset, path, found.position, found.fault)
        again = find_record(data, found.position + 1, found.offset + 1)
        is_whole &= _link(chain, data, found, again)
        if again is None:
            found = Scan(len(data), following or max(check.synced, found.offset + 1), "")
            break
        position, offset = again
        if offset > found.offset + 1:
            what = f"records up to {offset - 1} cannot be read"
            check.report(found.offset + 1, path, found.position, what)
    if following is not None and found.offset < following:
        what = f"the file ends, the next one begins at record {following}"
        check.report(found.offset, path, found.position, what)
    elif following is not None and found.position < len(data):
        check.report(following, path, found.position, "bytes behind the last record")
    check.chain = chain.digest() if is_whole else None
    return following if following is not None else found.offset


def _verify_file_header(check: _Check, path: Path, data: Buffer, first: int) -> bytes | None:
    """The chain value with which the file goes on; None when nobody knows it."""
    header = decode_file_header(data[:FILE_HEADER_BYTES])
    if header is None:
        check.report(first, path, 0, "the file header is damaged")
        return check.chain
    if (header.partition, header.first) != (check.partition, first):
        check.report(first, path, 0, "the file header does not belong to this place")
    elif check.chain is not None and header.before != check.chain:
        check.report(first, path, 24, "the chain does not join the file before")
    return header.before


def _is_torn(check: _Check, data: Buffer, found: Scan, following: int | None) -> bool:
    """Whether the fault is the unsynced end of the last file, which the next opening cuts."""
    return (
        following is None
        and found.offset >= check.synced
        and not tail_fault(data, found, check.synced)
    )


def _link(chain: Chain, data: Buffer, found: Scan, again: tuple[int, int] | None) -> bool:
    """Carry the chain over a damaged record whose header still leads to the next one."""
    header = data[found.position : found.position + HEADER_BYTES]
    end = found.position + HEADER_BYTES + HEADER.unpack(header)[0]
    if again != (end, found.offset + 1):
        return False
    chain.update(header[9:10] + header[16:64])
    return True
