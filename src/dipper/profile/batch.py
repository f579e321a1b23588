"""The ids that a batch touches, and what each of its events does to them.

A record goes to every believed role that keeps a row. What a public source claims of a person is
not believed: the record then stands with its device and carries the claim, and whose it is comes
out on reading.
"""

from __future__ import annotations

from dipper.engine.ports import Position, Record, StateReader
from dipper.engine.record import Event
from dipper.kit.hashing import hash64, hash128
from dipper.profile.erasure import refused_until, tombstone
from dipper.profile.handlers import BINDERS, HANDLERS, bind
from dipper.profile.id_state import KIND_MASK
from dipper.profile.id_work import UNTOUCHED, IdWork, WorkFamily
from dipper.profile.identity import KINDS, Key, claim_of, id_type
from dipper.profile.tags import EventPlan, TagTable, family_of


class Batch:
    """The work of one batch; `finish` gives its changes."""

    def __init__(
        self, reader: StateReader, table: TagTable, last_tick_us: int, erasure_key: bytes | None
    ) -> None:
        self.reader, self.table = reader, table
        self.changes: dict[str, dict[bytes, bytes | None]] = {}
        self.failed: list[tuple[Position, str]] = []
        self.decisions: list[tuple[str, Position, str]] = []
        self.refused: dict[str, int] = {}
        self._works: dict[str, IdWork] = {}
        self._families = {
            name: WorkFamily(
                name, family.layout, family.layout.row_bytes, family.lifetime_mask,
                table.watched[name], family.horizon(last_tick_us), table.layout_code,
            )
            for name, family in table.families.items()
        }  # fmt: skip
        marks = (next(iter(reader.scan(table)), None) for table in ("erased", "lifted"))
        self._erasure_key = erasure_key if any(mark is not None for mark in marks) else None
        self._received_us = 0
        self._plans = table.events
        self._default = EventPlan(("person",), {})

    def event(self, event: Event, record: Record) -> None:
        """Project one event, which came in a record."""
        plan = self._plans.get(event.event, self._default)
        order = hash64(event.message_id)
        subjects = event.subjects
        is_trusted = event.trust != "public" or event.token is not None
        works = []
        for role in plan.roles:
            text = subjects.get(role)
            if text is not None and self.believes(event, role, is_trusted):
                works.append(self._works.get(text) or self.work(text, role))
        claim = 0
        device = subjects.get("device")
        if not works and device is not None and "person" in plan.roles:
            claimed = subjects.get("person")
            claim = claim_of(hash128(claimed)) if claimed is not None else 0
            works = [self.work(device, "device")]
        if self._erasure_key is not None:
            self._received_us = record.received_us
            accepted = [work for work in works if not self.refuses(work)]
            if works and not accepted:
                self.refused[event.source] = self.refused.get(event.source, 0) + 1
                return
            works = accepted
        for work in works:
            maker = plan.makers.get(work.family.name)
            if maker is not None:
                row, mask, texts = maker(event, order, claim)
                if mask:
                    work.add(row, mask, event.time_us, texts)
            if event.time_us > work.last_us:
                work.last_us = event.time_us
            if is_trusted:
                work.is_proven = True
        handler = HANDLERS.get(event.event)
        if handler is not None:
            position = Position(record.partition, record.offset)
            handler(self, event, position, (event.time_us, event.seq, order), works)
        if device is not None and is_trusted:
            self._bind(event, device, order)

    def _bind(self, event: Event, device: str, order: int) -> None:
        """A believed event that names person and device binds them at its time."""
        person = event.subjects.get("person")
        if (
            person is not None
            and event.trust != "engine"
            and event.event not in BINDERS
            and self.believes(event, "person", True)
        ):
            key = (event.time_us, event.seq, order)
            one, other = self.work(person, "person"), self.work(device, "device")
            if not (self.refuses(one) or self.refuses(other)):
                bind(one, other, key, True)

    def believes(self, event: Event, role: str, is_trusted: bool) -> bool:
        """Whether the id in a role is more than a claim."""
        if is_trusted and role not in event.claims:
            return True
        return role == "device" or event.source in self.table.believed_claims

    def refuses(self, work: IdWork) -> bool:
        """Whether the id was erased when the event at hand was received."""
        return work.refused_until_us > self._received_us

    def work(self, text: str, role: str = "") -> IdWork:
        """The work on an id; `role` says its kind where its type does not."""
        work = self._works.get(text)
        if work is None:
            key = hash128(text)
            data = self.reader.view("ids", key)
            if data is None:
                named = role if role in KINDS else "person"
                kind = self.table.id_kinds.get(id_type(text), named)
            else:
                kind = KINDS[data[1] & KIND_MASK]
            work = IdWork(text, key, kind, self._families[family_of(kind)], data)
            if self._erasure_key is not None:
                mark = tombstone(text, self._erasure_key)
                work.refused_until_us = refused_until(self.reader, mark)
            self._works[text] = work
        return work

    def touched(self) -> dict[Key, int]:
        """The ids whose segments may have turned, with the earliest moment."""
        return {
            work.key: work.touched_us
            for work in self._works.values()
            if work.touched_us != UNTOUCHED
        }

    def finish(self) -> dict[str, dict[bytes, bytes | None]]:
        """All changes of the state but those of `touched`."""
        rows = self.changes.setdefault("ids", {})
        for work in self._works.values():
            if not (work.refused_until_us and work.is_blank):
                rows[work.key] = work.to_bytes()
        return self.changes
