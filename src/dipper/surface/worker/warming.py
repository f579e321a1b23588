"""Compiles, or loads, the worker's kernels before the first record waits for them.

One made-up event is projected and ticked under the program in force, in a state of its own that is
thrown away: exactly the code that real records will run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from dipper.app.served import Served
from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.kit.clock import DAY_US
from dipper.profile.project import project
from dipper.profile.tick import tick


def warm(served: Served, folder: Path) -> None:
    """Run every step once over one person of nobody's."""
    event = Event(
        event="identify",
        message_id="warm",
        source="warm",
        trust="server",
        time_us=DAY_US,
        received_us=DAY_US,
        subjects={"person": "login:warm", "device": "device:warm"},
    )
    record = Record(0, 0, RecordKind.EVENT, DAY_US, EVENT_ENCODER.encode(event), False)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        state = EmbeddedState(Path(scratch) / "state")
        with state.read() as view:
            found = project([record], view, served.tag_table)
        state.write(found.changes, {0: 1})
        with state.read() as view:
            tick(view, served.tag_table, None, 2 * DAY_US)
        state.close()
