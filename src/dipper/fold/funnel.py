"""How many subjects go how far along a row of steps.

Every row carries a mask: bit i says that it satisfies step i. The rules:

- *ordered* (default): a subject has reached step k if rows r0 < r1 < ... < rk of its timeline
  satisfy steps 0, 1, ... k in this order. The order is that of the timeline (time, then `seq`, then
  message id), strictly: one row never serves two steps. Other rows may lie between.
- with a *window*, row rk must lie at most `window_us` after r0 (exactly at its end counts), and
  the best beginning counts: any row of step 0 may be r0, not only the first.
- *not ordered*: a subject has reached step k if it has a row for each of the steps 0 to k.
- a subject counts once, with its deepest step, under the *breakdown* value of its first entry:
  the first row of its timeline that satisfies step 0.

The kernel keeps, for each step, the latest beginning from which that step was reached; a later
beginning can do all that an earlier one can, so one pass is enough (as in ClickHouse's
windowFunnel, with ties in time broken by the timeline).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from dipper.fold.timeline import Array, Timelines, read_only

STEPS_MAX = 32

Counts = npt.NDArray[np.int64]
_NO_CODES = np.zeros(0, np.int32)
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class FunnelCounts:
    """Subjects by their deepest step: `deepest[k]` came as far as step k - 1, `deepest[0]` had
    rows but never entered. `groups` has the same for each breakdown value of those who entered;
    None stands for a missing value."""

    deepest: tuple[int, ...]
    groups: Mapping[str | None, tuple[int, ...]]


def reached(deepest: Sequence[int]) -> tuple[int, ...]:
    """From subjects by deepest step to subjects that reached each step."""
    return tuple(int(n) for n in np.cumsum(deepest[::-1])[::-1][1:])


@dataclass
class FunnelState:
    """Counts so far: of all, and for each breakdown value."""

    deepest: Counts
    groups: dict[str | None, Counts] = field(default_factory=dict)


@dataclass(frozen=True)
class Funnel:
    """The fold. Columns: `time` (int64 µs), `steps` (integer mask), the breakdown's (texts)."""

    steps: int
    window_us: int | None = None
    ordered: bool = True
    breakdown: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= STEPS_MAX:
            raise ValueError(f"a funnel has 1 to {STEPS_MAX} steps, got {self.steps}")
        if self.window_us is not None and not (self.ordered and self.window_us >= 0):
            raise ValueError("a window needs an ordered funnel and must not be negative")

    def start(self) -> FunnelState:
        """Nobody yet."""
        return FunnelState(np.zeros(self.steps + 1, np.int64))

    def step(self, state: FunnelState, timelines: Timelines) -> FunnelState:
        """Counts these subjects."""
        codes: Array = _NO_CODES
        names: tuple[str, ...] = ()
        if self.breakdown is not None:
            codes = timelines.columns[self.breakdown]
            names = tuple(timelines.texts[self.breakdown])
        # The last line is that of a missing value, whose code is -1.
        counts = np.zeros((len(names) + 1, self.steps + 1), np.int64)
        window_us = _NEVER if self.window_us is None else self.window_us
        kernel = _count_ordered if self.ordered else _count_any_order
        read = map(
            read_only,
            (timelines.subjects, timelines.columns["time"], timelines.columns["steps"], codes),
        )
        kernel(*read, window_us, counts)
        groups: dict[str | None, Counts] = {}
        if self.breakdown is not None:
            entered = counts.copy()
            entered[:, 0] = 0
            pairs = zip((*names, None), entered, strict=True)
            groups = {name: line for name, line in pairs if line.any()}
        return self.merge(state, FunnelState(counts.sum(axis=0), groups))

    def merge(self, state: FunnelState, other: FunnelState) -> FunnelState:
        """Adds the counts."""
        state.deepest += other.deepest
        for name, counts in other.groups.items():
            known = state.groups.get(name)
            state.groups[name] = counts if known is None else known + counts
        return state

    def finish(self, state: FunnelState) -> FunnelCounts:
        """The counts; breakdown values in the order of their subjects, the most first."""
        order = sorted(state.groups, key=lambda name: (-int(state.groups[name].sum()), name or ""))
        groups = {name: tuple(state.groups[name].tolist()) for name in order}
        return FunnelCounts(tuple(state.deepest.tolist()), groups)


@njit(cache=True, nogil=True)
def _count_ordered(  # type: ignore[no-untyped-def]
    starts, time, steps, codes, window, counts
):
    depth = counts.shape[1] - 1
    # The latest beginning from which each step was reached.
    begun = np.empty(depth, np.int64)
    for subject in range(len(starts) - 1):
        deepest = 0
        code = -1
        for row in range(starts[subject], starts[subject + 1]):
            mask = steps[row]
            if mask == 0:
                continue
            # From the last step down, so that one row never serves two.
            for step in range(min(deepest, depth - 1), 0, -1):
                if (mask >> step) & 1 and (
                    window == _NEVER or time[row] - begun[step - 1] <= window
                ):
                    begun[step] = begun[step - 1]
                    if step == deepest:
                        deepest += 1
            if mask & 1:
                begun[0] = time[row]
                if deepest == 0:
                    deepest = 1
                    if len(codes) > 0:
                        code = codes[row]
        counts[code, deepest] += 1


@njit(cache=True, nogil=True)
def _count_any_order(  # type: ignore[no-untyped-def]
    starts, time, steps, codes, window, counts
):
    depth = counts.shape[1] - 1
    for subject in range(len(starts) - 1):
        had = np.int64(0)
        code = -1
        for row in range(starts[subject], starts[subject + 1]):
            mask = np.int64(steps[row])
            if mask & 1 and not had & 1 and len(codes) > 0:
                code = codes[row]
            had |= mask
        deepest = 0
        while deepest < depth and (had >> deepest) & 1:
            deepest += 1
        counts[code, deepest] += 1
