"""A browser without a screen: opens addresses, follows links and redirects, and submits the forms that stand on a page as a browser would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from werkzeug.test import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# A file as it is chosen: its name and what is in it.
File = tuple[str, bytes]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass
class Form:
    """A form as it stands on a page: where it goes, what it would send now, whether files, its fields, its buttons as (name, value), its lists."""

    action: str
    method: str
    takes_files: bool = False
    values: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Reads the forms, the links and what the page loads; a field may stand outside of its form and name it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._area: tuple[Form, str] | None = None
        self._choice: tuple[Form, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a form, of its fields, and of addresses."""
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(has.get("action", ""), has.get("method", "get").lower(), has.get("enctype") == "multipart/form-data")
            self.forms.append(self._open)
            self._by_id[has.get("id", "")] = self._open
        elif tag == "a" and "href" in has:
            self.links.append(has["href"])
        elif tag in ("script", "img") and "src" in has:
            self.loaded.append(has["src"])
        elif tag == "link" and "href" in has:
            self.loaded.append(has["href"])
        else:
            self._field(tag, has)

    def _field(self, tag: str, has: Mapping[str, str]) -> None:
        if tag == "option":
            self._option(has)
            return
        form, name = self._by_id.get(has.get("form", ""), self._open) if "form" in has else self._open, has.get("name", "")
        if form is None or tag not in ("input", "textarea", "select", "button"):
            return
        if tag == "button" or has.get("type") == "submit":
            form.buttons.append((name, has.get("value", "")))
            return
        form.names.add(name)
        if tag == "textarea":
            self._area = (form, name)
            form.values[name] = ""
        elif tag == "select":
            self._choice = (form, name)
        elif has.get("type") not in ("checkbox", "radio", "file") or "checked" in has:
            form.values[name] = has.get("value", "")

    def _option(self, has: Mapping[str, str]) -> None:
        if self._choice is not None:
            form, name = self._choice
            form.choices.setdefault(name, []).append(has.get("value", ""))
            if name not in form.values or "selected" in has:
                form.values[name] = has.get("value", "")

    def handle_data(self, data: str) -> None:
        """Take note of what stands in a text field."""
        if self._area is not None:
            form, name = self._area
            form.values[name] += data

    def handle_endtag(self, tag: str) -> None:
        """Leave a form or a field."""
        if tag == "form":
            self._open = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._choice = None


class Window:
    """Somebody's window with cookies of its own: `url`, `status` and `page` are those of the page that is shown."""

    def __init__(self, application: WSGIApplication, public: str) -> None:
        """Open a window on an application whose pages lie below the address `public`."""
        self._client = Client(application)
        self._public = public
        self.url, self.status, self.page = public, 0, ""

    def open(self, address: str) -> str:
        """Open an address (whole, or a path below `public`), follow where it leads, and return the page."""
        return self._go("GET", address if "://" in address else f"{self._public}{address}", None)

    def submit(self, *fields: str, button: tuple[str, str] | None = None, files: Mapping[str, File] | None = None, **filled: str) -> str:
        """Fill in the form that has these fields, press its button (or one by name and value), and return the page that follows."""
        wanted = {*fields, *filled, *(files or {})}
        found = [form for form in self._read().forms if wanted <= form.names and (button is None or button in form.buttons)]
        assert found, f"no form with {sorted(wanted)} and {button} on {self.url}:\n{self.page}"
        return self._send(found[0], button, filled, files or {})

    def submit_to(self, address: str) -> str:
        """Press the button of the form that goes to this address, and return the page that follows."""
        found = [form for form in self._read().forms if urljoin(self.url, form.action) == address]
        assert found, f"no form goes to {address} on {self.url}:\n{self.page}"
        return self._send(found[0], None, {}, {})

    def _send(self, form: Form, button: tuple[str, str] | None, filled: Mapping[str, str], files: Mapping[str, File]) -> str:
        assert form.takes_files or not files, f"the form to {form.action} takes no files"
        attached = {name: (BytesIO(content), file) for name, (file, content) in files.items()}
        sent = {**form.values, **filled, **({button[0]: button[1]} if button else {}), **attached}
        return self._go(form.method.upper(), urljoin(self.url, form.action), {name: value for name, value in sent.items() if name})

    def choices(self, field: str) -> list[str]:
        """Return what a list of the page offers; nothing where there is no such list."""
        return next((form.choices[field] for form in self._read().forms if field in form.choices), [])

    def links(self) -> list[str]:
        """Return the addresses of the page's links, whole."""
        return [urljoin(self.url, link) for link in self._read().links]

    def loaded(self) -> list[str]:
        """Return the addresses of the scripts, styles and pictures that the page loads, whole."""
        return [urljoin(self.url, address) for address in self._read().loaded]

    def status_of(self, address: str) -> int:
        """Return how an address answers, without going there and without following it."""
        return self._ask("GET", address if "://" in address else f"{self._public}{address}", None).status_code

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.page)
        return reader

    def _go(self, method: str, url: str, data: Mapping[str, Any] | None) -> str:
        for _ in range(8):
            answer = self._ask(method, url, data)
            if answer.status_code not in _REDIRECTS:
                break
            url = urljoin(url, answer.headers["Location"])
            method, data = "GET", None
        self.url, self.status, self.page = url, answer.status_code, answer.text
        return self.page

    def _ask(self, method: str, url: str, data: Mapping[str, Any] | None) -> Any:
        parts = urlsplit(url)
        where: dict[str, Any] = {"base_url": f"{parts.scheme}://{parts.netloc}/", "query_string": parts.query}
        if method == "GET":
            return self._client.get(parts.path or "/", **where)
        return self._client.post(parts.path or "/", data=dict(data or {}), **where)
