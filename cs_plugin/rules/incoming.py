"""A mail that came in, as it was read: what it says and what it is, before anybody decides where it goes; and what became of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from cs_plugin.rules.inquiry import StoredFile


@dataclass(frozen=True, slots=True)
class Correspondent:
    """A mailbox as a header of a mail names it (RFC 5322, section 3.4). The address is as it was written, cleaned; it may be no good one."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a mail. `content_id` is without its angle brackets; `inline` says that the HTML shows it, or that it has no name of its own."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """That a mail of ours was not delivered to `recipient` (RFC 3464): for good (`permanent`), or not yet.

    `status` is the enhanced status code, such as "5.1.1", or empty; `words` is what the server said; `message_id` is that of our mail, if it is told.
    """

    permanent: bool
    recipient: str = ""
    status: str = ""
    words: str = ""
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class ByList:
    """That a list or a group passed a mail on (List-Id, or "Precedence: list").

    `original` is whom X-Original-From names, None where nobody is; `automatic` is the sign by which a machine wrote the mail, the list's own headers
    left out.
    """

    original: Correspondent | None = None
    automatic: str = ""


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """What a mail says. Every text is clean: no control characters, no lone surrogates, cut to what a column holds.

    `sender` is the first mailbox of From, else of Reply-To, else the return path; None where there is none of them. `written_to` holds every
    address that the mail was sent or delivered to, in lower case, tags included: To, Cc, X-Original-To and its like, and last Delivered-To, which
    names the mailbox behind an alias. `return_path` is "" for the null sender and None where it is not told. `text` is what is shown, `quoted` the
    quoted history and signature folded away beneath it; `html` is the HTML as it was sent, decoded, or "". `automatic` names the sign by which a
    machine wrote the mail, "" for a person's; `by_list` says that a list passed it on. `headers` are the header lines, decoded, in order, to be
    shown. `oddities` names what was mended or cut while reading.
    """

    sender: Correspondent | None
    subject: str
    text: str
    quoted: str = ""
    html: str = ""
    reply_to: tuple[Correspondent, ...] = ()
    to: tuple[Correspondent, ...] = ()
    cc: tuple[Correspondent, ...] = ()
    written_to: tuple[str, ...] = ()
    return_path: str | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sent_at: dt.datetime | None = None
    parts: tuple[Part, ...] = ()
    automatic: str = ""
    by_list: ByList | None = None
    bounce: Bounce | None = None
    headers: tuple[tuple[str, str], ...] = ()
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComingFrom:
    """The mailbox that a mail was fetched from. `shop_ids` are the shops that it is fetched for; `address` is its own, or ""."""

    mailbox_id: int | None
    shop_ids: tuple[str, ...]
    address: str = ""
    contact_id: int | None = None
    create_threads: bool = True


@dataclass(frozen=True, slots=True)
class ArrivedMail:
    """A mail whose bytes are kept: `original` is the whole of it, `html` its HTML apart; each of `files` is a part beside its Content-ID, or ""."""

    mail: IncomingMail
    source: ComingFrom
    arrived_at: dt.datetime
    original: StoredFile
    html: StoredFile | None = None
    files: tuple[tuple[StoredFile, str], ...] = ()


class Outcome(StrEnum):
    """What became of a mail, as runs record and report it."""

    MESSAGE = "message"        # a customer's message, in a thread that was there or in a new one
    ANSWER = "answer"          # an employee's public reply
    NOTE = "note"              # a private note: an employee's or an outsider's
    AUTOMATIC = "automatic"    # stored and marked as a machine's
    BOUNCE = "bounce"          # a mail of ours that was not delivered, noted where it was sent from
    OWN = "own"                # a mail of ours that came back: not stored again
    REPEATED = "repeated"      # known already, by its place on the server or by its content
    LEFT = "left"              # left on the server: no thread takes it, and none is begun
    TOO_LARGE = "too_large"    # left on the server: longer than is fetched
    SET_ASIDE = "set_aside"    # kept whole, for somebody to look at
    BEFORE_START = "before_start"   # older than what was asked for when the mailbox was set up


# After these the whole original is stored here, so that the mail may be removed from the server.
KEPT_HERE = frozenset(Outcome) - {Outcome.LEFT, Outcome.TOO_LARGE, Outcome.BEFORE_START}


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of a mail, and why: `reason` is a name (of a matcher, a refusal, a sign), which the page puts into words.

    `also` are messages in further threads that the same mail was written to.
    """

    outcome: Outcome
    reason: str
    thread_id: int | None = None
    message_id: int | None = None
    also: tuple[int, ...] = ()
