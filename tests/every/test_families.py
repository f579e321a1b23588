"""Every gate, ranker, exploration, dialect and fold is documented and has tests that name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.collect.dialects import registry as dialects
from dipper.decide.gates import registry as gates
from dipper.decide.rank import registry as rankers
from dipper.surface.cli import reference

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
TESTS = ROOT / "tests"
FAMILIES = reference.families()
MEMBERS = [(family, name) for family, members in FAMILIES.items() for name in members]


def test_the_page_is_what_the_registries_hold() -> None:
    """docs/reference/families.md is generated; `make docs` writes it anew."""
    assert (REFERENCE / "families.md").read_text("utf-8") == reference.families_page()


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_every_member_says_what_it_is(family: str, name: str) -> None:
    """A sentence that is its module's own."""
    assert FAMILIES[family][name][1].endswith((".", ":"))


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_every_member_is_named_by_a_test(family: str, name: str) -> None:
    """A new member that forgets its test fails here."""
    folders = {
        "Gates": "decide/gates",
        "Rankers": "decide/rank",
        "Explorations": "decide/rank",
        "Dialects": "collect/dialects",
        "Folds": "fold",
    }
    texts = [path.read_text("utf-8") for path in (TESTS / folders[family]).glob("test_*.py")]
    assert any(name in text for text in texts)


@pytest.mark.parametrize("gate", gates.built_in(), ids=lambda gate: gate.NAME)
def test_every_gate_is_on_its_page(gate: gates.Gate) -> None:
    """With its title, its rules and every code that it can answer; its test has its stem."""
    page = (REFERENCE / "gates.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{gate.NAME}`")]
    assert gate.TITLE["zh"] in row
    shown = set(gate.REASONS) - {"input_missing"}
    assert [code for code in sorted(shown) if f"`{code}`" not in row] == []
    assert (TESTS / "decide" / "gates" / f"test_{gate.NAME}.py").is_file()


def test_every_ranker_can_be_named_by_a_policy() -> None:
    """And every dialect by a source: their pages list them."""
    policy = (REFERENCE / "kinds" / "policy.md").read_text("utf-8")
    source = (REFERENCE / "kinds" / "source.md").read_text("utf-8")
    assert [name for name in rankers.built_in() if name not in policy] == []
    assert [name for name in dialects.build() if name not in source] == []
