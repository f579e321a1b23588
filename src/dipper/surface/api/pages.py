"""Server-rendered pages: templates, languages, and nothing that needs a script."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined

from dipper.kit.money import format_money

LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT = "zh"


def language_of(request: Request) -> str:
    """`?lang=`, else what the browser prefers of ours, else Chinese."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for part in request.headers.get("accept-language", "").lower().split(","):
        name = part.partition(";")[0].strip()[:2]
        if name in LANGUAGES:
            return name
    return DEFAULT


def address(path: str, language: str, **query: str) -> str:
    """A link that keeps the language."""
    return f"{path}?{urlencode({'lang': language} | query)}"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("dipper.surface.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, language: str, **values: Any) -> str:
    """Render a template; `t(zh, en)` in it gives the text of the language."""

    def both(zh: str, en: str) -> str:
        return zh if language == "zh" else en

    def link(path: str, **query: str) -> str:
        return address(path, language, **query)

    return (
        _templates()
        .get_template(template)
        .render(t=both, link=link, money=format_money, lang=language, languages=LANGUAGES, **values)
    )
