"""The root of the command: registers the verbs and turns errors into texts and exit codes.

Exit codes: 0 fine, 1 findings or a failure of ours, 2 misuse.
"""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from dipper.kit.errors import DipperError
from dipper.surface.cli.output import EXIT_FINDINGS, EXIT_MISUSE, print_json

VERBS = (
    "init",
    "check",
    "plan",
    "apply",
    "serve",
    "import",
    "demo",
    "sql",
    "funnel",
    "explain",
    "status",
    "verify",
    "replay",
    "erase",
)

app = typer.Typer(
    name="dipper",
    help="Dipper 场景引擎: events in; who, what need, what offer, what value out.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(show: bool) -> None:
    if show:
        from importlib import metadata

        print(f"dipper {metadata.version('dipper-engine')}")
        raise typer.Exit()


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """Dipper 场景引擎: events in; who, what need, what offer, what value out."""


for _verb in VERBS:
    _module = import_module(f"dipper.surface.cli.{_verb}_verb")
    app.command(_verb)(_module.command)


def run() -> None:
    """The console script."""
    try:
        app()
    except DipperError as error:
        if "--json" in sys.argv:
            print_json(error.as_problem())
        else:
            print(f"dipper: {error}", file=sys.stderr)
        sys.exit(EXIT_MISUSE if error.status < 500 else EXIT_FINDINGS)


if __name__ == "__main__":
    run()
