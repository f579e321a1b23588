"""A file that holds room on the disk, given up bit by bit when the disk is full.

Decision traces go on from it (a decision without its trace must not be answered); all other
appends wait until there is room for the whole reserve again.
"""

from __future__ import annotations

import os
from pathlib import Path

from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_folder import RESERVE

RESERVE_BYTES = 64 << 20
_STEP_BYTES = 1 << 20
_MARGIN_BYTES = 8 << 20


class Reserve:
    """`size` bytes kept free for the partition in `folder`; 0 keeps none."""

    def __init__(self, disk: Disk, folder: Path, size: int) -> None:
        self._disk = disk
        self._folder = folder
        self._size = size
        self._descriptor = disk.open(folder / RESERVE, append=False)
        facts = os.fstat(self._descriptor)
        self.held = min(facts.st_size, facts.st_blocks * 512, size)
        self.restore()

    @property
    def is_whole(self) -> bool:
        return self.held >= self._size

    def restore(self) -> bool:
        """Take the room back if the disk has it and some more; true when the reserve is whole."""
        if self.is_whole:
            return True
        missing = self._size - self.held
        if self._disk.free_bytes(self._folder) < missing + min(missing, _MARGIN_BYTES):
            return False
        try:
            self._disk.allocate(self._descriptor, self._size)
        except OSError:
            # Somebody was faster; what was claimed in part would only make the disk fuller.
            self._disk.ftruncate(self._descriptor, self.held)
            return False
        self.held = self._size
        return True

    def release(self, need: int) -> bool:
        """Give up room for `need` more bytes; false when nothing is left to give."""
        if not self.held:
            return False
        steps = need // _STEP_BYTES + 1
        self.held = max(0, self.held - steps * _STEP_BYTES)
        self._disk.ftruncate(self._descriptor, self.held)
        return True

    def close(self) -> None:
        self._disk.close(self._descriptor)
