"""Write whole mails: subject, text and HTML from templates that a host can override, and the headers that make them find their way back.

A worker has no request: all that a mail says comes in as arguments.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import PurePosixPath
from typing import IO

import jinja2

from cs_plugin import i18n
from cs_plugin.rules.inquiry import StoredFile, clean_line
from cs_plugin.rules.languages import direction
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import Shop

# The stock policy folds at 78 characters and encodes what is longer, which breaks a long In-Reply-To and with it the threading
# of Outlook; 998 is the longest line that RFC 5322, section 2.1.1 allows.
POLICY = SMTP.clone(max_line_length=998)

# A mail client needs the first and the newest; RFC 5322 sets no limit, servers cut headers of many kilobytes.
_MOST_REFERENCES = 20

# Mails that no person has written say so (RFC 3834), so that no other machine answers them.
_AUTOMATIC = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
_NOTICE = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
HEADERS: dict[str, dict[str, str]] = {
    "confirmation": _AUTOMATIC,
    "contact_notice": _NOTICE,
    "passed_on": {},
    "reply": {},
}


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail is made from. `words` are the variables of its template besides the shop's and the language's own."""

    kind: str
    shop: Shop
    language: str
    sender: Mailbox
    to: tuple[Mailbox, ...]
    words: dict[str, object] = field(default_factory=dict)
    cc: tuple[Mailbox, ...] = ()
    reply_to: Mailbox | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    files: tuple[StoredFile, ...] = ()
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Composer:
    """Write mails with the templates of an environment whose autoescape is on for `.html`. `domain` stands behind the @ of our Message-IDs."""

    templates: jinja2.Environment
    domain: str

    def compose(self, letter: Letter) -> OutgoingMail:
        """Return the whole mail. Raise jinja2.TemplateError where a host's own template is wrong."""
        words = {
            "shop": letter.shop,
            "language": letter.language,
            "direction": direction(letter.language),
            "_": i18n.speaker(letter.language),
            **letter.words,
        }
        folder = f"cs_plugin/mail/{letter.kind}"
        return OutgoingMail(
            kind=letter.kind,
            sender=letter.sender,
            to=letter.to,
            cc=letter.cc,
            subject=clean_line(self.templates.get_template(f"{folder}/subject.txt").render(words), 250),
            text=_tidy(self.templates.get_template(f"{folder}/body.txt").render(words)),
            html=self.templates.get_template(f"{folder}/body.html").render(words),
            message_id=letter.message_id or self.new_message_id(),
            language=letter.language,
            shop_id=letter.shop.id,
            reply_to=letter.reply_to,
            in_reply_to=letter.in_reply_to,
            references=short_references(letter.references),
            headers=HEADERS.get(letter.kind, {}),
            files=letter.files,
        )

    def new_message_id(self) -> str:
        """Return a Message-ID of ours, with its angle brackets."""
        return make_msgid(idstring=secrets.token_hex(8), domain=self.domain)


def short_references(references: Sequence[str]) -> tuple[str, ...]:
    """Return at most twenty Message-IDs, each once: the first, which began the conversation, and the newest."""
    known = tuple(dict.fromkeys(references))
    return known if len(known) <= _MOST_REFERENCES else (known[0], *known[-(_MOST_REFERENCES - 1) :])


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    kept = [line for place, line in enumerate(lines) if line or not place or lines[place - 1]]
    return "\n".join(kept) + "\n"


def to_message(mail: OutgoingMail, open_file: Callable[[str], IO[bytes]], now: dt.datetime) -> EmailMessage:
    """Return a mail as a transport sends it. `open_file` opens a stored file by its key."""
    message = EmailMessage(policy=POLICY)
    message["From"] = _address(mail.sender)
    message["To"] = [_address(mailbox) for mailbox in mail.to]
    if mail.cc:
        message["Cc"] = [_address(mailbox) for mailbox in mail.cc]
    if mail.reply_to:
        message["Reply-To"] = _address(mail.reply_to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = mail.message_id
    if mail.in_reply_to:
        message["In-Reply-To"] = mail.in_reply_to
    if mail.references:
        message["References"] = " ".join(mail.references)
    for name, value in mail.headers.items():
        message[name] = value
    message["Content-Language"] = mail.language
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    for stored in mail.files:
        with open_file(stored.key) as reading:
            main, _, sub = (stored.content_type or "application/octet-stream").partition("/")
            message.add_attachment(reading.read(), maintype=main, subtype=sub or "octet-stream", filename=PurePosixPath(stored.name).name)
    return message


def _address(mailbox: Mailbox) -> Address:
    """Return an address for a header; a domain in another script goes out as ASCII, which every server takes."""
    local, _, domain = mailbox.address.rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    return Address(display_name=clean_line(mailbox.name, 200), username=local.strip('"'), domain=domain)
