"""Collection without its surroundings: a request's events in, entries for the log and counts out.

No I/O and no clock. The surface reads bodies and appends entries; here stands what becomes of each
event: dialect, tracking plan, trust, never-store filter, times, duplicates, refusals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import msgspec

from dipper.collect.admission import Admission, Admitted, Good
from dipper.collect.canonical import Stored, content_hashes, encode_all
from dipper.collect.counts import Counts
from dipper.collect.dialects.reply import Dialect
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.failed import failed_as_accepted, failed_request
from dipper.collect.incoming import Batch, Incoming, Unreadable
from dipper.collect.judge import Judge, Refused
from dipper.collect.lane import Lane
from dipper.collect.plan import Failed, Plan
from dipper.collect.rules import CONSENTS, Rules
from dipper.collect.sources import Source, Sources
from dipper.collect.subjects import partition_of
from dipper.engine.ports import Entry
from dipper.engine.record import Control, FailedEvent, RecordKind

_ENCODER = msgspec.json.Encoder()


class Collected(NamedTuple):
    """What one request becomes.

    `entries` go to this gateway's partition; `foreign` to the gateways of other partitions, which
    admit them. `counts` tells what became of the records of this partition. `consents` says that
    the reply must wait until the projection has applied the entries.
    """

    entries: list[Entry]
    counts: Mapping[str, Counts]
    foreign: Mapping[int, list[Entry]]
    consents: bool

    @property
    def has_duplicates(self) -> bool:
        """Whether a record was told to be a copy of one before it."""
        return any(found.duplicate for found in self.counts.values())


class _Judged(NamedTuple):
    events: list[Stored]
    failed: list[FailedEvent]
    refused: int


class _Coded(NamedTuple):
    """Events with their payloads, aligned, and the failed ones."""

    events: list[Stored]
    payloads: list[bytes]
    failed: list[FailedEvent]


@dataclass(frozen=True)
class _Desk:
    """Where the events of one source are judged."""

    lane: Lane
    judge: Judge
    dialect: Dialect


class Collector:
    """Collects for one partition of `partitions`; one thread."""

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
        self.admission = Admission(duplicates)
        self.erasures = erasures or Erasures()
        self.totals: dict[str, Counts] = {}
        self._dialects = dialects
        self._partition = partition
        self._partitions = partitions
        self.adopt(sources, plan)

    def adopt(self, sources: Sources, plan: Plan) -> None:
        """Judge by another program from now on."""
        self.sources = sources
        self.plan = plan
        self._desks: dict[str, _Desk] = {}

    def dialect_of(self, source: Source) -> Dialect:
        """The dialect that a source declares."""
        return self._dialects[source.dialect]

    def collect(self, source: Source, batch: Batch, received_us: int) -> Collected:
        """Judge and admit the events of one request, received at a moment in µs."""
        desk = self._desks.get(source.name) or self._open_desk(source)
        judged = self._judge(desk, batch, received_us)
        consents = any(event.event in CONSENTS for event in judged.events)
        coded = _encoded(judged, desk.dialect.EVENT_MAX)
        own, foreign = (coded, {}) if self._partitions == 1 else self._split(coded)
        admitted = self._admit(source, own, judged.refused, received_us)
        if consents and source.trust != "public":
            admitted.entries.extend(self._reinstatements(judged.events, received_us))
        return Collected(admitted.entries, admitted.counts, foreign, consents)

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
            source,
            body,
            failure,
            plan.never_store,
            plan.program,
            received_us,
            is_text=is_text,
        )
        admitted = self._admit(source, _Coded([], [], [record]), 0, received_us)
        return Collected(admitted.entries, admitted.counts, {}, False)

    def count(self, counts: Mapping[str, Counts]) -> None:
        """Add to the totals what is on disk."""
        for source, found in counts.items():
            self.totals[source] = self.totals.get(source, Counts()).plus(found)

    def _open_desk(self, source: Source) -> _Desk:
        rules = Rules(self.plan, source)
        judge = Judge(rules, self.sources.tokens, self.erasures)
        desk = self._desks[source.name] = _Desk(Lane(rules), judge, self.dialect_of(source))
        return desk

    def _judge(self, desk: _Desk, batch: Batch, received_us: int) -> _Judged:
        """Each item through the lane, and through the complete judgement where it must be."""
        items = batch.items
        if len(items) > desk.dialect.BATCH_MAX:
            items = _too_many(batch, desk.dialect.BATCH_MAX)
        found = desk.lane.run(items, batch.sent, received_us)
        if self.erasures.is_needed:
            found = [
                event if event is None or not self.erasures.holds(event.subjects) else None
                for event in found
            ]
        if None not in found:
            return _Judged(cast(list[Stored], found), [], 0)
        return self._judge_rest(desk, batch, items, found, received_us)

    def _judge_rest(
        self,
        desk: _Desk,
        batch: Batch,
        items: Sequence[Incoming | Unreadable],
        found: Sequence[Stored | None],
        received_us: int,
    ) -> _Judged:
        events: list[Stored] = []
        failed: list[FailedEvent] = []
        refused = 0
        for place, event in enumerate(found):
            if event is not None:
                events.append(event)
                continue
            verdict = desk.judge.judge(
                items[place], partial(batch.raw, place), batch.sent, received_us
            )
            if isinstance(verdict, Stored):
                events.append(verdict)
            elif isinstance(verdict, Refused):
                refused += 1
            else:
                failed.append(verdict)
        return _Judged(events, failed, refused)

    def _admit(self, source: Source, coded: _Coded, refused: int, received_us: int) -> Admitted:
        contents = content_hashes(coded.payloads)
        for place, event in enumerate(coded.events):
            if event.content:
                contents[place] = event.content
        good = Good(
            coded.payloads,
            [event.message_id for event in coded.events],
            [event.original_us for event in coded.events],
            contents,
        )
        return self.admission.admit(source.name, good, coded.failed, refused, received_us)

    def _split(self, coded: _Coded) -> tuple[_Coded, dict[int, list[Entry]]]:
        """What belongs to this partition, and entries for the others. Without an id it stays."""
        own = _Coded([], [], [])
        foreign: dict[int, list[Entry]] = {}
        for event, payload in zip(coded.events, coded.payloads, strict=True):
            home = partition_of(event.subjects, self._partitions)
            if home == self._partition:
                own.events.append(event)
                own.payloads.append(payload)
            else:
                foreign.setdefault(home, []).append(Entry(RecordKind.EVENT, payload))
        for record in coded.failed:
            home = partition_of(record.subjects, self._partitions)
            if home == self._partition or not record.subjects:
                own.failed.append(record)
            else:
                entry = Entry(RecordKind.FAILED, _ENCODER.encode(record))
                foreign.setdefault(home, []).append(entry)
        return own, foreign

    def _reinstatements(self, events: Sequence[Stored], received_us: int) -> list[Entry]:
        """A control record for erased ids to which the bank's server brings a new consent."""
        ids: set[str] = set()
        for event in events:
            if event.event == "consent_given":
                ids.update(self.erasures.hashes(event.subjects))
        if not ids:
            return []
        control = Control(type="reinstated", time_us=received_us, body={"ids": sorted(ids)})
        return [Entry(RecordKind.CONTROL, _ENCODER.encode(control))]


def _encoded(judged: _Judged, event_max: int) -> _Coded:
    """Payloads of all events; those above the dialect's maximum become failed."""
    payloads = encode_all(judged.events)
    if not payloads or len(max(payloads, key=len)) <= event_max:
        return _Coded(judged.events, payloads, judged.failed)
    coded = _Coded([], [], list(judged.failed))
    reason = f"an event may have {event_max} bytes"
    for event, payload in zip(judged.events, payloads, strict=True):
        if len(payload) <= event_max:
            coded.events.append(event)
            coded.payloads.append(payload)
        else:
            failure = Failed("event_too_large", f"{reason}, got {len(payload)}")
            coded.failed.append(failed_as_accepted(payload, failure, 0))
    return coded


def _too_many(batch: Batch, batch_max: int) -> list[Incoming | Unreadable]:
    """The items of a batch; those beyond the maximum can no longer be accepted."""
    reason = f"a batch may have {batch_max} events, got {len(batch.items)}"
    beyond = range(batch_max, len(batch.items))
    return [
        *batch.items[:batch_max],
        *(Unreadable(batch.raw(place), "batch_too_long", reason) for place in beyond),
    ]
