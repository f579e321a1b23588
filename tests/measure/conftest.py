"""A real lake over a few rows, asked as measuring asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.embedded.history import History
from dipper.engine.embedded.lake import EmbeddedLake

PROPERTIES = {
    "product": "text",
    "status": "text",
    "decision_id": "text",
    "offer": "text",
    "arm": "text",
    "purpose": "text",
    "segment": "text",
    "valid_until": "date",
}

Told = Callable[..., History]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """History of rows (id, event, time in µs, values); role and trust may stand in the values."""

    def tell(*rows: tuple[str, str, int, dict[str, object]]) -> History:
        lake = EmbeddedLake(tmp_path, PROPERTIES, clock=lambda: NOW_US)
        happenings = [
            Happening(
                offset,
                who,
                time_us,
                event,
                role=str(values.pop("role", "person")),
                seq=offset,
                values=values,
            )
            for offset, (who, event, time_us, values) in enumerate(rows)
        ]
        lake.append(table(lake.schema, happenings), {0: len(rows)})
        return History(lake)

    return tell
