"""Orders an erasure and waits until everything has forgotten the person; gives the receipt.

The order is a control record, so that a rebuild and a restored backup carry it out too. It names
ids only by keyed hash. With a running server its worker does the work; without one this process.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from dipper.app.keys import read_keys
from dipper.app.programs import applied
from dipper.app.served import Current, Programs
from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, RecordKind
from dipper.kit.clock import Clock
from dipper.kit.errors import BadInput, Conflict, NotFound, Unavailable
from dipper.profile.erasure import ids_to_erase, tombstone
from dipper.surface.append import AsWriter, append_everywhere, appender
from dipper.surface.worker.erasing import RECEIPTS, erasure_control
from dipper.surface.worker.worker import Worker

WAIT_S = 600.0


def erase(
    workspace: Workspace, person: str, clock: Clock, waiting: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Erase a person named by an id `idtype:value`; gives the receipt.

    Raises NotFound when nobody has this id, Unavailable when the worker does not answer in time.
    """
    if ":" not in person:
        raise BadInput(
            f"expected an id as idtype:value, got '{person}'.", hint="For example: login:u000001"
        )
    current = applied(workspace)
    if current is None:
        raise Conflict("nothing is applied yet.", where=str(workspace.folder))
    served = Programs(workspace).get(Current(current.program, dict(current.tables)))
    key = read_keys(workspace.keys_file).erasure_key
    with workspace.state.read() as view:
        ids = ids_to_erase(view, served.tag_table, person)
        if len(ids) == 1 and view.get("erased", tombstone(person, key)) is not None:
            raise NotFound("this person is erased already.", where="person")
    identifier = secrets.token_hex(8)
    hashes = [tombstone(text, key) for text in ids]
    now_us = clock()
    order = {"status": "ordered", "time_us": now_us, "hashes": [found.hex() for found in hashes]}
    workspace.control.put(RECEIPTS, identifier, order)
    control = erasure_control(identifier, hashes, now_us)
    entry = Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))
    to = appender(workspace, clock)
    try:
        append_everywhere(to, workspace.settings.storage.partitions, [entry])
        if isinstance(to, AsWriter):
            workspace.state.claim()
            worker = Worker(workspace, to, clock)
            worker.catch_up()
            while worker.turn():
                waiting()
            workspace.state.close()
    finally:
        to.close()
    return _receipt(workspace, identifier, waiting)


def _receipt(workspace: Workspace, identifier: str, waiting: Callable[[], None]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        document = workspace.control.get(RECEIPTS, identifier)
        if document is not None and document["status"] == "done":
            return {"erasure": identifier} | document
        waiting()
        time.sleep(0.1)
    raise Unavailable(
        "the order is in the log, but the worker has not carried it out yet.",
        where=f"erasure {identifier}",
        hint="It goes on when the worker runs; see dipper status.",
    )
