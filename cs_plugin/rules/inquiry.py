"""What a customer sends, on any channel, before it is a message; and the limits that hold for all of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

MAX_TEXT = 20_000
MAX_ORDER_PANEL_TEXT = 1_200
MAX_SUBJECT = 255
MAX_ADDRESS = 254   # RFC 5321, section 4.5.3.1.3, less the angle brackets
MAX_NAME = 200
SAME_TEXT_WINDOW = dt.timedelta(minutes=10)


class Channel(StrEnum):
    """The way on which a message came in or was written."""

    FORM = "form"
    ORDER_PAGE = "order_page"
    LINK = "link"
    MAIL = "mail"
    DESK = "desk"


class AuthorKind(StrEnum):
    """Who wrote a message; an outsider is somebody to whom a thread was forwarded, a machine an automatic mail."""

    CUSTOMER = "customer"
    EMPLOYEE = "employee"
    OUTSIDER = "outsider"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an inquiry is from.

    `customer_id` is set when the host knows the account; `verified` when the person was signed in or held the thread's link.
    """

    address: str
    first_name: str = ""
    last_name: str = ""
    customer_id: str | None = None
    verified: bool = False

    @property
    def name(self) -> str:
        """Return first and last name, or an empty text."""
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file whose bytes are already kept: `key` names them in the file storage, `sha256` is their digest (32 bytes), `size` counts bytes."""

    name: str
    content_type: str
    size: int
    sha256: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a customer sends, before it is a message.

    `thread_token` is the token of a thread link, where the sender came with one. `post_key` makes a form's post idempotent.
    `message_id` and `references` are those of a mail, `sent_at` is the time that the sender names (aware).
    """

    channel: Channel
    shop_id: str
    language: str
    sender: Sender
    text: str
    contact_id: int | None = None
    subject: str = ""
    order_id: str | None = None
    product_id: str | None = None
    product_name: str = ""
    files: tuple[StoredFile, ...] = ()
    thread_token: str | None = None
    post_key: str | None = None
    sent_at: dt.datetime | None = None
    message_id: str | None = None
    references: tuple[str, ...] = field(default=())
    network: str = ""
    agent: str = ""


def fold(text: str) -> str:
    """Return text as it is searched: NFKC, without case, blanks run together. Turkish and other i's meet, with a dot and without."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # Python's lower case of "İ" is an i with a dot of its own (U+0307), which nobody types.
    return " ".join(folded.replace("i\u0307", "i").replace("ı", "i").split())


def address_key(address: str) -> bytes:
    """Return the 32 bytes under which an address is known: a digest of it in lower case.

    Not `fold`: it holds straße.example and strasse.example for one, which are two people's.
    """
    return digest("address", unicodedata.normalize("NFC", address.strip()).lower())


def digest(kind: str, *parts: str) -> bytes:
    """Return the SHA-256 of texts of one kind; lengths stand between them, so that ("a", "bc") and ("ab", "c") differ."""
    whole = hashlib.sha256(kind.encode())
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        whole.update(b"%d:" % len(raw) + raw)
    return whole.digest()


# Characters that no text may hold: NUL and the other control characters but tab and line feed, lone surrogates.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return text that every database holds: line ends as line feeds, no control characters, no lone surrogates."""
    if text.isprintable():
        return text   # most lines are
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NO_TEXT.sub("", text)


# Marks that turn the direction of what stands around them; hostile in names, subjects and file names (UAX #9).
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean_line(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters: no control or bidi characters, blanks run together.

    What comes out of it can stand in a mail header: it holds no line end.
    """
    text = clean_text(text)
    return " ".join((text if text.isascii() else _BIDI.sub("", text)).split())[:limit].rstrip()


def preview(text: str, limit: int = 160) -> str:
    """Return the first words of a message on one line, at most `limit` characters."""
    return " ".join(text[: limit * 4].split())[:limit].rstrip()
