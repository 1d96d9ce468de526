"""Content-Transfer-Encoding undone (RFC 2045, section 6), for what says the truth of itself and for what does not."""

from __future__ import annotations

import binascii
import re

_NO_LETTER = re.compile(rb"[^A-Za-z0-9+/=\s]")
_NOTHING_ELSE = re.compile(rb"[A-Za-z0-9+/]{2,}={0,2}[ \t]*(?:\r|\n|\Z)")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_OTHERS = bytes(byte for byte in range(256) if byte not in _LETTERS)
# Behind the padding: further pieces, each made alone, as some join them. Words of a list's footer do not look so.
_MORE = re.compile(rb"(?:\s*+(?:[A-Za-z0-9+/]{4}){1,10000}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)*+\s*+")
_PADDING = re.compile(rb"=+")
_MOST_PIECES = 10_000
# Soft line breaks (RFC 2045, section 6.7, rules 3 and 5) at which the standard library loses text: blanks behind the mark, as some servers pad
# lines, or a lone CR.
_ODD_SOFT_BREAK = re.compile(rb"=(?:[ \t]++(?:\r\n|\r|\n|\Z)|\r(?!\n))")
_TOKEN = re.compile(rb"[A-Za-z0-9-]+")
_ENCODINGS = {
    b"base64": "base64", b"quoted-printable": "quoted", b"x-uuencode": "uu", b"uuencode": "uu", b"x-uue": "uu", b"uue": "uu",
}  # fmt: skip
_BEGIN = re.compile(rb"(?:\A|(?<=[\r\n]))begin [0-7]{3,4} ([^\r\n]{1,1000}?)[ \t]*(?:\r\n|\r|\n)")
_UU_LINE = re.compile(rb"([ -`])([ -`]{0,90})[ \t]*(?:\r\n|\r|\n)")
_UU_END = re.compile(rb"end[ \t]*(?:\r\n|\r|\n|\Z)")


def undo(raw: bytes, start: int, end: int, encoding: bytes, *, is_text: bool) -> tuple[bytes, str]:
    """Return what stands encoded in a mail's bytes, and what was odd: "", "base64_damaged" or "encoding_wrong"."""
    token = _TOKEN.search(encoding.lower())
    kind = _ENCODINGS.get(token.group(), "") if token else ""
    view = memoryview(raw)[start:end]
    if kind == "quoted":
        return _quoted(raw, start, end), ""
    if kind == "base64":
        return _base64(raw, start, end, is_text=is_text)
    if kind == "uu":
        found = next((one[1] for one in uuencoded(raw[start:end])), None) or _uu_lines(raw, start, end)
        return (found, "") if found else (bytes(view), "encoding_wrong")
    return bytes(view), ""


def _quoted(raw: bytes, start: int, end: int) -> bytes:
    view = memoryview(raw)[start:end]
    if _ODD_SOFT_BREAK.search(raw, start, end) is None:
        return binascii.a2b_qp(view)
    joined, at = bytearray(), start
    for soft in _ODD_SOFT_BREAK.finditer(raw, start, end):
        joined += view[at - start : soft.start() - start]
        at = soft.end()
    joined += view[at - start :]
    return binascii.a2b_qp(joined)


def _base64(raw: bytes, start: int, end: int, *, is_text: bool) -> tuple[bytes, str]:
    if is_text and _is_no_base64(raw[start : min(end, start + 2_000)]):
        return raw[start:end], "encoding_wrong"
    view = memoryview(raw)[start:end]
    padding = raw.find(b"=", start, end)
    more = padding >= 0 and raw[padding : min(end, padding + 200)].strip(b"=\r\n\t ") != b""
    try:
        if not more:
            return binascii.a2b_base64(view), ""
    except binascii.Error:
        pass   # cut off, or damaged: what there is of it
    letters = bytes(view).translate(None, _OTHERS)
    marks = _PADDING.match(raw, max(padding, 0), end)
    if more and marks and not _MORE.fullmatch(raw, marks.end(), end):
        letters = raw[start:padding].translate(None, _OTHERS)   # what follows is none of it
    return b"".join(_quads(piece) for piece in _PADDING.split(letters, _MOST_PIECES)), "base64_damaged"


def _quads(letters: bytes) -> bytes:
    letters = letters.replace(b"=", b"")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _is_no_base64(sample: bytes) -> bool:
    """Tell whether what is said to be base64 is a text as it is: base64 has no blanks within its lines, and no marks."""
    sample = sample.strip()
    first = _NOTHING_ELSE.match(sample)
    if not sample or (first and len(first.group().strip()) % 4 == 0):
        return False
    others = len(_NO_LETTER.findall(sample)) + sample.count(b" ")
    return others * 12 > len(sample)


def uuencoded(raw: bytes) -> list[tuple[str, bytes, int, int]]:
    """Return what stands uuencoded in a text: name, content, and from where to where in it. What has no end is none."""
    found: list[tuple[str, bytes, int, int]] = []
    at = raw.find(b"begin ")
    while at >= 0 and (begin := _BEGIN.search(raw, at)) is not None:
        pieces, at = [], begin.end()
        while (line := _UU_LINE.match(raw, at)) is not None:
            if _UU_END.match(raw, at):
                break
            piece = _uu_line(line)
            if piece is None:
                break
            pieces.append(piece)
            at = line.end()
        end = _UU_END.match(raw, at)
        if end is not None and pieces:
            found.append((begin.group(1).decode("latin-1"), b"".join(pieces), begin.start(), end.end()))
            at = end.end()
    return found


def _uu_lines(raw: bytes, start: int, end: int) -> bytes:
    """Return what lines hold that stand without their "begin" and "end"; nothing where one of them is none."""
    lines = [_UU_LINE.fullmatch(line + b"\n") for line in raw[start:end].rstrip(b"\r\n").splitlines()]
    # What is one is longer than what it holds: a text in capitals is none.
    pieces = [_uu_line(line) if line and len(line.group(2)) >= (line.group(1)[0] - 32) & 63 else None for line in lines]
    return b"" if None in pieces else b"".join(piece for piece in pieces if piece)


def _uu_line(line: re.Match[bytes]) -> bytes | None:
    length = (line.group(1)[0] - 32) & 63
    letters = line.group(2)
    if len(letters) > (length + 2) // 3 * 4 + 4:
        return None
    try:
        return binascii.a2b_uu(line.group(1) + letters[: (length + 2) // 3 * 4])
    except binascii.Error:
        return None
