"""The last records about a figure as they stand in the log: what was said, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dipper.engine.ports import LogReader, Record
from dipper.engine.record import EVENT_DECODER, RecordKind
from dipper.profile.segments import TURNS, read_turned

LOOKED_AT_MAX = 20_000


@dataclass(frozen=True)
class Said:
    """One record: its place in the log, the event, who said it, and which object it is about."""

    partition: int
    offset: int
    time_us: int
    event: str
    about_kind: str
    about: str
    source: str


def last_said(log: LogReader, ids: Sequence[str], limit: int = 12) -> list[Said]:
    """The last records among the newest of each partition that name one of these ids."""
    quoted = [f'"{text}"'.encode() for text in ids]
    found: list[Said] = []
    for partition in range(log.partitions()):
        end = log.end(partition)
        start = max(0, end - LOOKED_AT_MAX)
        for record in reversed(log.read(partition, start, end - start)):
            if record.kind != RecordKind.EVENT or record.erased:
                continue
            if any(text in record.payload for text in quoted):
                found.append(_said(record))
                if len(found) >= limit * (partition + 1):
                    break
    return sorted(found, key=lambda said: (said.time_us, said.offset), reverse=True)[:limit]


def _said(record: Record) -> Said:
    event = EVENT_DECODER.decode(record.payload)
    kind, about = "scenario", event.scenario or ""
    if event.event in TURNS:
        kind, about = "segment", read_turned(event.properties).segment
    return Said(
        record.partition, record.offset, event.time_us, event.event, kind, about, event.source
    )
