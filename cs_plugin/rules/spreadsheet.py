"""Cells that a spreadsheet shows and never runs (OWASP, "CSV Injection"), and lines as RFC 4180 wants them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# With which a spreadsheet begins a formula or a command, in every width in which keyboards write it.
_SIGNS = r"=+\-@|＝＋－＠｜﹢﹣﹦﹫⁺⁻⁼₊₋₌"
# What nobody sees before a sign, and some spreadsheets pass over: blanks, controls, marks that stand on nothing, signs of direction.
_UNSEEN = (
    r"\x01-\x20\x7f-\xa0\xad\u0300-\u036f\u061c\u115f\u1160\u1680\u17b4\u17b5"
    r"\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
)
_BEGINS = re.compile(f"[{_UNSEEN}]*[{_SIGNS}]|[\t\r\n]")
# Where the list separator is ";", as in most of Europe, a quoted cell is taken apart at each one, and at each end of a line.
_BEGINS_WITHIN = re.compile(f"([;\t\r\n][;{_UNSEEN}]*)(?=[{_SIGNS}])")
# Spreadsheets in UTF-8 with this mark open with every letter as it was written.
BYTE_ORDER_MARK = "\ufeff"


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before what begins like one, also behind ";" and in a new line.

    A telephone number "+49 …" gets one as well: nothing tells it from a sum, and the apostrophe says that it is text. NUL, which no spreadsheet
    reads, is left out.
    """
    text = _BEGINS_WITHIN.sub(r"\1'", text.replace("\0", ""))
    return f"'{text}" if _BEGINS.match(text) else text


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as lines of a CSV file, every cell of them safe: commas between, CRLF at the end (RFC 4180)."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    return written.getvalue()
