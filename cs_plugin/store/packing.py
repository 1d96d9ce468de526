"""Columns of numbers as bytes: a hundred thousand are read in a moment, whatever a database and its driver make of as many rows."""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any

# How long the words are that stand before the columns.
_HEAD = struct.Struct("<I")
# Whole numbers of one, four and eight bytes, and numbers with a fraction: as wide on every machine that Python runs on.
ONE, FOUR, EIGHT, FRACTIONS = "b", "I", "q", "d"
_WIDTHS = {ONE: 1, FOUR: 4, EIGHT: 8, FRACTIONS: 8}


def pack(words: Any, columns: Sequence[array[Any]]) -> bytes:
    """Return columns, and what JSON can hold besides, as bytes."""
    head = json.dumps([words, [[one.typecode, len(one)] for one in columns]], separators=(",", ":")).encode()
    return b"".join([_HEAD.pack(len(head)), head, *(_in_order(one).tobytes() for one in columns)])


def unpack(content: bytes) -> tuple[Any, list[array[Any]]]:
    """Return what was packed. Raise ValueError for other bytes."""
    at = _HEAD.size + _HEAD.unpack_from(content)[0]
    words, kinds = json.loads(content[_HEAD.size : at])
    columns = []
    for kind, number in kinds:
        column: array[Any] = array(kind)
        end = at + number * _WIDTHS[kind]
        column.frombytes(content[at:end])
        columns.append(_in_order(column))
        at = end
    return words, columns


def _in_order(column: array[Any]) -> array[Any]:
    """Return numbers with their bytes in the order of files, or back in that of this machine: the lowest first."""
    if sys.byteorder == "little":
        return column
    turned = column[:]
    turned.byteswap()
    return turned
