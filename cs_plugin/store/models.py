"""Every table of the desk, those of features to come included.

The tables stand on metadata of their own and refer to the host by its ids as text, never by foreign key: a host is keyed by numbers,
by UUIDs or by tokens.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, Date, Float, ForeignKey, Index, Integer, MetaData, String, UniqueConstraint, false, text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.shops import Breadth
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.types import Digest, FoldedText, HostId, Id, LongBytes, LongText, OneOf, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

# Where a list sorts a thread without a customer message: databases disagree on which end NULL belongs to, and an index can serve only one.
NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# Text that is searched and sorted byte by byte after `rules.inquiry.fold` has made all letters alike.
Folded = String(254).with_variant(mysql.VARCHAR(254, collation="utf8mb4_bin"), "mysql", "mariadb")
# The beginning of such a text: what a list is sorted by.
FoldedStart = String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")


class Base(DeclarativeBase):
    """The desk's own tables. Every name begins with `cs_`, by which a host's migrations leave them alone."""

    metadata = MetaData(naming_convention=NAMING)
    # AUTOINCREMENT: without it SQLite gives a deleted thread's id to the next one, and old mails then point at a stranger.
    table_options: ClassVar[dict[str, Any]] = {
        "sqlite_autoincrement": True,
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mariadb_engine": "InnoDB",
        "mariadb_charset": "utf8mb4",
    }
    indexes: ClassVar[tuple[Any, ...]] = ()

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (*cls.indexes, cls.table_options)


def _pointing(name: str, column: str) -> Index:
    """Return the index of a column that is mostly NULL: of the rows alone that point to something, where the database has such indexes."""
    some = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=some, postgresql_where=some)


def _id() -> Mapped[int]:
    return mapped_column(Id, primary_key=True, autoincrement=True)


def _moment() -> Mapped[dt.datetime]:
    return mapped_column(UtcDateTime())


def _maybe_moment() -> Mapped[dt.datetime | None]:
    return mapped_column(UtcDateTime())


# --- Threads and what stands in them ----------------------------------------------------------------------------------------------------------------


class Thread(Base):
    """One discussion with one customer.

    The columns under "kept" follow from the messages; `store.threads.recompute` writes them, and nothing else does.
    """

    __tablename__ = "cs_thread"
    indexes = (
        Index("ix_cs_thread_list", "folder", "id"),
        Index("ix_cs_thread_shop", "shop_id", "folder", "id"),
        # With what "Mine", "Unassigned" and a shop ask besides: what is not closed is counted without a look at a single thread.
        Index("ix_cs_thread_waiting", "folder", "status", "waiting_since", "id", "assignee_id", "shop_id"),
        Index("ix_cs_thread_last", "folder", "last_customer_sort", "id"),
        Index("ix_cs_thread_customer", "folder", "customer_sort", "id"),
        Index("ix_cs_thread_address", "folder", "address_sort", "id"),
        Index("ix_cs_thread_message", "folder", "message_sort", "id"),
        Index("ix_cs_thread_sender", "address_hash", "id"),
        Index("ix_cs_thread_account", "customer_id", "id"),
        Index("ix_cs_thread_order", "order_id", "id"),
        # Which threads began on a day: that many more waited from then on.
        Index("ix_cs_thread_begun", "created_at"),
        # By these whoever erases a thread finds what points to it; the list is not sorted by them.
        _pointing("ix_cs_thread_refers", "refers_to_id"),
        _pointing("ix_cs_thread_merged", "merged_into_id"),
    )

    id: Mapped[int] = _id()
    version: Mapped[int] = mapped_column(Integer, default=0)
    shop_id: Mapped[str] = mapped_column(HostId)
    language: Mapped[str] = mapped_column(String(16))
    contact_id: Mapped[int | None] = mapped_column(Id)
    folder: Mapped[Folder] = mapped_column(OneOf(Folder), default=Folder.LIST)
    status: Mapped[Status] = mapped_column(OneOf(Status))
    assignee_id: Mapped[str | None] = mapped_column(HostId)
    subject: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(254), default="")
    address_hash: Mapped[bytes] = mapped_column(Digest)
    address_sort: Mapped[str] = mapped_column(Folded, default="")
    customer_id: Mapped[str | None] = mapped_column(HostId)
    customer_verified: Mapped[bool] = mapped_column(Boolean, default=False)
    customer_name: Mapped[str] = mapped_column(String(200), default="")
    customer_sort: Mapped[str] = mapped_column(Folded, default="")
    order_id: Mapped[str | None] = mapped_column(HostId)
    token_nonce: Mapped[str] = mapped_column(String(32))
    refers_to_id: Mapped[int | None] = mapped_column(Id)
    merged_into_id: Mapped[int | None] = mapped_column(Id)
    created_at: Mapped[dt.datetime] = _moment()
    binned_at: Mapped[dt.datetime | None] = _maybe_moment()

    # Kept
    last_customer_message_id: Mapped[int | None] = mapped_column(Id)
    last_customer_at: Mapped[dt.datetime | None] = _maybe_moment()
    last_customer_sort: Mapped[dt.datetime] = mapped_column(UtcDateTime(), default=NEVER)
    last_customer_text: Mapped[str] = mapped_column(String(160), default="")
    message_sort: Mapped[str] = mapped_column(FoldedStart, default="", server_default="")
    newest_note_id: Mapped[int | None] = mapped_column(Id)
    private: Mapped[bool] = mapped_column(Boolean, default=False)
    customer_messages: Mapped[int] = mapped_column(Integer, default=0)
    employee_messages: Mapped[int] = mapped_column(Integer, default=0)
    waiting_since: Mapped[dt.datetime | None] = _maybe_moment()
    last_activity_at: Mapped[dt.datetime | None] = _maybe_moment()


class Delivery(StrEnum):
    """Where a public message of an employee stands on its way to the customer, or a note's forward outside; NONE for all that is not mailed."""

    NONE = "none"
    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class Message(Base):
    """One entry of a thread. `home_thread_id` is the thread it was written in, which an undone merge gives it back to.

    `released_at` is when a public message of an employee became the customer's to see: None means not yet, or never (a note). One that is HELD is
    released at `release_due_at`, or by somebody alone where that is None; what is to become of its thread then stands in `release` (`store.held`).
    `signs` names what was seen while its mail was read, apart by blanks: what was mended or cut (`rules.oddities`), and by what a machine's was known
    (`mail.machines`).
    """

    __tablename__ = "cs_message"
    indexes = (
        # What a thread keeps of its messages is worked out from it alone: their texts lie in the rows, and long threads have thousands.
        Index("ix_cs_message_thread", "thread_id", "id", "private", "author_kind", "released_at", "created_at"),
        # A shop's messages from the newest backwards: the bell and the search for short words walk them.
        Index("ix_cs_message_written", "shop_id", "created_at", "id"),
        # Figures of a span of time are read from these two alone.
        Index("ix_cs_message_span", "created_at", "author_kind", "private", "shop_id", "thread_id"),
        Index("ix_cs_message_answer", "released_at", "shop_id", "thread_id", "response_seconds", "author_id"),
        Index("ix_cs_message_header", "message_id_hash"),
        _pointing("ix_cs_message_linked", "linked_message_id"),
        # The few replies that wait for their moment are looked for every second.
        _pointing("ix_cs_message_release", "release_due_at"),
    )

    id: Mapped[int] = _id()
    thread_id: Mapped[int] = mapped_column(Id)
    home_thread_id: Mapped[int] = mapped_column(Id)
    shop_id: Mapped[str] = mapped_column(HostId)
    author_kind: Mapped[AuthorKind] = mapped_column(OneOf(AuthorKind))
    author_id: Mapped[str | None] = mapped_column(HostId)
    author_name: Mapped[str] = mapped_column(String(200), default="")
    author_address: Mapped[str] = mapped_column(String(254), default="")
    private: Mapped[bool] = mapped_column(Boolean, default=False)
    channel: Mapped[Channel] = mapped_column(OneOf(Channel))
    product_id: Mapped[str | None] = mapped_column(HostId)
    product_name: Mapped[str] = mapped_column(String(255), default="")
    subject: Mapped[str] = mapped_column(String(255), default="")
    text: Mapped[str] = mapped_column(LongText, default="")
    quoted: Mapped[str | None] = mapped_column(LongText)
    preview: Mapped[str] = mapped_column(String(160), default="")
    language: Mapped[str] = mapped_column(String(16), default="")
    cc: Mapped[list[str] | None] = mapped_column(JSON)
    message_id: Mapped[str | None] = mapped_column(LongText)
    message_id_hash: Mapped[bytes | None] = mapped_column(Digest)
    original_blob_id: Mapped[int | None] = mapped_column(Id)
    html_blob_id: Mapped[int | None] = mapped_column(Id)
    matched_by: Mapped[str] = mapped_column(String(64), default="")
    same_id_other_text: Mapped[bool] = mapped_column(Boolean, default=False)
    signs: Mapped[str | None] = mapped_column(String(500))
    linked_message_id: Mapped[int | None] = mapped_column(Id)
    delivery: Mapped[Delivery] = mapped_column(OneOf(Delivery), default=Delivery.NONE)
    delivery_text: Mapped[str] = mapped_column(String(500), default="")
    delivered_at: Mapped[dt.datetime | None] = _maybe_moment()
    released_at: Mapped[dt.datetime | None] = _maybe_moment()
    release_due_at: Mapped[dt.datetime | None] = _maybe_moment()
    release: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    response_seconds: Mapped[float | None] = mapped_column(Float)
    network: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(255), default="")
    sent_at: Mapped[dt.datetime | None] = _maybe_moment()
    created_at: Mapped[dt.datetime] = _moment()

    attachments: Mapped[list[Attachment]] = relationship(
        primaryjoin="Message.id == foreign(Attachment.message_id)", order_by="Attachment.position", viewonly=True
    )


