"""The lane for events that are exactly as declared, which is nearly all of them.

What is settled once for a request is not settled for each event, and what C code can do for all
events at once (typed decoding, encoding, scanning texts) it does. Whatever is out of the ordinary
is left to `judge`, which gives the same answer (a property test holds it).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dipper.collect.canonical import Stored
from dipper.collect.incoming import Columns, Incoming, Unreadable, columns_of
from dipper.collect.rules import Rules
from dipper.collect.subjects import REWRITTEN
from dipper.collect.time import TIME_MAX_US, parse_time
from dipper.guard.never_store import CARD_DIGITS_MAX
from dipper.kit.ids import ID_MAX
from dipper.kit.limits import SKEW_TOLERATED_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_SEEN_MAX = 16_384
_SEEN_LENGTH_MAX = 64
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, TypeError)
"""What a typed decoder and the time reader raise for what is not as declared."""


class Lane:
    """The lane of one source under one program.

    It remembers columns and texts that it has found free of secrets: most events repeat them.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._is_clean = rules.plan.never_store.is_clean_text
        self._clean: set[Any] = {None, msgspec.UNSET}
        self._columns: dict[bytes, Columns | None] = {}
        self._is_open = rules.source.person_id_type not in REWRITTEN

    def run(
        self, items: Sequence[Incoming | Unreadable], sent: str | None, received_us: int
    ) -> list[Stored | None]:
        """Each item's event, or None where it needs the complete judgement."""
        try:
            sent_us = parse_time(sent) if sent else None
        except ValueError:
            return [None] * len(items)
        if not self._is_open:
            return [None] * len(items)
        return self._run(items, sent_us, received_us)

    def _run(
        self, items: Sequence[Incoming | Unreadable], sent_us: int | None, received_us: int
    ) -> list[Stored | None]:
        """Written flat: one call more for each event would cost a fiftieth of the throughput."""
        rules, source = self._rules, self._rules.source
        name, trust, program = source.name, source.trust, rules.plan.program
        person_prefix = source.person_id_type + ":"
        claims: tuple[str, ...]
        claimed = ("person",) if trust == "public" else ()
        late_us = 0
        if sent_us is not None and abs(received_us - sent_us) > SKEW_TOLERATED_US:
            late_us = received_us - sent_us
        clean, columns_seen, is_plain = self._clean, self._columns, _is_plain_id
        read_time, epoch, us, time_max_us = datetime.fromisoformat, _EPOCH, _US, TIME_MAX_US
        events: list[Stored | None] = []
        add = events.append
        item: Any  # an attribute is read only after its class is known
        for item in items:
            add(None)
            if (
                item.__class__ is Unreadable
                or item.type != "track"
                or not item.message_id
                or item.sent_at
                or item.original_timestamp
                or item.group_id
            ):
                continue
            rule = rules[item.event]
            if rule.decode is None:
                continue
            try:
                properties = rule.decode(item.properties)
                original_us = (read_time(item.timestamp) - epoch) // us
            except _REFUSALS:
                continue
            if not 0 <= original_us < time_max_us:
                continue
            if (
                rule.texts is not None
                and not clean.issuperset(rule.texts(properties))
                and not self._are_clean(rule.texts(properties))
            ):
                continue
            user, device, claims = item.user_id, item.anonymous_id, ()
            if user and device:
                if not (is_plain(user) and is_plain(device)):
                    continue
                subjects = {"person": person_prefix + user, "device": "device:" + device}
                claims = claimed
            elif user:
                if not is_plain(user):
                    continue
                subjects = {"person": person_prefix + user}
                claims = claimed
            elif device and is_plain(device):
                subjects = {"device": "device:" + device}
            else:
                continue
            raw = bytes(item.context.dipper) if item.context is not None else b""
            columns = columns_seen[raw] if raw in columns_seen else self._new_columns(raw, item)
            if columns is None:
                continue
            events[-1] = Stored(
                item.message_id,
                name,
                trust,
                original_us + late_us,
                received_us,
                sent_us,
                claims,
                None,
                program,
                0,
                rule.event,
                subjects,
                "track",
                original_us,
                columns.seq,
                columns.scenario or rule.scenario,
                columns.channel,
                columns.campaign,
                columns.link,
                columns.placement,
                columns.org_unit,
                columns.staff,
                columns.partner,
                columns.legal_entity,
                None,
                properties,
            )
        return events

    def _are_clean(self, texts: Sequence[Any]) -> bool:
        """Whether none of the texts of an event holds a secret; remembers the short ones."""
        for text in texts:
            if text in self._clean or (text.isdigit() and len(text) <= CARD_DIGITS_MAX):
                continue
            if not self._is_clean(text):
                return False
            if len(text) <= _SEEN_LENGTH_MAX:
                if len(self._clean) >= _SEEN_MAX:
                    self._clean.clear()
                    self._clean.update((None, msgspec.UNSET))
                self._clean.add(text)
        return True

    def _new_columns(self, raw: bytes, item: Incoming) -> Columns | None:
        """Columns met for the first time; None when they need the complete judgement."""
        try:
            columns = columns_of(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if columns.token is not None or columns.subjects or columns.business_date is not None:
            return None
        texts = [text for text in msgspec.structs.astuple(columns) if isinstance(text, str)]
        if not all(map(self._is_clean, texts)):
            return None
        if len(self._columns) >= _SEEN_MAX:
            self._columns.clear()
        self._columns[raw] = columns
        return columns


def _is_plain_id(given: Any) -> bool:
    """Whether an id is stored as it is written, so that nothing needs to be rewritten."""
    return (
        given.__class__ is str
        and given.isascii()
        and given.strip() == given
        and len(given) <= ID_MAX
    )
