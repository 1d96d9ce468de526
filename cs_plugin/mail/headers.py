"""Header lines of a mail, folded and encoded by ourselves, so that a name or subject from outside can neither break one nor add one.

Python's own folding differs between its versions: it encodes a Message-ID that is longer than a line, which breaks threading, and misplaces commas
in long names. A line made here is stored as it is and never folded again.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from typing import Any

import idna

from cs_plugin.errors import UndeliverableError
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.outgoing import Mailbox

# RFC 5322, section 2.1.1: lines should have 78 characters at most, and must have 998; RFC 2045, section 6.7: encoded ones 76.
_WIDTH = 76
_ENCODED = 39   # bytes in an encoded word: 64 characters of 75
_LONGEST_ID = 900

# RFC 5322, section 3.2.3, and RFC 6531, section 3.3, for letters of every alphabet.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*")
_MESSAGE_ID = re.compile(rf"<[!-;=?-~]{{1,{_LONGEST_ID}}}>")


class _Line(str):
    """A header's value that is folded and encoded already."""

    __slots__ = ()


class _Policy(EmailPolicy):
    """Python's policy for SMTP, which leaves a `_Line` as it is."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if isinstance(value, _Line) else super().header_store_parse(name, value)

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if isinstance(value, _Line) else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8") if isinstance(value, _Line) else super().fold_binary(name, value)


POLICY = _Policy(linesep=SMTP.linesep, max_line_length=_WIDTH, refold_source="none", cte_type="8bit")
# For addresses whose local part is not ASCII; a server must offer SMTPUTF8 to take it (RFC 6531).
UTF8_POLICY = POLICY.clone(utf8=True)


def add_text(message: EmailMessage, name: str, text: str) -> None:
    """Add a header that holds free text."""
    line = clean_line(text, 900)
    # What merely looks like an encoded word (RFC 2047) would be decoded by whoever reads it, so that it is encoded too.
    if line.isascii() and "=?" not in line and max(map(len, line.split(" "))) < _WIDTH:
        message[name] = _Line(_folded(line.split(" "), len(name) + 2))
    else:
        message[name] = _Line(_encoded(line))


def add_ids(message: EmailMessage, name: str, ids: Iterable[str]) -> None:
    """Add a header of Message-IDs, folded between them and never within one. What is no Message-ID is left out, as would be the header itself."""
    good = [one for one in ids if _MESSAGE_ID.fullmatch(one)]
    if good:
        message[name] = _Line(_folded(good, len(name) + 2))


def add_mailboxes(message: EmailMessage, name: str, mailboxes: Sequence[Mailbox]) -> None:
    """Add a header of mailboxes. Raise UndeliverableError for an address that no mail can be sent to."""
    written = [_mailbox(mailbox) for mailbox in mailboxes]
    message[name] = _Line(",\r\n ".join(written))


def add_token(message: EmailMessage, name: str, value: str) -> None:
    """Add a header whose value is a word or a few of ASCII; of anything else only that is kept."""
    kept = " ".join("".join(c for c in value if " " <= c <= "~").split())[:200]
    if kept:
        message[name] = _Line(kept)


def wire_address(address: str) -> str:
    """Return an address as an envelope and a header hold it, its domain in ASCII. Raise UndeliverableError for what is none."""
    local, at, domain = address.strip().rpartition("@")
    if not at or len(local.encode("utf-8", "replace")) > 64 or not (_DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise _no_address(address)
    try:
        local.encode("utf-8")
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError as error:   # idna's own errors are of this class
        raise _no_address(address) from error
    if not _HOST.fullmatch(ascii_domain) and not re.fullmatch(r"\[[0-9A-Za-z.:]+\]", ascii_domain):
        raise _no_address(address)
    return f"{local}@{ascii_domain}"


def _no_address(address: str) -> UndeliverableError:
    return UndeliverableError(f"No mail can be sent to or from this address: {clean_line(address, 254) or '(empty)'}", permanent=True)


def _mailbox(mailbox: Mailbox) -> str:
    address, name = wire_address(mailbox.address), clean_line(mailbox.name, 200)
    if not name:
        return address
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", r"\\").replace('"', r"\"")
        return f'"{escaped}" <{address}>'
    return f"{_encoded(name)}\r\n <{address}>"


def _encoded(text: str) -> str:
    """Return text as encoded words, each on a line of its own that is short enough behind every header's name (RFC 2047, section 2)."""
    pieces, piece = [], b""
    for letter in text:
        raw = letter.encode()
        if len(piece) + len(raw) > _ENCODED:
            pieces.append(piece)
            piece = b""
        piece += raw
    return "\r\n ".join(f"=?utf-8?b?{b64encode(one).decode()}?=" for one in (*pieces, piece))


def _folded(words: Sequence[str], indent: int) -> str:
    lines, width = [[words[0]]], indent + len(words[0])
    for word in words[1:]:
        if width + 1 + len(word) > _WIDTH:
            lines.append([])
            width = 0
        lines[-1].append(word)
        width += 1 + len(word)
    return "\r\n ".join(" ".join(line) for line in lines)
