"""A decision as the tour shows it: offers, arm, who fell at which gate, and the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dipper.decide.explain import ARMS, explain_on
from dipper.decide.trace import Trace, decode
from dipper.engine.ports import Position
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.placement import Placement
from dipper.surface.api.platform import Platform
from dipper.surface.explaining import event_at
from dipper.surface.http.deciding import describe


@dataclass(frozen=True)
class Cell:
    """One gate about one offer; `first` is where the offer fell."""

    passed: bool
    first: bool
    rule: str


@dataclass(frozen=True)
class Line:
    """One candidate: its cells, and what became of it."""

    offer: str
    title: str
    cells: tuple[Cell, ...]
    passed: bool
    chosen: bool
    score: float | None
    chance: float | None
    why: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The rule of the first denial, or nothing."""
        return next((cell.rule for cell in self.cells if cell.first), "")


@dataclass(frozen=True)
class Decision:
    """One decision in one language."""

    decision_id: str
    placement: str
    arm: str
    arm_title: str
    offers: tuple[str, ...]
    gates: tuple[tuple[str, int], ...]
    candidates: int
    lines: tuple[Line, ...]
    sentences: tuple[str, ...]

    def line(self, offer: str) -> Line | None:
        """The line of an offer, or None."""
        return next((line for line in self.lines if line.offer == offer), None)

    @property
    def widest(self) -> float:
        """The highest score, to draw the others beside it."""
        return max((line.score or 0.0 for line in self.lines), default=0.0) or 1.0


def decision_at(bank: Platform, position: Position, language: str) -> Decision:
    """The decision whose record stands at a position. Raises NotFound when it is erased."""
    trace = decode(bytes(event_at(bank.log, position).properties))
    return decision_of(bank, trace, language)


def decision_of(bank: Platform, trace: Trace, language: str) -> Decision:
    """A trace, recomputed by the versions that it names."""
    served = bank.programs.of_trace(trace.program, trace.tables)
    program, found = served.program, describe(trace, served)

    def explained(offer: str | None = None) -> tuple[str, ...]:
        sentences = explain_on(served.decider, trace, program, served.tables, language, offer)
        return tuple(sentences)

    gates = found["waterfall"]["gates"]
    ranked = {row["offer"]: row for row in found["waterfall"]["ranked"]}
    chosen = {one.offer for one in (*trace.offers, *trace.would)}
    reasons = {gate.NAME: gate.REASONS for gate in served.decider.place(trace.placement).gates}
    lines = [
        Line(
            offer=name,
            title=_title(program.of(Offer)[name], language),
            cells=_cells(verdicts, reasons),
            passed=all(verdict["passed"] for verdict in verdicts.values()),
            chosen=name in chosen,
            score=ranked[name]["score"] if name in ranked and trace.model else None,
            chance=ranked[name]["probability"] if name in ranked else None,
            why=explained(name)[1:],
        )
        for name, verdicts in found["verdicts"].items()
    ]
    lines.sort(key=lambda line: (not line.chosen, not line.passed, -(line.score or 0.0)))
    return Decision(
        decision_id=trace.decision_id,
        placement=_title(program.of(Placement)[trace.placement], language),
        arm=trace.arm,
        arm_title=ARMS[trace.arm][language != "zh"],
        offers=tuple(_title(program.of(Offer)[one.offer], language) for one in trace.offers),
        gates=tuple((gate["title"][language], gate["left"]) for gate in gates),
        candidates=found["waterfall"]["candidates"],
        lines=tuple(lines),
        sentences=explained(),
    )


def _cells(verdicts: dict[str, Any], reasons: dict[str, Any]) -> tuple[Cell, ...]:
    cells, is_denied = [], False
    for gate, verdict in verdicts.items():
        rule = "" if verdict["passed"] else reasons[gate][verdict["code"]].rule
        cells.append(Cell(verdict["passed"], not verdict["passed"] and not is_denied, rule))
        is_denied = is_denied or not verdict["passed"]
    return tuple(cells)


def _title(spec: Any, language: str) -> str:
    return str(spec.title.of(language))
