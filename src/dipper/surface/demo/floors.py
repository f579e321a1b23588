"""What this machine's disk allows at best: the floors beside which the demo's speed is shown.

A decision is answered once its trace is synced, and a batch once its events are; so nothing can be
quicker than an append of as many bytes with one fdatasync.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from dipper.surface.demo.driver import BATCH_EVENTS, BATCHES_AT_ONCE

TRACE_BYTES = 1_500
EVENT_BYTES = 400
TIMES = 200
LIMIT_S = 2.0


def disk_floors(folder: Path) -> dict[str, float]:
    """`decide_p50_ms` and `decide_p99_ms` of one synced trace, and `collect_events_per_s` where
    every sync takes all batches that are under way."""
    events = BATCH_EVENTS * BATCHES_AT_ONCE
    trace_s = _append_seconds(folder, TRACE_BYTES)
    batch_s = _append_seconds(folder, EVENT_BYTES * events)
    return {
        "decide_p50_ms": 1e3 * float(np.percentile(trace_s, 50)),
        "decide_p99_ms": 1e3 * float(np.percentile(trace_s, 99)),
        "collect_events_per_s": events / float(np.median(batch_s)),
    }


def _append_seconds(folder: Path, size: int) -> list[float]:
    """Seconds of up to TIMES appends of so many bytes, each with fdatasync."""
    body = os.urandom(size)
    found: list[float] = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        until = time.perf_counter() + LIMIT_S
        while len(found) < TIMES and (not found or time.perf_counter() < until):
            started = time.perf_counter()
            file.write(body)
            os.fdatasync(file.fileno())
            found.append(time.perf_counter() - started)
    return found
