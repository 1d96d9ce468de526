"""The mailbox that the options of a shop describe: how its connection is secured, whether all of it is filled in, and what does not go together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cs_plugin.errors import InvalidInputError


def _(text: str) -> str:
    return text


# The four without which there is no mailbox: all of them are filled in, or none.
IMAP_FIELDS = ("imap_url", "imap_port", "imap_user", "imap_password")
# What describes the connection, the fields above aside.
IMAP_FLAGS = ("imap_pop3", "imap_norsh", "imap_ssl", "imap_validate_cert", "imap_novalidate_cert", "imap_tls", "imap_notls")

# Flags that contradict each other; what is wrong is told at both.
REFUSED_PAIRS = (
    ("imap_ssl", "imap_tls"),
    ("imap_ssl", "imap_notls"),
    ("imap_tls", "imap_notls"),
    ("imap_validate_cert", "imap_novalidate_cert"),
)
INCOMPLETE = _("IMAP configuration is not correct")


class Encryption(StrEnum):
    """How the line to a mail server is encrypted."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # STARTTLS, or no connection
    OFFERED = "offered"  # STARTTLS where the server offers it
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is secured: what the flags come to.

    A password goes over a line that is not encrypted only where that was asked for (`Encryption.NONE`), or on this very machine.
    """

    encryption: Encryption = Encryption.OFFERED
    verify: bool = True

    @property
    def is_weakened(self) -> bool:
        """Say whether somebody on the way may read the password, or pose as the server that gets it: because that was asked for."""
        return self.encryption is Encryption.NONE or not self.verify


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """A mailbox as options describe it. `has_password` says that one is kept which was given for this very server."""

    server: str
    port: int | None
    user: str
    has_password: bool
    pop3: bool
    security: Security
    delete_messages: bool
    create_threads: bool

    @classmethod
    def of(cls, value: Callable[[str], Any], *, has_password: bool) -> MailboxSettings:
        """Read the settings out of resolved options; `value` returns one by its name."""
        return cls(
            server=value("imap_url"),
            port=value("imap_port"),
            user=value("imap_user"),
            has_password=has_password,
            pop3=value("imap_pop3"),
            security=security_of(value),
            delete_messages=value("delete_messages"),
            create_threads=value("create_new_threads"),
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the fields that are empty, by their options' names."""
        filled = (self.server, self.port, self.user, self.has_password)
        return tuple(name for name, there in zip(IMAP_FIELDS, filled, strict=True) if not there)

    @property
    def is_filled(self) -> bool:
        """Say whether there is a mailbox to connect to."""
        return not self.missing


def security_of(value: Callable[[str], Any]) -> Security:
    """Return what the flags of resolved options come to; none of them means STARTTLS where it is offered, and certificates that are verified."""
    if value("imap_ssl"):
        encryption = Encryption.TLS
    elif value("imap_tls"):
        encryption = Encryption.STARTTLS
    else:
        encryption = Encryption.NONE if value("imap_notls") else Encryption.OFFERED
    return Security(encryption, verify=not value("imap_novalidate_cert"))


def place_of_password(server: str, security: Security) -> str:
    """Return the place that a password is sealed for: a server, and with which line; no server's name has a blank."""
    return f"{server} weakened" if security.is_weakened else server


def wrong_flags(value: Callable[[str], Any]) -> Iterator[InvalidInputError]:
    """Yield what is wrong with flags that contradict each other, at each of the two."""
    for pair in REFUSED_PAIRS:
        if all(value(name) for name in pair):
            for name, other in (pair, pair[::-1]):
                yield InvalidInputError(name, _("This cannot be used together with /%(other)s."), other=other.removeprefix("imap_").replace("_", "-"))


def wrong_fields(settings: MailboxSettings) -> Iterator[InvalidInputError]:
    """Yield the fields that are missing where some, but not all of the four are filled in."""
    if len(settings.missing) not in (0, len(IMAP_FIELDS)):
        for name in settings.missing:
            yield InvalidInputError(name, INCOMPLETE)
