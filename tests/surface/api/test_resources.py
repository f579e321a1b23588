"""Tests of the small resources that need nothing running: specs, programs, check, start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from dipper.app.init import init_workspace
from dipper.app.workspace import Workspace
from dipper.kit.clock import system_clock
from dipper.surface.api.application import build, routers

Call = Callable[..., tuple[int, dict[str, str], bytes]]
Calling = Callable[[FastAPI], Call]


def get(call: Call, path: str, query: str = "") -> Any:
    """The JSON at a path."""
    status, _, body = call("GET", path, query=query)
    assert status == 200, body
    return json.loads(body)


def test_the_program_in_force_is_the_applied_one(call: Call) -> None:
    """Addresses and the number of objects of each kind."""
    found = get(call, "/api/programs/current")
    assert found["program"] == found["applied"]
    assert found["objects"]["scenario"] == 6
    assert set(found["tables"]) == {"product", "org_unit"}


@pytest.mark.parametrize("kind", ["segment", "segments"])
def test_objects_of_a_kind_by_either_name(call: Call, kind: str) -> None:
    """Singular and plural are the same."""
    names = [item["name"] for item in get(call, f"/api/specs/{kind}")["items"]]
    assert "regular_payers" in names
    assert names == sorted(names)


def test_pages_of_objects_go_on_where_the_last_one_ended(call: Call) -> None:
    """Two at a time, all of them, each once."""
    whole = [item["name"] for item in get(call, "/api/specs/tag")["items"]]
    found, after = [], ""
    while after is not None:
        page = get(call, "/api/specs/tag", f"limit=2&after={after}")
        found += [item["name"] for item in page["items"]]
        after = page["next"]
    assert found == whole


def test_an_object_is_what_its_file_says(call: Call) -> None:
    """One object with its fields."""
    found = get(call, "/api/specs/segment/regular_payers")
    assert found["where"] == "tag.bills_paid_30d >= 3"
    assert found["title"] == {"zh": "稳定缴费客群", "en": "regular payers"}


def test_an_object_that_is_known_is_not_sent_again(call: Call) -> None:
    """304 while the program is the same."""
    _, headers, _ = call("GET", "/api/specs/segment")
    status, again, body = call("GET", "/api/specs/segment", if_none_match=headers["etag"])
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])
    assert call("GET", "/api/specs/segment", if_none_match='"other"')[0] == 200


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/specs/segmnt", "Did you mean 'segment'?"),
        ("/api/specs/segment/regular_payer", "Did you mean 'regular_payers'?"),
    ],
)
def test_a_misspelt_name_gets_a_hint(call: Call, path: str, hint: str) -> None:
    """404 with the closest name."""
    status, _, body = call("GET", path)
    assert (status, json.loads(body)["hint"]) == (404, hint)


def test_findings_are_those_of_the_files(call: Call) -> None:
    """The example bank applies; its one warning says that a PIN is never stored."""
    found = get(call, "/api/check")
    assert found["applies"] is True
    assert {finding["code"] for finding in found["findings"]} == {"never_stored"}


def test_health_without_processes_says_so(call: Call) -> None:
    """503, with the positions that can be read all the same."""
    status, headers, body = call("GET", "/healthz", bearer=None)
    found = json.loads(body)
    assert (status, found["status"], found["worker"]) == (503, "degraded", False)
    assert found["partitions"][0]["gateway"] is False
    assert found["partitions"][0]["records"] == found["partitions"][0]["projected"] > 10_000
    assert headers["retry-after"] == "1"
    assert call("GET", "/readyz", bearer=None)[0] == 503


def test_the_description_of_the_api_is_complete(call: Call) -> None:
    """OpenAPI 3.1 with every route that is no page, each with a summary."""
    found = get(call, "/api/openapi.json")
    assert found["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, item in found["paths"].items() for method in item}
    declared = {
        (method, route.path)
        for router in routers(is_demo=True)
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
    assert described == declared
    assert all(each["summary"] for item in found["paths"].values() for each in item.values())


@pytest.fixture(scope="module")
def own_bank(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application of a bank's own workspace, before its first apply."""
    folder: Path = tmp_path_factory.mktemp("own") / "mybank"
    init_workspace(folder, random_bytes=lambda count: bytes(range(count)))
    return build(Workspace(folder), system_clock)


def test_a_banks_own_workspace_has_no_tour(own_bank: FastAPI, calling: Calling) -> None:
    """Pages that send made-up events belong to a demo."""
    for method, path in (("GET", "/tour"), ("POST", "/tour/payer/advance")):
        assert calling(own_bank)(method, path)[0] == 404


def test_the_start_of_a_banks_own_workspace_shows_its_doors(
    own_bank: FastAPI, calling: Calling
) -> None:
    """A plain page in both languages, without any script."""
    for language, word in (("zh", "从这里开始"), ("en", "Where to go")):
        status, _, body = calling(own_bank)("GET", "/", query=f"lang={language}")
        assert status == 200
        assert word in body.decode()
        assert b"<script" not in body


@pytest.mark.parametrize(
    "path", ["/api/programs/current", "/api/specs/tag", "/api/persons/login/x"]
)
def test_before_the_first_apply_nothing_is_served(
    own_bank: FastAPI, calling: Calling, path: str
) -> None:
    """A problem that says what to do, not an empty answer."""
    status, _, body = calling(own_bank)("GET", path)
    assert status in (404, 409)
    assert "dipper apply" in json.loads(body)["hint"]


def test_the_start_of_a_demo_is_the_tour(call: Call) -> None:
    """`/` leads to the tour and keeps the language."""
    status, headers, _ = call("GET", "/", query="lang=en")
    assert (status, headers["location"]) == (303, "/tour?lang=en")
