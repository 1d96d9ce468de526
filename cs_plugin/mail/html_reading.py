"""Read hostile HTML from end to end as what stands in it, one after another, whatever its tags do.

libxml2 builds no tree here: depth costs no stack, and what is not kept costs no memory. A mail whose elements lie deeper in one another than in any
that a person sends is told apart, because closing an element looks through all that are open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from lxml import etree

# The longest HTML that is read, in characters without the pictures that it carries in itself; newsletters have a few hundred thousand.
MOST_READ = 4_000_000
# How deep elements may lie in one another. A correspondence of fifty mails, each quoted in tables within the next, stays below.
DEEPEST = 512
# How many beginnings, ends and texts are told of at most: a mail of five thousand rows in ten columns has fewer.
MOST_TOLD = 400_000
_CHUNK = 65_536

# A picture that stands in an attribute: nothing of it is text, and it may be all of 25 MB.
_CARRIED = re.compile(r"data:[\w.+/-]{0,100}[;,][^\"'\s<>]{512,}")


class TooDeepError(Exception):
    """The elements lie deeper in one another than DEEPEST."""


class _EnoughError(Exception):
    """More was told of than MOST_TOLD."""


class Reader(Protocol):
    """What is told of each element and text, in order. Tags and names of attributes are in lower case; an element that was never closed is closed."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """The innermost element ends."""

    def data(self, text: str) -> None:
        """A piece of text, its entities resolved; one text may come in several."""


class _Bounds:
    """Hand on to a reader what libxml2 calls, and stop at what lies too deep, or is too much."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._depth = 0
        self._left = MOST_TOLD

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._left -= 1
        if self._depth > DEEPEST:
            raise TooDeepError
        if self._left < 0:
            raise _EnoughError
        self._reader.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._left -= 1
        self._reader.end(tag)

    def data(self, text: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise _EnoughError
        self._reader.data(text)

    def close(self) -> None:
        """Tell libxml2's caller that there is nothing to return."""


def read(html: str, reader: Reader, *, carried: bool = False) -> bool:
    """Tell a reader what stands in HTML, and say whether that was all of it: past MOST_READ and MOST_TOLD nothing is read.

    Pictures in `data:` URLs are passed over unless `carried`. Raise TooDeepError; the reader has then been told a part.
    """
    if not carried:
        html = _CARRIED.sub("data:,", html)
    whole = len(html) <= MOST_READ
    # NUL ends a text for libxml2, and a lone surrogate is no character.
    content = html[:MOST_READ].replace("\0", "").encode("utf-8", "replace")
    parser = etree.HTMLParser(target=_Bounds(reader), encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        for begin in range(0, len(content), _CHUNK):
            parser.feed(content[begin : begin + _CHUNK])
        if content:
            parser.close()
    except _EnoughError:
        return False
    return whole
