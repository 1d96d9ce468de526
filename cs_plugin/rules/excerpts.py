"""Where words that were searched stand in a text as it was written, and the part of it that is shown for that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cs_plugin.rules.inquiry import clean_text, fold

_BEFORE, _AFTER = 12, 80   # characters that are shown around the first place
# A text is looked through so far around the place at which it is folded that the words are found: longer ones would take long.
_AROUND = 800


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; `found` says that it is what was searched."""

    text: str
    found: bool = False


def places(text: str, words: str) -> Sequence[tuple[int, int]]:
    """Return where words stand in a text, letters of any case and form: (start, end) of each place, in order, none within another."""
    wanted = fold(clean_text(words))
    if not wanted:
        return ()
    plain = re.compile(r"\s+".join(re.escape(one) for one in wanted.split(" ")), re.IGNORECASE)
    found = [match.span() for match in plain.finditer(text) if not _grows(text, match.end())]
    # What the letters as they stand do not show has to be looked for letter by letter, which takes longer.
    return found if len(found) >= fold(text).count(wanted) else _folded_places(text, wanted) or found


def _grows(text: str, end: int) -> bool:
    """Say whether what follows makes another letter of the one that ends there: an accent of its own makes "é" of "e"."""
    return bool(unicodedata.combining(text[end : end + 1] or " ")) and unicodedata.normalize("NFC", text[end - 1 : end + 1])[0] != text[end - 1]


def _folded_places(text: str, wanted: str) -> Sequence[tuple[int, int]]:
    """Look again where letters have become others, or more than one: "ß" and "ﬁ", an accent of its own."""
    at = fold(text).find(wanted)
    if at < 0:
        return ()
    first = max(0, at - _AROUND)
    part = text[first : at + len(wanted) + _AROUND]
    held, stand = _folded_letters(part)
    found = []
    at = held.find(wanted)
    while at >= 0:
        found.append((first + stand[at][0], first + stand[at + len(wanted) - 1][1]))
        at = held.find(wanted, at + len(wanted))
    return [one for place, one in enumerate(found) if not place or one[0] >= found[place - 1][1]]


def _folded_letters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text folded letter by letter, and for each character of that where its letter stands, with its accents."""
    held: list[str] = []
    stand: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _belongs_before(text[end]):
            end += 1
        letter = text[start:end]
        for character in " " if letter.isspace() else fold(letter):
            if character != " " or (held and held[-1] != " "):
                held.append(character)
                stand.append((start, end))
        start = end
    return "".join(held), stand


def _belongs_before(character: str) -> bool:
    """Say whether a character is part of the letter before it: an accent, or the vowel or the end of a Korean syllable."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff"


def marked(text: str, words: str) -> list[Piece]:
    """Return a whole text in pieces, those that were searched marked."""
    pieces, at = [], 0
    for start, end in places(text, words):
        pieces += [Piece(text[at:start]), Piece(text[start:end], found=True)]
        at = end
    return [one for one in (*pieces, Piece(text[at:])) if one.text]


def excerpt(text: str, words: str) -> list[Piece]:
    """Return the part of a text around the first place at which words stand, in pieces and on one line; nothing where they do not."""
    found = places(text, words)
    if not found:
        return []
    start, end = found[0]
    begin = max(0, start - _BEFORE)
    while 0 < begin < start and not text[begin - 1].isspace():
        begin += 1
    finish = min(len(text), end + _AFTER)
    while end < finish < len(text) and _belongs_before(text[finish]):
        finish -= 1
    shown = marked(text[begin:finish], words)
    ends = [*([Piece("…")] if begin else []), *shown, *([Piece("…")] if finish < len(text) else [])]
    return [Piece(re.sub(r"\s+", " ", one.text), one.found) for one in ends]
