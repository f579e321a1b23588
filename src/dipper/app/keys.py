"""Secrets of a workspace: `keys.toml`, made by `init` with mode 0600 and refused when others can
read it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dipper.kit.errors import BadInput, Forbidden, NotFound


@dataclass(frozen=True, repr=False)
class Keys:
    """Write keys by source, the control plane's token, and the keys of keyed hashes."""

    write_keys: Mapping[str, str]
    api_token: str
    erasure_key: bytes
    masking_key: bytes

    @property
    def fingerprint_key(self) -> bytes:
        """The key of the index of events: made from the erasure key, so that every workspace has
        one, and who knows one of the two learns nothing of the other's hashes."""
        return hashlib.blake2b(b"fingerprints", key=self.erasure_key, digest_size=32).digest()


def private_text(path: Path) -> str:
    """The text of a file of keys. Raises NotFound, and Forbidden when others can read it."""
    if not path.is_file():
        raise NotFound(
            "the file of keys is missing.", where=str(path), hint="dipper init makes it."
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Forbidden(
            f"others can read the keys: expected mode 0600, got {mode:04o}.",
            where=str(path),
            hint=f"chmod 600 {path}",
        )
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8: {error}.", where=str(path)) from error


def read_keys(path: Path) -> Keys:
    """Read keys.toml. Raises NotFound, Forbidden when the mode is not private, BadInput."""
    text = private_text(path)
    try:
        raw = tomllib.loads(text)
        return Keys(
            write_keys={name: entry["write_key"] for name, entry in raw["sources"].items()},
            api_token=raw["api"]["token"],
            erasure_key=bytes.fromhex(raw["erasure"]["key"]),
            masking_key=bytes.fromhex(raw["masking"]["key"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as error:
        raise BadInput(f"cannot read the keys: {error!r}", where=str(path)) from error


def write_keys(path: Path, sources: list[str], random_bytes: Callable[[int], bytes]) -> None:
    """Make keys.toml with fresh keys for these sources; never overwrites one."""
    lines = ["# Secrets of this workspace. Keep mode 0600; never commit this file.", ""]
    for source in sources:
        lines += [f"[sources.{source}]", f'write_key = "wk_{source}_{random_bytes(16).hex()}"', ""]
    lines += ["[api]", f'token = "{random_bytes(24).hex()}"', ""]
    lines += ["[erasure]", f'key = "{random_bytes(32).hex()}"', ""]
    lines += ["[masking]", f'key = "{random_bytes(32).hex()}"', ""]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
