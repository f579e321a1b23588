"""JSON Schema of the kinds, for editors and for whoever writes specs by program."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from dipper.spec.registry import Kind, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Kind) -> dict[str, Any]:
    """The schema (2020-12) of one kind's documents, `kind` and `version` included."""
    schema = kind.model.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, "$id": f"urn:dipper:kind:{kind.name}", **_headed(schema, kind)}


def schema_of_all(registry: Registry) -> dict[str, Any]:
    """One schema for any document of a `specs` folder; `kind` decides which part holds."""
    kinds = list(registry.kinds.values())
    places, schema = models_json_schema([(kind.model, "validation") for kind in kinds])
    parts = schema["$defs"]
    branches = []
    for kind in kinds:
        reference = places[(kind.model, "validation")]["$ref"]
        part = reference.rpartition("/")[2]
        parts[part] = _headed(parts[part], kind)
        branches.append(
            {"if": {"properties": {"kind": {"const": kind.name}}}, "then": {"$ref": reference}}
        )
    return {
        "$schema": DIALECT,
        "$id": "urn:dipper:specs",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": [kind.name for kind in kinds]}},
        "allOf": branches,
        "$defs": parts,
    }


def _headed(schema: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """The schema with the two fields that say which kind and version a document is of."""
    head = {
        "kind": {"const": kind.name},
        "version": {"enum": list(range(1, kind.version + 1)), "default": 1},
    }
    return schema | {
        "title": kind.name,
        "description": kind.summary,
        "properties": head | schema["properties"],
        "required": ["kind", *schema["required"]],
    }
