"""`dipper explain PERSON --offer X`: why somebody was offered something, or not, in sentences."""

from __future__ import annotations

from pathlib import Path

import typer

from dipper.surface.cli.output import print_json

EXAMPLES = (
    "dipper explain C1001 --offer bill_reminder -w mybank",
    "dipper explain login:u000001 --offer bill_reminder -w mybank --lang zh",
)


def command(
    person: str = typer.Argument(..., help="An id as idtype:value; a bare value is a customer_no."),
    offer: str = typer.Option(..., "--offer", help="The offer that is asked about."),
    folder: Path = typer.Option(Path(), "--workspace", "-w", help="The workspace."),
    language: str | None = typer.Option(None, "--lang", help="Only this language: zh or en."),
    as_json: bool = typer.Option(False, "--json", help="The answer as JSON."),
) -> None:
    """Explain the latest decision about a person and an offer, or one made now and not stored."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.kit.errors import BadInput
    from dipper.surface.explaining import LANGUAGES, explain_offer, person_id

    if language not in (None, *LANGUAGES):
        raise BadInput(f"expected zh or en, got '{language}'.", where="--lang")
    languages = LANGUAGES if language is None else (language,)
    found = explain_offer(Workspace(folder), person_id(person), offer, system_clock)
    sentences = {name: found.sentences[name] for name in languages}
    if as_json:
        print_json(
            {
                "decision_id": found.decision_id,
                "stored": found.stored,
                "placement": found.placement,
                "arm": found.arm,
                "offer": found.offer,
                "sentences": sentences,
            }
        )
        return
    for place, lines in enumerate(sentences.values()):
        if place:
            print()
        for line in lines:
            print(line)
