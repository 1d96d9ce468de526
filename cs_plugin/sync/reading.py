"""Mails as they come: read, known again, and their bytes kept, before any transaction."""

from __future__ import annotations

import datetime as dt
import email.parser
import email.policy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cs_plugin.mail.glimpse import glimpse_of
from cs_plugin.mail.mailbox import ListedMail
from cs_plugin.mail.parse import read_mail
from cs_plugin.rules.incoming import ArrivedMail, ComingFrom, Correspondent, IncomingMail, Outcome
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_SUBJECT, StoredFile, clean_line
from cs_plugin.rules.same_mail import content_key
from cs_plugin.store.files import Content, FileStore
from cs_plugin.store.imported import Known
from cs_plugin.store.matching import message_id_key

log = logging.getLogger(__name__)
ORIGINAL, HTML = "message/rfc822", "text/html"
# What a run knows about mails that it has decided on by itself.
SAME_CONTENT = "same_content"
ENDS_READING = "reading_it_ends_the_process"
TOO_LARGE = "too_large"
_MOST_CAUSE = 300


@dataclass(frozen=True, slots=True)
class Came:
    """A mail as it came: where it lies on the server (None for a file), its bytes, and the row that tells of it already (`store.imported`).

    `verdict` is what became of one that nobody has to read: of a mail that is too large `raw` is the header alone, of one that the server withholds
    nothing. One is kept `unread` whose reading has ended a process (`sync.in_hand`).
    """

    listed: ListedMail | None
    raw: bytes
    row_id: int | None = None
    verdict: Outcome | None = None
    reason: str = ""
    unread: bool = False

    @property
    def size(self) -> int:
        """Return how many bytes the whole of it has."""
        return self.listed.size if self.listed is not None and self.verdict is not None else len(self.raw)


@dataclass(slots=True)
class Read:
    """A mail that was read. `cause` says why that did not work; `verdict` is what became of it, where no desk is asked.

    `twin` is one that says the same and came before it in the same batch, `became` what became of a mail once it is written.
    """

    came: Came
    content_hash: bytes
    mail: IncomingMail | None = None
    message_id_hash: bytes | None = None
    cause: str = ""
    verdict: Outcome | None = None
    reason: str = ""
    original: StoredFile | None = None
    arrived: ArrivedMail | None = None
    same_id: bool = False
    twin: Read | None = None
    became: Outcome | None = None

    @property
    def key(self) -> tuple[bytes | None, bytes]:
        """Return what it is known again by, wherever it lies."""
        return (self.message_id_hash, self.content_hash)

    @property
    def sender(self) -> str:
        """Return whom it is from, as a list shows it."""
        return clean_line(self.mail.sender.address if self.mail and self.mail.sender else "", MAX_ADDRESS)

    @property
    def subject(self) -> str:
        """Return its subject."""
        return clean_line(self.mail.subject if self.mail else "", MAX_SUBJECT)


def read(came: Came) -> Read:
    """Read a mail; whatever is wrong with it is told in `cause`."""
    found = Read(came, content_key(came.raw), verdict=came.verdict, reason=came.reason)
    if came.unread:
        found.cause, found.mail = ENDS_READING, _glimpsed(came.raw)
        return found
    try:
        found.mail = read_mail(came.raw)
    except Exception as error:  # a mail that breaks something is set aside, and never stops those behind it
        log.exception("a mail of %d bytes could not be read", len(came.raw))
        found.cause = words_of(error)
        found.mail = _barely_read(came.raw)
    if found.mail is not None and found.mail.message_id:
        found.message_id_hash = message_id_key(found.mail.message_id)
    return found


def words_of(error: BaseException) -> str:
    """Return what is told of a mail's mistake to whoever looks at it: a database's own words, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return clean_line(f"{type(said).__name__}: {said}", _MOST_CAUSE)


def _barely_read(raw: bytes) -> IncomingMail | None:
    """Return sender and subject of a mail that cannot be read, for whoever looks for it; nothing where not even that works."""
    try:
        header = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw[: 1 << 16])
        sender, subject = str(header.get("From", "")), str(header.get("Subject", ""))
    except Exception:  # noqa: BLE001 - the standard library's parsers raise what they please, and the mail is kept whole anyway
        return None
    return IncomingMail(Correspondent(clean_line(sender, MAX_ADDRESS)), clean_line(subject, MAX_SUBJECT), "")


def _glimpsed(raw: bytes) -> IncomingMail:
    """Return sender and subject of a mail that nobody reads, as they stand in its header."""
    named = {name.lower(): value for name, value in reversed(glimpse_of(raw[: 1 << 16]).headers)}
    sender, subject = clean_line(named.get("from", ""), MAX_ADDRESS), clean_line(named.get("subject", ""), MAX_SUBJECT)
    return IncomingMail(Correspondent(sender), subject, "")


def recognise(mails: Sequence[Read], known: Known) -> None:
    """Mark the mails that were kept before, here or earlier among these, and those that only share their Message-ID with one."""
    same, ids, earlier = set(known.same), set(known.ids), dict[tuple[bytes | None, bytes], Read]()
    for one in mails:
        if one.verdict is not None:
            continue
        if one.key in same:
            one.verdict, one.reason, one.twin = Outcome.REPEATED, SAME_CONTENT, earlier.get(one.key)
            continue
        one.same_id = one.message_id_hash in ids
        same.add(one.key)
        earlier[one.key] = one
        if one.message_id_hash is not None:
            ids.add(one.message_id_hash)


def keep(files: FileStore, source: ComingFrom, mails: Sequence[Read], now: dt.datetime) -> None:
    """Keep the bytes of mails that are new: the original, the HTML and the parts, all at once. Raise OSError where the store takes nothing."""
    new = [one for one in mails if one.verdict is None]
    contents = [content for one in new for content in _contents(one)]
    stored = iter(files.keep_several(contents))
    for one in new:
        one.original = next(stored)
        if one.mail is None or one.cause:
            continue
        html = next(stored) if one.mail.html else None
        kept = tuple((replace(next(stored), name=part.name), part.content_id) for part in one.mail.parts)
        arrived_at = one.came.listed.arrived_at if one.came.listed is not None and one.came.listed.arrived_at is not None else None
        one.arrived = ArrivedMail(one.mail, source, min(arrived_at or now, now), one.original, html, kept)


def _contents(one: Read) -> Iterator[Content]:
    yield Content("mail.eml", ORIGINAL, one.came.raw)
    if one.mail is None or one.cause:
        return
    if one.mail.html:
        yield Content("mail.html", HTML, one.mail.html.encode("utf-8", "replace"))
    for part in one.mail.parts:
        yield Content(part.name, part.content_type, part.content)
