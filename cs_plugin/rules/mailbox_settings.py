"""The mailbox that the options of a shop describe: how its connection is secured, whether all of it is filled in, and what does not go together."""

from __future__ import annotations

import json
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


# An option is no row with columns: what stands in the place of a sealed password begins as nothing does that the vault has sealed.
_AUTHORISATION = "oauth:"
SAFE_LINE = _("With an authorisation in the place of a password, the line has to be encrypted and its certificate verified.")


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
    """A mailbox as options describe it. `has_password` says that one is kept for this very server, or an authorisation in its place."""

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


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What an option holds in the place of a password: the row with the tokens (0 for one to be made), and the mailbox that they are for."""

    token_id: int
    provider: str
    protocol: str
    server: str
    user: str

    @classmethod
    def wanted(cls, provider: str, value: Callable[[str], Any]) -> Authorisation:
        """Return one that is to be given for the mailbox of resolved options."""
        return cls(0, provider, protocol_of(value), value("imap_url"), value("imap_user"))

    @classmethod
    def read(cls, kept: object) -> Authorisation | None:
        """Return what a kept value says; None for a sealed password, and for what nobody can read."""
        if not is_authorisation(kept):
            return None
        try:
            token_id, *words = json.loads(str(kept).removeprefix(_AUTHORISATION))
            provider, protocol, server, user = words
        except (ValueError, TypeError, RecursionError):
            return None
        good = isinstance(token_id, int) and all(isinstance(word, str) for word in words)
        return cls(token_id, provider, protocol, server, user) if good else None

    @property
    def kept(self) -> str:
        """Return it as an option keeps it: there is nothing secret in it."""
        return _AUTHORISATION + json.dumps([self.token_id, self.provider, self.protocol, self.server, self.user])

    def is_for(self, value: Callable[[str], Any]) -> bool:
        """Say whether it was given for the mailbox of resolved options. The port may change, as it may for a password."""
        return (self.protocol, self.server, self.user) == (protocol_of(value), value("imap_url"), value("imap_user"))


def is_authorisation(kept: object) -> bool:
    """Say whether an authorisation is kept in the place of a password, whether or not it can be read."""
    return isinstance(kept, str) and kept.startswith(_AUTHORISATION)


def protocol_of(value: Callable[[str], Any]) -> str:
    """Return the protocol of resolved options."""
    return "pop3" if value("imap_pop3") else "imap"


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


def wrong_line(security: Security) -> InvalidInputError | None:
    """Return at its flag why no authorisation may go over a line that is secured like this; None where one may."""
    if not security.is_weakened:
        return None
    return InvalidInputError("imap_notls" if security.encryption is Encryption.NONE else "imap_novalidate_cert", SAFE_LINE)


def wrong_fields(settings: MailboxSettings) -> Iterator[InvalidInputError]:
    """Yield the fields that are missing where some, but not all of the four are filled in."""
    if len(settings.missing) not in (0, len(IMAP_FIELDS)):
        for name in settings.missing:
            yield InvalidInputError(name, INCOMPLETE)
