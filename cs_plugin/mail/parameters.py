"""Parameters of a header line, as Content-Type and Content-Disposition have them (RFC 2045, section 5.1; RFC 2231; and what is sent instead)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from cs_plugin.mail.charsets import decode

# A value in quotes may lack the one that ends it; one without quotes may hold blanks, where it should not.
_PARAMETER = re.compile(rb';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^;]*+)', re.DOTALL)
# Names that are known begin a parameter even without the mark that should stand before it.
_UNMARKED = re.compile(
    rb"(?i)(?<![;\s])[ \t\r\n]++(?=(?:charset|boundary|name|filename|format|delsp|type|report-type|start|size|access-type|protocol|micalg"
    rb"|creation-date|modification-date)(?:\*\d{0,3}\*?)?=)"
)
_OUTSIDE_QUOTES = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[^"]++', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_PIECE = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?", re.DOTALL)
_LANGUAGE = re.compile(rb"\A[A-Za-z-]{0,8}'")
_MOST = 500


def read_parameters(raw: bytes) -> tuple[str, dict[str, tuple[str, bool]]]:
    """Return what stands before the parameters, and each parameter's value by its name in lower case, the first of a name.

    Beside each value stands whether its charset was said (RFC 2231): what was not may hold encoded words. Bytes beyond ASCII, of no said
    charset, come as they are, a letter for each (latin-1), to be decoded by whoever knows more of the mail.
    """
    if raw.count(b";") < raw.count(b"="):
        raw = _OUTSIDE_QUOTES.sub(lambda found: found.group() if found.group().startswith(b'"') else _UNMARKED.sub(b"; ", found.group()), raw)
    plain: dict[str, tuple[str, bool]] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for count, found in enumerate(_PARAMETER.finditer(raw)):
        if count >= _MOST:
            break
        value = _value(found.group(2))
        named = _PIECE.fullmatch(found.group(1).decode("latin-1").lower())
        if named is None or (named.group(2) is None and named.group(3) is None):
            plain.setdefault(found.group(1).decode("latin-1").lower(), (value.decode("latin-1"), False))
        else:
            pieces.setdefault(named.group(1), {}).setdefault(int(named.group(2) or 0), (value, bool(named.group(3))))
    # The extended form counts where both are given (RFC 6266, section 4.3, of the same two forms).
    joined = {name: _joined(of_it) for name, of_it in pieces.items()}
    return raw.partition(b";")[0].strip().decode("latin-1"), {**plain, **joined}


def _value(raw: bytes) -> bytes:
    if not raw.startswith(b'"'):
        return raw.strip()
    inner = raw[1:-1] if raw.endswith(b'"') and len(raw) > 1 else raw[1:]
    # Windows sends paths, in which a backslash escapes nothing.
    return inner if b"\\" not in inner or re.match(rb"[A-Za-z]:\\|\\\\", inner) else _ESCAPED.sub(rb"\1", inner)


def _joined(pieces: dict[int, tuple[bytes, bool]]) -> tuple[str, bool]:
    """Return a value that came in pieces; a charset is said by the first and holds for all that are encoded."""
    charset, whole, encoded = "", b"", False
    for number in sorted(pieces):
        piece, is_encoded = pieces[number]
        if is_encoded:
            if number == min(pieces) and piece.count(b"'") >= 2:
                said, _language, piece = piece.split(b"'", 2)
                charset = said.decode("latin-1")
            elif charset and piece.lower().startswith(f"{charset}'".lower().encode("latin-1")):
                piece = _LANGUAGE.sub(b"", piece[len(charset) + 1 :], count=1)   # some say it again in every piece
            piece, encoded = unquote_to_bytes(piece), True
        whole += piece
    return (decode(whole, charset)[0], True) if encoded else (whole.decode("latin-1"), False)
