"""The frozen set of all specs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dipper.kit.errors import BadInput
from dipper.kit.hashing import canonical_json, digest
from dipper.spec.kinds.tag import Tag
from dipper.spec.load import load_text
from dipper.spec.program import Program


def test_equal_specs_give_equal_bytes_in_any_order(program: Program) -> None:
    """The hash is the SHA-256 of the bytes and does not depend on the order of files."""
    turned = Program.from_objects(reversed(list(program)))
    assert turned.to_bytes() == program.to_bytes()
    assert turned == program
    assert program.hash == digest(program.to_bytes())


def test_stored_bytes_give_the_same_program(program: Program) -> None:
    """What is stored is what is served."""
    loaded = Program.from_bytes(program.to_bytes())
    assert loaded == program
    assert list(loaded) == list(program)
    assert loaded.to_bytes() == program.to_bytes()


def test_a_changed_field_changes_the_hash(examples: str, program: Program) -> None:
    """A program is addressed by its content."""
    changed = load_text(examples.replace("window: 30d", "window: 31d"))
    assert Program.from_objects(one.spec for one in changed.objects).hash != program.hash


def test_stored_bytes_state_every_default(program: Program) -> None:
    """A default that changes in a later release changes no stored program."""
    assert b'"undeclared":"accept"' in program.to_bytes()
    assert b'"format":1' in program.to_bytes()


def test_specs_are_found_by_word_and_by_class(program: Program) -> None:
    """By class the type checker knows the fields."""
    assert program.of(Tag)["bills_paid_30d"] is program.of("tag")["bills_paid_30d"]
    assert program.get("tag", "nothing") is None
    assert dict(program.of("journey")) == {}


def test_every_program_contains_the_reserved_events() -> None:
    """Also one without a spec."""
    empty = Program.from_objects([])
    assert "product_opened" in empty.of("event")
    assert empty.of("property")["risk_level"].type == "int"


def test_a_program_of_another_format_is_refused() -> None:
    """It may mean something else."""
    with pytest.raises(BadInput, match="format 2; this release reads 1"):
        Program.from_bytes(canonical_json({"format": 2, "objects": []}))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":1,"objects":3}', b"\xff"])
def test_what_is_no_program_is_refused(data: bytes) -> None:
    """Damaged bytes are an error in our form."""
    with pytest.raises(BadInput):
        Program.from_bytes(data)


def test_an_unknown_kind_asks_for_its_package() -> None:
    """A program of a bank with a plug-in needs the plug-in."""
    data = canonical_json({"format": 1, "objects": [{"kind": "journey", "name": "j"}]})
    with pytest.raises(BadInput, match="Install the package that adds it"):
        Program.from_bytes(data)


def test_a_document_that_has_no_form_is_refused() -> None:
    """A stored object without fields is named."""
    data = canonical_json({"format": 1, "objects": [{"kind": "tag", "name": "j"}]})
    with pytest.raises(BadInput, match="tag 'j' is not what this release reads"):
        Program.from_bytes(data)


def test_loading_imports_neither_yaml_nor_sql() -> None:
    """A gateway that starts pays only for what it uses."""
    code = (
        "import sys; from dipper.spec.program import Program; "
        "p = Program.from_objects([]); Program.from_bytes(p.to_bytes()); "
        "print([m for m in ('ruamel.yaml', 'sqlglot', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.strip() == "[]"
