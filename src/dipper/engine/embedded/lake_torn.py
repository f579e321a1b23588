"""What a power cut may leave unfinished in a Delta log: the last commit, the last checkpoint.

Neither was acknowledged: a commit is synced before its writer hears of it, a checkpoint before
anything relies on it. What a dropped commit had added is read from our own log again.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def torn_files(log: Path) -> list[Path]:
    """The unfinished files of a `_delta_log`; without them the table is what was acknowledged."""
    found = []
    commit = max(log.glob("*.json"), default=None)
    if commit is not None and not _is_json_lines(commit):
        found.append(commit)
    checkpoint = max(log.glob("*.checkpoint.parquet"), default=None)
    if checkpoint is not None and not _is_parquet(checkpoint):
        found += [checkpoint, log / "_last_checkpoint"]
    return found


def _is_json_lines(path: Path) -> bool:
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except ValueError:
        return False
    return bool(lines)


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True
