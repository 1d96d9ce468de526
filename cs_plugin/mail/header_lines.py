"""Header lines of a mail that came in: free text with its encoded words, mailboxes, dates, Message-IDs. (`mail/headers.py` writes our own.)

Python's own readers raise on some of what is sent (`IndexError` from a parameter, `ValueError` from a date), and a long line costs them the
square of its length.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_tz

from cs_plugin.mail.charsets import codec_of, decode
from cs_plugin.rules.incoming import Correspondent
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_NAME, clean_line

# RFC 2047, section 2, but blanks may stand in the text, and a question mark at its end, as they do in mails.
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?]*+(?:\?(?=\?=))?)\?=")
_PERCENT = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_LONGEST_LINE = 65_536


def raw_text(raw: bytes, beside: str = "") -> str:
    """Return the bytes of a header line as text, its encoded words still in it. `beside` is the charset of the mail's text."""
    if raw.isascii() and b"\x1b$" not in raw:
        return raw[:_LONGEST_LINE].decode("ascii")
    return decode(raw[:_LONGEST_LINE], "iso-2022-jp" if b"\x1b$" in raw else "", beside=beside)[0]


def decode_words(text: str) -> str:
    """Return text with its encoded words decoded; neighbours in one charset are joined first, since some cut a letter in two.

    What is no encoded word stays as it is; blanks between two words that are go (RFC 2047, section 6.2).
    """
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run: list[tuple[str, str, str]] = []   # charset, encoding, text of words that follow each other
    end = 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()]
        if run and between.strip(" \t"):
            pieces += _decoded(run)
            run = []
        if not run:
            pieces.append(between)
        run.append((word.group(1), word.group(2).lower(), word.group(3)))
        end = word.end()
    pieces += _decoded(run)
    pieces.append(text[end:])
    return "".join(pieces)


def _decoded(run: list[tuple[str, str, str]]) -> Iterator[str]:
    charset, open_base64 = "", ""
    kept: list[bytes] = []
    for said, encoding, text in run:
        if said.lower() != charset and (kept or open_base64):
            yield decode(b"".join(kept) + _base64(open_base64), charset)[0]
            kept, open_base64 = [], ""
        charset = said.lower()
        if encoding == "b" and not text.endswith("="):
            open_base64 += text   # some cut between the four letters of base64 too
            continue
        if encoding == "b":
            kept.append(_base64(open_base64 + text))
        else:
            kept += [_base64(open_base64), _quoted(text, charset)] if open_base64 else [_quoted(text, charset)]
        open_base64 = ""
    if open_base64:
        kept.append(_base64(open_base64))
    if kept:
        yield decode(b"".join(kept), charset)[0]


def _base64(text: str) -> bytes:
    if not text:
        return b""
    letters = _NOT_BASE64.sub(b"", text.encode("utf-8", "replace"))
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _quoted(text: str, charset: str) -> bytes:
    raw = text.replace("_", " ")
    if raw.isascii() and "==" not in raw and not raw.endswith("="):
        return binascii.a2b_qp(raw)   # which reads a mark of its own at their ends
    try:
        # Letters beyond ASCII should not be in it; where they are, they are in its charset.
        letters = raw.encode("ascii" if raw.isascii() else codec_of(charset) or "utf-8")
    except UnicodeError:
        letters = raw.encode("utf-8", "surrogateescape")
    return _PERCENT.sub(lambda found: bytes((int(found.group(1), 16),)), letters)


def free_text(raw: bytes, limit: int, beside: str = "") -> str:
    """Return a header of free text as one clean line of at most `limit` characters."""
    return clean_line(decode_words(raw_text(raw, beside)), limit)


