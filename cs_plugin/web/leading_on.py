"""A page of ours that leads on by itself, where a redirect would not do; whoever's browser does not go on finds a link."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from cs_plugin.web.reading import Visit, page_words


def lead_on(here: Visit, address: str, title: str) -> ResponseReturnValue:
    """Return a page that leads to an address at once, also without scripts.

    A browser measures what follows a posted form by the page's own policy (`form-action`), each redirect included; and a cookie that is `Strict`
    comes along with nothing that another site's page has begun.
    """
    page = render_template("cs_plugin/admin/leading_on.html", **page_words(here.employee_language), address=address, title=title)
    return page, 200, {"Refresh": f"0; url={address}", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
