"""Ways out: SMTP, the console, and memory. One that does not take a mail raises UndeliverableError, and says whether for good."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol, TextIO
from urllib.parse import unquote, urlsplit

from cs_plugin.errors import ConfigurationError, UndeliverableError
from cs_plugin.mail.headers import UTF8_POLICY, wire_address
from cs_plugin.rules.outgoing import Refused


class ConnectionFailedError(UndeliverableError):
    """Say that the way to a server is closed or broke: no fault of the mail's, so that it is tried again.

    `in_doubt` says that the mail had been handed over whole and only the answer is missing: the server may have taken it. `timed_out` says that it
    was waited for in vain: whoever asks again at once may wait as long again.
    """

    def __init__(self, text: str, *, code: int | None = None, in_doubt: bool = False, timed_out: bool = False) -> None:
        super().__init__(text, permanent=False, code=code)
        self.in_doubt = in_doubt
        self.timed_out = timed_out


class Connection(Protocol):
    """An open way out, good for several mails."""

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Hand over a mail and return those of its recipients for whom it was not taken.

        Raise UndeliverableError where it was taken for nobody, ConnectionFailedError where this connection is of no more use.
        """


class Transport(Protocol):
    """A way out. `patience` is how many seconds opening it and sending one mail take at most."""

    @property
    def patience(self) -> float:
        """Return the sum of the time-outs that one mail can meet."""

    def connect(self) -> AbstractContextManager[Connection]:
        """Open it. Raise ConnectionFailedError where it is closed."""


# --- SMTP -----------------------------------------------------------------------------------------------------------------------------------------

# Steps of a connection, each with a time-out: connecting, greeting, EHLO, STARTTLS, EHLO again, and three of signing in.
_STEPS_TO_CONNECT = 8
# In time-outs: how long one mail may take in all, and how long the answer to its last line. RFC 5321, section 4.5.3.2.6, gives that
# ten minutes: whoever leaves early sends twice what the server takes a moment later.
_STEPS_OF_A_MAIL = 18
_STEPS_OF_THE_ANSWER = 6
_CHUNK = 1 << 16

# Enhanced codes (RFC 3463) that pass although their reply begins with a 5: a full mailbox, a full system, congestion or a day's limit, too
# many recipients.
_PASSING = frozenset({"2.2", "3.1", "4.5", "5.3"})
_ENHANCED = re.compile(r"[0-9]{3} (?P<first>[245])\.(?P<rest>[0-9]{1,3}\.[0-9]{1,3})(?![.0-9])")
# Replies that tell of signing in (RFC 4954, section 6): the shop's to mend, no fault of the mail's.
_SIGN_IN = frozenset({454, 530, 534, 535, 538})
_CLOSING = 421


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Send through an SMTP server. `security` is "starttls" (refused where missing), "tls" (from the first byte) or "plain".

    `timeout` holds for each step, in seconds. `authorities` is a file of certificates (PEM) that are trusted beside the system's.
    """

    host: str
    port: int
    security: str = "plain"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 20.0
    authorities: str | None = None

    @property
    def patience(self) -> float:
        """Return the sum of the time-outs that one mail can meet: twice those of sending, since an old connection may break under it."""
        return self.timeout * (_STEPS_TO_CONNECT + 2 * _STEPS_OF_A_MAIL + _STEPS_OF_THE_ANSWER)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection and close it after its last mail."""
        try:
            client = self._client()
        except smtplib.SMTPResponseException as error:
            raise ConnectionFailedError(_reply(error.smtp_code, error.smtp_error), code=error.smtp_code) from error
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            raise ConnectionFailedError(_what_happened(error)) from error
        try:
            yield _SmtpConnection(client, self.timeout)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                if client.sock is not None:
                    # The answer to the last mail was waited for longer; a goodbye is not worth that.
                    client.sock.settimeout(self.timeout)
                client.quit()
            client.close()

    def _client(self) -> smtplib.SMTP:
        context = trusting(self.authorities)
        if self.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                client.starttls(context=context)
            client.ehlo_or_helo_if_needed()
            if self.username:
                client.login(self.username, self.password)
        except BaseException:
            client.close()
            raise
        return client