class Blob(Base):
    """Bytes in the file storage, under a random key that tells nothing."""

    __tablename__ = "cs_blob"
    indexes = (Index("ix_cs_blob_sha256", "sha256"), UniqueConstraint("key"))

    id: Mapped[int] = _id()
    sha256: Mapped[bytes] = mapped_column(Digest)
    size: Mapped[int] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = _moment()


class Attachment(Base):
    """A file of a message. `scanned` is the word of the host's scanner, or empty where none was asked."""

    __tablename__ = "cs_attachment"
    indexes = (Index("ix_cs_attachment_message", "message_id", "position"), Index("ix_cs_attachment_blob", "blob_id"))

    id: Mapped[int] = _id()
    message_id: Mapped[int] = mapped_column(Id)
    blob_id: Mapped[int] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer, default=0)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(Id)
    content_id: Mapped[str] = mapped_column(String(255), default="")
    scanned: Mapped[str] = mapped_column(String(64), default="")


class Participant(Base):
    """An address that an employee added to a thread; Cc alone never makes one."""

    __tablename__ = "cs_participant"
    indexes = (UniqueConstraint("thread_id", "address_hash"),)

    id: Mapped[int] = _id()
    thread_id: Mapped[int] = mapped_column(Id)
    address: Mapped[str] = mapped_column(String(254))
    address_hash: Mapped[bytes] = mapped_column(Digest)
    added_by: Mapped[str | None] = mapped_column(HostId)
    created_at: Mapped[dt.datetime] = _moment()


