"""Files as somebody gets them who must not be able to act as the customer: without the signed links and tags that may stand in them.

Mails are quoted in files too: a forwarded one is attached, a text is saved, a page is printed. What is text loses our tags, letter for letter, so
that nothing else in it moves; a page loses its links as well; of a mail within a mail the text is given. What is packed (zip, docx, most of a pdf) is
not unpacked, and goes as it is (docs/decisions/0042).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from cs_plugin.mail import glimpse
from cs_plugin.mail.charsets import decode
from cs_plugin.mail.clean_html import cleaned

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_HTML_NAMES = frozenset({"html", "htm", "xhtml", "xht", "shtml"})
_MAIL_NAMES = frozenset({"eml", "mht", "mhtml", "mbox", "mbx", "emlx"})
_PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html)\b", re.IGNORECASE)

# A tag (`rules.signing`) in bytes of one letter each, and in UTF-16, as office programs of old keep text: how many bytes stand before its dash, and
# the rest. Each begins with the dash, which few places have: a large file of letters is looked through quickly.
_TAG = (26, re.compile(rb"-(?<=[a-z2-7]{26}-)[0-9]{1,19}", re.IGNORECASE))
_TAGS_IN_UTF16 = (
    (52, re.compile(rb"-\x00(?<=(?:[a-z2-7]\x00){26}-\x00)(?:[0-9]\x00){1,19}", re.IGNORECASE)),
    (52, re.compile(rb"\x00-(?<=(?:\x00[a-z2-7]){26}\x00-)(?:\x00[0-9]){1,19}", re.IGNORECASE)),
)
# Where a long line is broken: by hand, in quoted mails, in calendars (RFC 5545, section 3.1) and in quoted-printable.
_BREAK = rb"(?:=?\r?\n(?:> ?|[ \t])?)?"
_BREAKS = (b"=\n", b"\n> ", b"\n>", b"\n ", b"\n\t", b"\n")
_BLOTTED = bytes(ord("x") if chr(one).isascii() and chr(one).isalnum() else one for one in range(256))
_MOST_BROKEN = 50   # tags over two lines that are looked for one by one


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file as it is given away."""

    name: str
    content_type: str
    content: bytes


def without_keys(content: bytes, name: str, content_type: str) -> GivenFile:
    """Return a file without what opens the conversation as its customer, as far as it can be read here. Never raises."""
    kind, extension = content_type.partition(";")[0].strip().lower(), name.rpartition(".")[2].lower()
    if kind.startswith("message/") or extension in _MAIL_NAMES:
        return GivenFile(f"{name}.txt", "text/plain", _as_text(content))
    if kind in _HTML or extension in _HTML_NAMES or _PAGE.match(content[:1_000]):
        text, _oddity = decode(content)
        shown = cleaned(text, keys=False).html
        return GivenFile(name, content_type, f'<!doctype html>\n<meta charset="utf-8">\n<title>{escape(name)}</title>\n{shown}\n'.encode())
    return GivenFile(name, content_type, _blotted(content))


def _as_text(content: bytes) -> bytes:
    seen = glimpse.without_keys(glimpse.glimpse_of(content))
    head = "\n".join(f"{name}: {value}" for name, value in seen.headers)
    return f"{head}\n\n{seen.text}\n{'…' if seen.is_cut else ''}".encode()


def _blotted(content: bytes) -> bytes:
    """Return bytes with an x for each letter of a tag."""
    found = bytearray(content)
    for before, pattern in (_TAG, *(_TAGS_IN_UTF16 if b"\x00" in content else ())):
        for one in pattern.finditer(content):
            _blot(found, one.start() - before, one.end())
    whole = bytes(found)
    for tag in _broken_tags(whole):
        for one in re.finditer(_BREAK.join(re.escape(bytes([letter])) for letter in tag), whole):
            # A list of single words is no tag.
            if one[0].count(b"\n") == 1:
                _blot(found, one.start(), one.end())
    return bytes(found)


def _broken_tags(content: bytes) -> list[bytes]:
    if b"\n" not in content or b"\x00" in content:
        return []
    joined, (before, pattern) = content.replace(b"\r\n", b"\n"), _TAG
    for one in _BREAKS:
        joined = joined.replace(one, b"")
    return list(dict.fromkeys(joined[one.start() - before : one.end()] for one in pattern.finditer(joined)))[:_MOST_BROKEN]


def _blot(found: bytearray, start: int, end: int) -> None:
    found[start:end] = found[start:end].translate(_BLOTTED)
