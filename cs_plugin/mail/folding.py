"""Quoted history and signature of a mail, folded away."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cs_plugin.mail.html_text import text_of


@dataclass(frozen=True, slots=True)
class Folded:
    """What is shown, and what is folded away beneath it."""

    shown: str
    quoted: str = ""


_HISTORY = re.compile(r"^(?:-- $|On .{0,200} wrote:$|Am .{0,200} schrieb .{0,100}:$|-{3,} ?Original Message ?-{3,}$)", re.MULTILINE)


def fold_text(text: str) -> Folded:
    """Return a text with its history and signature apart."""
    found = _HISTORY.search(text)
    if found is None or not text[: found.start()].strip():
        return Folded(text)
    return Folded(text[: found.start()].rstrip(), text[found.start() :])


def fold_html(html: str) -> Folded:
    """Return HTML as text, with its history and signature apart."""
    return fold_text(text_of(html))
