"""Write whole mails: subject, text and HTML from templates that a host can override, and the headers that make them find their way back.

A worker has no request: all that a mail says comes in as arguments.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import IO

import idna
import jinja2
from markupsafe import Markup, escape

from cs_plugin import i18n
from cs_plugin.errors import UndeliverableError
from cs_plugin.mail import headers
from cs_plugin.mail.files_without_keys import without_keys
from cs_plugin.rules.inquiry import StoredFile, clean_line, clean_text
from cs_plugin.rules.languages import direction
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import Shop

log = logging.getLogger(__name__)

# A mail client needs the first and the newest; RFC 5322 sets no limit, servers cut headers of many kilobytes.
_MOST_REFERENCES = 20
_MAX_SUBJECT = 250

# Mails that no person has written say so (RFC 3834), so that no other machine answers them; Exchange has a header of its own for that.
_ANSWERED_BY_MACHINE = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
_MADE_BY_MACHINE = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "confirmation": _ANSWERED_BY_MACHINE,
    "contact_notice": _MADE_BY_MACHINE,
    "new_message": _MADE_BY_MACHINE,
    "assigned": _MADE_BY_MACHINE,
    "forward_notice": _MADE_BY_MACHINE,
}

_OWN = jinja2.PackageLoader("cs_plugin", "templates")

# A type that may stand over an attachment; anything else, and what would be taken apart as a mail, is just bytes.
_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_NO_MARKS = str.maketrans("\"<>", "'()")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail is made from. `words` are the variables of its template besides the shop's and the language's own."""

    kind: str
    shop: Shop
    language: str
    sender: Mailbox
    to: tuple[Mailbox, ...]
    words: Mapping[str, object] = field(default_factory=dict)
    cc: tuple[Mailbox, ...] = ()
    reply_to: Mailbox | None = None
    return_path: str = ""
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
        """Return the whole mail. A host's own template that is wrong is passed over for ours: no customer's message is lost for it."""
        words = {
            "shop": letter.shop,
            "language": letter.language,
            "direction": direction(letter.language),
            "start": "right" if direction(letter.language) == "rtl" else "left",
            "_": i18n.speaker(letter.language),
            "_c": i18n.speaker_in_context(letter.language),
            "lines": lines,
            "day": lambda moment: i18n.day(letter.language, moment.date()),
            **letter.words,
        }
        subject = self._render(letter.kind, "subject.txt", words)
        return OutgoingMail(
            kind=letter.kind,
            sender=letter.sender,
            to=letter.to,
            cc=letter.cc,
            subject=clean_line(subject, _MAX_SUBJECT),
            text=_tidy(self._render(letter.kind, "body.txt", words)),
            html=clean_text(self._render(letter.kind, "body.html", {**words, "subject": clean_line(subject, _MAX_SUBJECT)})),
            message_id=letter.message_id or self.new_message_id(),
            language=letter.language,
            shop_id=letter.shop.id,
            reply_to=letter.reply_to,
            return_path=letter.return_path,
            in_reply_to=letter.in_reply_to,
            references=short_references(letter.references),
            headers=HEADERS.get(letter.kind, {}),
            files=letter.files,
        )

    def new_message_id(self, tag: str = "") -> str:
        """Return a Message-ID of ours, with its angle brackets; it begins with a tag that an answer brings back, where one is given.

        It tells nothing of when it was made, or where.
        """
        domain = self.domain if self.domain.isascii() else idna.encode(self.domain, uts46=True).decode("ascii")
        return f"<{tag}{'.' if tag else ''}{secrets.token_hex(16)}@{domain}>"

    def _render(self, kind: str, name: str, words: Mapping[str, object]) -> str:
        path = f"cs_plugin/mail/{kind}/{name}"
        try:
            return self.templates.get_template(path).render(words)
        except Exception:  # a template may raise anything, and what it is to tell of has happened
            rendered = self.templates.overlay(loader=_OWN).get_template(path).render(words)
            log.exception("the host's template %s, or one that it includes, is wrong: the mail goes out with the desk's own", path)
            return rendered