class ThreadEvent(Base):
    """A change of a thread, as the timeline shows it. `via` tells where it was done: page, list, mail, rule, command."""

    __tablename__ = "cs_event"
    indexes = (Index("ix_cs_event_thread", "thread_id", "id"), Index("ix_cs_event_kind", "kind", "created_at"))

    id: Mapped[int] = _id()
    thread_id: Mapped[int] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(32))
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(HostId)
    actor_name: Mapped[str] = mapped_column(String(200), default="")
    via: Mapped[str] = mapped_column(String(16), default="page")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[dt.datetime] = _moment()


class ThreadAlias(Base):
    """A key from outside that leads to a thread: a Message-ID, a token, an imported id, a merged thread.

    `address_hash` is whose key it is, where nobody else's mail may use it: of a mail that was forwarded outside its recipient's, of an answer to one
    its sender's.
    """

    __tablename__ = "cs_thread_alias"
    indexes = (Index("ix_cs_thread_alias_key", "kind", "hash"), Index("ix_cs_thread_alias_thread", "thread_id"))

    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(16))
    hash: Mapped[bytes] = mapped_column(Digest)
    thread_id: Mapped[int] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    shop_id: Mapped[str | None] = mapped_column(HostId)
    address_hash: Mapped[bytes | None] = mapped_column(Digest)
    created_at: Mapped[dt.datetime] = _moment()
    revoked_at: Mapped[dt.datetime | None] = _maybe_moment()


class Post(Base):
    """A form that was posted, by its own id or by its text: the same one is taken once."""

    __tablename__ = "cs_post"
    indexes = (UniqueConstraint("hash"), Index("ix_cs_post_created", "created_at"))

    id: Mapped[int] = _id()
    hash: Mapped[bytes] = mapped_column(Digest)
    thread_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    created_at: Mapped[dt.datetime] = _moment()


class SearchText(Base):
    """The words of a message as they are searched: `rules.inquiry.fold` of its text."""

    __tablename__ = "cs_search"
    indexes = (Index("ix_cs_search_thread", "thread_id", "message_id"),)

    message_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    thread_id: Mapped[int] = mapped_column(Id)
    words: Mapped[str] = mapped_column(FoldedText)


class ThreadWords(Base):
    """The words that a thread itself is searched by, folded likewise: its customer, its address, its order with its subject.

    They stand apart from the thread, which every message writes anew: its customer's name need not be indexed again each time.
    """

    __tablename__ = "cs_search_thread"

    thread_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    customer: Mapped[str] = mapped_column(Folded)
    address: Mapped[str] = mapped_column(Folded)
    about: Mapped[str] = mapped_column(FoldedText)


class Merge(Base):
    """Threads that were made one, with what an undo needs."""

    __tablename__ = "cs_merge"
    indexes = (Index("ix_cs_merge_kept", "kept_thread_id"), Index("ix_cs_merge_merged", "merged_thread_id"))

    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(16))
    kept_thread_id: Mapped[int] = mapped_column(Id)
    merged_thread_id: Mapped[int] = mapped_column(Id)
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    employee_id: Mapped[str | None] = mapped_column(HostId)
    created_at: Mapped[dt.datetime] = _moment()
    undone_at: Mapped[dt.datetime | None] = _maybe_moment()


class SurveyAnswer(Base):
    """What a customer answered to the closing question, and when they first did. It belongs to the message, wherever that is moved."""

    __tablename__ = "cs_survey_answer"
    indexes = (
        UniqueConstraint("thread_id", "message_id"),
        Index("ix_cs_survey_answer_message", "message_id"),
        # Figures of a span of time are read from it, whatever shops they are of.
        Index("ix_cs_survey_answer_span", "created_at", "shop_id", "message_id"),
    )

    id: Mapped[int] = _id()
    thread_id: Mapped[int] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    shop_id: Mapped[str] = mapped_column(HostId)
    score: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str] = mapped_column(LongText, default="")
    created_at: Mapped[dt.datetime] = _moment()


