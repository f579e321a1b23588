"""What the control plane reads of a platform: log, state, programs and the keys of its sources.

One for a process; its threads share it. A view of the state is held for one request and no longer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from dipper.app.keys import read_keys
from dipper.app.served import Programs, Served
from dipper.app.workspace import Workspace
from dipper.engine.ports import StateReader
from dipper.kit.clock import Clock
from dipper.profile.subject import load_subject
from dipper.surface.conservation import Conservation
from dipper.surface.explaining import now_of, served_by
from dipper.surface.status import Health, health_of
from dipper.surface.worker.projector import CURRENT

COUNT_AT_ONCE = 200_000


@dataclass(frozen=True)
class Reading:
    """One consistent view, the program that it was projected with, and its moment."""

    view: StateReader
    served: Served
    now_us: int


class Platform:
    """The doors of one workspace."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self.workspace = workspace
        self.clock = clock
        self.keys = read_keys(workspace.keys_file)
        self.log = workspace.log.reader()
        self.programs = Programs(workspace)
        self.conservation = Conservation(self.log)
        # The lake has one user a thread; whoever looks at it takes turns.
        self.lake_turn = threading.Lock()

    @property
    def is_demo(self) -> bool:
        """Whether this workspace may run on a virtual clock."""
        return self.workspace.settings.workspace.demo

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """A view for one request. Raises Conflict before the first apply."""
        with self.workspace.state.read() as view:
            yield Reading(view, served_by(view, self.programs), now_of(view, self.clock))

    def health(self) -> Health:
        """What runs and how far it is."""
        with self.lake_turn:
            return health_of(self.workspace, self.log)

    def counted(self) -> Conservation:
        """What became of everything received, with what has come since the last question."""
        self.conservation.catch_up(COUNT_AT_ONCE)
        return self.conservation

    def get_ready(self) -> None:
        """Do beside everything else what the first who asks would have to wait for."""
        threading.Thread(target=self._get_ready, name="get-ready", daemon=True).start()

    def _get_ready(self) -> None:
        """Compile program and kernels, then count the whole log once."""
        with self.workspace.state.read() as view:
            if view.get("meta", CURRENT) is not None:
                table = served_by(view, self.programs).tag_table
                load_subject(view, table, ["login:nobody"], 0)
        while not self.conservation.catch_up(COUNT_AT_ONCE):
            continue


def platform(request: Request) -> Platform:
    """The platform of the running app."""
    found: Platform = request.app.state.platform
    return found


Bank = Annotated[Platform, Depends(platform)]
"""How a resource asks for the platform."""
