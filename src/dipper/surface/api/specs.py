"""`/api/specs/{kind}` and `/api/specs/{kind}/{name}`: the objects of the program in force.

An object of a program never changes, so its ETag is the program's address.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request, Response

from dipper.kit.errors import NotFound, did_you_mean
from dipper.spec import plugins, registry
from dipper.spec.document import Spec
from dipper.surface.api.platform import Bank, Platform

router = APIRouter(prefix="/api", tags=["specs"])


@router.get("/specs/{kind}", summary="Objects of a kind", response_model=None)
def specs(
    kind: str,
    request: Request,
    response: Response,
    bank: Bank,
    after: str = Query("", description="The name behind which to go on: `next` of the last page."),
    limit: int = Query(200, ge=1, le=1000, description="Objects on a page."),
) -> dict[str, Any] | Response:
    """Objects by name, a page at a time; `next` is null on the last one."""
    hash_, found = _objects(bank, kind)
    if _is_known(request, response, hash_):
        return Response(status_code=304, headers={"ETag": f'"{hash_}"'})
    names = [name for name in sorted(found) if name > after]
    page = names[:limit]
    return {
        "kind": kind,
        "program": hash_,
        "items": [found[name].document() for name in page],
        "next": page[-1] if len(names) > limit else None,
    }


@router.get("/specs/{kind}/{name}", summary="One object", response_model=None)
def spec(
    kind: str, name: str, request: Request, response: Response, bank: Bank
) -> dict[str, Any] | Response:
    """The object as a spec file would say it."""
    hash_, found = _objects(bank, kind)
    if name not in found:
        hint = did_you_mean(name, found)
        raise NotFound(f"no {kind} '{name}'.", where=f"specs/{kind}", hint=hint)
    if _is_known(request, response, hash_):
        return Response(status_code=304, headers={"ETag": f'"{hash_}"'})
    return found[name].document()


def _objects(bank: Platform, kind: str) -> tuple[str, dict[str, Spec]]:
    """The program's address and its own objects of a kind, named in singular or plural."""
    known = registry.build(plugins.installed())
    by_plural = {each.plural: name for name, each in known.kinds.items()}
    name = kind if kind in known.kinds else by_plural.get(kind)
    if name is None:
        hint = did_you_mean(kind, known.kinds) or f"Kinds: {', '.join(sorted(known.kinds))}."
        raise NotFound(f"no kind '{kind}'.", where="specs", hint=hint)
    with bank.read() as reading:
        served = reading.served
    return served.current.program, dict(served.program.of(name))


def _is_known(request: Request, response: Response, hash_: str) -> bool:
    etag = f'"{hash_}"'
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    given = request.headers.get("if-none-match", "")
    return etag in [text.strip() for text in given.split(",")]
