"""Which mailbox is meant, and how mail servers are reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from cs_plugin.mail.mailbox.addresses import DeniedNetworks
from cs_plugin.mail.mailbox.findings import Quoting
from cs_plugin.rules.mailbox_settings import Security

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mailbox on a server, and how it is signed in to. With `pop3` there is no folder but the inbox.

    Where there is an `access_token` (OAuth 2), that signs in and the password is not used.
    """

    server: str
    port: int
    user: str
    password: str = field(repr=False)
    pop3: bool = False
    security: Security = field(default_factory=Security)
    folder: str = INBOX
    access_token: str = field(default="", repr=False)

    @property
    def quoting(self) -> Quoting:
        """Return what quotes this server without repeating what signs in."""
        return Quoting(self.user, self.access_token or self.password)


@dataclass(frozen=True, slots=True)
class Reach:
    """How mail servers are reached: seconds for each step, a file of authorities trusted beside the system's, networks that are left alone."""

    timeout: float = 20.0
    authorities: str | None = None
    denied: DeniedNetworks = field(default_factory=DeniedNetworks)
