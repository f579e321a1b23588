"""Collection over HTTP, against a started server with a real log."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from dipper.engine.ports import Entry, LogWriter, Position
from dipper.kit.errors import Unavailable
from dipper.kit.limits import SEGMENT_BODY_MAX

OK = (200, {"success": True})


def paid(**fields: Any) -> dict[str, Any]:
    """A good event."""
    event = {
        "type": "track",
        "event": "bill_paid",
        "userId": "10001",
        "messageId": str(uuid.uuid4()),
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"amount_fen": 100},
    }
    return {**event, **fields}


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("track", "bill_paid"),
        ("t", "bill_paid"),
        ("identify", "identify"),
        ("i", "identify"),
        ("page", "page_viewed"),
        ("p", "page_viewed"),
        ("screen", "screen_viewed"),
        ("s", "screen_viewed"),
        ("group", "group"),
        ("g", "group"),
    ],
)
def test_every_path_takes_an_event(
    gateway: Any, stored: Callable[[], Any], path: str, event: str
) -> None:
    """Full and short, and when the reply comes the record is in the log."""
    assert gateway.post(f"/v1/{path}", paid(groupId="913")) == OK
    assert [found.event for found in stored().events] == [event]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_is_on_disk_before_its_reply(
    gateway: Any, stored: Callable[[], Any], path: str, packed: bool
) -> None:
    """All events of it, gzipped or not."""
    events = [paid() for _ in range(50)]
    assert gateway.post(path, {"batch": events}, packed=packed) == OK
    assert [found.message_id for found in stored().events] == [
        event["messageId"] for event in events
    ]


def test_the_key_comes_in_three_ways(gateway: Any, stored: Callable[[], Any]) -> None:
    """Basic, in the body, or in the body beside a Bearer; content types do not matter."""
    body = json.dumps({"batch": [paid()], "writeKey": "wk_app"}).encode()
    for headers in (
        {"Content-Type": "text/plain"},
        {"Authorization": "Bearer something", "Content-Type": "application/json"},
    ):
        assert gateway.request("POST", "/v1/batch", body, headers)[0] == 200
    assert gateway.post("/v1/track", paid(writeKey="wk_app"), source=None) == OK
    assert gateway.post("/v1/batch", {"batch": [paid()]}, source="server") == OK
    assert [found.source for found in stored().events] == ["app", "app", "server"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic d3Jvbmc6"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
        {"Authorization": "Bearer wk_app"},
    ],
)
def test_a_wrong_key_is_401(
    gateway: Any, stored: Callable[[], Any], headers: dict[str, str]
) -> None:
    """In the dialect's words, and nothing is kept."""
    body = json.dumps({"batch": [paid()], "writeKey": "wrong"}).encode()
    status, _, reply = gateway.request("POST", "/v1/batch", body, headers)
    assert status == 401
    assert json.loads(reply) == {"code": "unauthenticated", "message": "unknown write key"}
    found = stored()
    assert not found.events + found.failed


def test_what_does_not_parse_is_400_and_kept(gateway: Any, stored: Callable[[], Any]) -> None:
    """With the key in the header, or where it can be read in the broken body."""
    broken = b'{"batch":[{"userId":"10001"},{"userId"'
    status, reply = gateway.post("/v1/batch", broken)
    assert (status, reply["code"]) == (400, "bad_request")
    assert reply["message"]
    keyed = b'{"writeKey":"wk_app","batch":[{"anonymousId":"d-1"'
    assert gateway.post("/v1/batch", keyed, source=None)[0] == 400
    assert gateway.post("/v1/batch", b"{", source=None)[0] == 401
    first, second = stored().failed
    assert {first.code, second.code} == {"unreadable_request"}
    assert first.subjects == {"person": "customer_no:10001"}
    assert second.subjects == {"device": "device:d-1"}
    assert "wk_app" not in second.raw


