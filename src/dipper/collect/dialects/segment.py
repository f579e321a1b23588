"""Segment's HTTP Tracking API, as its SDKs speak it.

JSON is known by its content, never by its content type: the browser sends it as text/plain. A
batch is decoded in one pass; only where that fails each event is looked at by itself, so that one
bad event never fails a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dipper.collect import json_text
from dipper.collect.dialects.reply import Reply, Request, Route, Unparseable
from dipper.collect.incoming import Batch, Context, Incoming, Kind, Unreadable
from dipper.collect.sources import Source
from dipper.kit.limits import SEGMENT_BATCH_MAX, SEGMENT_BODY_MAX, SEGMENT_EVENT_MAX

NAME = "segment"
BODY_MAX = SEGMENT_BODY_MAX
EVENT_MAX = SEGMENT_EVENT_MAX
BATCH_MAX = SEGMENT_BATCH_MAX
SUCCESS = Reply(200, b'{"success":true}')

_PATHS: dict[str, tuple[Route, str]] = {
    "track": ("track", "t"),
    "identify": ("identify", "i"),
    "page": ("page", "p"),
    "screen": ("screen", "s"),
    "group": ("group", "g"),
    "alias": ("alias", "a"),
    "batch": (None, "b"),
}
ROUTES: Mapping[str, Route] = {
    f"/v1/{path}": route for name, (route, short) in _PATHS.items() for path in (name, short)
}

_FLAWS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Batch(msgspec.Struct, rename="camel"):
    batch: list[Incoming]
    sent_at: str | None = None
    write_key: str | None = None
    context: Context | None = None


class _Loose(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    sent_at: Any = None
    write_key: Any = None
    context: msgspec.Raw = msgspec.Raw(b"")


class _Single(Incoming, rename="camel"):
    write_key: str | None = None


_BATCH = msgspec.json.Decoder(_Batch)
_LOOSE = msgspec.json.Decoder(_Loose)
_SINGLE = msgspec.json.Decoder(_Single)
_ITEM = msgspec.json.Decoder(Incoming)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_CONTEXT = msgspec.json.Decoder(Context | None)


def read(body: bytes, route: Route) -> Request:
    """The events of a body. Raises Unparseable when it is no JSON object of this API."""
    if body.startswith(json_text.BOM):
        body = body.removeprefix(json_text.BOM)
    return _read_batch(body) if route is None else _read_single(body, route)


def read_event(raw: bytes, route: Route) -> Incoming | Unreadable:
    """One event of a batch, or the only one of a route."""
    if route is None:
        return _read_item(raw, None)
    (item,) = _read_single(raw, route).batch.items
    return item


def refuse(status: int, code: str, message: str) -> Reply:
    """The error object that Segment's clients parse."""
    return Reply(status, msgspec.json.encode({"code": code, "message": message}))


def settings(source: Source, write_key: str) -> bytes:
    """The smallest settings document with which analytics.js sends."""
    enabled = {"__default": {"enabled": True, "integrations": {}}}
    sender = {
        "apiKey": write_key,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return msgspec.json.encode(
        {
            "integrations": {"Segment.io": sender},
            "plan": {"track": enabled, "identify": enabled, "group": enabled},
            "edgeFunction": {},
            "analyticsNextEnabled": True,
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "metrics": {"sampleRate": 0},
            "legacyVideoPluginsEnabled": False,
            "remotePlugins": [],
        }
    )


def _read_batch(body: bytes) -> Request:
    try:
        found = _BATCH.decode(body)
    except _FLAWS:
        return _read_loosely(body)
    items = found.batch
    if found.context is not None:
        for item in items:
            item.context = _merged(item.context, found.context)
    return Request(Batch(items, found.sent_at, _raw_of(body)), found.write_key)


def _read_loosely(body: bytes) -> Request:
    """Event by event, so that the good ones of a batch are taken."""
    try:
        found = _LOOSE.decode(body)
    except _FLAWS:
        found = _forgiven(body)
    raws = [bytes(raw) for raw in found.batch]
    try:
        context = _CONTEXT.decode(found.context) if bytes(found.context) else None
    except _FLAWS:
        context = None
    items = [_read_item(raw, context) for raw in raws]
    return Request(Batch(items, _text(found.sent_at), raws.__getitem__), _text(found.write_key))


def _read_single(body: bytes, route: Kind) -> Request:
    try:
        item: Incoming = _SINGLE.decode(body)
    except _FLAWS:
        value = _object(body)
        key, sent = _text(value.get("writeKey")), _text(value.get("sentAt"))
        raw = json_text.escaped(value | {"type": route}).encode()
        return Request(Batch([_read_item(raw, None)], sent, lambda _: raw), key)
    item.type = route
    return Request(Batch([item], None, lambda _: body), getattr(item, "write_key", None))


def _read_item(raw: bytes, context: Context | None) -> Incoming | Unreadable:
    try:
        item = _ITEM.decode(raw)
    except _FLAWS as error:
        try:
            found = json_text.flaw(json_text.forgiving(raw))
        except json_text.NotJson:
            return Unreadable(raw, "bad_text", "the event is no valid JSON")
        return Unreadable(raw, *found) if found else Unreadable(raw, *_finding(error))
    if context is not None:
        item.context = _merged(item.context, context)
    return item


def _forgiven(body: bytes) -> _Loose:
    """The batch of a body that the fast decoder cannot take apart. Raises Unparseable."""
    value = _object(body)
    batch = value.get("batch")
    if not isinstance(batch, list):
        raise Unparseable("expected an object with a list `batch`")
    try:
        raws = [msgspec.Raw(json_text.escaped(item).encode()) for item in batch]
    except RecursionError:
        raise Unparseable("nested too deeply") from None
    return _Loose(raws, value.get("sentAt"), value.get("writeKey"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json_text.forgiving(body)
    except json_text.NotJson as error:
        raise Unparseable(str(error)) from None
    if not isinstance(value, dict):
        raise Unparseable("expected a JSON object")
    return value


def _merged(own: Context | None, shared: Context) -> Context:
    """The batch's context counts for each of its events; what the event itself says wins."""
    if own is None:
        return shared
    dipper, traits = bytes(own.dipper), bytes(own.traits)
    if dipper and bytes(shared.dipper):
        both = {**_fields(shared.dipper), **_fields(own.dipper)}
        dipper = msgspec.json.encode(both)
    return Context(
        msgspec.Raw(dipper) if dipper else shared.dipper,
        msgspec.Raw(traits) if traits else shared.traits,
    )


def _fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(raw) or {}
    except _FLAWS:
        # Not an object: the judgement of the event will say so.
        return {}


def _raw_of(body: bytes) -> Callable[[int], bytes]:
    """Gives the text of one event of a batch; takes the body apart when first asked."""
    raws: list[bytes] = []

    def raw(place: int) -> bytes:
        if not raws:
            raws.extend(bytes(raw) for raw in _LOOSE.decode(body).batch)
        return raws[place]

    return raw


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _finding(error: Exception) -> tuple[str, str, str]:
    """Code, words and path of what a typed decoder refused."""
    words, _, path = str(error).partition(" - at `")
    return "bad_envelope", words, path.rstrip("`")
