"""What a request's events become: good ones aligned for admission, failed ones, refusals.

Joins the two ways of judging: what the lane has taken is taken over, the rest is judged completely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import NamedTuple

from dipper.collect.admission import Good
from dipper.collect.canonical import Stored, content_hash, encode_all
from dipper.collect.duplicates import NO_TIME, Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.failed import failed_as_accepted
from dipper.collect.incoming import Incoming, Unreadable
from dipper.collect.judge import Judge, Refused
from dipper.collect.lane import Laned
from dipper.collect.plan import Failed
from dipper.collect.rules import CONSENTS
from dipper.collect.sources import Source
from dipper.collect.subjects import named_in
from dipper.engine.record import FailedEvent

Item = Incoming | Unreadable


@dataclass
class Judged:
    """The good events of a request, in order and aligned, and whether a consent is among them.
    `lifting` are the ids of those that end the refusal of an erased one."""

    payloads: list[bytes] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    originals_us: list[int] = field(default_factory=list)
    contents: list[int] = field(default_factory=list)
    failed: list[FailedEvent] = field(default_factory=list)
    refused: int = 0
    has_consents: bool = False
    lifting: list[Mapping[str, str]] = field(default_factory=list)

    def good(self) -> Good:
        """The good events for admission."""
        return Good.of(self.payloads, self.keys, self.originals_us, self.contents)

    def part(self, places: list[int], failed: list[FailedEvent]) -> Judged:
        """Those of the good events, and these failed ones."""
        return Judged(
            [self.payloads[place] for place in places],
            [self.keys[place] for place in places],
            [self.originals_us[place] for place in places],
            [self.contents[place] for place in places],
            failed,
            self.refused,
            self.has_consents,
        )


@dataclass(frozen=True)
class Judging:
    """Judges the requests of one source."""

    judge: Judge
    duplicates: Duplicates
    erasures: Erasures
    source: Source
    event_max: int

    def run(
        self,
        count: int,
        item: Callable[[int], Item],
        raw: Callable[[int], bytes],
        laned: Laned | None,
        sent: str | None,
        received_us: int,
    ) -> Judged:
        """Judge `count` events. `item` and `raw` give an event that the lane has not taken."""
        judged = Judged(has_consents=laned is not None and laned.has_consents)
        for place, taken in enumerate(_taken(laned) if laned is not None else repeat(None, count)):
            if taken is None or self._names_erased(taken.payload):
                event = self.judge.judge(item(place), partial(raw, place), sent, received_us)
                self._add(judged, event)
                continue
            judged.payloads.append(taken.payload)
            judged.keys.append(taken.key)
            judged.originals_us.append(taken.original_us)
            judged.contents.append(taken.content)
        return judged

    def _names_erased(self, payload: bytes) -> bool:
        """Whether an event may name an erased id, so that it must be judged completely."""
        if not self.erasures.is_needed:
            return False
        return b'"other_id"' in payload or self.erasures.holds(named_in(payload))

    def _add(self, judged: Judged, event: Stored | FailedEvent | Refused) -> None:
        if isinstance(event, Refused):
            judged.refused += 1
        elif isinstance(event, FailedEvent):
            judged.failed.append(event)
        else:
            self._add_good(judged, event)

    def _add_good(self, judged: Judged, event: Stored) -> None:
        (payload,) = encode_all([event])
        content = event.content or content_hash(payload)
        if len(payload) > self.event_max:
            reason = f"an event may have {self.event_max} bytes, got {len(payload)}"
            failure = Failed("event_too_large", reason)
            judged.failed.append(failed_as_accepted(payload, failure, content))
            return
        if event.event in CONSENTS:
            judged.has_consents = True
        if self.erasures.holds(event.subjects):
            judged.lifting.append(event.subjects)
        judged.payloads.append(payload)
        judged.keys.append(self.duplicates.fingerprint(self.source.name, event.message_id))
        judged.originals_us.append(NO_TIME if event.original_us is None else event.original_us)
        judged.contents.append(content)


class _Taken(NamedTuple):
    """An event that the lane has taken."""

    payload: bytes
    key: int
    original_us: int
    content: int


def _taken(laned: Laned) -> Iterator[_Taken | None]:
    """The events of a request; None for those that the lane has left."""
    numbers = (laned.keys.tolist(), laned.originals_us.tolist(), laned.contents.tolist())
    for payload, *found in zip(laned.payloads, *numbers, strict=True):
        yield None if payload is None else _Taken(payload, *found)