class BlockedSender(Base):
    """An address whose messages go to the spam folder."""

    __tablename__ = "cs_blocked_sender"
    indexes = (UniqueConstraint("address_hash", "shop_id"),)

    id: Mapped[int] = _id()
    address: Mapped[str] = mapped_column(String(254))
    address_hash: Mapped[bytes] = mapped_column(Digest)
    shop_id: Mapped[str] = mapped_column(HostId, default="")
    employee_id: Mapped[str | None] = mapped_column(HostId)
    created_at: Mapped[dt.datetime] = _moment()


# --- Contacts, predefined messages, options ---------------------------------------------------------------------------------------------------------


class Contact(Base):
    """A department that customers choose. `mails` switches its mails by name; an absent one is as `rules.mails` has it."""

    __tablename__ = "cs_contact"

    id: Mapped[int] = _id()
    email: Mapped[str] = mapped_column(String(254), default="")
    save_messages: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    mails: Mapped[dict[str, bool]] = mapped_column(JSON, default=dict)
    created_at: Mapped[dt.datetime] = _moment()

    texts: Mapped[list[ContactText]] = relationship(back_populates="contact", cascade="all, delete-orphan", order_by="ContactText.language")
    shops: Mapped[list[ContactShop]] = relationship(back_populates="contact", cascade="all, delete-orphan", order_by="ContactShop.shop_id")


class ContactText(Base):
    """A contact's words in one language."""

    __tablename__ = "cs_contact_text"
    indexes = (UniqueConstraint("contact_id", "language"),)

    id: Mapped[int] = _id()
    contact_id: Mapped[int] = mapped_column(Id, ForeignKey("cs_contact.id"))
    language: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(255), default="")
    description: Mapped[str] = mapped_column(LongText, default="")
    signature: Mapped[str] = mapped_column(LongText, default="")

    contact: Mapped[Contact] = relationship(back_populates="texts")


class ContactShop(Base):
    """A shop in which a contact can be chosen."""

    __tablename__ = "cs_contact_shop"
    indexes = (UniqueConstraint("contact_id", "shop_id"),)

    id: Mapped[int] = _id()
    contact_id: Mapped[int] = mapped_column(Id, ForeignKey("cs_contact.id"))
    shop_id: Mapped[str] = mapped_column(HostId)

    contact: Mapped[Contact] = relationship(back_populates="shops")


class PredefinedMessage(Base):
    """A text that employees choose instead of writing it again."""

    __tablename__ = "cs_predefined_message"

    id: Mapped[int] = _id()
    position: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[dt.datetime] = _moment()

    texts: Mapped[list[PredefinedText]] = relationship(back_populates="message", cascade="all, delete-orphan", order_by="PredefinedText.language")
    shops: Mapped[list[PredefinedShop]] = relationship(back_populates="message", cascade="all, delete-orphan", order_by="PredefinedShop.shop_id")


class PredefinedText(Base):
    """A predefined message in one language."""

    __tablename__ = "cs_predefined_text"
    indexes = (UniqueConstraint("predefined_id", "language"),)

    id: Mapped[int] = _id()
    predefined_id: Mapped[int] = mapped_column(Id, ForeignKey("cs_predefined_message.id"))
    language: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(128), default="")
    text: Mapped[str] = mapped_column(LongText, default="")

    message: Mapped[PredefinedMessage] = relationship(back_populates="texts")


class PredefinedShop(Base):
    """A shop in which a predefined message is offered."""

    __tablename__ = "cs_predefined_shop"
    indexes = (UniqueConstraint("predefined_id", "shop_id"),)

    id: Mapped[int] = _id()
    predefined_id: Mapped[int] = mapped_column(Id, ForeignKey("cs_predefined_message.id"))
    shop_id: Mapped[str] = mapped_column(HostId)

    message: Mapped[PredefinedMessage] = relationship(back_populates="shops")


class Option(Base):
    """An option's own value at one breadth and, for texts, in one language; what has no row is inherited."""

    __tablename__ = "cs_option"
    indexes = (UniqueConstraint("name", "breadth", "breadth_id", "language"),)

    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(64))
    breadth: Mapped[Breadth] = mapped_column(OneOf(Breadth), default=Breadth.ALL)
    breadth_id: Mapped[str] = mapped_column(HostId, default="")
    language: Mapped[str] = mapped_column(String(16), default="")
    value: Mapped[str] = mapped_column(LongText)
    encrypted: Mapped[bool] = mapped_column(Boolean, default=False)
    changed_at: Mapped[dt.datetime] = _moment()


# --- Mail in ----------------------------------------------------------------------------------------------------------------------------------------


class Origin(StrEnum):
    """Where a mailbox is set up."""

    OWN = "own"          # on a page of its own
    OPTIONS = "options"  # by the options of the shops that it is fetched for
    FILES = "files"      # nowhere: under it stands what was imported from files


