"""Trying a mailbox out: what worked, the first thing that did not, and what to do about it."""

from __future__ import annotations

import ssl
from contextlib import suppress

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.addresses import Place
from cs_plugin.mail.mailbox.findings import Finding, MailboxError, Riddle, bad, good
from cs_plugin.mail.mailbox.line import Line, LineError, Patience, connect
from cs_plugin.mail.mailbox.opening import (
    USUAL_PORTS,
    check_letters,
    find,
    open_over,
    reach_out,
    tls_context,
    who_answers,
)
from cs_plugin.mail.mailbox.refusals import plain_words
from cs_plugin.mail.mailbox.server import MailServer, Reach
from cs_plugin.rules.mailbox_settings import Encryption

# In seconds: how long a test takes at most, since somebody waits for it, and how long a second look.
TEST_LASTS = 30.0
_SECOND_LOOK = 3.0
# What a server may say in a test: lists of folders are the longest of it.
_MOST_BYTES = 1 << 20
# What a mail server does not understand, and a web server does.
_AS_A_BROWSER = b"OPTIONS * HTTP/1.0\r\n\r\n"
# The flag that stands in the way of /ssl.
_INSTEAD_OF = {Encryption.STARTTLS: "/tls", Encryption.NONE: "/notls"}


def try_mailbox(server: MailServer, reach: Reach, *, lasts: float = TEST_LASTS) -> tuple[Finding, ...]:
    """Connect, sign in and look into the folder; return what was found, the last of it good where all of it works.

    It changes nothing on the server, and raises nothing for what a server does. It takes `lasts` seconds at most.
    """
    trial = _Trial(server, reach, lasts)
    try:
        trial.run()
    except MailboxError as error:
        trial.found += [error.finding, *error.advice]
        if error.riddle is not None:
            trial.found += trial.solve(error.riddle)
    return tuple(trial.found)


def works(findings: tuple[Finding, ...]) -> bool:
    """Say whether a mailbox that was tried out works."""
    return bool(findings) and findings[-1].good


class _Trial:
    def __init__(self, server: MailServer, reach: Reach, lasts: float) -> None:
        self.server = server
        self.found: list[Finding] = []
        self._reach = reach
        self._patience = Patience(reach.timeout, lasts)
        self._places: list[Place] = []

    def run(self) -> None:
        """Go all the way, telling what worked."""
        server, tell = self.server, self.found.append
        check_letters(server)
        self._places = find(server, self._reach, self._patience)
        line = reach_out(server, self._places, self._patience, most=_MOST_BYTES)
        self._places = [line.place]
        tell(good(_("Connected to %(server)s (%(address)s), port %(port)s."), server=server.server, address=line.place.address, port=server.port))
        mailbox = open_over(server, line, tls_context(server, self._reach), tell)
        try:
            with plain_words(server, line):
                number = mailbox.count()
        finally:
            mailbox.close()
        tell(good(_("It works. Messages in %(folder)s: %(n)s"), folder=server.folder, n=number))

    # --- A second look ------------------------------------------------------------------------------------------------------------------------

    def solve(self, riddle: Riddle) -> list[Finding]:
        """Return what a second connection finds out about a server that does not say what it is."""
        tls = self.server.security.encryption is Encryption.TLS
        if riddle is Riddle.NOT_TLS:
            first = self._greeting()
            if first:
                advice = bad(_("Switch /ssl off: encryption then begins with STARTTLS, where the server offers it."))
                return [*who_answers(first, self.server), advice]
        elif not tls and self._takes_tls():
            other = _INSTEAD_OF.get(self.server.security.encryption)
            if other is None:
                return [bad(_("Encryption begins with the first byte at this port: switch /ssl on."))]
            return [bad(_("Encryption begins with the first byte at this port: switch /ssl on, and %(other)s off."), other=other)]
        answer = self._answer_to_a_browser(tls=tls and riddle is Riddle.SILENT)
        return [*who_answers(answer, self.server)] if answer.upper().startswith(b"HTTP/") else [bad(USUAL_PORTS)]

    def _greeting(self) -> bytes:
        """Return what the server says first over a line without encryption; nothing where it says nothing."""
        with suppress(LineError, OSError):
            line = self._again()
            try:
                return line.readline()
            finally:
                line.close()
        return b""

    def _takes_tls(self) -> bool:
        with suppress(LineError, OSError):
            line = self._again()
            try:
                self._encrypt(line)
            finally:
                line.close()
            return True
        return False

    def _answer_to_a_browser(self, *, tls: bool) -> bytes:
        with suppress(LineError, OSError):
            line = self._again()
            try:
                if tls:
                    self._encrypt(line)
                line.sendall(_AS_A_BROWSER)
                return line.readline()
            finally:
                line.close()
        return b""

    def _again(self) -> Line:
        return connect(self._places, self._patience.for_step(_SECOND_LOOK), most=_MOST_BYTES)

    def _encrypt(self, line: Line) -> None:
        # No secret goes over this line, so that it matters to nobody whose certificate it is.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        line.encrypt(context, self.server.server)
