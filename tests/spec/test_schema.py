"""JSON Schema of the kinds."""

from __future__ import annotations

import json

import pytest

from dipper.spec import registry
from dipper.spec.schema import schema_of, schema_of_all


@pytest.mark.parametrize("name", list(registry.build().kinds))
def test_a_schema_says_kind_fields_and_what_is_required(name: str) -> None:
    """By the names that a document uses."""
    schema = schema_of(registry.build().kinds[name])
    assert schema["properties"]["kind"] == {"const": name}
    assert {"kind", "name", "title", "owners"} <= set(schema["required"])
    assert schema["additionalProperties"] is False
    assert schema["$id"] == f"urn:dipper:kind:{name}"
    json.dumps(schema)


def test_fields_have_the_names_of_documents() -> None:
    """`from`, not what Python calls it, with its words and description."""
    field = schema_of(registry.build().kinds["event"])["properties"]["from"]
    assert "core" in field["items"]["enum"]
    assert field["description"]


def test_one_schema_holds_for_a_whole_folder() -> None:
    """Each kind's part is reached by its word, and every reference inside leads somewhere."""
    schema = schema_of_all(registry.build())
    assert schema["properties"]["kind"]["enum"] == list(registry.build().kinds)
    targets = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert len(schema["allOf"]) == len(registry.build().kinds)
    for branch in schema["allOf"]:
        assert branch["then"]["$ref"] in targets
    assert _references(schema) <= targets
    tag = schema["$defs"]["Tag"]
    assert tag["properties"]["kind"] == {"const": "tag"}


def _references(schema: object) -> set[str]:
    if isinstance(schema, dict):
        found = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return found.union(*map(_references, schema.values()), set())
    if isinstance(schema, list):
        return set().union(*map(_references, schema), set())
    return set()
