"""One event through every rule of collection: the complete judgement.

`lane` takes the many events that are exactly as declared; all others come here. Both must agree,
and a property test holds them together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from dipper.collect import json_text
from dipper.collect.canonical import Stored, content_hash, encode_all, missing_message_id
from dipper.collect.erasures import Erasures
from dipper.collect.failed import failed_event
from dipper.collect.incoming import Columns, Incoming, Unreadable, columns_of
from dipper.collect.plan import EventPlan, Failed
from dipper.collect.rules import Rule, Rules
from dipper.collect.subjects import BadId, subjects_of
from dipper.collect.time import event_time, parse_time
from dipper.collect.token import Token, Tokens
from dipper.collect.trust import claims, not_believed
from dipper.engine.record import FailedEvent
from dipper.kit.hashing import canonical_json
from dipper.spec.envelope import COLUMN_TEXTS
from dipper.spec.reserved import ENVELOPE_IN_PROPERTIES

_NAMES_MAX = 1_000

NO_PERSONS = frozenset({"device", "organisation", "case", "account", "terminal"})
"""Roles of which a person's properties say nothing."""


class Refused:
    """The event of an erased subject: counted, never kept."""


REFUSED = Refused()


class _Failure(Exception):
    """Carries a finding out of the steps below to where the record is made."""

    def __init__(self, code: str, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.failed = Failed(code, reason, path)


@dataclass(frozen=True)
class Judge:
    """Judges events of one source under one program.

    `removed` counts, by name, the properties that were taken out because they are never stored.
    """

    rules: Rules
    tokens: Tokens
    erasures: Erasures
    removed: Counter[str] = field(default_factory=Counter)

    def judge(
        self,
        item: Incoming | Unreadable,
        raw: Callable[[], bytes],
        sent: str | None,
        received_us: int,
    ) -> Stored | FailedEvent | Refused:
        """An event to store, a failed one, or a refusal. `raw` gives the item's own text."""
        if isinstance(item, Unreadable):
            failure = Failed(item.code, item.reason, item.path)
            return self.fail(item.raw, failure, "", received_us)
        rule = self.rule_of(item)
        try:
            return self._accept(item, rule, sent, received_us)
        except _Failure as failure:
            return self.fail(raw(), failure.failed, rule.event, received_us)

    def rule_of(self, item: Incoming) -> Rule:
        """The rule of an event by its type and name."""
        if item.type == "track":
            return self.rules[item.event]
        return self.rules.of_type[item.type]

    def fail(
        self, raw: bytes, failure: Failed, event: str, received_us: int
    ) -> FailedEvent | Refused:
        """The record of an event that is not accepted; a refusal if its subject is erased."""
        plan = self.rules.plan
        record = failed_event(
            self.rules.source,
            raw,
            failure,
            plan.never_store,
            plan.program,
            received_us,
            event=event,
        )
        return REFUSED if self.erasures.holds(record.subjects) else record

    def _accept(
        self, item: Incoming, rule: Rule, sent: str | None, received_us: int
    ) -> Stored | Refused:
        if rule.plan is None:
            raise _failure(rule.failure)
        columns = _columns(item)
        token = self.tokens.verify(columns.token, received_us) if columns.token else None
        named = self._subjects(item, rule, columns, token)
        original_us, sent_us = _times(item, sent)
        given = _properties(item, self.rules.source.person_id_type)
        subjects = self._living(rule.plan, named, given, token)
        if not subjects:
            return REFUSED
        texts = self._texts(columns, given, rule)
        kept, whole = self._judged(given, rule.plan, named.keys() - subjects.keys())
        unbelieved = not_believed(
            rule.event, rule.needed, self.rules.source, subjects, texts["placement"], token
        )
        if unbelieved:
            raise _failure(unbelieved)
        event = Stored(
            message_id=item.message_id or "",
            source=self.rules.source.name,
            trust=self.rules.source.trust,
            time_us=event_time(original_us, sent_us, received_us),
            received_us=received_us,
            sent_us=sent_us,
            claims=claims(self.rules.source, subjects, token),
            token=token.as_record() if token and self._may_keep(token, subjects, named) else None,
            program=self.rules.plan.program,
            event=rule.event,
            subjects=subjects,
            type=item.type,
            original_us=original_us,
            seq=columns.seq,
            properties=whole,
            **texts,
        )
        return _finished(event, kept, whole)

    def _subjects(
        self, item: Incoming, rule: Rule, columns: Columns, token: Token | None
    ) -> dict[str, str]:
        anonymous = item.anonymous_id
        if item.type == "alias" and not anonymous:
            # The previous id may have been a device's or a person's: it is bound as both.
            anonymous = item.previous_id
        try:
            subjects = subjects_of(
                self.rules.source, item.user_id, anonymous, item.group_id, columns.subjects
            )
        except BadId as error:
            raise _Failure("bad_id", str(error), error.role) from None
        if token is not None and token.is_valid and not subjects.keys() - {"device"}:
            is_organisation = token.subject.startswith(self.rules.source.organisation_id_type + ":")
            subjects["organisation" if is_organisation else "person"] = token.subject
        if not subjects:
            raise _Failure("no_id", "an event needs a userId or an anonymousId")
        return subjects

    def _living(
        self,
        plan: EventPlan,
        subjects: dict[str, str],
        given: Mapping[str, Any],
        token: Token | None,
    ) -> dict[str, str]:
        """The ids that keep the event; none where it is an erased subject's. A new consent from the
        bank's own server ends the refusal, a file of old ones does not."""
        source, other = self.rules.source, given.get("other_id")
        if isinstance(other, str) and self.erasures.holds({"other_id": other}):
            return {}
        if not self.erasures.holds(subjects):
            return subjects
        is_believed = source.trust in ("server", "core")
        if plan.name == "consent_given" and is_believed and self.erasures.can_lift:
            return subjects
        return self.erasures.left(subjects, plan.subjects, claims(source, subjects, token))

    def _texts(self, columns: Columns, given: dict[str, Any], rule: Rule) -> dict[str, Any]:
        """The text columns. Some events bring them among their properties, which lose them."""
        texts: dict[str, Any] = {}
        elsewhere = ENVELOPE_IN_PROPERTIES.get(rule.event, ())
        for name in COLUMN_TEXTS:
            text = getattr(columns, name)
            if name in elsewhere and isinstance(given.get(name), str):
                moved = given.pop(name)
                text = text or moved
            if text is not None:
                text = self.rules.plan.never_store.clean_text(text)[0]
            texts[name] = text
        if texts["business_date"] is not None:
            _check_date(texts["business_date"])
        texts["scenario"] = texts["scenario"] or rule.scenario
        return texts

    @staticmethod
    def _may_keep(token: Token, subjects: Mapping[str, str], named: Mapping[str, str]) -> bool:
        """Whether a token names nobody who is erased."""
        return len(subjects) == len(named) or token.subject in subjects.values()

    def _judged(
        self, given: dict[str, Any], plan: EventPlan, erased: Set[str]
    ) -> tuple[msgspec.Raw, msgspec.Raw]:
        """Properties as stored, and as the canonical event has them; with an `erased` role go the
        properties of a person."""
        found = plan.judge(given)
        if isinstance(found, Failed):
            raise _failure(found)
        if erased - NO_PERSONS:
            found = found.without(self.rules.plan.personal)
        for name in found.removed:
            self.removed[
                name if name in self.removed or len(self.removed) < _NAMES_MAX else ""
            ] += 1
        whole = msgspec.Raw(canonical_json(found.whole))
        return (whole if found.is_whole else msgspec.Raw(canonical_json(found.properties))), whole


def _finished(event: Stored, kept: msgspec.Raw, whole: msgspec.Raw) -> Stored:
    """The event with an id, and with its content hash where less is stored than came."""
    if not event.message_id:
        event.message_id = missing_message_id(event)
    if kept is not whole:
        event.content = content_hash(encode_all([event])[0])
        event.properties = kept
    return event


def _failure(failed: Failed | None) -> _Failure:
    return _Failure(*failed) if failed else _Failure("unknown_event", "no such event")


def _columns(item: Incoming) -> Columns:
    try:
        return columns_of(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Failure("bad_envelope", str(error), "context.dipper") from None


def _times(item: Incoming, sent: str | None) -> tuple[int | None, int | None]:
    """Original and sent time. An event that states neither is dated by its receipt."""
    found: list[int | None] = []
    stated = {
        "timestamp": item.original_timestamp or item.timestamp,
        "sentAt": item.sent_at or sent,
    }
    for name, text in stated.items():
        try:
            found.append(parse_time(text) if text else None)
        except ValueError:
            raise _Failure(
                "bad_time", "expected an ISO 8601 time between 1970 and 2200", name
            ) from None
    return found[0], found[1]


def _properties(item: Incoming, person_id_type: str) -> dict[str, Any]:
    """The properties or traits as one object, with what the type carries beside them."""
    given = _object(item)
    if item.type in ("page", "screen"):
        if item.name:
            given.setdefault("page_name", item.name)
        if item.category:
            given.setdefault("category", item.category)
    elif item.type == "alias" and item.previous_id:
        other = str(item.previous_id)
        given.setdefault("other_id", other if ":" in other else f"{person_id_type}:{other}")
    return given


def _object(item: Incoming) -> dict[str, Any]:
    raw = bytes(item.properties)
    if item.type in ("identify", "group"):
        raw = bytes(item.traits) or bytes(item.context.traits if item.context else b"")
    if raw in (b"", b"null"):
        return {}
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = json_text.forgiving(raw)
        except json_text.NotJson as error:
            raise _Failure("bad_text", str(error), "properties") from None
    found = json_text.flaw(value, "properties")
    if found:
        raise _Failure(*found)
    if not isinstance(value, dict):
        raise _Failure("not_an_object", "properties and traits must be an object", "properties")
    return value


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise _Failure(
            "bad_envelope", "business_date must be a date like 2026-01-31", "context.dipper"
        ) from None
