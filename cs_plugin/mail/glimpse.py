"""What can be shown of any bytes that came as a mail: header lines and text as they stand, bounded, whatever is wrong with them. Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.signing import without_tags

# How much of a mail is looked at, and how much of it is shown.
MOST_BYTES = 262_144
_MOST_HEADERS, _MOST_NAME, _MOST_VALUE, _MOST_TEXT = 200, 80, 1_000, 50_000
_END = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(r"([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)", re.DOTALL)
_ENCODINGS = ("utf-8", "cp1252", "latin-1")
# A line of base64 of some length is no text that anybody reads.
_BASE64 = re.compile(r"(?:^[A-Za-z0-9+/=]{60,}\n?){4,}", re.MULTILINE)

_SOME_BASE64 = re.compile(r"^[A-Za-z0-9+/]{20,}={0,2}[ \t]*$", re.MULTILINE)
_QUOTED = re.compile(r"=([2-7][0-9A-Fa-f])")
_ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?=")


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Header lines as (name, value), undecoded, and the text behind them; `is_cut` where there is more of it."""

    headers: tuple[tuple[str, str], ...]
    text: str
    is_cut: bool


def glimpse_of(raw: bytes, size: int | None = None) -> Glimpse:
    """Return what can be shown of the beginning of a mail; `size` is the length of the whole."""
    head, body = _apart(raw[:MOST_BYTES])
    lines = re.sub(r"\n[ \t]+", " ", clean_text(_decoded(head))).split("\n")
    named = [match.groups() for line in lines[:_MOST_HEADERS] if (match := _NAME.match(line[: _MOST_NAME + _MOST_VALUE]))]
    text = _BASE64.sub("…\n", clean_text(_decoded(body)))
    is_cut = len(text) > _MOST_TEXT or (len(raw) if size is None else size) > MOST_BYTES
    return Glimpse(tuple((name[:_MOST_NAME], clean_line(value, _MOST_VALUE)) for name, value in named), text[:_MOST_TEXT].strip(), is_cut)


def without_keys(glimpse: Glimpse) -> Glimpse:
    """Return a glimpse for whoever may not answer: without the tags in it, also those that stand in what is encoded."""
    # Quoted-printable breaks a tag over two lines, and says a sign by its number (RFC 2045, section 6.7).
    joined = _QUOTED.sub(lambda found: chr(int(found[1], 16)), re.sub(r"=[ \t]*\n", "", glimpse.text))
    headers = tuple((name, without_tags(_ENCODED_WORD.sub("…", value))) for name, value in glimpse.headers)
    return replace(glimpse, headers=headers, text=without_tags(_SOME_BASE64.sub("…", joined)))


def _apart(raw: bytes) -> tuple[bytes, bytes]:
    match = _END.search(raw)
    if match is None:
        # Neither half is known for sure: what begins like a header is one.
        return (raw, b"") if _NAME.match(_decoded(raw[:200])) else (b"", raw)
    return raw[: match.start()], raw[match.end() :]


def _decoded(raw: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