class Mailbox(Base):
    """A mailbox that is fetched, with its cursor and its lease.

    One that options describe holds what they come to, but for the password, and the shops that it is fetched for in `shop_ids`; `place_hash` is a
    digest of the server and the user, by which it stays the same one when anything else is changed. Until somebody has said from when on mail is
    wanted there, `start` is "unchosen", and it is fetched from its first connection on. `began_at` is when it was first connected to;
    mails whose number is below `first_uid` were there when the server began to count as it does, and of those not all may be wanted.
    After a run that ended with its process the next one is `careful`: it takes one mail at a time, and `in_hand` holds a digest of where that lies,
    with how many runs have taken it (`sync.in_hand`).
    """

    __tablename__ = "cs_mailbox"

    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(128), default="")
    breadth: Mapped[Breadth] = mapped_column(OneOf(Breadth), default=Breadth.ALL)
    breadth_id: Mapped[str] = mapped_column(HostId, default="")
    contact_id: Mapped[int | None] = mapped_column(Id)
    address: Mapped[str] = mapped_column(String(254), default="")
    protocol: Mapped[str] = mapped_column(String(8), default="imap")
    server: Mapped[str] = mapped_column(String(255), default="")
    port: Mapped[int | None] = mapped_column(Integer)
    username: Mapped[str] = mapped_column(String(255), default="")
    password: Mapped[str] = mapped_column(LongText, default="")
    oauth_token_id: Mapped[int | None] = mapped_column(Id)
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    folder: Mapped[str] = mapped_column(String(255), default="INBOX")
    afterwards: Mapped[str] = mapped_column(String(16), default="leave")
    move_to: Mapped[str] = mapped_column(String(255), default="")
    create_threads: Mapped[bool] = mapped_column(Boolean, default=False)
    takes_plus_tags: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    start: Mapped[str] = mapped_column(String(16), default="now")
    start_on: Mapped[dt.date | None] = mapped_column(Date)
    uidvalidity: Mapped[int | None] = mapped_column(Id)
    last_uid: Mapped[int | None] = mapped_column(Id)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime | None] = _maybe_moment()
    failures: Mapped[int] = mapped_column(Integer, default=0)
    next_run_at: Mapped[dt.datetime | None] = _maybe_moment()
    last_success_at: Mapped[dt.datetime | None] = _maybe_moment()
    last_error: Mapped[str] = mapped_column(String(500), default="")
    origin: Mapped[Origin] = mapped_column(OneOf(Origin), default=Origin.OWN, server_default="own")
    place_hash: Mapped[bytes | None] = mapped_column(Digest)
    shop_ids: Mapped[list[str] | None] = mapped_column(JSON)
    began_at: Mapped[dt.datetime | None] = _maybe_moment()
    first_uid: Mapped[int | None] = mapped_column(Id)
    careful: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    in_hand: Mapped[dict[str, int] | None] = mapped_column(JSON)
    created_at: Mapped[dt.datetime] = _moment()


class OAuthToken(Base):
    """An authorisation to read a mailbox; both tokens are encrypted."""

    __tablename__ = "cs_oauth_token"

    id: Mapped[int] = _id()
    provider: Mapped[str] = mapped_column(String(32))
    account: Mapped[str] = mapped_column(String(254), default="")
    access_token: Mapped[str] = mapped_column(LongText, default="")
    refresh_token: Mapped[str] = mapped_column(LongText, default="")
    scopes: Mapped[str] = mapped_column(String(500), default="")
    state: Mapped[str] = mapped_column(String(16), default="valid")
    expires_at: Mapped[dt.datetime | None] = _maybe_moment()
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime | None] = _maybe_moment()
    created_at: Mapped[dt.datetime] = _moment()


class ImportedMail(Base):
    """A mail that was read, by every key under which it could come again.

    `on_server` is true while it lies on the server as far as we know. A mail without a message has `sender` and `subject`, cut to what the columns
    hold. `size` counts bytes.
    """

    __tablename__ = "cs_imported_mail"
    indexes = (
        Index("ix_cs_imported_mail_uid", "mailbox_id", "folder", "uidvalidity", "uid", mysql_length={"folder": 64}, mariadb_length={"folder": 64}),
        Index("ix_cs_imported_mail_uidl", "mailbox_id", "uidl_hash"),
        Index("ix_cs_imported_mail_content", "mailbox_id", "message_id_hash", "content_hash"),
        Index("ix_cs_imported_mail_run", "run_id", "id"),
        _pointing("ix_cs_imported_mail_message", "message_id"),
        # What is still to be removed from the server, and what is offered again.
        Index("ix_cs_imported_mail_there", "mailbox_id", "on_server", "outcome", "id"),
    )

    id: Mapped[int] = _id()
    mailbox_id: Mapped[int] = mapped_column(Id)
    folder: Mapped[str] = mapped_column(String(255), default="")
    uidvalidity: Mapped[int | None] = mapped_column(Id)
    uid: Mapped[int | None] = mapped_column(Id)
    uidl_hash: Mapped[bytes | None] = mapped_column(Digest)
    message_id_hash: Mapped[bytes | None] = mapped_column(Digest)
    content_hash: Mapped[bytes | None] = mapped_column(Digest)
    run_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    outcome: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(255), default="")
    on_server: Mapped[bool] = mapped_column(Boolean, default=False)
    size: Mapped[int] = mapped_column(Id, default=0)
    sender: Mapped[str] = mapped_column(String(254), default="")
    subject: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[dt.datetime] = _moment()


