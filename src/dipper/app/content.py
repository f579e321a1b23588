"""Content-addressed files: programs, table versions and models.

A file's name is the SHA-256 of its bytes, so it can only be written once, never changed, and every
reader can check what it reads. Written beside and renamed, so that no reader sees half of one.
"""

from __future__ import annotations

import os
from pathlib import Path

from dipper.kit.errors import Corrupt, NotFound
from dipper.kit.hashing import digest


class ContentStore:
    """One folder of immutable files with a common suffix."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.suffix = suffix

    def path(self, address: str) -> Path:
        """Where the content of this address stands."""
        return self.folder / f"{address}{self.suffix}"

    def put(self, data: bytes) -> str:
        """Store bytes durably and give their address."""
        address = digest(data)
        target = self.path(address)
        if target.exists():
            return address
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(f".{os.getpid()}.tmp")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(target)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return address

    def get(self, address: str) -> bytes:
        """The bytes of an address. Raises NotFound, or Corrupt when they are not what was put."""
        path = self.path(address)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"no content with address {address[:12]}…", where=str(path)) from error
        if digest(data) != address:
            raise Corrupt("the file is not what its name says.", where=str(path))
        return data
