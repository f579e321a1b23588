"""A bank with 60 tags over five events in windows of 7, 30 and 90 days, and eight segments."""

from __future__ import annotations

from typing import Any

import msgspec

from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.source import Source
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

EVENTS = ("bill_paid", "ride_paid", "page_viewed_of_product", "till_paid", "visit_made")
WINDOWS = ("7d", "30d", "90d")


def bank() -> Program:
    """60 tags over five events in windows of 7, 30 and 90 days, and eight segments over them."""

    def spec(kind: Any, name: str, **fields: Any) -> Any:
        common = {
            "title": {"zh": "某", "en": "some"},
            "owners": {"business": "b", "technical": "t", "managing": "m"},
        }
        if kind in (Tag, Segment):
            fields["purposes"] = ["service"]
        return kind.model_validate_json(msgspec.json.encode({"name": name, **common, **fields}))

    objects = [
        spec(Property, "amount_fen", type="int", pi_class="none"),
        spec(Property, "rate", type="double", pi_class="none"),
        spec(Property, "biller", type="text", pi_class="none"),
        spec(Source, "server", trust="server"),
        *(spec(EventSpec, name, properties=["amount_fen", "rate", "biller"]) for name in EVENTS),
    ]
    for event in EVENTS:
        for window in WINDOWS:
            of = {"event": event, "window": window}
            values = {
                "count": {"aggregate": "count", "where": "amount_fen >= 100", **of},
                "sum": {"aggregate": "sum", "property": "amount_fen", **of},
                "max": {"aggregate": "max", "property": "rate", **of},
                "billers": {"aggregate": "last", "property": "biller", **of},
            }
            objects += [
                spec(Tag, f"{event}_{name}_{window}", value=value) for name, value in values.items()
            ]
    for n in range(8):
        event, window = EVENTS[n % len(EVENTS)], WINDOWS[n % len(WINDOWS)]
        # About one event of twenty turns a segment of its person.
        least = {"7d": 4, "30d": 9, "90d": 16}[window]
        where = f"tag.{event}_count_{window} >= {least} AND tag.{event}_sum_{window} > {1_000 * n}"
        objects.append(spec(Segment, f"segment_{n}", where=where))
    return Program.from_objects(objects)
