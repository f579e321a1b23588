"""Named arrays as bytes that are the same on every machine, so that they can be addressed by hash.

Layout: magic (8 bytes), version (u8), length of the header (u32), header (canonical JSON: `facts`
and the shape of each array), then the arrays in order, little-endian float64 or int64, row by row.
Never pickle: a model comes from disk, and reading it must not run anything.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from dipper.kit.errors import Corrupt
from dipper.kit.hashing import canonical_json

VERSION = 1
_LEAD = struct.Struct("<8sBI")
_TYPES = {"f8": np.dtype("<f8"), "i8": np.dtype("<i8")}


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    type: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    facts: dict[str, Any]
    arrays: tuple[_Shape, ...]


def pack(
    magic: bytes, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> bytes:
    """The bytes of float64 and int64 arrays; `magic` has 8 bytes, `facts` is plain JSON data."""
    shapes = []
    parts = []
    for name, array in arrays.items():
        code = f"{array.dtype.kind}{array.dtype.itemsize}"
        shapes.append(_Shape(name, code, array.shape))
        parts.append(np.ascontiguousarray(array, dtype=_TYPES[code]).tobytes())
    header = canonical_json(_Header(dict(facts), tuple(shapes)))
    return b"".join([_LEAD.pack(magic, VERSION, len(header)), header, *parts])


def unpack(magic: bytes, data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Facts and arrays (read-only) of what `pack` made. Raises Corrupt for anything else."""
    what = magic.decode()
    if len(data) < _LEAD.size:
        raise Corrupt(f"expected at least {_LEAD.size} bytes, got {len(data)}.", where=what)
    found, version, length = _LEAD.unpack_from(data)
    if (found, version) != (magic, VERSION):
        raise Corrupt(
            f"expected magic {magic!r} of version {VERSION}, got {found!r} of version {version}.",
            where=what,
            hint="Read it with the release that wrote it, or a later one.",
        )
    at = _LEAD.size + length
    try:
        header = msgspec.json.decode(data[_LEAD.size : at], type=_Header)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"the header cannot be read: {error}.", where=what) from error
    arrays = {}
    for entry in header.arrays:
        if entry.type not in _TYPES or min(entry.shape, default=0) < 0:
            raise Corrupt(f"array '{entry.name}' has no type or shape that is known.", where=what)
        dtype = _TYPES[entry.type]
        count = int(np.prod(entry.shape, dtype=np.int64))
        if at + count * dtype.itemsize > len(data):
            raise Corrupt(f"array '{entry.name}' is cut short.", where=what)
        arrays[entry.name] = np.frombuffer(data, dtype, count, at).reshape(entry.shape)
        at += count * dtype.itemsize
    if at != len(data):
        raise Corrupt(f"{len(data) - at} bytes follow the last array.", where=what)
    return header.facts, arrays