@dataclass(frozen=True, slots=True)
class _SmtpConnection:
    client: smtplib.SMTP
    timeout: float

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        envelope = {address: wire_address(address) for address in recipients}
        options = self._options(message, [sender, *recipients])
        content = message.as_bytes()
        deadline = time.monotonic() + self.timeout * _STEPS_OF_A_MAIL
        try:
            return self._send(content, wire_address(sender), envelope, options, deadline)
        except ConnectionFailedError:
            self.client.close()
            raise
        except UndeliverableError:
            self._forget_the_mail()
            raise
        except (OSError, smtplib.SMTPException) as error:
            self.client.close()
            raise ConnectionFailedError(_what_happened(error), timed_out=_timed_out(error)) from error

    def _options(self, message: EmailMessage, addresses: Sequence[str]) -> str:
        if message.policy is not UTF8_POLICY and all(address.rpartition("@")[0].isascii() for address in addresses):
            return ""
        if not self.client.has_extn("smtputf8"):
            odd = next((address for address in addresses if not address.rpartition("@")[0].isascii()), "")
            raise UndeliverableError(f"The mail server takes only addresses in plain letters (no SMTPUTF8): {odd}".rstrip(": "), permanent=True)
        return " SMTPUTF8 BODY=8BITMIME"

    def _send(self, content: bytes, sender: str, envelope: dict[str, str], options: str, deadline: float) -> tuple[Refused, ...]:
        # A command that stands whole on its line cannot be two, whatever an address holds: `wire_address` takes no control characters.
        self._command(f"MAIL FROM:<{sender}>{options}", deadline)
        refused = tuple(one for address, wire in envelope.items() if (one := self._recipient(address, wire, deadline)))
        if len(refused) == len(envelope):
            # As long as one of them may be taken later, the mail has not failed.
            first = next((one for one in refused if not one.permanent), refused[0])
            raise UndeliverableError(first.words, permanent=first.permanent, code=first.code)
        self._command("DATA", deadline, good=354)
        self._hand_over(content, deadline)
        return refused

    def _recipient(self, address: str, wire: str, deadline: float) -> Refused | None:
        try:
            self._command(f"RCPT TO:<{wire}>", deadline)
        except ConnectionFailedError:
            raise
        except UndeliverableError as error:
            return Refused(address, error.text, error.permanent, error.code)
        return None

    def _command(self, line: str, deadline: float, *, good: int | None = None) -> None:
        self._wait_at_most(min(self.timeout, deadline - time.monotonic()))
        self.client.send(f"{line}\r\n".encode())
        _check(*self.client.getreply(), good=good)

    def _hand_over(self, content: bytes, deadline: float) -> None:
        """Send the mail itself, in pieces: a time-out holds for each, so that a slow line still carries a large file."""
        quoted = _with_dots_doubled(content)
        for begin in range(0, len(quoted), _CHUNK):
            self._wait_at_most(min(self.timeout, deadline - time.monotonic()))
            self.client.send(quoted[begin : begin + _CHUNK])
        try:
            self._wait_at_most(self.timeout * _STEPS_OF_THE_ANSWER)
            self.client.send(b".\r\n")
            code, words = self.client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise ConnectionFailedError(_what_happened(error), in_doubt=True, timed_out=_timed_out(error)) from error
        _check(code, words)

    def _wait_at_most(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError("the mail server is too slow")
        if self.client.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        self.client.sock.settimeout(seconds)

    def _forget_the_mail(self) -> None:
        """Begin anew on the same connection, for the mails behind this one."""
        try:
            self._wait_at_most(self.timeout)
            self.client.rset()
        except (OSError, smtplib.SMTPException):
            self.client.close()


def _with_dots_doubled(content: bytes) -> bytes:
    """Return a mail as it follows DATA: a line that begins with a dot gets a second one (RFC 5321, section 4.5.2)."""
    doubled = re.sub(rb"(?m)^\.", b"..", content)
    return doubled if doubled.endswith(b"\r\n") else doubled + b"\r\n"


def _check(code: int, words: bytes, *, good: int | None = None) -> None:
    if (good is None and 200 <= code < 300) or code == good:
        return
    text = _reply(code, words)
    if code in _SIGN_IN or code == _CLOSING or code < 0:
        raise ConnectionFailedError(text, code=code)
    raise UndeliverableError(text, permanent=is_permanent(code, text), code=code)


def is_permanent(code: int, words: str) -> bool:
    """Say whether a reply, `words` with its code in front, would be the same however often one asks.

    The first digit says so (RFC 5321, section 4.2.1), unless an enhanced code (RFC 3463) knows better: servers answer "552 5.2.2" for a mailbox
    that is full today, and "550 4.7.1" for a sender whom they will take later.
    """
    if not 500 <= code < 600:
        return False
    enhanced = _ENHANCED.match(words)
    return enhanced is None or (enhanced["first"] != "4" and enhanced["rest"] not in _PASSING)


def _reply(code: int, raw: bytes | str) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return f"{code} {' '.join(text.split())}"[:400].rstrip()


def _timed_out(error: Exception) -> bool:
    # smtplib tells of a time-out while it reads an answer as of a connection that was closed.
    return isinstance(error, TimeoutError) or (isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError))


