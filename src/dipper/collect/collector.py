"""Collection without its surroundings: a request's events in, entries for the log and counts out.

No I/O and no clock. The surface reads bodies and appends entries; here stands what becomes of each
event: dialect, tracking plan, trust, never-store filter, times, duplicates, refusals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import msgspec

from dipper.collect import fingerprints
from dipper.collect.admission import Admission, Admitted, Good
from dipper.collect.canonical import bytes_hash
from dipper.collect.counts import Counts
from dipper.collect.dialects.reply import Dialect, Route
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.failed import failed_request
from dipper.collect.incoming import Batch, Incoming, Unreadable
from dipper.collect.judge import Judge
from dipper.collect.judged import Judged, Judging
from dipper.collect.lane import Kernel, Lane, Laned
from dipper.collect.plan import Failed, Plan
from dipper.collect.rules import Rules
from dipper.collect.sources import Source, Sources
from dipper.collect.subjects import named_in, partition_of
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind

_ENCODER = msgspec.json.Encoder()


class Collected(NamedTuple):
    """What one request becomes.

    `entries` go to this gateway's partition; `foreign` to the gateways of other partitions, which
    admit them. `counts` tells what became of the records of this partition. `consents` says that
    the reply must wait until the projection has applied the entries. `reinstated` are keyed hashes
    of erased ids to which the bank's server brings a new consent, or a living person: before
    anything is stored, every partition must hear that they are accepted again.
    """

    entries: list[Entry]
    counts: Mapping[str, Counts]
    foreign: Mapping[int, list[Entry]]
    consents: bool
    reinstated: Sequence[str] = ()

    @property
    def has_duplicates(self) -> bool:
        """Whether a record was told to be a copy of one before it."""
        return any(found.duplicate for found in self.counts.values())

    @property
    def needs_more(self) -> bool:
        """Whether more has to be done before the reply than to append the entries."""
        return bool(self.foreign or self.consents or self.reinstated or self.has_duplicates)


@dataclass(frozen=True)
class _Desk:
    """Where the events of one source are judged."""

    lane: Lane
    judging: Judging
    dialect: Dialect


class _Items(msgspec.Struct):
    """Events as a batch of the lane's dialect."""

    batch: Sequence[Incoming]
    sent_at: str | None = msgspec.field(default=None, name="sentAt")


