"""HTML of a mail as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = frozenset("p div br tr li h1 h2 h3 h4 h5 h6 table ul ol blockquote pre hr".split())  # noqa: SIM905


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in ("script", "style", "head", "title"):
            self.hidden += 1
        elif tag in _BLOCKS:
            self.out.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "head", "title"):
            self.hidden = max(0, self.hidden - 1)
        elif tag in _BLOCKS and tag != "br":
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.out.append(re.sub(r"\s+", " ", data))


def text_of(html: str) -> str:
    """Return HTML as text."""
    reader = _Text()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:
        pass
    return re.sub(r"\n\s*\n+", "\n\n", "".join(reader.out)).strip()


def is_stub(text: str) -> bool:
    """Tell whether a text part only says that the mail is HTML."""
    return len(text) < 400 and bool(re.search(r"(?i)\bhtml\b", text)) and bool(re.search(r"(?i)client|viewer|support|view|lesen", text))
