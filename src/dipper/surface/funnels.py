"""A funnel as people ask for one: event names, conditions, a window in words.

Checked against the program in force before anything is read, so that a misspelt event is an error
with a hint and not an empty step. Who is one subject is taken from the state, as it is now. A
breakdown by what could name a person is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.expr.parse import parse
from dipper.fold.funnel import STEPS_MAX
from dipper.kit.clock import from_iso, parse_duration_us
from dipper.kit.errors import BadInput, NotFound, did_you_mean
from dipper.measure.funnel import FunnelResult, Step, funnel
from dipper.profile.today import identity_today
from dipper.spec.envelope import SUBJECT_KINDS
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.source import Source
from dipper.spec.program import Program
from dipper.spec.scope import event_scope

BREAKDOWNS = (
    "scenario", "channel", "campaign", "link", "placement", "org_unit", "partner",
    "legal_entity", "business_date", "source", "trust",
)  # fmt: skip


class StepAsked(BaseModel):
    """One step of a funnel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str = Field(min_length=1, max_length=128, description="The name of an event.")
    where: str | None = Field(None, max_length=4_000, description="What must be true of it.")


class FunnelAsked(BaseModel):
    """A question about a funnel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: tuple[StepAsked, ...] = Field(min_length=1, max_length=STEPS_MAX)
    subject: str = Field("person", description="Whose timelines: person, organisation, case ...")
    window: str | None = Field(None, description="From the first step to the last, like 7d.")
    breakdown: str | None = Field(None, description="A column: scenario, channel, a property.")
    start: str | None = Field(None, description="First moment, RFC 3339.")
    end: str | None = Field(None, description="The moment behind the last one, RFC 3339.")
    ordered: bool = Field(True, description="Whether the steps must come in this order.")


@dataclass(frozen=True)
class Question:
    """A funnel that means something in the program in force."""

    steps: tuple[Step, ...]
    subject: str
    window_us: int | None
    breakdown: str | None
    start_us: int | None
    end_us: int | None
    ordered: bool


def understood(program: Program, asked: FunnelAsked) -> Question:
    """The question behind what was asked. Raises BadInput or NotFound for what means nothing."""
    steps = tuple(_step(program, step, place) for place, step in enumerate(asked.steps))
    require_subject(asked.subject)
    if asked.breakdown is not None:
        require_breakdown(program, asked.breakdown)
    return Question(
        steps=steps,
        subject=asked.subject,
        window_us=None if asked.window is None else window_us(asked.window),
        breakdown=asked.breakdown,
        start_us=_moment(asked.start, "start"),
        end_us=_moment(asked.end, "end"),
        ordered=asked.ordered,
    )


def ask_funnel(workspace: Workspace, served: Served, asked: FunnelAsked) -> FunnelResult:
    """The answer over all history. Raises as `understood` does."""
    question = understood(served.program, asked)
    with workspace.state.read() as view:
        identity = identity_today(view)
    lake = workspace.lake
    if not served.property_types.keys() <= set(lake.schema.names):
        # A property that was declared since the worker last wrote has no column yet.
        lake.declare(served.property_types, served.personal_properties)
    return funnel(
        EmbeddedRunner(lake, identity=identity),
        question.steps,
        subject=question.subject,
        window_us=question.window_us,
        start_us=question.start_us,
        end_us=question.end_us,
        breakdown=question.breakdown,
        ordered=question.ordered,
    )


def chain_of(texts: Sequence[str]) -> tuple[StepAsked, ...]:
    """Event names, one by one or parted by `>`."""
    names = [part.strip() for text in texts for part in text.split(">")]
    return tuple(StepAsked(event=name) for name in names if name)


def step_of(text: str) -> StepAsked:
    """A step written `event` or `event:condition`."""
    event, colon, where = text.partition(":")
    return StepAsked(event=event.strip(), where=where.strip() if colon else None)


def _step(program: Program, asked: StepAsked, place: int) -> Step:
    where = f"steps[{place}]"
    known = program.of("event")
    is_open = any(spec.unknown_events == "accept" for spec in program.of(Source).values())
    if asked.event not in known and (asked.where is not None or not is_open):
        hint = did_you_mean(asked.event, known) or "dipper check lists what the plan declares."
        raise NotFound(f"no event '{asked.event}' in the tracking plan.", where=where, hint=hint)
    if asked.where is None:
        return Step(asked.event)
    scope = event_scope(program, asked.event)
    return Step(asked.event, parse(asked.where, scope, expected="bool", where=f"{where}.where"))


def require_subject(kind: str) -> None:
    """Raises BadInput for a word that is no subject kind."""
    if kind not in SUBJECT_KINDS:
        raise BadInput(
            f"'{kind}' is no kind of subject.",
            where="subject",
            hint=did_you_mean(kind, SUBJECT_KINDS) or f"Kinds: {', '.join(SUBJECT_KINDS)}.",
        )


def require_breakdown(program: Program, column: str) -> None:
    """Raises NotFound for no column, BadInput for one that is no text or says too much."""
    if column in BREAKDOWNS:
        return
    spec = program.of(Property).get(column)
    if spec is None or spec.of != "event":
        texts = [name for name, each in program.of(Property).items() if each.type == "text"]
        known = [*BREAKDOWNS, *texts]
        raise NotFound(
            f"'{column}' is no column to break down by.",
            where="breakdown",
            hint=did_you_mean(column, known) or f"Such as: {', '.join(BREAKDOWNS)}.",
        )
    if spec.type != "text" or spec.sensitive or spec.pi_class in ("C2", "C3"):
        raise BadInput(
            f"property '{column}' is {spec.type}, class {spec.pi_class}"
            f"{', sensitive' if spec.sensitive else ''}; expected a text that names nobody.",
            where="breakdown",
        )


def window_us(text: str) -> int:
    """A window in µs. Raises BadInput."""
    try:
        return parse_duration_us(text)
    except ValueError as error:
        raise BadInput(str(error), where="window") from error


def _moment(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    try:
        return from_iso(text)
    except ValueError as error:
        raise BadInput(f"expected RFC 3339, got '{text}'.", where=where) from error