class SetAsideMail(Base):
    """A mail that could not be read, kept whole."""

    __tablename__ = "cs_set_aside_mail"
    indexes = (Index("ix_cs_set_aside_mail_state", "state", "id"),)

    id: Mapped[int] = _id()
    mailbox_id: Mapped[int | None] = mapped_column(Id)
    shop_id: Mapped[str | None] = mapped_column(HostId)
    blob_id: Mapped[int] = mapped_column(Id)
    cause: Mapped[str] = mapped_column(String(500))
    sender: Mapped[str] = mapped_column(String(254), default="")
    subject: Mapped[str] = mapped_column(String(255), default="")
    signs: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    tries: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[dt.datetime] = _moment()
    settled_at: Mapped[dt.datetime | None] = _maybe_moment()


class SyncRun(Base):
    """One run over a mailbox, and what came of it.

    `error` is in plain words, English ones; `findings` are the same for whoever shows them in another language: rows of `message` and `values`.
    """

    __tablename__ = "cs_sync_run"
    indexes = (Index("ix_cs_sync_run_mailbox", "mailbox_id", "id"),)

    id: Mapped[int] = _id()
    mailbox_id: Mapped[int] = mapped_column(Id)
    job_id: Mapped[int | None] = mapped_column(Id)
    started_by: Mapped[str] = mapped_column(String(64), default="")
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    error: Mapped[str] = mapped_column(String(500), default="")
    findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    started_at: Mapped[dt.datetime] = _moment()
    finished_at: Mapped[dt.datetime | None] = _maybe_moment()


# --- Work that waits --------------------------------------------------------------------------------------------------------------------------------


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Base):
    """Work too long for a request, with its lease and its progress."""

    __tablename__ = "cs_job"
    indexes = (Index("ix_cs_job_state", "state", "not_before", "id"),)

    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[JobState] = mapped_column(OneOf(JobState), default=JobState.WAITING)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    total: Mapped[int | None] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(500), default="")
    employee_id: Mapped[str | None] = mapped_column(HostId)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime | None] = _maybe_moment()
    not_before: Mapped[dt.datetime] = _moment()
    created_at: Mapped[dt.datetime] = _moment()
    finished_at: Mapped[dt.datetime | None] = _maybe_moment()


class OutboxState(StrEnum):
    """Where a queued mail stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class OutboxItem(Base):
    """What waits to leave: a mail, later a webhook. `content` is the whole of it but for its files."""

    __tablename__ = "cs_outbox"
    indexes = (
        Index("ix_cs_outbox_due", "state", "not_before", "id"),
        Index("ix_cs_outbox_thread", "thread_id"),
        Index("ix_cs_outbox_message", "message_id"),
    )

    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[OutboxState] = mapped_column(OneOf(OutboxState), default=OutboxState.WAITING)
    shop_id: Mapped[str] = mapped_column(HostId)
    thread_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    recipient: Mapped[str] = mapped_column(String(254))
    recipient_domain: Mapped[str] = mapped_column(String(253), default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(mysql.JSON(), "mysql", "mariadb"))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_error: Mapped[str] = mapped_column(String(500), default="")
    last_code: Mapped[int | None] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[dt.datetime | None] = _maybe_moment()
    not_before: Mapped[dt.datetime] = _moment()
    created_at: Mapped[dt.datetime] = _moment()
    sent_at: Mapped[dt.datetime | None] = _maybe_moment()


class OutboxFile(Base):
    """A file that goes with a queued mail."""

    __tablename__ = "cs_outbox_file"
    indexes = (Index("ix_cs_outbox_file_item", "outbox_id", "position"), Index("ix_cs_outbox_file_blob", "blob_id"))

    id: Mapped[int] = _id()
    outbox_id: Mapped[int] = mapped_column(Id)
    blob_id: Mapped[int] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer, default=0)
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))


class Worker(Base):
    """A worker's heartbeat."""

    __tablename__ = "cs_worker"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_at: Mapped[dt.datetime] = _moment()
    seen_at: Mapped[dt.datetime] = _moment()


# --- Figures, notices and each employee's own -------------------------------------------------------------------------------------------------------


class DailyTotal(Base):
    """What happened in a shop on one finished day (UTC), for trends."""

    __tablename__ = "cs_daily_total"
    indexes = (UniqueConstraint("day", "shop_id", "contact_id"),)

    id: Mapped[int] = _id()
    day: Mapped[dt.date] = mapped_column(Date)
    shop_id: Mapped[str] = mapped_column(HostId)
    contact_id: Mapped[int] = mapped_column(Id, default=0)
    threads: Mapped[int] = mapped_column(Integer, default=0)
    customer_messages: Mapped[int] = mapped_column(Integer, default=0)
    employee_messages: Mapped[int] = mapped_column(Integer, default=0)
    answers: Mapped[int] = mapped_column(Integer, default=0)
    response_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    active_threads: Mapped[int] = mapped_column(Integer, default=0)
    pending_threads: Mapped[int] = mapped_column(Integer, default=0)


