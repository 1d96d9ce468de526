"""The frame of the storefront's pages: content in the visitor's language, put into a template that the host overrides, with strict headers."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Response, current_app, make_response, render_template
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from cs_plugin.rules.languages import direction
from cs_plugin.rules.shops import Shop
from cs_plugin.web.reading import page_words

AnyResponse = TypeVar("AnyResponse", bound=BaseResponse)
CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def fragment(template: str, *, shop: Shop, language: str, **words: Any) -> Markup:
    """Render `cs_plugin/storefront/<template>` as HTML that can stand in any page."""
    own = {**page_words(language), "shop": shop}
    return Markup(render_template(f"cs_plugin/storefront/{template}", **{**words, **own}))  # noqa: S704 - escaped by the template


def page(template: str, *, shop: Shop, language: str, title: str, status: int = 200, **words: Any) -> Response:
    """Return a whole page: the content is rendered by itself, so that our words never meet those of the host's own frame."""
    html = render_template(
        "cs_plugin/storefront/_base.html",
        cs_title=title,
        cs_content=fragment(template, shop=shop, language=language, **words),
        cs_shop=shop,
        cs_language=language,
        cs_direction=direction(language),
    )
    return strictly(make_response(html, status))


def strictly(response: AnyResponse) -> AnyResponse:
    """Give a response the headers of our storefront; a host changes the policy by CS_STOREFRONT_CSP, or takes it away by an empty text."""
    policy = current_app.config["CS_STOREFRONT_CSP"]
    if policy:
        response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers.setdefault("Referrer-Policy", "same-origin")
    # Each form is one visitor's own; a step back may show it again, with what was written.
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def secretly(response: AnyResponse) -> AnyResponse:
    """Keep an address that is the key to a conversation, and what is personal, from other sites, caches and search engines."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
