"""The control plane called in process, without a server: for what needs nothing running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from dipper.app.workspace import Workspace
from dipper.kit.clock import system_clock
from dipper.surface.api.application import build

Call = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture(scope="session")
def app(quiet_bank: Path) -> FastAPI:
    """The application of a bank where nothing runs. One: a process opens a state once."""
    return build(Workspace(quiet_bank), system_clock)


@pytest.fixture
def call(app: FastAPI) -> Call:
    """Calls the application; status, headers, body. The token is sent unless told otherwise."""
    return _calls(app)


@pytest.fixture
def calling() -> Callable[[FastAPI], Call]:
    """The same for another application."""
    return _calls


def _calls(app: FastAPI) -> Call:
    token = app.state.platform.keys.api_token

    def called(
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        host: str = "127.0.0.1",
        bearer: str | None = token,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"host": host, "content-length": str(len(body))}
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(_call(app, method, path, query, sent, body))

    return called


async def _call(
    app: FastAPI, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    sent = False
    parts: list[bytes] = []
    found: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
            found["headers"] = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return found["status"], found["headers"], b"".join(parts)
