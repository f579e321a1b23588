"""load after dump is the identity, for any spec that a kind's form allows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dipper.spec import registry
from dipper.spec.document import Spec
from dipper.spec.dump import dump
from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.spec.reserved import is_reserved
from dipper.spec.schema import schema_of

REGISTRY = registry.build()

# What a reader of YAML is most likely to take for something else.
PLAIN = "yes null ~ 1e3 0x1f 0101 1_0 .inf 2026-01-01 12:30 --- ... << = *x &x !x {a} [a] | > %a @a"
MISLEADING = [
    *PLAIN.split(),
    *["- a", "a: b", "# no", "'", '"', "a\n\nb\n", " a ", "a #b", "\t", "\\", "a\r\nb", "\ufeff"],
]

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.sampled_from(MISLEADING),
)
INT = st.integers(-(2**62), 2**62)
FLOAT = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda x: abs(x) < 2**62)


def of_schema(field: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that the schema of a field allows."""
    if "$ref" in field:
        return of_record(whole["$defs"][field["$ref"].rpartition("/")[2]], whole)
    if "const" in field:
        return st.just(field["const"])
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if "anyOf" in field:
        return st.one_of(*(of_schema(option, whole) for option in field["anyOf"]))
    kind = field.get("type")
    if kind == "array":
        item = of_schema(field["items"], whole)
        return st.lists(item, min_size=field.get("minItems", 0), max_size=4)
    if kind == "object":
        patterns = field.get("patternProperties", {})
        pattern, inner = next(iter(patterns.items()), ("", field.get("additionalProperties")))
        names = of_scalar({"type": "string"} | ({"pattern": pattern} if pattern else {}))
        size = field.get("minProperties", 0)
        return st.dictionaries(names, of_schema(inner, whole), min_size=size, max_size=4)
    return of_scalar(field)


def of_scalar(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    kind = field.get("type")
    low, high = field.get("minimum", field.get("exclusiveMinimum")), field.get("maximum")
    if kind == "integer":
        return INT if low is None else st.integers(low, high if high is not None else 2**62)
    if kind == "number":
        return FLOAT if low is None else st.floats(low + 0.5, high if high is not None else 1e9)
    if kind == "string" and "pattern" in field:
        return st.from_regex(field["pattern"].replace("$", r"\Z"), fullmatch=True)
    return {"string": TEXT, "boolean": st.booleans(), "null": st.none()}[str(kind)]


def of_record(record: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        name: of_schema(field, whole)
        for name, field in record["properties"].items()
        if name not in ("kind", "version")
    }
    required = {name: field for name, field in fields.items() if name in record["required"]}
    others = {name: field for name, field in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=others)


def specs_of(name: str) -> st.SearchStrategy[Spec]:
    kind = REGISTRY.kinds[name]
    schema = schema_of(kind)
    schema["required"] = [field for field in schema["required"] if field != "kind"]
    for part in schema.get("$defs", {}).values():
        part.setdefault("required", [])
    documents = of_record(schema, schema)
    return documents.map(lambda one: kind.model.model_validate_json(msgspec.json.encode(one)))


@pytest.mark.parametrize("name", list(REGISTRY.kinds))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_dumped_loads_as_the_same(name: str, data: st.DataObject) -> None:
    """Whatever texts, numbers and lists it holds, and however YAML could misread them."""
    spec = data.draw(specs_of(name))
    loaded = load_text(dump([spec]))
    assert [finding.as_text() for finding in loaded.findings] == []
    assert [one.spec for one in loaded.objects] == [spec]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(st.sampled_from(list(REGISTRY.kinds)).flatmap(specs_of), max_size=5))
def test_a_stored_program_is_the_same_program(specs: list[Spec]) -> None:
    """Bytes to program and back, with the same hash, in any order of the specs."""
    unique = {(spec.kind, spec.name): spec for spec in specs}
    program = Program.from_objects(unique.values())
    again = Program.from_bytes(program.to_bytes())
    assert list(again) == list(program)
    assert again.hash == program.hash == Program.from_objects(reversed(unique.values())).hash
    kept = [spec for key, spec in unique.items() if not is_reserved(*key)]
    assert all(again.get(spec.kind, spec.name) == spec for spec in kept)
