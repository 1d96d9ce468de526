"""An SMTP server that writes down what it receives, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, Self
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.processes import HOST

NAME = "mail.example"
ACCEPTED = "250 OK"
DROPPED = "421 4.3.0 Nobody reads this: the connection is gone"
START_SECONDS = 10.0

# A moment of a mail's way in, for a stall or a drop: the command that waits for its answer. At DATA the mail has
# been sent, but is not taken; at ANSWER it is taken, and the sender does not know.
Moment = Literal["MAIL", "RCPT", "DATA", "ANSWER", "QUIT"]


@dataclass(frozen=True)
class ReceivedMail:
    """A mail as the server received it: the envelope, the bytes, and what Python reads in them."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage


class SMTPServer:
    """An SMTP server in a thread of its own; used as a context, it runs until the end of the block.

    With `username` and `password` it takes mail only from who has signed in with them (RFC 4954). With `tls` it speaks TLS from the first byte, or,
    where `starttls` says so, after STARTTLS and not before.
    """

    host = HOST

    def __init__(
        self, *, username: str | None = None, password: str = "", tls: ssl.SSLContext | None = None, starttls: bool = False
    ) -> None:
        """Prepare a server; its port is known once it has started, and kept when it starts again."""
        self.port = 0
        self.received: list[ReceivedMail] = []
        self._credentials = None if username is None else (username.encode(), password.encode())
        self._tls, self._starttls = tls, starttls
        self._refused_recipients: dict[str, str] = {}
        self._refused_data: str | None = None
        self._stalls: dict[Moment, float] = {}
        self._drops: set[Moment] = set()
        self._appointments: dict[Moment, tuple[int, Callable[[], object]]] = {}
        self._sessions: WeakSet[SMTP] = WeakSet()
        self._arrival = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop, unless a test has."""
        self.stop()

    def start(self) -> None:
        """Start listening, on the port of the last time if there was one."""
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="smtp", daemon=True)
        self._thread.start()
        self.port = ready.result(timeout=START_SECONDS)

    def stop(self) -> None:
        """Stop listening and cut every connection; nothing happens when the server is stopped already."""
        if self._thread is not None:
            self._stop()
            self._thread.join()
            self._thread = None

    def refuse_recipient(self, address: str, reply: str = "550 5.1.1 No such user") -> None:
        """Answer RCPT for one address with `reply`: a code of three digits and a text (RFC 5321, section 4.2)."""
        self._refused_recipients[address] = reply

    def refuse_data(self, reply: str = "554 5.6.0 Refused after reading") -> None:
        """Answer every mail with `reply` once it has been read."""
        self._refused_data = reply

    def stall(self, seconds: float, *, at: Moment = "DATA") -> None:
        """Hold back the answer at a moment of every mail for so many seconds."""
        self._stalls[at] = seconds

    def drop(self, *, at: Moment = "DATA") -> None:
        """Cut the connection at a moment of every mail instead of answering."""
        self._drops.add(at)

    def at(self, moment: Moment, action: Callable[[], object], *, after: int = 0) -> None:
        """Do something, once, at a moment of the mail that comes after so many others: in the server's thread, before anything is answered."""
        self._appointments[moment] = (after, action)

    @property
    def is_quiet(self) -> bool:
        """Say whether no connection is open: what was sent over those that broke has been read to its end."""
        return all(session.transport is None or session.transport.is_closing() for session in list(self._sessions))

    def behave(self) -> None:
        """Forget every refusal, stall, drop and appointment."""
        self._appointments.clear()
        self._refused_recipients.clear()
        self._refused_data = None
        self._stalls.clear()
        self._drops.clear()

    def wait_for(self, count: int, *, seconds: float = 10.0) -> list[ReceivedMail]:
        """Wait until `count` mails have been received in all and return them; fewer after so many seconds fail."""
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: len(self.received) >= count, timeout=seconds)
            assert arrived, f"{len(self.received)} of {count} mails within {seconds} s"
            return list(self.received)

    # What aiosmtpd calls, in the server's thread.

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the envelope's sender."""
        if await self._is_cut(server, "MAIL"):
            return DROPPED
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return ACCEPTED

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse one of the envelope's recipients."""
        if await self._is_cut(server, "RCPT"):
            return DROPPED
        if address in self._refused_recipients:
            return self._refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return ACCEPTED

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take or refuse the mail."""
        if await self._is_cut(server, "DATA"):
            return DROPPED
        if self._refused_data is not None:
            return self._refused_data
        self._write_down(envelope)
        return DROPPED if await self._is_cut(server, "ANSWER") else ACCEPTED

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Say goodbye."""
        await self._is_cut(server, "QUIT")
        return "221 Bye"

    def _write_down(self, envelope: Envelope) -> None:
        raw = envelope.original_content or b""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        with self._arrival:
            self.received.append(ReceivedMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, message))
            self._arrival.notify_all()

    async def _is_cut(self, server: SMTP, moment: Moment) -> bool:
        """Stall as told, then drop the connection if told; tell whether it was dropped."""
        if moment in self._appointments:
            left, action = self._appointments.pop(moment)
            if left:
                self._appointments[moment] = (left - 1, action)
            else:
                action()
        await asyncio.sleep(self._stalls.get(moment, 0))
        if moment not in self._drops:
            return False
        _cut(server)
        return True

    def _signs_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: object
    ) -> AuthResult:
        known = isinstance(credentials, LoginPassword) and (credentials.login, credentials.password)
        return AuthResult(success=known == self._credentials, handled=False)

    def _new_session(self) -> SMTP:
        starting = {"tls_context": self._tls, "require_starttls": True} if self._starttls else {}
        if self._credentials is None:
            return SMTP(self, hostname=NAME, enable_SMTPUTF8=True, **starting)
        return SMTP(
            self,
            hostname=NAME,
            enable_SMTPUTF8=True,
            **starting,
            authenticator=self._signs_in,
            auth_required=True,
            auth_require_tls=False,
        )

    async def _serve(self, ready: Future[int]) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()

        def remembered_session() -> SMTP:
            session = self._new_session()
            self._sessions.add(session)
            return session

        try:
            listener = await loop.create_server(remembered_session, HOST, self.port, ssl=None if self._starttls else self._tls)
        except OSError as error:
            ready.set_exception(error)
            return
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        ready.set_result(listener.sockets[0].getsockname()[1])
        await stopped.wait()
        listener.close()
        for session in list(self._sessions):
            _cut(session)


def _cut(session: SMTP) -> None:
    """Cut a connection; aiosmtpd keeps none for a session that is over."""
    if isinstance(session.transport, asyncio.Transport):
        session.transport.abort()
