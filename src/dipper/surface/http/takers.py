"""Who takes a whole request: decide its own path, collection all others."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from dipper.collect.dialects.reply import Reply
from dipper.surface.http.collection import Collection, Expected
from dipper.surface.http.deciding import Asked, Deciding
from dipper.surface.http.head import Headers


class Takers:
    """Implements `connection.Taker` for both parts of a gateway."""

    def __init__(self, deciding: Deciding, collection: Collection) -> None:
        self._deciding = deciding
        self._collection = collection
        self.bodies = collection.bodies

    def expect(self, url: bytes, headers: Headers) -> Asked | Expected | None:
        """What a POST with this head may become."""
        return self._deciding.expect(url, headers) or self._collection.expect(url, headers)

    def take(
        self, expected: Asked | Expected, body: bytes, answer: Callable[[Reply], None]
    ) -> Coroutine[Any, Any, None] | None:
        """Hand the body to the part that expects it."""
        if isinstance(expected, Asked):
            return self._deciding.take(expected, body, answer)
        return self._collection.take(expected, body, answer)
