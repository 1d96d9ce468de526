"""A visitor of the storefront in tests: reads a page, fills in the form that stands on it, and posts it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from tests.hosts.store import Store

CONTACT = "/customer-service/contact?shop=1"
READING = 30   # seconds; longer than any program waits
File = tuple[io.BytesIO, str]


def a_file(name: str = "receipt.txt", content: bytes = b"Paid in full.") -> File:
    """Return a file as a test client posts it."""
    return io.BytesIO(content), name


def hidden(html: str) -> dict[str, str]:
    """Return the hidden fields of the page's form."""
    return {name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)}


def kept(html: str) -> list[str]:
    """Return the references of the files that the form has kept."""
    return [unescape(one) for one in re.findall(r'name="kept_file" value="([^"]*)"', html)]


def errors(html: str) -> dict[str, str]:
    """Return what is told at each field, under the field's name; "" for the whole form."""
    at_fields = r'<p class="cs-error" id="cs-(?:order-messages-[^"]*-)?([a-z_-]+)-error">(.*?)</p>'
    told = {name: _plain(text) for name, text in re.findall(at_fields, html, re.DOTALL)}
    files = re.search(r'id="cs-[^"]*file-error"[^>]*>(.*?)</div>', html, re.DOTALL)
    if files and "cs-error" in files[1]:
        told["file"] = _plain(files[1])
    whole = re.search(r'<div role="alert">(.*?)</div>', html, re.DOTALL)
    return {**told, **({"": _plain(whole[1])} if whole else {})}


def value_of(html: str, field: str) -> str:
    """Return what stands in a text field of the form."""
    found = re.search(rf'<textarea[^>]*name="{field}"[^>]*>\r?\n?(.*?)</textarea>', html, re.DOTALL) or re.search(
        rf'<input[^>]*name="{field}"[^>]*value="([^"]*)"', html
    )
    assert found is not None, f"the form has no field {field}"
    return unescape(found[1])


def _plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


class Visitor:
    """Somebody with a browser: `page` is the last page they were shown."""

    def __init__(self, store: Store, client: Any = None) -> None:
        """Come to a store, as nobody in particular or with a client that is signed in."""
        self.store, self.client = store, client or store.client()
        self.address, self.page = "", ""

    def open(self, address: str = CONTACT) -> str:
        """Open a page, look at it for a while, and return it."""
        answer = self.client.get(address)
        assert answer.status_code == 200, answer.text
        self.address, self.page = address, answer.text
        self.store.clock.forward(seconds=READING)
        return self.page

    def post(self, files: Sequence[File] = (), **fields: Any) -> Any:
        """Post the form of the page with these fields beside its hidden ones and the files that it has kept, and return the answer."""
        sent: dict[str, Any] = {**hidden(self.page), "kept_file": kept(self.page), **fields}
        if files:
            sent["file"] = list(files)
        answer = self.client.post(self.address, data=sent, content_type="multipart/form-data")
        if answer.status_code != 303:
            self.page = answer.text
        return answer

    def write(self, text: str = "Where is my parcel?", files: Sequence[File] = (), **changes: Any) -> Any:
        """Post the contact form, filled in well but for the changes."""
        good: Mapping[str, Any] = {"contact": "2", "email": "ida@example.com"}
        return self.post(files, **{**good, "text": text, **changes})