class Collector:
    """Collects for one partition of `partitions`; one thread.

    `totals` are the counts of what is on disk, by source; `removed` counts by name the properties
    of good events that were taken out because they are never stored.
    """

    def __init__(
        self,
        sources: Sources,
        plan: Plan,
        duplicates: Duplicates,
        dialects: Mapping[str, Dialect],
        *,
        partition: int = 0,
        partitions: int = 1,
        erasures: Erasures | None = None,
    ) -> None:
        self.erasures = erasures or Erasures(can_lift=True)
        self.admission = Admission(duplicates, self.erasures)
        self.totals: dict[str, Counts] = {}
        self.removed: Counter[str] = Counter()
        self._dialects = dialects
        self._partition = partition
        self._partitions = partitions
        self._kernel = Kernel()
        # While a large kernel is compiled, nothing else can be: the small ones come first.
        fingerprints.warm()
        bytes_hash(b"")
        duplicates.fingerprint("", "")
        self.adopt(sources, plan)

    def adopt(self, sources: Sources, plan: Plan) -> None:
        """Judge by another program from now on."""
        self.sources = sources
        self.plan = plan
        self._desks: dict[str, _Desk] = {}

    def warm(self) -> None:
        """Compile the lane now, or load it from the cache; else the first requests begin it."""
        self._kernel.warm()

    def dialect_of(self, source: Source) -> Dialect:
        """The dialect that a source declares."""
        return self._dialects[source.dialect]

    def collect_body(
        self, source: Source, body: bytes, route: Route, received_us: int
    ) -> Collected:
        """Judge and admit the events of a body, received at a moment in µs. Raises Unparseable."""
        desk = self._desk(source)
        laned = None
        if route is None or route == "track":
            laned = self._laned(desk, body, received_us, is_single=route is not None)
        if laned is None:
            return self.collect(source, desk.dialect.read(body, route).batch, received_us)
        if self._is_settled(laned):
            return self._settled(source, laned, received_us)
        judged = desk.judging.run(
            len(laned.payloads),
            lambda place: desk.dialect.read_event(laned.raw(place), route),
            laned.raw,
            laned,
            laned.sent,
            received_us,
        )
        return self._finish(source, judged, received_us)

    def collect(self, source: Source, batch: Batch, received_us: int) -> Collected:
        """The same for events that a dialect has read already."""
        desk = self._desk(source)
        items = batch.items
        if len(items) > desk.dialect.BATCH_MAX:
            items = _too_many(batch, desk.dialect.BATCH_MAX)
        laned = None
        if not any(item.__class__ is Unreadable for item in items):
            body = _ENCODER.encode(_Items(cast(Sequence[Incoming], items), batch.sent))
            laned = self._laned(desk, body, received_us, is_canonical=batch.is_canonical)
            if laned is not None and self._is_settled(laned):
                return self._settled(source, laned, received_us)
        judged = desk.judging.run(
            len(items), items.__getitem__, batch.raw, laned, batch.sent, received_us
        )
        return self._finish(source, judged, received_us)

    def collect_unreadable(
        self,
        source: Source,
        body: bytes,
        failure: Failed,
        received_us: int,
        *,
        is_text: bool = True,
    ) -> Collected:
        """Keep a request that is no JSON, or only that it came, as one failed record."""
        plan = self.plan
        record = failed_request(
            source, body, failure, plan.never_store, plan.program, received_us, is_text=is_text
        )
        admitted = self._admit(source, Judged(failed=[record]), received_us)
        return Collected(admitted.entries, admitted.counts, {}, False)

    def count(self, counts: Mapping[str, Counts]) -> None:
        """Add to the totals what is on disk."""
        for source, found in counts.items():
            total = self.totals.get(source)
            self.totals[source] = found if total is None else total.plus(found)

    def _desk(self, source: Source) -> _Desk:
        desk = self._desks.get(source.name)
        if desk is None:
            rules = Rules(self.plan, source)
            dialect = self.dialect_of(source)
            duplicates = self.admission.duplicates
            judge = Judge(rules, self.sources.tokens, self.erasures, self.removed)
            desk = self._desks[source.name] = _Desk(
                Lane(rules, duplicates.key_of(source.name), self._kernel),
                Judging(judge, duplicates, self.erasures, source, dialect.EVENT_MAX),
                dialect,
            )
        return desk

    def _laned(
        self,
        desk: _Desk,
        body: bytes,
        received_us: int,
        *,
        is_single: bool = False,
        is_canonical: bool = False,
    ) -> Laned | None:
        events_max, event_max = desk.dialect.BATCH_MAX, desk.dialect.EVENT_MAX
        return desk.lane.run(
            body, is_single, received_us, events_max, event_max, is_canonical=is_canonical
        )

    def _is_settled(self, laned: Laned) -> bool:
        """Whether the lane has taken all, and nobody asks whose the events are."""
        return laned.is_complete and self._partitions == 1 and not self.erasures.is_needed

    def _settled(self, source: Source, laned: Laned, received_us: int) -> Collected:
        good = Good(
            cast(list[bytes], laned.payloads),
            laned.keys,
            laned.originals_us,
            laned.contents,
            laned.earliest_us,
            laned.latest_us,
        )
        admitted = self.admission.admit(source.name, good, (), 0, received_us)
        return Collected(admitted.entries, admitted.counts, {}, laned.has_consents)

    def _finish(self, source: Source, judged: Judged, received_us: int) -> Collected:
        """Admit what is ours, and hand over the rest."""
        lifted = {found for ids in judged.lifting for found in self.erasures.hashes(ids)}
        foreign: dict[int, list[Entry]] = {}
        if self._partitions > 1:
            judged, foreign = self._split(judged)
        admitted = self._admit(source, judged, received_us)
        return Collected(
            admitted.entries, admitted.counts, foreign, judged.has_consents, sorted(lifted)
        )

    def _admit(self, source: Source, judged: Judged, received_us: int) -> Admitted:
        return self.admission.admit(
            source.name, judged.good(), judged.failed, judged.refused, received_us
        )

    def _split(self, judged: Judged) -> tuple[Judged, dict[int, list[Entry]]]:
        """What belongs to this partition, and entries for the others. Without an id it stays."""
        places, failed = [], []
        foreign: dict[int, list[Entry]] = {}
        for place, payload in enumerate(judged.payloads):
            home = partition_of(named_in(payload), self._partitions)
            if home == self._partition:
                places.append(place)
            else:
                entry = Entry(RecordKind.EVENT, payload)
                foreign.setdefault(home, []).append(entry)
        for record in judged.failed:
            home = partition_of(record.subjects, self._partitions)
            if home == self._partition or not record.subjects:
                failed.append(record)
            else:
                entry = Entry(RecordKind.FAILED, _ENCODER.encode(record))
                foreign.setdefault(home, []).append(entry)
        return judged.part(places, failed), foreign


def _too_many(batch: Batch, batch_max: int) -> list[Incoming | Unreadable]:
    """The items of a batch; those beyond the maximum can no longer be accepted."""
    reason = f"a batch may have {batch_max} events, got {len(batch.items)}"
    beyond = range(batch_max, len(batch.items))
    return [
        *batch.items[:batch_max],
        *(Unreadable(batch.raw(place), "batch_too_long", reason) for place in beyond),
    ]
