"""Installed packages that add kinds: a real distribution on the path, found by its entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dipper.spec import plugins, registry
from dipper.spec.check import check
from dipper.spec.load import load_text
from dipper.spec.program import Program

KIND = '''\
"""A greeting is a text with which a placement opens. It is only a test."""

from pydantic import Field

from dipper.spec.document import Name, Ref, Spec
from dipper.spec.finding import Finding


class Greeting(Spec):
    """A text."""

    kind = "greeting"
    plural = "greetings"
    risk = "low"
    approver = "business"
    version = 2
    upgrades = (lambda document: {**document, "placement": document["spot"], "spot": None},)

    placement: Name = Field(description="where it stands")
    spot: None = None

    def refs(self):
        return (Ref("placement", self.placement, ("placement",)),)

    def findings(self, project):
        if self.title.en == "Hi":
            return [Finding("too_short", "greet properly.", ("title", "en"))]
        return []


MODEL = Greeting

EXAMPLE = """\\
kind: greeting
version: 2
name: welcome
title: {zh: 您好, en: Welcome}
owners: {business: b, technical: t, managing: m}
placement: bill_payment_result
"""
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module and the metadata of a distribution, on the path."""
    (tmp_path / "greetings_kind.py").write_text(KIND)
    (tmp_path / "greetings.py").write_text(
        "import greetings_kind\n\nKINDS = [greetings_kind]\nRANKERS = ['polite']\n"
    )
    metadata = tmp_path / "greetings-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[dipper.plugins]\ngreetings = greetings\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("greetings", "greetings_kind"):
        sys.modules.pop(name, None)


def test_an_installed_package_adds_a_kind(package: Path, examples: str) -> None:
    """It is loaded, checked, stored and read back like ours."""
    built = registry.build(plugins.installed())
    assert "polite" in built.members("rankers")
    example = built.kinds["greeting"].example
    loaded = load_text(f"{examples}---\n{example}", registry=built)
    assert check(loaded, registry=built) == []
    program = Program.from_objects(one.spec for one in loaded.objects)
    again = Program.from_bytes(program.to_bytes(), built)
    assert again.of("greeting")["welcome"].placement == "bill_payment_result"


def test_its_references_and_findings_work_like_ours(package: Path, examples: str) -> None:
    """What it refers to is resolved, what it finds is placed."""
    built = registry.build(plugins.installed())
    example = built.kinds["greeting"].example
    wrong = example.replace("bill_payment_result", "bill_result").replace("Welcome", "Hi")
    found = check(load_text(f"{examples}---\n{wrong}", registry=built), registry=built)
    assert [(one.code, one.kind) for one in found] == [
        ("too_short", "greeting"),
        ("unknown_reference", "greeting"),
    ]


def test_its_older_documents_are_upgraded(package: Path, examples: str) -> None:
    """Version 1 called the placement a spot."""
    built = registry.build(plugins.installed())
    old = built.kinds["greeting"].example.replace("version: 2\n", "").replace("placement:", "spot:")
    (one,) = load_text(old, registry=built).objects
    assert one.spec.document()["placement"] == "bill_payment_result"
    assert one.spec.document()["version"] == 2


def test_a_package_that_cannot_be_imported_is_named(package: Path) -> None:
    """The error says which and what to do."""
    (package / "greetings.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(plugins.PluginError, match="ModuleNotFoundError") as caught:
        plugins.installed()
    assert caught.value.where == "plug-in 'greetings'"
    assert "uninstall" in caught.value.hint


def test_a_family_is_a_list(package: Path) -> None:
    """A text is no list of names."""
    (package / "greetings.py").write_text("RANKERS = 'polite'\n")
    with pytest.raises(plugins.PluginError, match="RANKERS must be a list, got str"):
        plugins.installed()
