"""The four statuses of a thread, and what moves a thread from one to another."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a thread stands: open needs an answer, closed is resolved, the pending ones are answered later."""

    OPEN = "open"
    CLOSED = "closed"
    PENDING1 = "pending1"
    PENDING2 = "pending2"


class Folder(StrEnum):
    """Which drawer a thread lies in; only the list is counted and shown. MERGED holds what has been merged into another thread."""

    LIST = "list"
    SPAM = "spam"
    BIN = "bin"
    MERGED = "merged"


class Happening(StrEnum):
    """What can befall a thread."""

    CUSTOMER_BEGAN = "customer_began"
    EMPLOYEE_BEGAN = "employee_began"
    NOTE_BEGAN = "note_began"
    CUSTOMER_WROTE = "customer_wrote"
    MACHINE_WROTE = "machine_wrote"
    EMPLOYEE_REPLIED = "employee_replied"
    NOTE_ADDED = "note_added"
    FORWARDED = "forwarded"
    READ = "read"
    MAIL_BOUNCED = "mail_bounced"


# What each happening makes of a thread's status; None leaves it as it is. A reply that names a status of its own
# ("Reply and…") overrules its row.
AFTER: dict[Happening, Status | None] = {
    Happening.CUSTOMER_BEGAN: Status.OPEN,
    Happening.EMPLOYEE_BEGAN: Status.CLOSED,
    Happening.NOTE_BEGAN: Status.OPEN,
    Happening.CUSTOMER_WROTE: Status.OPEN,
    Happening.MACHINE_WROTE: None,
    Happening.EMPLOYEE_REPLIED: Status.CLOSED,
    Happening.NOTE_ADDED: None,
    Happening.FORWARDED: None,
    Happening.READ: None,
    Happening.MAIL_BOUNCED: Status.OPEN,
}
