"""Several funnels over the same subjects in one pass: history is read once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dipper.engine.ports import Bucket, Column, Projection, Runner
from dipper.fold.funnel import Funnel, FunnelCounts, FunnelState, reached
from dipper.fold.timeline import Timelines
from dipper.measure.funnel import Step, projection


@dataclass(frozen=True)
class _Beside:
    """Folds several funnels, each over a mask of its own (`steps_0`, `steps_1` ...)."""

    funnels: tuple[Funnel, ...]

    def start(self) -> list[FunnelState]:
        """Nobody yet."""
        return [funnel.start() for funnel in self.funnels]

    def step(self, states: list[FunnelState], timelines: Timelines) -> list[FunnelState]:
        """Counts these subjects in each funnel."""
        return [
            funnel.step(state, self._part(timelines, place))
            for place, (funnel, state) in enumerate(zip(self.funnels, states, strict=True))
        ]

    def merge(self, states: list[FunnelState], others: list[FunnelState]) -> list[FunnelState]:
        """Adds the counts, funnel by funnel."""
        return [
            funnel.merge(state, other)
            for funnel, state, other in zip(self.funnels, states, others, strict=True)
        ]

    def finish(self, states: list[FunnelState]) -> list[FunnelCounts]:
        """The counts of each funnel."""
        return [funnel.finish(state) for funnel, state in zip(self.funnels, states, strict=True)]

    def _part(self, timelines: Timelines, place: int) -> Bucket:
        columns = {
            "time": timelines.columns["time"],
            "steps": timelines.columns[f"steps_{place}"],
        }
        return Bucket(timelines.keys, timelines.subjects, columns)


def funnels(
    runner: Runner,
    wanted: Mapping[str, Sequence[Step]],
    *,
    subject: str = "person",
    start_us: int | None = None,
    end_us: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """Name -> subjects who reached each step in order, over event times [start_us, end_us)."""
    if not wanted:
        return {}
    parts = {name: projection(steps, subject) for name, steps in wanted.items()}
    columns = [Column("time", "time", "int64")]
    for place, part in enumerate(parts.values()):
        (mask,) = (column for column in part.columns if column.name == "steps")
        columns.append(Column(f"steps_{place}", mask.sql, mask.dtype))
    where = " OR ".join(f"({part.where})" for part in parts.values())
    fold = _Beside(tuple(Funnel(len(steps)) for steps in wanted.values()))
    found = runner.fold(Projection(subject, tuple(columns), where, start_us, end_us), fold)
    return {name: reached(counts.deepest) for name, counts in zip(wanted, found, strict=True)}
