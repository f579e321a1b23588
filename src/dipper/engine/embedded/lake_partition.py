"""Which partition a row belongs to: subject kind, month or year, bucket of the subject's key.

Months are UTC. A month older than a quarter belongs to its year, so that the number of files
grows with the years and not with the months.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipper.engine.embedded.lake_file import sync
from dipper.kit.clock import from_datetime
from dipper.kit.errors import BadInput, Conflict

LAYOUT_VERSION = 1

FRESH = -1
"""Bucket of rows that no compaction has clustered yet; their month is empty."""

MONTHS_KEPT = 3
"""So many whole months before the current one stay months."""

BUCKETS: dict[str, int] = {
    "person": 64,
    "organisation": 8,
    "case": 8,
    "device": 64,
    "account": 8,
    "terminal": 8,
}
"""Buckets of a new lake; a kind that is not named has one."""


class Partition(NamedTuple):
    """Where sorted runs lie: `month` is YYYY-MM or YYYY."""

    kind: str
    month: str
    bucket: int


def oldest_month(now_us: int) -> int:
    """The oldest month (counted from January 1970) that is a partition of its own."""
    return _month(now_us) - MONTHS_KEPT


def month_codes(times_us: np.ndarray, oldest: int) -> np.ndarray:
    """A number for each row's month or year: twice its first month, one more for a month."""
    months = times_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    years = months - months % 12
    return np.where(months >= oldest, 2 * months + 1, 2 * years)


def month_text(code: int) -> str:
    """The text of a code of `month_codes`."""
    year, month = divmod(code // 2, 12)
    return f"{year + 1970:04d}-{month + 1:02d}" if code % 2 else f"{year + 1970:04d}"


def month_range(text: str) -> tuple[int, int]:
    """The first moment of a month or year and of the next one, in µs."""
    year = int(text[:4])
    if len(text) == 4:
        return _start(year, 1), _start(year + 1, 1)
    month = int(text[5:])
    return _start(year, month), _start(year + month // 12, month % 12 + 1)


def is_retired(text: str, oldest: int) -> bool:
    """Whether a month has become part of its year."""
    return len(text) > 4 and _month(month_range(text)[0]) < oldest


def bucket_numbers(keys: np.ndarray, buckets: int) -> np.ndarray:
    """The bucket of each key (n, 2): its first 8 bytes, little-endian, modulo the buckets."""
    return (keys[:, 0].byteswap() % np.uint64(buckets)).astype(np.int64)


def fixed_buckets(folder: Path, wanted: Mapping[str, int]) -> dict[str, int]:
    """The buckets of the lake in the folder: those it was made with, or `wanted` for a new one.

    Raises BadInput where a kind shall have no bucket or more than 256.
    """
    path = folder / "_layout.json"
    if not path.exists():
        for kind, count in wanted.items():
            if not 1 <= count <= 256:
                raise BadInput(
                    f"kind '{kind}' must have 1 to 256 buckets, got {count}.",
                    where="lake",
                    hint="The number is fixed when a lake is made.",
                )
        text = json.dumps({"version": LAYOUT_VERSION, "buckets": dict(wanted)}, sort_keys=True)
        # Written whole or not at all, and never over what another process has fixed meanwhile.
        draft = folder / f"_layout.{os.getpid()}"
        draft.write_text(text)
        sync(draft)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        sync(folder)
    layout = json.loads(path.read_text())
    if layout["version"] != LAYOUT_VERSION:
        raise Conflict(
            f"the lake has layout version {layout['version']}, expected {LAYOUT_VERSION}.",
            where=str(path),
            hint="Use the release that wrote it, or rebuild the lake from the log.",
        )
    return {str(kind): int(count) for kind, count in layout["buckets"].items()}


def _month(time_us: int) -> int:
    return int(np.datetime64(time_us, "us").astype("datetime64[M]").astype(np.int64))


def _start(year: int, month: int) -> int:
    if year > 9999:
        return 2**63 - 1
    return from_datetime(datetime(year, month, 1, tzinfo=UTC))
