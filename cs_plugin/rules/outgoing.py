"""A mail on its way out, whole: what the outbox keeps, what a transport sends, what a host's own mail sending is handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cs_plugin.rules.inquiry import StoredFile


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address, as a header holds them (RFC 5322, section 3.4)."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail that waits to leave. Message-IDs stand with their angle brackets; `headers` are those besides the usual ones."""

    kind: str
    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    text: str
    html: str
    message_id: str
    language: str
    shop_id: str
    cc: tuple[Mailbox, ...] = ()
    reply_to: Mailbox | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[StoredFile, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the addresses of all who get the mail."""
        return tuple(mailbox.address for mailbox in (*self.to, *self.cc))

    def as_row(self) -> dict[str, Any]:
        """Return the mail as JSON holds it, without its files."""
        row = asdict(self)
        del row["files"]
        row["headers"] = dict(self.headers)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], files: tuple[StoredFile, ...] = ()) -> OutgoingMail:
        """Return the mail that `as_row` wrote."""
        fields = dict(row)
        fields["sender"] = Mailbox(**row["sender"])
        fields["to"] = tuple(Mailbox(**one) for one in row["to"])
        fields["cc"] = tuple(Mailbox(**one) for one in row["cc"])
        fields["reply_to"] = Mailbox(**row["reply_to"]) if row["reply_to"] else None
        fields["references"] = tuple(row["references"])
        return cls(**fields, files=files)
