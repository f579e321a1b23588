"""A workspace on disk: where everything stands, and how its engines are opened.

Opening is lazy: a process pays only for the engines that it touches, and the command line stays
quick.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dipper.app.content import ContentStore
from dipper.app.settings import Settings, load_settings

if TYPE_CHECKING:
    from dipper.engine.embedded.control import EmbeddedControl
    from dipper.engine.embedded.lake import EmbeddedLake
    from dipper.engine.embedded.lake_failed import FailedEvents
    from dipper.engine.embedded.log import EmbeddedLog
    from dipper.engine.embedded.state import EmbeddedState


class Workspace:
    """The paths, settings and engines of one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = load_settings(folder)
        self.data = folder / "data"

    @property
    def specs(self) -> Path:
        """The folder of specs."""
        return self.folder / "specs"

    @property
    def tables(self) -> Path:
        """The folder of rows that no feed brings."""
        return self.folder / "tables"

    @property
    def keys_file(self) -> Path:
        """Write keys and secrets."""
        return self.folder / "keys.toml"

    @property
    def run(self) -> Path:
        """Sockets and process ids."""
        return self.data / "run"

    def socket(self, partition: int) -> Path:
        """The append socket of a partition's gateway."""
        return self.run / f"gateway-{partition}.sock"

    def index(self, partition: int) -> Path:
        """The folder that tells which events a partition of the log holds."""
        return self.data / "index" / f"p{partition}"

    @cached_property
    def programs(self) -> ContentStore:
        """Programs by hash."""
        return ContentStore(self.data / "programs", ".json")

    @cached_property
    def table_versions(self) -> ContentStore:
        """Versions of reference tables by hash."""
        return ContentStore(self.data / "tables", ".json")

    @cached_property
    def models(self) -> ContentStore:
        """Published models by hash."""
        return ContentStore(self.data / "models", ".bin")

    @cached_property
    def log(self) -> EmbeddedLog:
        """The log of all partitions."""
        from dipper.engine.embedded.log import EmbeddedLog

        return EmbeddedLog(self.data / "log", self.settings.storage.partitions)

    @cached_property
    def state(self) -> EmbeddedState:
        """The subject state."""
        from dipper.engine.embedded.state import EmbeddedState

        return EmbeddedState(self.data / "state")

    @cached_property
    def control(self) -> EmbeddedControl:
        """The control store."""
        from dipper.engine.embedded.control import EmbeddedControl

        return EmbeddedControl(self.data / "control.db")

    @cached_property
    def lake(self) -> EmbeddedLake:
        """The lake of timelines; properties are declared by whoever writes."""
        from dipper.engine.embedded.lake import EmbeddedLake

        storage = self.settings.storage
        kinds = ("organisation", "case", "device", "account", "terminal")
        buckets = dict.fromkeys(kinds, storage.buckets_other)
        buckets["person"] = storage.buckets_person
        return EmbeddedLake(self.data / "lake" / "timelines", buckets=buckets)

    @cached_property
    def failed_events(self) -> FailedEvents:
        """The lake's small table of failed events."""
        from dipper.engine.embedded.lake_failed import FailedEvents

        return FailedEvents(self.data / "lake" / "failed")