class ThreadTotal(Base):
    """What the threads of a shop and a contact (0: none) come to, since the beginning: the sum of all rows. See `store.tally`.

    Those of threads that have been erased since stand in rows of their own.
    """

    __tablename__ = "cs_thread_total"

    id: Mapped[int] = _id()
    shop_id: Mapped[str] = mapped_column(HostId)
    contact_id: Mapped[int] = mapped_column(Id, default=0)
    erased: Mapped[bool] = mapped_column(Boolean, default=False)
    threads: Mapped[int] = mapped_column(Integer, default=0)
    open_threads: Mapped[int] = mapped_column(Integer, default=0)
    pending_threads: Mapped[int] = mapped_column(Integer, default=0)
    customer_messages: Mapped[int] = mapped_column(Integer, default=0)
    employee_messages: Mapped[int] = mapped_column(Integer, default=0)


class ThreadApart(Base):
    """A thread that is counted live: the totals hold it as it stands here, which is nothing for a new one. See `store.tally`."""

    __tablename__ = "cs_thread_apart"

    thread_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    shop_id: Mapped[str] = mapped_column(HostId)
    contact_id: Mapped[int] = mapped_column(Id, default=0)
    threads: Mapped[int] = mapped_column(Integer, default=0)
    open_threads: Mapped[int] = mapped_column(Integer, default=0)
    pending_threads: Mapped[int] = mapped_column(Integer, default=0)
    customer_messages: Mapped[int] = mapped_column(Integer, default=0)
    employee_messages: Mapped[int] = mapped_column(Integer, default=0)


class ErasedMessage(Base):
    """That a public message was written in a thread that has been erased since: it stays in the figures of its days, and says nothing of anybody.

    `gone_id` was the thread's: nothing has it any more, and nothing will. `contact_id` is the type that it had, `employee_id` who answered.
    """

    __tablename__ = "cs_erased_message"
    indexes = (Index("ix_cs_erased_message_written", "written_at"), Index("ix_cs_erased_message_gone", "gone_id"))

    id: Mapped[int] = _id()
    gone_id: Mapped[int] = mapped_column(Id)
    shop_id: Mapped[str] = mapped_column(HostId)
    author_kind: Mapped[AuthorKind] = mapped_column(OneOf(AuthorKind))
    begins: Mapped[bool] = mapped_column(Boolean, default=False)
    response_seconds: Mapped[float | None] = mapped_column(Float)
    contact_id: Mapped[int | None] = mapped_column(Id)
    employee_id: Mapped[str | None] = mapped_column(HostId)
    written_at: Mapped[dt.datetime] = _moment()


class PackedDay(Base):
    """A finished day of UTC of which it is packed what was written in each shop (`store.packed_days`), and how often it was packed."""

    __tablename__ = "cs_packed_day"

    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    times: Mapped[int] = mapped_column(Integer)


class PackedFigures(Base):
    """What was written in a shop on a packed day, and whose threads began or ceased to wait on it: columns of numbers, one after the other."""

    __tablename__ = "cs_packed_figures"
    indexes = (UniqueConstraint("day", "shop_id"),)

    id: Mapped[int] = _id()
    day: Mapped[dt.date] = mapped_column(Date)
    shop_id: Mapped[str] = mapped_column(HostId)
    written: Mapped[bytes] = mapped_column(LongBytes)
    waits: Mapped[bytes] = mapped_column(LongBytes)


class PackMark(Base):
    """That a thread may have changed since its days were packed: a row of its own, for which no writer waits.

    `marked_id` is the thread's, which may be gone by now; the mark goes once its days are packed. `day` is one on which it had something before it
    was erased; None for the days on which it has something now.
    """

    __tablename__ = "cs_pack_mark"

    id: Mapped[int] = _id()
    marked_id: Mapped[int] = mapped_column(Id)
    day: Mapped[dt.date | None] = mapped_column(Date)


class KeptFigure(Base):
    """A figure as it was calculated for a set of shops (`key`: their digest), until it is calculated anew."""

    __tablename__ = "cs_figure"
    indexes = (UniqueConstraint("key", "name"), Index("ix_cs_figure_calculated", "calculated_at"))

    id: Mapped[int] = _id()
    key: Mapped[bytes] = mapped_column(Digest)
    name: Mapped[str] = mapped_column(String(32))
    value: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    calculated_at: Mapped[dt.datetime] = _moment()


class ListRange(Base):
    """A range of threads whose totals are written down, by its number (`store.totals`), and how often it has been counted."""

    __tablename__ = "cs_list_range"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(Integer)


class ListTotal(Base):
    """How many threads of a range a list holds, for one value of one field."""

    __tablename__ = "cs_list_total"
    indexes = (UniqueConstraint("folder", "field", "value", "shop_id", "number"), Index("ix_cs_list_total_number", "number"))

    id: Mapped[int] = _id()
    number: Mapped[int] = mapped_column(Integer)
    folder: Mapped[Folder] = mapped_column(OneOf(Folder))
    shop_id: Mapped[str] = mapped_column(HostId)
    field: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(HostId)
    threads: Mapped[int] = mapped_column(Integer)


