"""The keys of sources in `keys.toml`: what collection needs of that file and nothing else.

[sources.mobile_app]
write_key = "wk_..."

[[sources.mobile_app.token_keys]]
kid = "2026-01"
public_jwk = { kty = "EC", crv = "P-256", x = "...", y = "..." }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dipper.app.keys import private_text
from dipper.collect.sources import SourceKeys
from dipper.kit.errors import BadInput


def read_source_keys(path: Path) -> dict[str, SourceKeys]:
    """Source -> its keys. Raises NotFound, Forbidden when others can read it, BadInput."""
    text = private_text(path)
    try:
        tables = tomllib.loads(text).get("sources", {})
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"no TOML: {error}.", where=str(path)) from error
    if not isinstance(tables, dict):
        raise BadInput("`sources` must be a table.", where=str(path))
    keys = {name: _keys_of(name, table, path) for name, table in tables.items()}
    _refuse_shared(keys, path)
    return keys


def _keys_of(name: str, table: Any, path: Path) -> SourceKeys:
    if not isinstance(table, dict) or not isinstance(table.get("write_key", ""), str):
        raise BadInput(f"`sources.{name}.write_key` must be a text.", where=str(path))
    token_keys: dict[str, Mapping[str, Any]] = {}
    for entry in table.get("token_keys", ()):
        kid = entry.get("kid") if isinstance(entry, dict) else None
        jwk = entry.get("public_jwk") if isinstance(entry, dict) else None
        if not isinstance(kid, str) or not isinstance(jwk, dict):
            raise BadInput(
                f"an entry of `sources.{name}.token_keys` needs `kid` and `public_jwk`.",
                where=str(path),
            )
        token_keys[kid] = jwk
    return SourceKeys(table.get("write_key", ""), token_keys)


def _refuse_shared(keys: Mapping[str, SourceKeys], path: Path) -> None:
    """A write key says who sends: two sources may not share one."""
    seen: dict[str, str] = {}
    for name, found in keys.items():
        if found.write_key and found.write_key in seen:
            raise BadInput(
                f"sources '{seen[found.write_key]}' and '{name}' have the same write key.",
                where=str(path),
            )
        seen[found.write_key] = name
