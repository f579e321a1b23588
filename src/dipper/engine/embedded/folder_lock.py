"""Advisory locks in a folder, by which processes on one machine take turns."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dipper.kit.errors import Unavailable


class FolderLock:
    """One lock, a file in the folder. The system frees it when its holder dies."""

    def __init__(self, path: Path, busy: str) -> None:
        """`busy` says who holds it, for the error of somebody who does not wait."""
        self._path = path
        self._busy = busy

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with others; waits for who holds it alone."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self, wait: bool = True) -> Iterator[None]:
        """Hold it alone. Without waiting, raises Unavailable when somebody holds it."""
        with self._held(fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    @contextmanager
    def _held(self, mode: int) -> Iterator[None]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, mode)
            except BlockingIOError as error:
                raise Unavailable(
                    self._busy, where=str(self._path.parent), hint="Try again when it has ended."
                ) from error
            yield
        finally:
            os.close(descriptor)
