"""What a mailbox is by either protocol: the mails that it lists, and how long and how much a server may answer to one command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cs_plugin.mail.mailbox.findings import Finding, MailboxError
from cs_plugin.mail.mailbox.line import Line, Patience, Upgrade
from cs_plugin.mail.mailbox.refusals import plain_words
from cs_plugin.mail.mailbox.server import MailServer

# What is said in answer to a command that asks for no mails.
ANSWER_BYTES = 1 << 20
# What is said about a mail in a list: its number and size, its date or its UIDL, and flags that nobody asked for.
_LISTED_BYTES = 400
_LONGEST_LIST = 1 << 29
# What a mail may be longer than it was listed: Exchange tells sizes that it has only estimated, some servers count a line's end as one byte.
_ESTIMATED = 2
_AROUND_A_MAIL = 64 << 10
# How long an answer may take, in steps: silence within it, the whole of it, and the whole of what reads every mail's place on a slow disk.
_SILENCE = 3
_WHOLE = 6
_WHOLE_LIST = 30
# Bytes in a second below which a server only dribbles.
_SLOWEST = 8 << 10


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail as the server lists it: by IMAP `uid`, by POP3 `uidl` and its `number` in this session.

    `size` is in bytes, as the server tells it; `arrived_at` is INTERNALDATE in UTC, None where it is not told.
    """

    size: int
    uid: int | None = None
    uidl: bytes | None = None
    number: int = 0
    arrived_at: dt.datetime | None = None


class WithheldError(MailboxError):
    """Say which mails (`mails`) the server lists and does not give, or not as it listed them; all others came."""

    def __init__(self, finding: Finding, mails: Sequence[ListedMail]) -> None:
        super().__init__(finding)
        self.mails = tuple(mails)


class Mailbox:
    """An open mailbox. `line` is what it talks over; `total` is how many mails the folder holds.

    `step` is in seconds: a command may be answered late or slowly within a few of it, however long all of them take together.
    """

    is_pop3 = False

    def __init__(self, server: MailServer, line: Line) -> None:
        """Wait for the server's greeting."""
        self.server = server
        self.line = line
        self.uidvalidity: int | None = None
        self.uid_next: int | None = None
        self.total = 0

    def offers_starttls(self) -> bool:
        """Say whether encryption can begin now."""
        raise NotImplementedError

    def start_tls(self, upgrade: Upgrade) -> None:
        """Begin it."""
        raise NotImplementedError

    def sign_in(self) -> None:
        """Sign in with the access token or the password. Raise MailboxError where that is refused."""
        raise NotImplementedError

    def count(self) -> int:
        """Open the folder for reading, and return how many messages are in it. Raise MailboxError where there is none."""
        raise NotImplementedError

    def close(self) -> None:
        """Say goodbye; nothing is deleted by that."""
        raise NotImplementedError

    @contextmanager
    def asking(self, step: float, *, bytes_asked: int = 0, mails: int = 0) -> Iterator[None]:
        """Bound what the server answers to the next command, and turn whatever it does into MailboxError.

        `bytes_asked` is how long the mails are that it is asked for; `mails` is how many it is to list.
        """
        self.line.allow(ANSWER_BYTES + min(mails * _LISTED_BYTES, _LONGEST_LIST) + bytes_asked)
        whole = step * (_WHOLE_LIST if mails else _WHOLE) + bytes_asked / _SLOWEST
        self.line.patience = Patience(step * _SILENCE, whole)
        with plain_words(self.server, self.line):
            try:
                yield
            except MailboxError:
                # A server that refuses may be asked something else.
                raise
            except Exception:
                # What it still sends would be taken for the answer to something else.
                self.line.close()
                raise


def most_bytes(mails: Sequence[ListedMail]) -> int:
    """Return how long mails may be that were listed."""
    return sum(mail.size * _ESTIMATED + _AROUND_A_MAIL for mail in mails)
