"""The tour's own way to the data plane: HTTP with the server key, like any back end of the bank."""

from __future__ import annotations

import base64
import http.client
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from dipper.app.settings import ServeSettings
from dipper.kit.errors import BadInput, Conflict, Unavailable
from dipper.spec.kinds.source import Source
from dipper.spec.program import Program

TIMEOUT_S = 10.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Answer(NamedTuple):
    """What came back, and how long it took from here."""

    body: Any
    seconds: float


class DataPlane:
    """Requests to one data plane; a connection each, as the tour asks little."""

    def __init__(self, serve: ServeSettings, key: str) -> None:
        self._host = _EVERYWHERE.get(serve.host, serve.host)
        self._port = serve.data_port
        secret = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}

    def post(self, path: str, document: Mapping[str, Any]) -> Answer:
        """POST a document. Raises Unavailable without an answer or for a 503, BadInput else."""
        started = time.perf_counter()
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", path, msgspec.json.encode(document), self._headers)
            reply = connection.getresponse()
            content = reply.read()
        except OSError as error:
            raise Unavailable(
                f"the data plane does not answer: {error}.",
                where=f"{self._host}:{self._port}{path}",
                hint="dipper serve starts it; see /healthz.",
            ) from error
        finally:
            connection.close()
        seconds = time.perf_counter() - started
        if reply.status == 200:
            return Answer(msgspec.json.decode(content), seconds)
        said = content.decode(errors="replace")[:500]
        if reply.status == Unavailable.status:
            raise Unavailable(f"the data plane said: {said}", where=path)
        raise BadInput(f"the data plane answered {reply.status}: {said}", where=path)


def server_key(program: Program, write_keys: Mapping[str, str]) -> str:
    """The write key of a source of the bank's own servers. Raises Conflict without one."""
    for name, source in program.of(Source).items():
        if source.trust == "server" and name in write_keys:
            return write_keys[name]
    raise Conflict("no source of trust 'server' has a key in keys.toml.", where="tour")
