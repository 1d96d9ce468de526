"""A store whose admin is looked at in a browser: served under a strict Content-Security-Policy, while every complaint of the browser is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from flask import Response
from playwright.sync_api import BrowserContext, Page

from cs_plugin import Employee
from tests.hosts.store import MARIE, Store
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

STRICT = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
BOTH = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@dataclass
class Shown:
    """A store that is served, and what its browser complained about. Paths begin with `home`; where none is given, it is followed by `first`.

    `headers` go out with every request.
    """

    store: Store
    address: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    home: str = ""
    first: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def page(self, path: str | None = None, *, employee: Employee | None = MARIE, scripts: bool = True, **taste: Any) -> Iterator[Page]:
        """Open a page in a window of its own, of an employee and a taste (`Browser.context`)."""
        with self.browser.context(javascript=scripts, **taste) as context:
            yield self.open(context, path, employee)

    def open(self, context: BrowserContext, path: str | None = None, employee: Employee | None = MARIE) -> Page:
        """Open a page in a window."""
        context.set_extra_http_headers({**self.headers, **({"X-Employee": employee.id} if employee else {})})
        page = context.new_page()
        page.on("console", lambda said: self.hear(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.address}{self.home}{self.first if path is None else path}")
        return page

    def hear(self, kind: str, text: str) -> None:
        """Keep a complaint of the browser. That a form comes again with what is wrong (422), or that a page is refused (403), is none.

        Nor is that a script does not run in the frame of a mail: the one by which a test waits for pages is kept out of it as any other.
        """
        if kind in ("error", "warning") and not any(one in text for one in ("422 (", "403 (", "because the document's frame is sandboxed")):
            self.complaints.append(text)


AnyShown = TypeVar("AnyShown", bound=Shown)


@contextmanager
def shown_strictly(store: Store, browser: Browser, kind: type[AnyShown] = Shown, **its: Any) -> Iterator[AnyShown]:  # type: ignore[assignment]
    """Serve a store under the strict policy, and see at the end that nothing has complained."""

    @store.app.after_request
    def strict(response: Response) -> Response:
        # A document that is stricter with itself stays so.
        response.headers.setdefault("Content-Security-Policy", STRICT)
        return response

    @store.app.route("/favicon.ico")
    def icon() -> Response:
        return Response(status=204)

    with serving(store.app) as address:
        shown = kind(store, address, browser, **its)
        yield shown
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
    assert shown.complaints == []
