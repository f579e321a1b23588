"""`dipper funnel "bill_viewed > bill_paid"`: how many subjects took each step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dipper.surface.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dipper.measure.funnel import FunnelResult, StepCount

BAR = 40

EXAMPLES = (
    'dipper funnel "bill_viewed > bill_paid" -w mybank --window 7d',
    'dipper funnel --step bill_viewed --step "bill_paid:amount_fen >= 10000" --by channel',
)


def command(
    chain: list[str] = typer.Argument(None, help="Event names, parted by > (quoted) or spaces."),
    step: list[str] = typer.Option(
        [], "--step", help="A step as event or event:condition; may be repeated."
    ),
    folder: Path = typer.Option(Path(), "--workspace", "-w", help="The workspace."),
    subject: str = typer.Option("person", help="Whose timelines: person, organisation, case ..."),
    window: str | None = typer.Option(None, help="From the first step to the last, such as 7d."),
    by: str | None = typer.Option(None, "--by", help="Break down by scenario, channel ..."),
    start: str | None = typer.Option(None, help="First moment, RFC 3339."),
    end: str | None = typer.Option(None, help="The moment behind the last one, RFC 3339."),
    any_order: bool = typer.Option(False, "--any-order", help="Steps in whatever order."),
    as_json: bool = typer.Option(False, "--json", help="The result as JSON."),
) -> None:
    """Count subjects along the steps of a funnel."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from pydantic import ValidationError

    from dipper.app.workspace import Workspace
    from dipper.kit.errors import BadInput
    from dipper.surface.explaining import served_in
    from dipper.surface.funnels import FunnelAsked, ask_funnel, chain_of, step_of

    try:
        asked = FunnelAsked(
            steps=(*chain_of(chain or []), *(step_of(text) for text in step)),
            subject=subject,
            window=window,
            breakdown=by,
            start=start,
            end=end,
            ordered=not any_order,
        )
    except ValidationError as error:
        raise BadInput(
            f"{error.errors()[0]['msg']}.",
            where="steps",
            hint='For example: dipper funnel "bill_viewed > bill_paid" --window 7d',
        ) from error
    workspace = Workspace(folder)
    found = ask_funnel(workspace, served_in(workspace), asked)
    print_json(found.as_dict()) if as_json else _print(found)


def _print(found: FunnelResult) -> None:
    _print_steps(found.steps)
    for group in found.groups:
        print(f"\n{found.breakdown} = {group.value if group.value is not None else '(none)'}")
        _print_steps(group.steps)


def _print_steps(steps: Sequence[StepCount]) -> None:
    """A bar a step, with its share of the first step and of the one before."""
    first = steps[0].subjects or 1
    width = max(len(step.step) for step in steps)
    for step in steps:
        bar = "█" * round(BAR * step.subjects / first)
        print(f"{step.step:<{width}}  {bar:<{BAR}}  {step.subjects:>10,}{_shares(step)}")


def _shares(step: StepCount) -> str:
    if step.of_first is None or step.of_previous is None:
        return ""
    return f"  {step.of_first:6.1%} of first  {step.of_previous:6.1%} of previous"