# What a header of mailboxes is made of; each is found in one look, so that no line costs more than its length.
# Marks in an encoded word mean nothing; quotation marks that nothing ends are letters.
_TOKEN = re.compile(
    r'"((?:[^"\\]|\\.){0,300}+)"|<([^<>]*+)>?|([(),;:])|(=\?[^?\s]{1,60}\?[BbQq]\?[^?<>]*+\?=|[^"(),;:<\s]++)|\s++|(.)', re.DOTALL
)
_ONE_MAILBOX = re.compile(r"([A-Za-z0-9 .'-]*+)<([A-Za-z0-9.+=_%-]++@[A-Za-z0-9.-]++)>|([A-Za-z0-9.+=_%-]++@[A-Za-z0-9.-]++)")
_ROUTE = re.compile(r"\A@[^:<>]*+:")
_UNESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _Mailbox:
    """A mailbox as far as it has been read."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.comments: list[str] = []
        self.address: str | None = None
        self.glued = False   # whether the next word belongs to the one before


def read_mailboxes(raw: bytes, most: int = 1_000, beside: str = "") -> list[Correspondent]:
    """Return the mailboxes of a header in order, at most so many; groups (RFC 5322, section 3.4) are their members. What holds none gives none.

    An address is what stands in angle brackets, else the word with an "@". One without an "@" is given where nothing better is there.
    """
    text = raw_text(raw, beside)
    plain = _ONE_MAILBOX.fullmatch(text) if most and len(text) < MAX_ADDRESS else None
    if plain is not None:   # as most are
        name, address, alone = plain.groups()
        return [Correspondent(alone or address, "" if alone else _shown_name(name, address))]
    found = list(_mailboxes(text, most))
    if not any("@" in one.address for one in found) and "=?" in text:
        again = list(_mailboxes(decode_words(text), most))   # some encode the whole line, address and all
        found = again if any("@" in one.address for one in again) else found
    if not found and "(" in text:
        found = list(_mailboxes(text.replace("(", " ").replace(")", " "), most))   # a bracket that nothing closes
    return found


def _mailboxes(text: str, most: int) -> Iterator[Correspondent]:
    now, depth, given = _Mailbox(), 0, 0
    for token in _TOKEN.finditer(text):
        mark = token.group(3)
        if depth or mark in ("(", ")"):
            depth = _comment(now, token.group(), depth)
            continue
        if mark in (",", ";"):
            one = _finished(now)
            if one is not None:
                yield one
                given += 1
            now = _Mailbox()
            if given >= most:
                return
        elif mark == ":":
            now = _Mailbox()   # the name of a group, or "mailto"
        else:
            _take(now, token)
    one = _finished(now)
    if one is not None:
        yield one


def _comment(now: _Mailbox, text: str, depth: int) -> int:
    if text == "(":
        if depth == 0:
            now.comments.append("")
            now.glued = False
            return 1
        depth += 1
    elif text == ")":
        depth -= 1
        if depth <= 0:
            return 0
    now.comments[-1] += text
    return depth


def _take(now: _Mailbox, token: re.Match[str]) -> None:
    quoted, angle, _mark, word, odd = token.groups()
    if angle is not None:
        if now.address is None or "@" not in now.address:
            now.address = angle
        now.glued = False
    elif quoted is not None:
        _add(now, quoted if now.address is not None else _UNESCAPED.sub(r"\1", quoted), was_quoted=True)
    elif word is not None:
        _add(now, word, was_quoted=False)
    elif odd is None:
        now.glued = False


def _add(now: _Mailbox, word: str, *, was_quoted: bool) -> None:
    if not was_quoted and word.startswith(".") and now.words and "@" in now.words[-1]:
        now.words[-1] += word   # blanks may stand around the dots of a host (RFC 5322, section 4.4)
    elif not was_quoted and now.words and "@" in now.words[-1] and now.words[-1].endswith("."):
        now.words[-1] += word
    elif now.glued and now.words and (word.startswith("@") or not was_quoted):
        # A quoted local part: the marks around it belong to the address.
        now.words[-1] = f'"{now.words[-1]}"{word}' if word.startswith("@") and " " in now.words[-1] else now.words[-1] + word
    else:
        now.words.append(word)
    now.glued = True


def _finished(now: _Mailbox) -> Correspondent | None:
    words, address = now.words, now.address
    if address is None:
        at = next((index for index, word in enumerate(words) if "@" in word.strip("@")), None)
        if at is not None:
            address, words = words[at], words[:at] + words[at + 1 :]
        elif len(words) == 1 and "=?" not in words[0]:
            address, words = words[0], []
        else:
            return None
    address = clean_address(address)
    if not address:
        return None
    return Correspondent(address, _shown_name(" ".join(words) or " ".join(now.comments), address))


def _shown_name(name: str, address: str) -> str:
    name = clean_line(decode_words(name), MAX_NAME).strip("'\"<> ")
    return "" if name.lower() == address.lower() else name


_COMMENT = re.compile(r"\([^()]*\)")
_MOST_NESTED = 10


def without_comments(text: str) -> str:
    """Return text without its comments (RFC 5322, section 3.2.2), which may hold others."""
    for _ in range(_MOST_NESTED if "(" in text else 0):
        text, count = _COMMENT.subn(" ", text)
        if not count:
            break
    return text


def clean_address(text: str) -> str:
    """Return an address without what does not belong to it; "" where it is longer than one may be, since a cut one is somebody else's."""
    text = _ROUTE.sub("", text.strip(), count=1) if text.strip().startswith("@") else text.strip()
    if "=?" in text:
        text = decode_words(text)
    # A quoted local part keeps its blanks.
    line = clean_line(text, 2 * MAX_ADDRESS)
    line = line if line.startswith('"') else without_comments(line).replace(" ", "").removeprefix("mailto:").strip("<>'\",;")
    return line if len(line) <= MAX_ADDRESS else ""


_ID = re.compile(r"<([^<>]{1,2000})>")
_BLANK = re.compile(r"\s+")
_LONGEST_ID = 998   # RFC 5322, section 2.1.1: as long as a line may be


def read_ids(raw: bytes, most: int) -> tuple[str, ...]:
    """Return the Message-IDs of a header, each in its angle brackets: where there are too many the first and the last ones, in order, none twice.

    Blanks within them go, since some fold in the middle of one. Ids without brackets are taken where there are none with them.
    """
    text = raw_text(raw)
    found: Iterable[str] = _ID.findall(text) if "<" in text else (word for word in text.split() if "@" in word)
    ids = list(dict.fromkeys(f"<{one}>" for one in (_clean_id(one) for one in found) if one))
    return tuple(ids if len(ids) <= most else [ids[0], *ids[len(ids) - most + 1 :]])


def _clean_id(text: str) -> str:
    one = _BLANK.sub("", clean_line(text, 2 * _LONGEST_ID)).strip("<>,;")
    return one if len(one) <= _LONGEST_ID else ""


def read_date(raw: bytes) -> dt.datetime | None:
    """Return the time that a Date line names, aware, in UTC; None where it names none (RFC 5322, section 3.3, its old forms, or ISO 8601)."""
    text = without_comments(clean_line(raw_text(raw[:300]), 200))[:100]
    try:
        parts = parsedate_tz(text)
        if parts is None:
            found = dt.datetime.fromisoformat(text)
            return found.replace(tzinfo=found.tzinfo or dt.UTC).astimezone(dt.UTC)
        offset = parts[9] or 0
        # No place is further than a day from UTC: what says so does not know where it is.
        zone = dt.timezone(dt.timedelta(seconds=offset)) if abs(offset) < 86_400 else dt.UTC
        # A leap second, and what is none, would be no time for Python.
        return dt.datetime(*parts[:5], min(parts[5], 59), tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
