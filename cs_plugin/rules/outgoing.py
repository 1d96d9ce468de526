"""A mail on its way out, whole: what the outbox keeps, what a transport sends, what a host's own mail sending is handed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cs_plugin.rules.inquiry import StoredFile

# The mails that an employee's words wait for: what becomes of them stands on the message, or on the note that says that it was forwarded.
CARRY_A_MESSAGE = frozenset({"reply", "order_message", "forward"})


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address, as a header holds them (RFC 5322, section 3.4)."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail that waits to leave. Message-IDs stand with their angle brackets; `headers` are those besides the usual ones.

    `return_path` is where a server sends a mail that it could not deliver; empty for the sender. `only_to` names those who have yet to get it,
    where a server took it for the others; empty for everybody.
    """

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
    return_path: str = ""
    only_to: tuple[str, ...] = ()
    files: tuple[StoredFile, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the addresses of all who have yet to get the mail, each once."""
        everybody = tuple(dict.fromkeys(mailbox.address for mailbox in (*self.to, *self.cc)))
        return tuple(address for address in everybody if address in self.only_to) or everybody

    @property
    def envelope_sender(self) -> str:
        """Return the address that the envelope names as the sender (RFC 5321, section 4.5.5)."""
        return self.return_path or self.sender.address

    def is_meant_for(self, addresses: Collection[str]) -> bool:
        """Say whether one of these addresses is what the mail is written to, and not a copy's."""
        return any(mailbox.address in addresses for mailbox in self.to)

    def left_for(self, addresses: Collection[str]) -> OutgoingMail:
        """Return the mail as it has yet to go to these of its recipients."""
        return replace(self, only_to=tuple(address for address in self.recipients if address in addresses))

    def as_row(self) -> dict[str, Any]:
        """Return the mail as JSON holds it, without its files."""
        row = {name: getattr(self, name) for name in _IN_A_ROW}
        several = {name: [_mailbox_row(one) for one in row[name]] for name in ("to", "cc")}
        reply_to = _mailbox_row(self.reply_to) if self.reply_to is not None else None
        return row | several | {"sender": _mailbox_row(self.sender), "reply_to": reply_to, "headers": dict(self.headers)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any], files: tuple[StoredFile, ...] = ()) -> OutgoingMail:
        """Return the mail that `as_row` wrote. What another version of the desk wrote besides is passed over."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in row.items() if name in known}
        values["sender"] = Mailbox(**row["sender"])
        values["to"] = tuple(Mailbox(**one) for one in row["to"])
        values["cc"] = tuple(Mailbox(**one) for one in row["cc"])
        values["reply_to"] = Mailbox(**row["reply_to"]) if row["reply_to"] else None
        values["references"] = tuple(row["references"])
        values["only_to"] = tuple(row.get("only_to", ()))
        return cls(**values, files=files)


_IN_A_ROW = tuple(one.name for one in fields(OutgoingMail) if one.name != "files")


def _mailbox_row(mailbox: Mailbox) -> dict[str, str]:
    return {"address": mailbox.address, "name": mailbox.name}


@dataclass(frozen=True, slots=True)
class Refused:
    """A recipient for whom a server did not take a mail, with its words. `permanent` as in `UndeliverableError`."""

    address: str
    text: str
    permanent: bool
    code: int | None = None

    @property
    def words(self) -> str:
        """Return the server's words with the address that they are about; many servers name it themselves."""
        return self.text if self.address.casefold() in self.text.casefold() else f"{self.text} ({self.address})"