def test_a_bad_event_gets_the_success_of_the_dialect(
    gateway: Any, stored: Callable[[], Any]
) -> None:
    """Unknown, of a wrong type, forged: each is in the log with its reason, the good one too."""
    events = [
        paid(),
        paid(event="never_heard_of"),
        paid(properties={"amount_fen": "much"}),
        paid(event="product_opened", properties={"product": "card"}),
        paid(event="subject_bound", properties={"other_id": "phone:1"}),
        5,
    ]
    assert gateway.post("/v1/batch", {"batch": events}) == OK
    found = stored()
    assert len(found.events) == 1
    assert [failed.code for failed in found.failed] == [
        "unknown_event",
        "wrong_type",
        "not_believed",
        "not_believed",
        "bad_envelope",
    ]


def test_a_forged_identify_is_a_claim(gateway: Any, stored: Callable[[], Any]) -> None:
    """A public key may say who somebody is; it is written down as what it said."""
    identify = paid(traits={"age": 3})
    assert gateway.post("/v1/identify", identify) == OK
    (event,) = stored().events
    assert (event.trust, event.claims) == ("public", ("person",))


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_above_the_limit_is_413(
    gateway: Any, stored: Callable[[], Any], stated: bool
) -> None:
    """Before it is buffered, with its length stated or in chunks; its size is kept."""
    body = b'{"batch":[' + b" " * 10_000_000 + b"]}"
    headers = {"Authorization": "Basic d2tfYXBwOg=="}
    if stated:
        status, _, reply = gateway.request("POST", "/v1/batch", body, headers)
        assert json.loads(reply)["code"] == "request_too_large"
    else:
        status = post_in_chunks(gateway.port, body[: SEGMENT_BODY_MAX + 100_000])
    assert status == 413
    (failed,) = stored().failed
    assert (failed.code, failed.raw) == ("request_too_large", "")
    assert gateway.post("/v1/track", paid()) == OK


def post_in_chunks(port: int, body: bytes) -> int:
    """The status of a chunked request; a server may answer before it has all."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d2tfYXBwOg==\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(body), 50_000):
                part = body[start : start + 50_000]
                connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        return int(connection.recv(100).split()[1])


def test_a_gzip_bomb_is_413(gateway: Any, stored: Callable[[], Any]) -> None:
    """It is inflated no further than the limit; nested or cut gzip is a bad request."""
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    headers = {"Authorization": "Basic d2tfYXBwOg==", "Content-Encoding": "gzip"}
    assert gateway.request("POST", "/v1/batch", bomb, headers)[0] == 413
    nested = gzip.compress(gzip.compress(b"{}"))
    assert gateway.request("POST", "/v1/batch", nested, headers)[0] == 400
    assert gateway.request("POST", "/v1/batch", bomb[:-9], headers)[0] in (400, 413)
    unknown = headers | {"Content-Encoding": "br"}
    assert gateway.request("POST", "/v1/batch", b"{}", unknown)[0] == 400
    assert len(stored().failed) == 4
    assert not any(failed.raw for failed in stored().failed[2:])


def test_gzip_is_known_by_its_content(gateway: Any, stored: Callable[[], Any]) -> None:
    """Without the header too, and in two members."""
    body = json.dumps({"batch": [paid()]}).encode()
    packed = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert gateway.post("/v1/batch", packed) == OK
    assert len(stored().events) == 1


def test_rudderstack_hears_its_own_words(gateway: Any, stored: Callable[[], Any]) -> None:
    """On the same paths; the source's declared dialect decides."""
    assert gateway.post("/v1/batch", {"batch": [paid()]}, source="web") == (200, "OK")
    assert gateway.post("/v1/batch", b"{", source="web")[0] == 400
    large = {"batch": [paid(context={"x": "y" * 1_000_000})]}
    assert gateway.post("/v1/batch", large, source="web") == (200, "OK")
    assert gateway.post("/v1/batch", b" " * 4_000_001, source="web") == (
        413,
        "request size exceeds max limit",
    )
    assert len(stored().events) == 2


