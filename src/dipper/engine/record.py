"""What the log's payloads mean: events, failed events and control records.

The byte format of the log around them is the engine's (ADR 0001); this is the JSON inside. Every
field has the name and meaning of the envelope (docs/reference/envelope.md); a new field needs a
default, so that every reader reads every record ever written.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

import msgspec

Trust = Literal["public", "server", "partner", "core", "engine"]

RECORD_VERSION = 1


class RecordKind(IntEnum):
    """The kind byte of a record's header."""

    EVENT = 1
    FAILED = 2
    CONTROL = 3


class TokenVerdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a token after it was verified at receipt; never the token."""

    verdict: str
    iss: str = ""
    sub: str = ""
    jti: str = ""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One accepted event. Times are µs since 1970 UTC; ids are texts `idtype:value`.

    `subjects` maps role to id; roles in `claims` are what a public source said and nobody has
    proved. `properties` is a JSON object (the traits for `identify` and `group`), already without
    what must never be stored. `program` is the hash of the program that judged it. `content` is the
    hash of the canonical event where it cannot be computed from the record, because the tracking
    plan dropped something (ADR 0004). `restates` is the position "partition:offset" of a shared
    record that this one stands for since one of its subjects was erased.
    """

    event: str
    message_id: str
    source: str
    trust: Trust
    time_us: int
    received_us: int
    subjects: dict[str, str]
    type: str = "track"
    original_us: int | None = None
    sent_us: int | None = None
    seq: int = 0
    claims: tuple[str, ...] = ()
    scenario: str | None = None
    channel: str | None = None
    campaign: str | None = None
    link: str | None = None
    placement: str | None = None
    org_unit: str | None = None
    staff: str | None = None
    partner: str | None = None
    legal_entity: str | None = None
    business_date: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    token: TokenVerdict | None = None
    program: str = ""
    content: int = 0
    restates: str = ""


class FailedEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An event that could not be accepted, kept with its reason.

    `raw` is what came, after the never-store filter, as text (invalid UTF-8 is escaped).
    `subjects` are the ids that could be read, so that an erasure finds the record. `content` is the
    hash by which a resend of the same failed event is known.
    """

    source: str
    received_us: int
    code: str
    reason: str
    raw: str
    path: str = ""
    event: str = ""
    message_id: str = ""
    subjects: dict[str, str] = {}
    program: str = ""
    content: int = 0


class Control(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A control record. `type` is one of CONTROL_TYPES; `body` holds its own fields."""

    type: str
    time_us: int
    body: dict[str, Any] = {}


# body of each type:
#   spec_applied    {program}                       hash of the program file
#   table_applied   {table, hash, business_date}
#   clock           {now_us}                        the demo's virtual time; fires the tick
#   tick            {now_us}
#   counted         {source, duplicate, refused}    events that leave no record of their own
#   erased          {ids: [keyed hash, hex], key_id, roles, counts}
#   reinstated      {ids: {keyed hash, hex: time_us of the erasure}}   a new consent lifts a refusal
#   quarantined     {partition, offset, reason}
#   model_published {policy, hash, trained_to: {partition: offset}}
#   run             {run, source, events, file_digest}   a bulk import that ended
CONTROL_TYPES = (
    "spec_applied",
    "table_applied",
    "clock",
    "tick",
    "counted",
    "erased",
    "reinstated",
    "quarantined",
    "model_published",
    "run",
)

RESERVED_EVENTS = (
    "offer_shown",
    "offer_clicked",
    "offer_dismissed",
    "contact_sent",
    "contact_failed",
    "consent_given",
    "consent_withdrawn",
    "subject_bound",
    "subject_unbound",
    "product_opened",
    "product_closed",
    "holding_recorded",
    "assessment_recorded",
    "segment_entered",
    "segment_left",
    "segment_corrected",
    "decision_made",
    "identify",
    "group",
    "alias",
    "page_viewed",
    "screen_viewed",
)

EVENT_ENCODER = msgspec.json.Encoder()
EVENT_DECODER = msgspec.json.Decoder(Event)
FAILED_DECODER = msgspec.json.Decoder(FailedEvent)
CONTROL_DECODER = msgspec.json.Decoder(Control)
