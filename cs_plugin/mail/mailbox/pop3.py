"""A mailbox by POP3 (RFC 1939), over poplib: mails are known again by their UIDL, and what is deleted is gone once the session ended well."""

from __future__ import annotations

import base64
import datetime as dt
import io
import poplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.findings import MailboxError, bad, xoauth2
from cs_plugin.mail.mailbox.line import Line, Patience, TooMuchError, Upgrade
from cs_plugin.mail.mailbox.mailbox import ListedMail, Mailbox, WithheldError, most_bytes
from cs_plugin.mail.mailbox.refusals import NO_FOLDERS, REFUSED, TOO_MUCH, no_password, no_token, refused, turned_away
from cs_plugin.mail.mailbox.server import MailServer


class _Pop3(poplib.POP3):
    """`poplib` over a line of ours. `sent` counts commands."""

    def __init__(self, server: MailServer, line: Line) -> None:
        self._line = line
        self.sent = 0
        super().__init__(server.server, server.port)

    def _create_socket(self, _timeout: float | None) -> Any:
        return self._line

    def _putcmd(self, line: str) -> None:
        self.sent += 1
        super()._putcmd(line)  # type: ignore[misc]  # the name is poplib's own, and old

    def ask(self, command: str) -> bytes:
        """Send a command and return its first line. Raise poplib.error_proto."""
        return bytes(self._shortcmd(command))  # type: ignore[attr-defined]  # as above