def test_pages_of_any_origin_may_send(gateway: Any) -> None:
    """The origin is echoed on replies, refusals and preflights."""
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    status, headers, _ = gateway.request("OPTIONS", "/v1/t", None, asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://shop.example"
    assert headers["access-control-allow-headers"] == "authorization,content-type"
    assert headers["access-control-allow-credentials"] == "true"
    for key in ("wk_app", "wrong"):
        body = json.dumps(paid(writeKey=key)).encode()
        _, headers, _ = gateway.request("POST", "/v1/t", body, {"Origin": "https://shop.example"})
        assert headers["access-control-allow-origin"] == "https://shop.example"


def test_browsers_find_their_settings(gateway: Any) -> None:
    """Segment's by the key in the path, RudderStack's by Basic or query; a wrong key is 401."""
    status, _, reply = gateway.request("GET", "/v1/projects/wk_app/settings")
    assert status == 200
    assert json.loads(reply)["integrations"]["Segment.io"]["apiKey"] == "wk_app"
    assert gateway.request("GET", "/v1/projects/nobody/settings")[0] == 401
    for path, headers in (
        ("/sourceConfig/?p=npm&writeKey=wk_web", {}),
        ("/sourceConfig", {"Authorization": "Basic d2tfd2ViOg=="}),
    ):
        status, _, reply = gateway.request("GET", path, None, headers)
        assert status == 200
        assert json.loads(reply)["source"]["writeKey"] == "wk_web"


def test_other_methods_and_paths(gateway: Any) -> None:
    """GET on a path of ours is 405; other paths are left to other parts."""
    assert gateway.request("GET", "/v1/track")[0] == 405
    assert gateway.request("POST", "/v1/decide", b"{}")[2] == b"not ours"


def test_while_starting_everything_is_503(gateway: Any) -> None:
    """With Retry-After, in every dialect."""
    gateway.collection.is_ready = False
    for source in ("app", "web"):
        headers = {
            "Authorization": "Basic d2tfYXBwOg==" if source == "app" else "Basic d2tfd2ViOg=="
        }
        status, headers, _ = gateway.request("POST", "/v1/batch", b"{}", headers)
        assert (status, headers["retry-after"]) == (503, "1")


class Flaky:
    """A log writer whose disk refuses as long as it is told so."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self.partition = writer.partition
        self.refuses = False
        self.held: list[Future[int]] = []

    def append(
        self, entries: Sequence[Entry], received_us: int, *, reserve: bool = False
    ) -> Future[int]:
        """Refuse, or append."""
        if self.refuses:
            future: Future[int] = Future()
            self.held.append(future)
            return future
        return self._writer.append(entries, received_us, reserve=reserve)

    def refuse(self) -> None:
        """The disk was full."""
        for future in self.held:
            future.set_exception(Unavailable("the disk is full"))
        self.held.clear()

    def close(self) -> None:
        """Release the partition."""
        self._writer.close()


def test_a_full_disk_is_503_and_a_resend_is_no_duplicate(
    serve: Callable[..., Any], stored: Callable[[], Any]
) -> None:
    """What was not stored is not known, and nothing was acknowledged."""
    writers: list[Flaky] = []

    def wrap(writer: LogWriter) -> LogWriter:
        writers.append(Flaky(writer))
        return writers[0]

    gateway = serve(wrap=wrap)
    (writer,) = writers
    writer.refuses = True
    event = paid()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as first:
        send_raw(first, event)
        wait_until(lambda: writer.held)
        writer.refuses = False
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as copy:
            # A copy comes while its original is under way: it may not be acknowledged alone.
            send_raw(copy, event)
            copy.settimeout(0.3)
            with pytest.raises(TimeoutError):
                copy.recv(100)
            writer.refuse()
            copy.settimeout(10)
            assert b" 503 " in copy.recv(1_000)
        assert b"retry-after: 1" in first.recv(1_000)
    assert not stored().events
    assert gateway.post("/v1/track", event) == OK
    assert len(stored().events) == 1


def send_raw(connection: socket.socket, event: dict[str, Any]) -> None:
    """Send one track request."""
    body = json.dumps(event).encode()
    head = (
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d2tfYXBwOg==\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def wait_until(holds: Callable[[], object]) -> None:
    """Wait up to 5 s."""
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_slow_body_is_cut_off_without_a_reply(
    serve: Callable[..., Any], stored: Callable[[], Any]
) -> None:
    """A client that stalls hears nothing; one that goes on slowly is served."""
    gateway = serve(gap_max_s=0.6)
    body = json.dumps(paid()).encode()
    head = (
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic d2tfYXBwOg==\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as stalled:
        stalled.sendall(head + body[:10])
        with contextlib.suppress(ConnectionResetError):
            assert stalled.recv(100) == b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as slow:
        slow.sendall(head)
        for start in range(0, len(body), 60):
            slow.sendall(body[start : start + 60])
            time.sleep(0.25)
        assert b" 200 " in slow.recv(1_000)
    assert len(stored().events) == 1


class Late:
    """A projection that applies records when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Position] = []
        self.applied = asyncio.Event()

    async def __call__(self, position: Position) -> None:
        self.asked.append(position)
        await self.applied.wait()