def _what_happened(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The mail server's certificate is not trusted: {error.verify_message}"[:400]
    if _timed_out(error):
        return "The mail server did not answer in time"
    name = "The mail server could not be reached"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        name = "The mail server closed the connection"
    if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLError):
        name = "No safe connection to the mail server"
    return f"{name}: {' '.join(str(error).split())}"[:400]


# --- For development and tests --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConsoleTransport:
    """Write mails to a stream, for development."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    patience: float = 0.0

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Need nothing."""
        yield self

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Write the mail and its envelope."""
        whole = message.as_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
        self.stream.write(f"--- mail from {sender} to {', '.join(recipients)}\n{whole}\n---\n")
        self.stream.flush()
        return ()


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that the memory transport has taken."""

    message: EmailMessage
    sender: str
    recipients: tuple[str, ...]


@dataclass(slots=True)
class MemoryTransport:
    """Keep mails in a list, for tests of a host."""

    sent: list[SentMail] = field(default_factory=list)
    patience: float = 0.0

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Need nothing."""
        yield self

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Keep the mail."""
        self.sent.append(SentMail(message, sender, tuple(recipients)))
        return ()


# --- Choosing one ---------------------------------------------------------------------------------------------------------------------------------

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_SECURITY = {"smtp": "plain", "smtp+starttls": "starttls", "smtps": "tls"}


def transport_of(url: str, *, timeout: float = 20.0, authorities: str | None = None) -> Transport:
    """Return the transport of a URL: "smtp://host:25", "smtp+starttls://user:password@host", "smtps://…", "console:" or "memory:".

    `authorities` is a file of certificates that are trusted beside the system's. Raise ConfigurationError for any other URL, for a file that holds
    no certificates, and for a password that would cross a network unencrypted.
    """
    _check_authorities(authorities)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The reason is left out: it may quote a part of the password.
        raise ConfigurationError("CS_MAIL_URL: expected an address such as smtp+starttls://user:password@host:587, percent-encoded") from None
    if parts.scheme == "console":
        return ConsoleTransport()
    if parts.scheme == "memory":
        return MemoryTransport()
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError(f"CS_MAIL_URL: expected smtp://, smtp+starttls://, smtps://, console: or memory:, not {parts.scheme or 'nothing'!r}")
    if parts.username and parts.scheme == "smtp" and not _is_this_machine(parts.hostname):
        raise ConfigurationError("CS_MAIL_URL: a password goes only over smtp+starttls:// or smtps://, or to a server on this machine")
    return SmtpTransport(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        security=_SECURITY[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        timeout=timeout,
        authorities=authorities,
    )


def trusting(authorities: str | None) -> ssl.SSLContext:
    """Return a context that verifies certificates: the system's authorities count, and those of a file (PEM)."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


def _check_authorities(authorities: str | None) -> None:
    if authorities is None:
        return
    try:
        trusting(authorities)
    except (OSError, TypeError, ValueError) as error:
        raise ConfigurationError(f"CS_MAIL_CA: expected a file of certificates in PEM form: {error}") from error


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
