"""Fetching mail: an open mailbox, whatever its protocol, that changes nothing on the server but what it is told to remove."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from cs_plugin.mail.mailbox.findings import Finding
from cs_plugin.mail.mailbox.imap import ImapMailbox
from cs_plugin.mail.mailbox.line import Patience
from cs_plugin.mail.mailbox.mailbox import ANSWER_BYTES, ListedMail, WithheldError
from cs_plugin.mail.mailbox.opening import check_letters, find, open_over, reach_out, tls_context
from cs_plugin.mail.mailbox.pop3 import Pop3Mailbox
from cs_plugin.mail.mailbox.server import INBOX, MailServer, Reach

__all__ = ["ListedMail", "OpenMailbox", "WithheldError", "folders_of", "open_mailbox"]

# How long signing in may take, in steps of `Reach.timeout`.
_OPENED_WITHIN = 4


class OpenMailbox(Protocol):
    """A mailbox that was signed in to. Whatever a server does wrong is raised as MailboxError, in plain words; the mailbox is of no use then."""

    is_pop3: bool
    uidvalidity: int | None
    """By IMAP the number under which UIDs are what they were; by POP3 None."""
    uid_next: int | None
    """The UID of the next mail to come, where the server has told it."""
    total: int
    """How many mails the folder holds."""

    @property
    def commands(self) -> int:
        """Return how many commands were sent since signing in."""
        ...

    def list_after(self, uid: int, *, since: dt.date | None = None) -> list[ListedMail]:
        """Return the mails with UIDs above `uid`, in their order; with `since` those that arrived on that day or later. POP3 knows neither: all."""
        ...

    def list_all(self) -> list[ListedMail]:
        """Return all mails."""
        ...

    def fetch(self, mails: Sequence[ListedMail]) -> Iterator[tuple[ListedMail, bytes]]:
        """Yield mails as they come, in any order; one that somebody has removed meanwhile is missing. No other command may come between.

        A mail is never cut: one that the server keeps back, or that is far longer than it was listed, is an error. What can be given is given
        before: then WithheldError names the rest.
        """
        ...

    def fetch_head(self, mail: ListedMail, most: int = 65536) -> bytes:
        """Return the header of a mail, cut at `most` bytes; nothing where it has been removed."""
        ...

    def delete(self, mails: Sequence[ListedMail]) -> None:
        """Remove these mails and no others: by IMAP at once, by POP3 with `finish`."""
        ...

    def move(self, mails: Sequence[ListedMail], folder: str) -> None:
        """Move these mails to another folder, which is made where there is none. POP3 has no folders."""
        ...

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> bool | None:
        """Wait until mails come: True as soon as some have, False where none did or `stopping` says so, None where the server cannot tell."""
        ...

    def finish(self) -> None:
        """End well: by POP3, what was deleted is gone only now. Nothing more can be asked for then."""
        ...


@contextmanager
def open_mailbox(server: MailServer, reach: Reach) -> Iterator[OpenMailbox]:
    """Sign in and open the folder for the time of a block. Raise MailboxError.

    A block that ends without `finish` has deleted nothing by POP3.
    """
    mailbox = _signed_in(server, reach)
    try:
        mailbox.open()
        yield mailbox
    finally:
        mailbox.close()


def folders_of(server: MailServer, reach: Reach) -> list[str]:
    """Return the names of the folders that mail can be fetched from, in any alphabet. Raise MailboxError."""
    mailbox = _signed_in(server, reach)
    try:
        return mailbox.folders() if isinstance(mailbox, ImapMailbox) else [INBOX]
    finally:
        mailbox.close()


def _signed_in(server: MailServer, reach: Reach) -> ImapMailbox | Pop3Mailbox:
    check_letters(server)
    patience = Patience(reach.timeout, reach.timeout * _OPENED_WITHIN)
    places = find(server, reach, patience)
    line = reach_out(server, places, patience, most=ANSWER_BYTES)
    return open_over(server, line, tls_context(server, reach), _tell_nobody)


def _tell_nobody(_finding: Finding) -> None:
    """Keep the steps to ourselves."""
