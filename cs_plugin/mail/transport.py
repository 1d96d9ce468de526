"""Ways out: SMTP, the console, and memory. One that does not take a mail raises UndeliverableError, and says whether for good."""

from __future__ import annotations

import smtplib
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol, TextIO
from urllib.parse import unquote, urlsplit

from cs_plugin.errors import ConfigurationError, UndeliverableError


class Connection(Protocol):
    """An open way out, good for several mails."""

    def send(self, message: EmailMessage, sender: str, recipients: list[str]) -> None:
        """Hand over a mail. Raise UndeliverableError where it was not taken for every recipient."""


class Transport(Protocol):
    """A way out. `connect` raises UndeliverableError where it is closed."""

    def connect(self) -> AbstractConnection:
        """Open it."""


class AbstractConnection(Protocol):
    """A connection that closes itself."""

    def __enter__(self) -> Connection: ...

    def __exit__(self, *error: object) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Send through an SMTP server. `security` is "starttls" (refused where missing), "tls" (from the first byte) or "plain".

    `timeout` holds for each step, in seconds.
    """

    host: str
    port: int
    security: str = "plain"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 20.0

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection and close it after its last mail."""
        try:
            client = self._client()
        except (OSError, smtplib.SMTPException) as error:
            raise _undeliverable(error) from error
        try:
            yield _SmtpConnection(client)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                client.quit()

    def _client(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                client.starttls(context=context)
            if self.username:
                client.login(self.username, self.password)
        except BaseException:
            client.close()
            raise
        return client


@dataclass(frozen=True, slots=True)
class _SmtpConnection:
    client: smtplib.SMTP

    def send(self, message: EmailMessage, sender: str, recipients: list[str]) -> None:
        try:
            refused = self.client.send_message(message, from_addr=sender, to_addrs=recipients)
        except (OSError, smtplib.SMTPException) as error:
            raise _undeliverable(error) from error
        if refused:
            # Some took it: trying again would send it to them twice, so what was refused is told and left.
            address, (code, words) = next(iter(refused.items()))
            raise UndeliverableError(f"{code} {_words(words)} ({address})", permanent=True, code=code)


def _undeliverable(error: Exception) -> UndeliverableError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        address, (code, words) = next(iter(error.recipients.items()))
        return UndeliverableError(f"{code} {_words(words)} ({address})", permanent=_for_good(code), code=code)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Wrong credentials are the shop's to mend, not the mail's fault: it waits.
        return UndeliverableError(f"{error.smtp_code} {_words(error.smtp_error)}", permanent=False, code=error.smtp_code)
    if isinstance(error, smtplib.SMTPResponseException):
        return UndeliverableError(f"{error.smtp_code} {_words(error.smtp_error)}", permanent=_for_good(error.smtp_code), code=error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return UndeliverableError(str(error), permanent="SMTPUTF8" in str(error))
    return UndeliverableError(f"{type(error).__name__}: {error}", permanent=False)


def _for_good(code: int) -> bool:
    # RFC 5321, section 4.2.1: 5yz will be answered again however often one asks. 421 and the like pass.
    return 500 <= code < 600


def _words(raw: bytes | str) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return " ".join(text.split())[:400]


@dataclass(frozen=True, slots=True)
class ConsoleTransport:
    """Write mails to a stream, for development."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Need nothing."""
        yield self

    def send(self, message: EmailMessage, sender: str, recipients: list[str]) -> None:
        """Write the mail and its envelope."""
        self.stream.write(f"--- mail from {sender} to {', '.join(recipients)}\n{message.as_bytes().decode('utf-8', 'replace')}\n---\n")
        self.stream.flush()


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

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Need nothing."""
        yield self

    def send(self, message: EmailMessage, sender: str, recipients: list[str]) -> None:
        """Keep the mail."""
        self.sent.append(SentMail(message, sender, tuple(recipients)))


_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_SECURITY = {"smtp": "plain", "smtp+starttls": "starttls", "smtps": "tls"}


def transport_of(url: str, *, timeout: float = 20.0) -> Transport:
    """Return the transport of a URL: "smtp://host:25", "smtp+starttls://user:password@host", "smtps://…", "console:" or "memory:".

    Raise ConfigurationError for any other.
    """
    parts = urlsplit(url)
    if parts.scheme == "console":
        return ConsoleTransport()
    if parts.scheme == "memory":
        return MemoryTransport()
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError(f"CS_MAIL_URL: expected smtp://, smtp+starttls://, smtps://, console: or memory:, not {parts.scheme or 'nothing'!r}")
    return SmtpTransport(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        security=_SECURITY[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        timeout=timeout,
    )
