"""Every kind is documented, exampled and tested by name; a new one that forgets fails by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dipper.spec import builtin, reference, registry
from dipper.spec.check import check
from dipper.spec.dump import dump
from dipper.spec.load import load_text
from dipper.spec.registry import Kind

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference" / "kinds"
TESTS = ROOT / "tests" / "spec" / "kinds"

REGISTRY = registry.build()
KINDS = list(REGISTRY.kinds.values())

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def test_every_file_of_kinds_is_a_kind() -> None:
    """No file in the folder is forgotten by the list, and each is named after its kind."""
    folder = Path(builtin.__file__).parent / "kinds"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == set(REGISTRY.kinds)


@each_kind
def test_every_page_is_what_the_code_declares(
    kind: Kind, golden: Callable[[Path, str], None]
) -> None:
    """docs/reference/kinds is generated; `make docs` or `make golden` writes it anew."""
    golden(PAGES / f"{kind.name}.md", reference.page(kind))


def test_the_index_lists_every_kind(golden: Callable[[Path, str], None]) -> None:
    """And no page is left over from a kind that is gone."""
    pages = reference.pages(REGISTRY)
    golden(PAGES / "README.md", pages["README.md"])
    assert {path.name for path in PAGES.glob("*.md")} == pages.keys()


@each_kind
def test_every_kind_opens_with_a_sentence_about_itself(kind: Kind) -> None:
    """The first sentence of the module says what the kind is."""
    assert kind.summary.startswith(("A ", "An "))
    assert kind.name.split("_")[0] in kind.summary.lower()
    assert len(kind.text) > len(kind.summary)


@each_kind
def test_every_field_says_what_it_means(kind: Kind) -> None:
    """The reference page and the forms show it."""
    silent = [name for name, info in kind.model.model_fields.items() if not info.description]
    assert silent == []


@each_kind
def test_every_example_loads_and_comes_back(kind: Kind) -> None:
    """It has the kind's form, and dumping and loading give the same."""
    loaded = load_text(kind.example, f"{kind.name}.yml")
    assert [finding.as_text() for finding in loaded.findings] == []
    specs = [one.spec for one in loaded.objects]
    assert {spec.kind for spec in specs} == {kind.name}
    assert [one.spec for one in load_text(dump(specs)).objects] == specs


def test_the_examples_together_are_a_bank_without_findings() -> None:
    """Whoever copies them all has something that can be applied."""
    text = "---\n".join(kind.example for kind in KINDS)
    assert [finding.as_text() for finding in check(load_text(text))] == []


@each_kind
def test_every_kind_has_its_tests(kind: Kind) -> None:
    """A file of the same stem, which names the kind."""
    path = TESTS / f"test_{kind.name}.py"
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    text = path.read_text(encoding="utf-8")
    assert f"Kind `{kind.name}`" in text
    assert text.count("\ndef test_") >= 2


@each_kind
def test_every_reference_of_an_example_leads_to_a_kind(kind: Kind) -> None:
    """What `refs` names are kinds, so that lineage is never cut off by a misspelt word."""
    for one in load_text(kind.example).objects:
        assert {ref.kind for ref in one.spec.refs()} <= REGISTRY.kinds.keys()
