"""Makes prepared specs the served ones: stored by content, then said to every partition."""

from __future__ import annotations

from dipper.app.programs import Applied, Prepared, applied, control_entries, remember, store
from dipper.app.workspace import Workspace
from dipper.kit.clock import Clock
from dipper.surface.append import append_everywhere, appender


def apply(workspace: Workspace, prepared: Prepared, clock: Clock) -> Applied:
    """Apply, through the running gateways or as the writer. Raises BadInput when there are errors.

    Applying what is served already changes nothing.
    """
    stored = store(workspace, prepared)
    if applied(workspace) == stored:
        return stored
    to = appender(workspace, clock)
    try:
        entries = control_entries(stored, prepared.tables, clock)
        append_everywhere(to, workspace.settings.storage.partitions, entries)
    finally:
        to.close()
    remember(workspace, stored, clock())
    return stored