def test_a_consent_is_acknowledged_when_it_is_applied(
    serve: Callable[..., Any], stored: Callable[[], Any]
) -> None:
    """Not before, with 503 after 2 s; the record is kept, and a resend waits likewise."""
    late = Late()
    gateway = serve(projected=late)
    consent = paid(
        event="consent_given", properties={"purpose": "marketing", "notice_version": "1"}
    )
    assert gateway.post("/v1/track", paid(), source="server") == OK
    assert not late.asked
    begin = time.monotonic()
    status, reply = gateway.post("/v1/track", consent, source="server")
    assert (status, reply["code"]) == (503, "unavailable")
    assert 1.9 < time.monotonic() - begin < 5
    assert late.asked == [Position(0, 1)]
    late.applied.set()
    assert gateway.post("/v1/track", consent, source="server") == OK
    assert late.asked[-1] == Position(0, 2)
    assert [event.event for event in stored().events] == ["bill_paid", "consent_given"]


def test_duplicates_are_known_after_a_restart(
    serve: Callable[..., Any], stored: Callable[[], Any]
) -> None:
    """The index comes back from the log before the port opens."""
    events = [paid() for _ in range(20)]
    first = serve()
    assert first.post("/v1/batch", {"batch": events}) == OK
    first.stop()
    second = serve()
    assert second.post("/v1/batch", {"batch": [*events, paid()]}) == OK
    found = stored()
    assert len(found.events) == 21
    assert found.controls[0].body == {"source": "app", "duplicate": 20, "refused": 0}


def test_the_python_sdk_sends_unmodified(
    gateway: Any, stored: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """track, identify, page, screen, group and alias, gzipped and plain, without an error."""
    from segment.analytics.client import Client

    for packed in (False, True):
        errors: list[object] = []
        client = Client(
            "wk_server",
            host=f"http://127.0.0.1:{gateway.port}",
            gzip=packed,
            on_error=lambda error, items, errors=errors: errors.append(error),
            max_retries=2,
            upload_size=40,
            thread=1,
        )
        for number in range(100):
            client.track(f"sdk-{number}", "Order Completed", {"amount_fen": number})
        client.identify("sdk-1", {"age": 40})
        client.page("sdk-1", "Bank", "Home", {"path": "/"})
        client.screen("sdk-1", "Bank", "Home")
        client.group("sdk-1", "913", {"size": 3})
        client.alias("anon-1", "sdk-1")
        client.flush()
        client.join()
        assert not errors
    found = stored()
    assert not found.failed
    assert len(found.events) == 2 * 105
    assert sum(event.event == "order_completed" for event in found.events) == 200
    times = [event for event in found.events if event.original_us and event.sent_us]
    assert len(times) == len(found.events)
    assert all(event.time_us == event.original_us for event in found.events)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
