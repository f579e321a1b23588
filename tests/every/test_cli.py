"""Every verb of the command has help, an example and `--json` where it only reads."""

from __future__ import annotations

import ast
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from dipper.surface.cli import reference
from dipper.surface.cli.main import VERBS

ROOT = Path(__file__).parents[2]
CLI = ROOT / "src" / "dipper" / "surface" / "cli"
PAGE = ROOT / "docs" / "reference" / "cli.md"

# Verbs that change something on purpose; all others only read and speak JSON too.
WRITING = {"init", "apply", "serve", "import", "demo", "erase"}

each_verb = pytest.mark.parametrize("verb", VERBS)


def test_every_file_of_verbs_is_registered() -> None:
    """No file `<verb>_verb.py` is forgotten by the list."""
    assert {path.stem.removesuffix("_verb") for path in CLI.glob("*_verb.py")} == set(VERBS)


@each_verb
def test_every_verb_and_parameter_says_what_it_is_for(verb: str) -> None:
    """One sentence for the verb, one for each argument and option."""
    assert reference.verb_module(verb).command.__doc__
    assert [one.name for one in reference.parameters(verb) if not one.help] == []


@each_verb
def test_every_verb_has_examples_that_it_understands(verb: str) -> None:
    """They are commands of this verb, and its own parser takes them; the page shows them."""
    examples = reference.verb_module(verb).EXAMPLES
    assert examples
    for text in examples:
        program, name, *arguments = shlex.split(text)
        assert (program, name) == ("dipper", verb)
        reference.understood(verb, arguments)
        assert text in PAGE.read_text("utf-8")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in WRITING])
def test_every_verb_that_reads_speaks_json(verb: str) -> None:
    """`--json` is for programs."""
    assert "--json" in {option for one in reference.parameters(verb) for option in one.opts}


@each_verb
def test_everything_that_a_verb_imports_when_it_runs_exists(verb: str) -> None:
    """Imports stand inside the command, where no start of the program would miss them."""
    tree = ast.parse((CLI / f"{verb}_verb.py").read_text("utf-8"))
    modules = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dipper.")
    }
    assert [module for module in sorted(modules) if find_spec(module) is None] == []