class Pop3Mailbox(Mailbox):
    """The inbox on a POP3 server."""

    is_pop3 = True

    def __init__(self, server: MailServer, line: Line) -> None:
        """Wait for the server's greeting."""
        super().__init__(server, line)
        self._step = line.patience.step
        self.client = _Pop3(server, line)
        self._signed_in_at = 0
        self._deleted = False
        self._left = False

    # --- Opening ------------------------------------------------------------------------------------------------------------------------------

    def _can(self) -> dict[str, list[str]] | None:
        """Return what the server says that it can; None where it does not say."""
        try:
            return self.client.capa()
        except poplib.error_proto:
            if not self._was_refused():
                raise
            return None

    def offers_starttls(self) -> bool:
        """Say whether encryption can begin now."""
        return "STLS" in (self._can() or {})

    def start_tls(self, upgrade: Upgrade) -> None:
        """Begin it."""
        try:
            self.client.stls(cast(ssl.SSLContext, upgrade))
        except poplib.error_proto as error:
            raise MailboxError(turned_away(self.server, self.line)) from error

    def sign_in(self) -> None:
        """Sign in with the access token or the password. Raise MailboxError where that is refused."""
        can = self._can()
        try:
            if self.server.access_token:
                self._sign_in_by_token((can or {}).get("SASL"))
            elif can is not None and "USER" not in can:
                # Servers that want encryption first leave it out (RFC 2595, section 4).
                raise no_password(self.line, can.get("SASL", []))
            else:
                self.client.user(self.server.user)
                self.client.pass_(self.server.password)
        except poplib.error_proto as error:
            raise refused(self.server, self.line) from error
        self._signed_in_at = self.client.sent

    def _sign_in_by_token(self, ways: Sequence[str] | None) -> None:
        if ways is not None and "XOAUTH2" not in {way.upper() for way in ways}:
            raise no_token(ways)
        self.client.ask("AUTH XOAUTH2")
        said = base64.b64encode(xoauth2(self.server.user, self.server.access_token).encode())
        self.line.sendall(said + b"\r\n")
        if not self._answered().startswith(b"+OK"):
            # Why it is refused stands in a challenge of its own, which wants an empty answer.
            self.line.sendall(b"\r\n")
            if not self._answered().startswith(b"+OK"):
                raise refused(self.server, self.line)

    def _answered(self) -> bytes:
        return bytes(self.client._getresp())  # type: ignore[attr-defined]  # the name is poplib's own, and old

    def count(self) -> int:
        """Return how many messages there are."""
        return self.client.stat()[0]

    def open(self) -> None:
        """Begin to fetch. Raise MailboxError."""
        with self.asking(self._step):
            self.total = self.count()

    # --- Listing and fetching -----------------------------------------------------------------------------------------------------------------

    @property
    def commands(self) -> int:
        """Return how many commands were sent since signing in."""
        return self.client.sent - self._signed_in_at

    def list_after(self, _uid: int, *, since: dt.date | None = None) -> list[ListedMail]:  # noqa: ARG002 - POP3 knows no dates
        """Return all mails: POP3 knows neither UIDs nor dates."""
        return self.list_all()

    def list_all(self) -> list[ListedMail]:
        """Return all mails, by one UIDL and one LIST. Raise MailboxError."""
        if not self.total:
            return []
        with self.asking(self._step, mails=self.total):
            try:
                known = dict(_numbered(line) for line in self.client.uidl()[1])
            except poplib.error_proto as error:
                if not self._was_refused():
                    raise
                raise MailboxError(bad(_("The server does not name its messages (UIDL), so that they cannot be told apart. Use IMAP."))) from error
        with self.asking(self._step, mails=self.total):
            sizes = {number: int(size.split()[0]) for number, size in map(_numbered, self.client.list()[1])}
        return [ListedMail(size=sizes[number], uidl=uidl, number=number) for number, uidl in sorted(known.items()) if number in sizes]

    def fetch(self, mails: Sequence[ListedMail]) -> Iterator[tuple[ListedMail, bytes]]:
        """Yield mails one by one; one that the server does not give is missing, and listed again next time if it is still there.

        Raise MailboxError, or WithheldError for one that is far longer than it was listed.
        """
        for mail in mails:
            with self.asking(self._step, bytes_asked=most_bytes([mail])):
                try:
                    body = self._told(f"RETR {mail.number}")
                except TooMuchError as error:
                    self.line.close()
                    raise WithheldError(bad(TOO_MUCH), [mail]) from error
            if body is not None:
                yield mail, body
            del body

    def fetch_head(self, mail: ListedMail, most: int = 65536) -> bytes:
        """Return the header of a mail, cut at `most` bytes; nothing where it has been removed. Raise MailboxError."""
        with self.asking(self._step, bytes_asked=most_bytes([mail])):
            head = self._told(f"TOP {mail.number} 0", most)
        return head or b""

    def _told(self, command: str, most: int | None = None) -> bytes | None:
        """Return a text that ends with a line of a dot, and no more than `most` bytes of it; None where the server refuses."""
        try:
            self.client.ask(command)
        except poplib.error_proto:
            if not self._was_refused():
                raise
            return None
        # Its buffer becomes what is returned. poplib holds every line by itself, and gives up at one of 2,048 bytes, which mails have.
        told = io.BytesIO()
        begins = True
        while True:
            piece = self.line.readline()
            if begins and piece.startswith(b"."):
                piece = piece[1:]
                if piece in (b"\r\n", b"\n"):
                    return told.getvalue()
            begins = piece.endswith(b"\n")
            if most is None or told.tell() < most:
                told.write(piece if most is None else piece[: most - told.tell()])

    # --- Removing -----------------------------------------------------------------------------------------------------------------------------

    def delete(self, mails: Sequence[ListedMail]) -> None:
        """Mark these mails: they are gone with `finish`. Raise MailboxError."""
        for mail in mails:
            with self.asking(self._step):
                try:
                    self.client.dele(mail.number)
                except poplib.error_proto as error:
                    if not self._was_refused():
                        raise
                    raise MailboxError(bad(REFUSED, command="DELE", words=self.server.quoting.words(self.line.last))) from error
                self._deleted = True

    def move(self, _mails: Sequence[ListedMail], _folder: str) -> None:
        """Raise MailboxError."""
        raise MailboxError(bad(NO_FOLDERS))

    def wait(self, _seconds: float, _stopping: Callable[[], bool]) -> None:
        """Return None: POP3 tells nothing by itself."""
        return

    def finish(self) -> None:
        """Say goodbye, which makes final what was deleted. Raise MailboxError where the server has not removed it."""
        self._left = True
        with self.asking(self._step):
            try:
                self.client.ask("QUIT")
            except poplib.error_proto as error:
                if not self._was_refused():
                    raise
                raise MailboxError(bad(REFUSED, command="QUIT", words=self.server.quoting.words(self.line.last))) from error

    def close(self) -> None:
        """Hang up; say goodbye before, if nothing is deleted by that."""
        if not (self._left or self._deleted):
            with suppress(Exception):
                self.line.patience = Patience(self._step, self._step)
                self.client.ask("QUIT")
        self.line.close()

    def _was_refused(self) -> bool:
        return self.line.last.upper().startswith(b"-ERR")


def _numbered(line: bytes) -> tuple[int, bytes]:
    """Return the number of a mail and what is told of it, by a line of a list."""
    number, _, told = line.strip().partition(b" ")
    if not number.isdigit():
        raise ValueError("a mail has no number")
    return int(number), told.strip()
