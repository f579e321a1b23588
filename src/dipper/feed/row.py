"""What a row of a file says, before anybody has judged it."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row. `time` is RFC 3339 in UTC; `columns` has a value or None for each envelope column
    of the map, in its order; `properties` is a JSON object."""

    event: str
    time: str
    seq: int
    message_id: str
    subjects: dict[str, str]
    columns: tuple[str | None, ...]
    properties: msgspec.Raw


class BadRow(msgspec.Struct, frozen=True, gc=False):
    """A row that can be no event, with its reason and what it held, as JSON."""

    reason: str
    raw: str
    message_id: str
    subjects: dict[str, str]
