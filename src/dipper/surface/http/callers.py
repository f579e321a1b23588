"""Who calls decide and outcomes: a source by its key, or a page by a token that the source signed.

A public key may not ask: a decision tells what the bank thinks of a person.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from dipper.collect.sources import Source, Sources
from dipper.collect.token import Token
from dipper.kit.errors import Forbidden, Unauthenticated

CALLERS_KNOWN = 1_000


@dataclass(frozen=True)
class Caller:
    """The source that answers for a request; with `token`, only for its subject and placement."""

    source: Source
    token: Token | None = None


class Callers:
    """Knows again who called with a key, as long as the sources are the same."""

    def __init__(self, sources: Callable[[], Sources]) -> None:
        self._sources = sources
        self._seen: Sources | None = None
        self._known: dict[bytes, Caller] = {}

    def of(self, authorization: bytes, now_us: int) -> Caller:
        """Who calls, by the header. Raises like `caller`."""
        sources = self._sources()
        if sources is not self._seen:
            self._seen, self._known = sources, {}
        found = self._known.get(authorization)
        if found is None:
            found = caller(authorization.decode("latin-1"), sources, now_us)
            # A token ends; and each of a bank's servers writes its key in one way.
            if found.token is None and len(self._known) < CALLERS_KNOWN:
                self._known[authorization] = found
        return found


def caller(authorization: str, sources: Sources, now_us: int) -> Caller:
    """Who calls. Raises Unauthenticated, or Forbidden for a public key."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "basic":
        source = sources.by_key(_key(rest))
        if source is None:
            raise Unauthenticated("unknown write key.", where="Authorization")
        if source.trust == "public":
            raise Forbidden(
                f"source '{source.name}' is public and may only write behaviour.",
                where="Authorization",
                hint="Ask from your server, or give the page a signed token.",
            )
        return Caller(source)
    if scheme.lower() == "bearer":
        token = sources.tokens.verify(rest.strip(), now_us)
        signer = sources.by_name.get(token.issuer)
        if not token.is_valid or signer is None:
            raise Unauthenticated(f"the token is {token.verdict}.", where="Authorization")
        return Caller(signer, token)
    raise Unauthenticated(
        "no key and no token.",
        where="Authorization",
        hint="Send Basic <write key> from a server, or Bearer <token> from a page.",
    )


def _key(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
