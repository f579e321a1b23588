"""An event as a dialect hands it over, before anybody has judged it.

The names are those of a Segment body, so that its most used SDKs are decoded in one pass; other
dialects fill the same record. Properties stay raw: the tracking plan decodes them into their types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec

Short = Annotated[str, msgspec.Meta(max_length=255)]
GivenId = str | int | None
Kind = Literal["track", "identify", "page", "screen", "group", "alias"]

NOTHING = msgspec.Raw(b"{}")
NO_RAW = msgspec.Raw(b"")


class Columns(msgspec.Struct, gc=False):
    """What travels in `context.dipper`. `token` is verified at receipt and never stored."""

    scenario: Short | None = None
    channel: Short | None = None
    campaign: Short | None = None
    link: Short | None = None
    placement: Short | None = None
    org_unit: Short | None = None
    staff: Short | None = None
    partner: Short | None = None
    legal_entity: Short | None = None
    business_date: Short | None = None
    seq: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0
    subjects: dict[str, str | int] | None = None
    token: str | None = None


class Context(msgspec.Struct, omit_defaults=True, gc=False):
    """The parts of an SDK's context that mean something here; the rest is not kept.

    `dipper` is decoded by `columns_of`: it says the same in most events of a page.
    """

    dipper: msgspec.Raw = NO_RAW
    traits: msgspec.Raw = NO_RAW


class Incoming(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """One event as sent. `type` is missing where the route names it.

    What is absent must be the default itself (`NO_RAW`), so that an event can be written again.
    """

    type: Kind = "track"
    event: str | None = None
    user_id: GivenId = None
    anonymous_id: GivenId = None
    group_id: GivenId = None
    previous_id: GivenId = None
    message_id: Short | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None
    name: str | None = None
    category: str | None = None
    properties: msgspec.Raw = NOTHING
    traits: msgspec.Raw = NO_RAW
    context: Context | None = None


class Unreadable(NamedTuple):
    """An item of a batch that is no event of the dialect, with the reason."""

    raw: bytes
    code: str
    reason: str
    path: str = ""


_COLUMNS = msgspec.json.Decoder(Columns | None)
_NO_COLUMNS = Columns()


def columns_of(item: Incoming) -> Columns:
    """What `context.dipper` says. Raises msgspec.ValidationError with the path of what is wrong."""
    if item.context is None or not bytes(item.context.dipper):
        return _NO_COLUMNS
    return _COLUMNS.decode(item.context.dipper) or _NO_COLUMNS


class Batch(NamedTuple):
    """The events of one request, in the order of the request.

    `sent` is the time of sending that the request states for all its events. `raw` gives the text
    of one item, which is needed only where it fails. `is_canonical` says that numbers among the
    properties are in their shortest writing, as an encoder of ours writes them.
    """

    items: Sequence[Incoming | Unreadable]
    sent: str | None
    raw: Callable[[int], bytes]
    is_canonical: bool = False
