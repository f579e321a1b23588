"""The last step before the log of a partition: copies are told apart from new events.

Done by the gateway that owns the partition, whoever received the request, because only it knows
what its log holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import NamedTuple, cast

import msgspec
import numpy as np

from dipper.collect.canonical import Stored, recorded_hash
from dipper.collect.counts import Counts
from dipper.collect.duplicates import IDENTIFIED, NO_TIME, Duplicates, Identified, Verdict
from dipper.collect.erasures import Erasures
from dipper.collect.failed import failed_as_accepted
from dipper.collect.in_hand import InHand
from dipper.collect.plan import Failed
from dipper.collect.subjects import named_in
from dipper.engine.ports import Entry
from dipper.engine.record import FAILED_DECODER, Control, FailedEvent, RecordKind

_ENCODER = msgspec.json.Encoder()
_EVENTS = repeat(RecordKind.EVENT)
_entry = cast("Callable[[tuple[RecordKind, bytes]], Entry]", partial(tuple.__new__, Entry))
"""Makes an Entry of a pair at half the price of naming its fields: this is the hot path."""
_CONFLICT = Failed(
    "conflicting_id", "another event with other content came under the same message id", "messageId"
)


class Good(NamedTuple):
    """Accepted events of one source, aligned: payloads, and int64 arrays of their fingerprints,
    original times (NO_TIME without one) and content hashes. The first and last original time come
    with them."""

    payloads: Sequence[bytes]
    keys: np.ndarray
    originals_us: np.ndarray
    contents: np.ndarray
    earliest_us: int
    latest_us: int

    @staticmethod
    def of(
        payloads: Sequence[bytes],
        keys: Sequence[int],
        originals_us: Sequence[int],
        contents: Sequence[int],
    ) -> Good:
        """From lists."""
        return Good(
            payloads,
            np.array(keys, np.int64),
            np.array(originals_us, np.int64),
            np.array(contents, np.int64),
            min(originals_us, default=NO_TIME),
            max(originals_us, default=NO_TIME),
        )


class Admitted(NamedTuple):
    """What to append, in order, and how the records of each source counted."""

    entries: list[Entry]
    counts: dict[str, Counts]


@dataclass
class _Handed:
    """What was handed over of one source."""

    payloads: list[bytes] = field(default_factory=list)
    fields: list[Identified] = field(default_factory=list)
    failed: list[FailedEvent] = field(default_factory=list)
    refused: int = 0


class Admission:
    """Admits events to one partition. One thread, in the order in which the log is appended to."""

    def __init__(self, duplicates: Duplicates, erasures: Erasures) -> None:
        self.duplicates = duplicates
        self._erasures = erasures
        self.in_hand: InHand | None = None
        """Set by who appends: what was admitted and is not known to be on disk."""

    def admit(
        self,
        source: str,
        good: Good,
        failed: Sequence[FailedEvent],
        refused: int,
        received_us: int,
    ) -> Admitted:
        """Entries for the new events of one source, and one that counts what leaves no record."""
        verdicts = self.duplicates.check(
            good.keys,
            good.originals_us,
            good.contents,
            received_us,
            between_us=(good.earliest_us, good.latest_us),
        )
        if verdicts is None:
            entries = list(map(_entry, zip(_EVENTS, good.payloads, strict=False)))
            accepted, duplicate = len(entries), 0
        else:
            entries = [
                Entry(RecordKind.EVENT, payload)
                for payload, verdict in zip(good.payloads, verdicts, strict=True)
                if verdict is Verdict.NEW
            ]
            accepted, duplicate = len(entries), verdicts.count(Verdict.DUPLICATE)
            conflicts = [
                failed_as_accepted(good.payloads[place], _CONFLICT, int(good.contents[place]))
                for place, verdict in enumerate(verdicts)
                if verdict is Verdict.CONFLICT
            ]
            failed = [*failed, *conflicts]
        kept = [
            Entry(RecordKind.FAILED, _ENCODER.encode(event))
            for event in failed
            if not self.duplicates.check_failed(
                source, event.message_id, event.content, received_us
            )
        ]
        duplicate += len(failed) - len(kept)
        entries += kept
        if duplicate or refused:
            entries.append(_counted(source, duplicate, refused, received_us))
        if self.in_hand is not None and entries:
            self.in_hand.take(entries)
        return Admitted(entries, {source: Counts(accepted, len(kept), duplicate, refused)})

    def admit_handed(self, entries: Sequence[Entry], received_us: int) -> Admitted:
        """The same for records that another gateway has judged and handed over.

        An erasure may have come between: no record of an erased id follows the order in this
        partition, so that whoever reads the log finds them all before it.
        """
        sources: dict[str, _Handed] = {}
        for kind, payload in entries:
            event: FailedEvent | Identified
            is_failed = kind == RecordKind.FAILED
            event = FAILED_DECODER.decode(payload) if is_failed else IDENTIFIED.decode(payload)
            part = sources.setdefault(event.source, _Handed())
            if self._erasures.is_needed and self._erasures.holds(named_in(payload)):
                part.refused += 1
            elif isinstance(event, FailedEvent):
                part.failed.append(event)
            else:
                part.payloads.append(payload)
                part.fields.append(event)
        admitted = Admitted([], {})
        for source, part in sources.items():
            good = good_events(self.duplicates, source, part.payloads, part.fields)
            found = self.admit(source, good, part.failed, part.refused, received_us)
            admitted.entries.extend(found.entries)
            admitted.counts.update(found.counts)
            self._settle(found.entries)
        if self.in_hand is not None and admitted.entries:
            self.in_hand.take(admitted.entries)
        return admitted

    def undo(self, entries: Sequence[Entry]) -> None:
        """Forget entries whose append failed, so that a resend is no duplicate of nothing."""
        for kind, payload in entries:
            if kind != RecordKind.CONTROL:
                self.duplicates.forget(*self.duplicates.place(kind, payload))
        self._settle(entries)

    def _settle(self, entries: Sequence[Entry]) -> None:
        if self.in_hand is not None:
            self.in_hand.settle(entries)


def good_events(
    duplicates: Duplicates,
    source: str,
    payloads: Sequence[bytes],
    fields: Sequence[Identified | Stored],
) -> Good:
    """Events that were judged one by one, as they are admitted."""
    return Good.of(
        payloads,
        [duplicates.fingerprint(source, found.message_id) for found in fields],
        [NO_TIME if found.original_us is None else found.original_us for found in fields],
        [
            recorded_hash(payload, found.content)
            for payload, found in zip(payloads, fields, strict=True)
        ],
    )


def _counted(source: str, duplicate: int, refused: int, now_us: int) -> Entry:
    body = {"source": source, "duplicate": duplicate, "refused": refused}
    return Entry(
        RecordKind.CONTROL, _ENCODER.encode(Control(type="counted", time_us=now_us, body=body))
    )
