"""Tests of the one error form of the control plane."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from dipper.surface.api.problems import BODY_MAX

Call = Callable[..., tuple[int, dict[str, str], bytes]]


def problem(answer: tuple[int, dict[str, str], bytes]) -> dict[str, Any]:
    """The problem of an answer, checked for its form."""
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status
    assert found["type"] == f"urn:dipper:error:{found['code']}"
    assert b"Traceback" not in body
    return found


def test_an_unknown_path_is_a_problem(call: Call) -> None:
    """404 names the path."""
    assert problem(call("GET", "/api/nothing"))["where"] == "/api/nothing"


def test_a_wrong_method_is_a_problem(call: Call) -> None:
    """405 says what is allowed."""
    answer = call("DELETE", "/api/check")
    assert problem(answer)["code"] == "method_not_allowed"
    assert answer[1]["allow"] == "GET"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/steps"),
        (b'{"steps": []}', "/steps"),
        (b'{"steps": [{"event": ""}]}', "/steps/0/event"),
        (b'{"steps": [{"event": "a", "were": "x"}]}', "/steps/0/were"),
        (b'{"steps": 7}', "/steps"),
        (b"[1, 2", ""),
        (b"", ""),
    ],
)
def test_a_bad_body_says_where(call: Call, body: bytes, pointer: str) -> None:
    """400 with a pointer to the first thing that is wrong."""
    found = problem(call("POST", "/api/funnel", body, content_type="application/json"))
    assert found["code"] == "bad_input"
    assert found["errors"][0]["pointer"] == pointer


def test_a_body_that_is_no_text_is_refused(call: Call) -> None:
    """Bytes that are no UTF-8 are a bad body, not our mistake."""
    found = problem(call("POST", "/api/funnel", b"\xff\xfe", content_type="application/json"))
    assert found["status"] == 400


def test_all_that_is_wrong_comes_at_once(call: Call) -> None:
    """Two mistakes are two errors."""
    body = b'{"steps": [{"event": ""}], "windw": "7d"}'
    found = problem(call("POST", "/api/funnel", body, content_type="application/json"))
    assert {error["pointer"] for error in found["errors"]} >= {"/steps/0/event", "/windw"}


def test_a_query_of_the_wrong_type_is_a_problem(call: Call) -> None:
    """A page of minus one objects is refused."""
    found = problem(call("GET", "/api/specs/tag", query="limit=-1"))
    assert found["where"] == "query.limit"


def test_a_body_above_the_limit_is_refused_unread(call: Call) -> None:
    """413 by the length that was announced."""
    answer = call("POST", "/api/funnel", b"x" * (BODY_MAX + 1))
    assert problem(answer)["code"] == "too_large"


def test_a_body_without_length_is_refused(call: Call) -> None:
    """A body must say how long it is."""
    answer = call("POST", "/api/funnel", b"{}", transfer_encoding="chunked")
    assert problem(answer)["where"] == "Transfer-Encoding"


def test_what_nobody_foresaw_says_nothing_of_itself(
    call: Call, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 without the text of the exception, which may quote a person."""

    def broken() -> None:
        raise RuntimeError("login:u000123 broke it")

    monkeypatch.setattr(app.state.platform, "health", broken)
    found = problem(call("GET", "/api/status"))
    assert (found["status"], found["code"]) == (500, "internal")
    assert "u000123" not in json.dumps(found)


def test_a_browser_gets_a_page(call: Call) -> None:
    """The same in HTML, in the language of the reader, and with what to do."""
    status, headers, body = call(
        "GET", "/tour", bearer=None, accept="text/html", accept_language="en"
    )
    assert status == 401
    assert headers["content-type"].startswith("text/html")
    assert "a token is needed" in body.decode()
    _, _, body = call("GET", "/tour", bearer=None, accept="text/html", accept_language="zh-CN")
    assert "需要令牌" in body.decode()
