"""Cells that a spreadsheet shows and never runs (OWASP, "CSV Injection"), and lines as RFC 4180 wants them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

# With which a spreadsheet begins a formula or a command; a tab or a line break before one has been passed over by some.
_FORMULAS = frozenset("=+-@\t\r\n|")
# Spreadsheets in UTF-8 with this mark open with every letter as it was written.
BYTE_ORDER_MARK = "\ufeff"


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before what begins like one.

    A telephone number "+49 …" gets one as well: nothing tells it from a sum, and the apostrophe says that it is text. Full-width signs are taken for
    the plain ones that programs in Chinese and Japanese make of them. NUL, which no spreadsheet reads, is left out.
    """
    text = text.replace("\0", "")
    plain = unicodedata.normalize("NFKC", text[:40])
    seen = "".join(one for one in plain if unicodedata.category(one) != "Cf")
    begins = seen.lstrip(" ")[:1]
    return f"'{text}" if begins in _FORMULAS and begins else text


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as lines of a CSV file, every cell of them safe: commas between, CRLF at the end (RFC 4180)."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    return written.getvalue()
