"""Text that somebody wrote, with the addresses in it as links: those of web pages alone, as they stand there, and nothing else of it is markup."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

# An address ends before what nobody writes within one; signs that turn the direction of writing or have no width would make it look like another.
_ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^\u00ab\u00bb\u2018-\u201f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{3,2000}", re.IGNORECASE)
_AFTER = ".,;:!?…*_~"
_CLOSING = {")": "(", "]": "["}
_MOST_LINKS = 200


def linked(text: str) -> Markup:
    """Return text as HTML, its web addresses as links that open apart and tell the other side nothing."""
    pieces, end = [], 0
    for number, found in enumerate(_ADDRESS.finditer(text)):
        if number == _MOST_LINKS:
            break
        address = _trimmed(found[0])
        if len(address) <= len("https://"):
            continue
        pieces.append(escape(text[end : found.start()]))
        pieces.append(_LINK.format(address))
        end = found.start() + len(address)
    return Markup().join([*pieces, escape(text[end:])])


_LINK = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">{0}</a>')


def _trimmed(address: str) -> str:
    """Return an address without what ends the sentence that it stands in."""
    # Counted once: a hostile one ends with thousands of brackets.
    surplus = {closing: address.count(closing) - address.count(opening) for closing, opening in _CLOSING.items()}
    end = len(address)
    while end and (address[end - 1] in _AFTER or surplus.get(address[end - 1], 0) > 0):
        end -= 1
        if address[end] in surplus:
            surplus[address[end]] -= 1
    return address[:end]