def lines(text: str) -> Markup:
    """Return plain text as HTML that keeps its lines: what a template calls for words that somebody has written."""
    return Markup("<br>\n").join(escape(line) for line in text.split("\n"))


def short_references(references: Sequence[str]) -> tuple[str, ...]:
    """Return at most twenty Message-IDs, each once: the first, which began the conversation, and the newest."""
    known = tuple(dict.fromkeys(references))
    return known if len(known) <= _MOST_REFERENCES else (known[0], *known[-(_MOST_REFERENCES - 1) :])


def _tidy(text: str) -> str:
    """Return text without blanks at its ends and with no more than one empty line on end, whatever a template leaves."""
    return re.sub(r"\n{3,}", "\n\n", clean_text(text).strip()) + "\n"


def to_message(mail: OutgoingMail, open_file: Callable[[str], IO[bytes]], now: dt.datetime) -> EmailMessage:
    """Return a mail as a transport sends it. `open_file` opens a stored file by its key.

    Raise UndeliverableError, for good, where an address is none or a file is gone; OSError where the file store does not answer.
    """
    message = EmailMessage(policy=headers.POLICY if _plain(mail) else headers.UTF8_POLICY)
    headers.add_mailboxes(message, "From", [mail.sender])
    headers.add_mailboxes(message, "To", mail.to)
    if mail.cc:
        headers.add_mailboxes(message, "Cc", mail.cc)
    if mail.reply_to:
        headers.add_mailboxes(message, "Reply-To", [mail.reply_to])
    headers.add_text(message, "Subject", mail.subject)
    headers.add_token(message, "Date", format_datetime(now))
    headers.add_ids(message, "Message-ID", [mail.message_id])
    headers.add_ids(message, "In-Reply-To", [mail.in_reply_to or ""])
    headers.add_ids(message, "References", mail.references)
    for name, value in mail.headers.items():
        headers.add_token(message, name, value)
    message.set_content(clean_text(mail.text), cte="quoted-printable")
    message.add_alternative(clean_text(mail.html), subtype="html", cte="quoted-printable")
    for stored in mail.files:
        # Whoever a discussion is forwarded to gets no key to it: neither a link of ours, nor one that a file quotes.
        _attach(message, stored, open_file, keys=mail.kind != "forward")
    # Last: whatever begins with "Content-" moves into the first part when a second one is added.
    language = mail.language.replace("_", "-")
    headers.add_token(message, "Content-Language", language if _LANGUAGE.fullmatch(language) else "")
    return message


def _attach(message: EmailMessage, stored: StoredFile, open_file: Callable[[str], IO[bytes]], *, keys: bool) -> None:
    # Some programs decode what looks like an encoded word (RFC 2047) even here, where none may stand, and some take a name's own quotes or angle
    # brackets for the header's; no file of Windows has them.
    name = clean_line(stored.name.replace("\\", "/").rpartition("/")[2], 200).replace("=?", "=_").translate(_NO_MARKS) or "file"
    content_type = stored.content_type.lower()
    try:
        with open_file(stored.key) as reading:
            content = reading.read()
    except FileNotFoundError as error:
        raise UndeliverableError(f"The file {name} is no longer there.", permanent=True) from error
    if not keys:
        given = without_keys(content, name, content_type)
        name, content_type, content = given.name, given.content_type, given.content
    main, _, sub = (content_type if _TYPE.fullmatch(content_type) else "application/octet-stream").partition("/")
    message.add_attachment(content, maintype=main, subtype=sub, filename=name)


def _plain(mail: OutgoingMail) -> bool:
    """Say whether all local parts are ASCII, which every server takes."""
    written = (mail.sender, *mail.to, *mail.cc, *([mail.reply_to] if mail.reply_to else ()))
    return all(address.rpartition("@")[0].isascii() for address in (*(one.address for one in written), mail.return_path))
