"""What became of everything that was received, by source, counted from the log itself.

received = good + failed + duplicate + refused, each record in exactly one: good and failed are
records, duplicates and refused ones are what `counted` control records say, and what the projector
quarantined is failed. The count goes on from where it was, so that asking again costs only what has
come since. An emptied record no longer says whose it was; after a restart it counts for `(erased)`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from dipper.collect.counts import Counts
from dipper.engine.ports import LogReader, Record
from dipper.engine.record import CONTROL_DECODER, RecordKind

READ_AT_ONCE = 20_000
ERASED = "(erased)"
UNREADABLE = "(unreadable)"


class _Origin(msgspec.Struct):
    """What of a record tells where it came from."""

    source: str = UNREADABLE
    trust: str = ""
    restates: str = ""


_ORIGIN = msgspec.json.Decoder(_Origin)


class Conservation:
    """The counts of one log. Threads may share it."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._turn = threading.Lock()
        self.positions = dict.fromkeys(range(log.partitions()), 0)
        self._good: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self._silent: dict[str, Counts] = {}
        self._quarantined: set[tuple[int, int]] = set()

    @property
    def behind(self) -> int:
        """Records that are not counted yet."""
        return sum(self._log.end(p) - at for p, at in self.positions.items())

    def catch_up(
        self, records_max: int | None = None, progress: Callable[[int], None] = lambda done: None
    ) -> bool:
        """Count up to the end of the log, or about `records_max` records; whether all are counted.

        While another thread counts, nothing is done.
        """
        if not self._turn.acquire(blocking=False):
            return False
        try:
            done = 0
            for partition in self.positions:
                while records_max is None or done < records_max:
                    records = self._log.read(partition, self.positions[partition], READ_AT_ONCE)
                    if not records:
                        break
                    self._count(records)
                    self.positions[partition] = records[-1].offset + 1
                    done += len(records)
                    progress(done)
            return not self.behind
        finally:
            self._turn.release()

    def by_source(self) -> dict[str, Counts]:
        """The counts so far; what the engine itself says was received from nobody."""
        names = sorted({*self._good, *self._failed, *self._silent})
        return {
            name: Counts(good=self._good.get(name, 0), failed=self._failed.get(name, 0)).plus(
                self._silent.get(name, Counts())
            )
            for name in names
        }

    def _count(self, records: list[Record]) -> None:
        good, failed, decode = self._good, self._failed, _ORIGIN.decode
        for record in records:
            if record.kind == RecordKind.CONTROL:
                if not record.erased:
                    self._control(record)
                continue
            into = good if record.kind == RecordKind.EVENT else failed
            if record.erased:
                into[ERASED] = into.get(ERASED, 0) + 1
                continue
            try:
                origin = decode(record.payload)
            except msgspec.DecodeError:
                into[UNREADABLE] = into.get(UNREADABLE, 0) + 1
                continue
            if origin.trust != "engine" and not origin.restates:
                into[origin.source] = into.get(origin.source, 0) + 1

    def _control(self, record: Record) -> None:
        if record.payload.startswith(b'{"type":"counted"'):
            body = CONTROL_DECODER.decode(record.payload).body
            said = Counts(duplicate=int(body["duplicate"]), refused=int(body["refused"]))
            source = str(body["source"])
            self._silent[source] = self._silent.get(source, Counts()).plus(said)
        elif record.payload.startswith(b'{"type":"quarantined"'):
            body = CONTROL_DECODER.decode(record.payload).body
            self._quarantine(int(body["partition"]), int(body["offset"]))

    def _quarantine(self, partition: int, offset: int) -> None:
        """Move a record from good to failed, once: a worker that died after it had said so says
        it again."""
        if (partition, offset) in self._quarantined:
            return
        self._quarantined.add((partition, offset))
        (record,) = self._log.read(partition, offset, 1)
        if record.kind != RecordKind.EVENT:
            return
        source = ERASED
        if not record.erased:
            try:
                origin = _ORIGIN.decode(record.payload)
            except msgspec.DecodeError:
                origin = _Origin()
            if origin.trust == "engine":
                return
            source = origin.source
        self._good[source] = self._good.get(source, 0) - 1
        self._failed[source] = self._failed.get(source, 0) + 1