class RangeMark(Base):
    """A change of a thread in a range, since when its totals do not count: a row of its own, for which no writer waits."""

    __tablename__ = "cs_list_mark"
    indexes = (Index("ix_cs_list_mark_number", "number"),)

    id: Mapped[int] = _id()
    number: Mapped[int] = mapped_column(Integer)


class Notice(Base):
    """Until when an employee has seen everything new of a shop."""

    __tablename__ = "cs_notice"
    indexes = (UniqueConstraint("employee_id", "shop_id"),)

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    shop_id: Mapped[str] = mapped_column(HostId)
    seen_until: Mapped[dt.datetime] = _moment()


class NoticeOpened(Base):
    """A thread that an employee has opened since their marker was set."""

    __tablename__ = "cs_notice_opened"
    indexes = (UniqueConstraint("employee_id", "thread_id"),)

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    thread_id: Mapped[int] = mapped_column(Id)
    seen_message_id: Mapped[int] = mapped_column(Id, default=0)
    changed_at: Mapped[dt.datetime] = _moment()


class NoticeRung(Base):
    """A thread that rings for one employee alone, whatever its messages do."""

    __tablename__ = "cs_notice_rung"
    indexes = (UniqueConstraint("employee_id", "thread_id"),)

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    shop_id: Mapped[str] = mapped_column(HostId)
    thread_id: Mapped[int] = mapped_column(Id)
    created_at: Mapped[dt.datetime] = _moment()


class Presence(Base):
    """An employee who is looking at a thread, or writing in it."""

    __tablename__ = "cs_presence"
    indexes = (UniqueConstraint("thread_id", "employee_id"),)

    id: Mapped[int] = _id()
    thread_id: Mapped[int] = mapped_column(Id)
    employee_id: Mapped[str] = mapped_column(HostId)
    employee_name: Mapped[str] = mapped_column(String(200), default="")
    writing_since: Mapped[dt.datetime | None] = _maybe_moment()
    seen_at: Mapped[dt.datetime] = _moment()


class Draft(Base):
    """An answer or a note that is being written, per employee and thread."""

    __tablename__ = "cs_draft"
    # By its thread a merge finds all that is written in it, and locks nothing else.
    indexes = (UniqueConstraint("employee_id", "thread_id"), Index("ix_cs_draft_thread", "thread_id"))

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    thread_id: Mapped[int] = mapped_column(Id)
    version: Mapped[int] = mapped_column(Integer, default=0)
    reply: Mapped[str] = mapped_column(LongText, default="")
    note: Mapped[str] = mapped_column(LongText, default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    changed_at: Mapped[dt.datetime] = _moment()


class DraftFile(Base):
    """A file that a draft names, and that stays for as long as it does."""

    __tablename__ = "cs_draft_file"
    indexes = (UniqueConstraint("draft_id", "blob_id"), Index("ix_cs_draft_file_blob", "blob_id"))

    id: Mapped[int] = _id()
    draft_id: Mapped[int] = mapped_column(Id)
    blob_id: Mapped[int] = mapped_column(Id)


class SavedView(Base):
    """A search and a sort under a name, an employee's own or shared."""

    __tablename__ = "cs_saved_view"
    indexes = (Index("ix_cs_saved_view_employee", "employee_id", "position"),)

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    name: Mapped[str] = mapped_column(String(128))
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    query: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    position: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[dt.datetime] = _moment()


class SavedQuery(Base):
    """A query of the SQL manager under a name."""

    __tablename__ = "cs_saved_query"

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    name: Mapped[str] = mapped_column(String(128))
    sql: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[dt.datetime] = _moment()


class EmployeePreference(Base):
    """A choice that is remembered for an employee: page size, context, what is folded."""

    __tablename__ = "cs_employee_preference"
    indexes = (UniqueConstraint("employee_id", "name"),)

    id: Mapped[int] = _id()
    employee_id: Mapped[str] = mapped_column(HostId)
    name: Mapped[str] = mapped_column(String(64))
    value: Mapped[Any] = mapped_column(JSON)
    changed_at: Mapped[dt.datetime] = _moment()


class EmployeeName(Base):
    """An employee as last seen: a name that stays on what they did, and a rank by which lists are sorted."""

    __tablename__ = "cs_employee"
    indexes = (Index("ix_cs_employee_rank", "rank"),)

    id: Mapped[str] = mapped_column(HostId, primary_key=True)
    first_name: Mapped[str] = mapped_column(String(100), default="")
    last_name: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    words: Mapped[str] = mapped_column(Folded, default="")
    rank: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    seen_at: Mapped[dt.datetime] = _moment()


class Audit(Base):
    """Who changed, exported or erased what, for the host's own records."""

    __tablename__ = "cs_audit"
    indexes = (Index("ix_cs_audit_created", "created_at", "id"), Index("ix_cs_audit_object", "object_kind", "object_id"))

    id: Mapped[int] = _id()
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(HostId)
    actor_name: Mapped[str] = mapped_column(String(200), default="")
    via: Mapped[str] = mapped_column(String(16), default="page")
    action: Mapped[str] = mapped_column(String(64))
    object_kind: Mapped[str] = mapped_column(String(32), default="")
    object_id: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    network: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[dt.datetime] = _moment()
