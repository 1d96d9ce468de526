"""A mail as a message of a thread: its texts, its files, and all of it as it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.incoming import ArrivedMail
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_NAME, MAX_SUBJECT, AuthorKind, Channel, StoredFile, clean_line, preview
from cs_plugin.rules.oddities import signs_of
from cs_plugin.rules.signing import without_tags
from cs_plugin.store import files, search
from cs_plugin.store.matching import message_id_key, remember_messages
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.numbering import number_rows

# Letters of a text that are kept beside the original: far more than anybody reads, and less than MariaDB's column holds.
_MOST_LETTERS = 1_000_000
_LONGEST_ID = 2_000


@dataclass(frozen=True, slots=True)
class Author:
    """Who has written a mail, as its message tells. A note is `private`."""

    kind: AuthorKind
    name: str
    address: str
    id: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Writing:
    """A mail that is to be written into a locked thread. `home_id` is the thread that its key names, where that has been merged into this one.

    `linked_to` is the message of the same mail in another thread; `known_under` the kind of key by which an answer finds the thread, where it may.
    """

    arrived: ArrivedMail
    thread: Thread
    author: Author
    reason: str
    home_id: int | None = None
    linked_to: int | None = None
    known_under: str = ""
    same_id_other_text: bool = False


def write_mail(
    bench: Bench,
    arrived: ArrivedMail,
    thread: Thread,
    author: Author,
    reason: str,
    *,
    home_id: int | None = None,
    linked_to: int | None = None,
    known_under: str = "",
    same_id_other_text: bool = False,
) -> Message:
    """Write a mail into a locked thread: see `Writing`."""
    (message,) = write_mails(bench, [Writing(arrived, thread, author, reason, home_id, linked_to, known_under, same_id_other_text)])
    return message


def write_mails(bench: Bench, writings: Sequence[Writing]) -> list[Message]:
    """Write mails into locked threads, in their order: in as many statements as for one."""
    session = bench.session
    blobs = files.blobs_of(session, [file for one in writings for file in all_files(one.arrived)], bench.now)
    messages = [_message(bench, one, blobs) for one in writings]
    number_rows(session, messages)
    session.add_all(messages)
    session.flush()
    files.attach_parts(session, {message.id: one.arrived.files for message, one in zip(messages, writings, strict=True)}, blobs)
    known = [(one.known_under, message) for message, one in zip(messages, writings, strict=True) if message.message_id and one.known_under]
    remember_messages(session, known, bench.now)
    search.index_messages(session, [(message.id, message.thread_id, message.text) for message in messages])
    return messages


def _message(bench: Bench, one: Writing, blobs: Mapping[str, int]) -> Message:
    mail, thread, text = one.arrived.mail, one.thread, text_of(one.arrived)
    message_id = mail.message_id[:_LONGEST_ID] if mail.message_id else None
    message = Message(
        thread_id=thread.id,
        home_thread_id=one.home_id or thread.id,
        shop_id=thread.shop_id,
        author_kind=one.author.kind,
        author_id=one.author.id,
        author_name=clean_line(one.author.name, MAX_NAME),
        author_address=clean_line(one.author.address, MAX_ADDRESS),
        private=one.author.private,
        channel=Channel.MAIL,
        subject=subject_of(one.arrived),
        text=text,
        # The history quotes our mail, with the customer's link in it.
        quoted=without_tags(mail.quoted[:_MOST_LETTERS]) or None,
        preview=preview(text),
        language=thread.language,
        message_id=message_id,
        message_id_hash=message_id_key(message_id) if message_id else None,
        matched_by=one.reason[:64],
        same_id_other_text=one.same_id_other_text,
        signs=signs_of(one.arrived.mail.automatic, one.arrived.mail.oddities),
        linked_message_id=one.linked_to,
        sent_at=mail.sent_at,
        created_at=bench.now,
    )
    keep_originals(message, one.arrived, blobs)
    return message


def keep_originals(message: Message, arrived: ArrivedMail, blobs: Mapping[str, int]) -> None:
    """Let a message have the mail that it came by, as it was sent, and its HTML; `blobs` are the ids of their files' rows."""
    message.original_blob_id = blobs[arrived.original.key]
    message.html_blob_id = blobs[arrived.html.key] if arrived.html else None


def subject_of(arrived: ArrivedMail) -> str:
    """Return a mail's subject as it is kept: without our tag in it."""
    return clean_line(without_tags(arrived.mail.subject), MAX_SUBJECT)


def text_of(arrived: ArrivedMail) -> str:
    """Return what of a mail's text is kept beside the original, and shown."""
    return without_tags(arrived.mail.text[:_MOST_LETTERS])


def machine(arrived: ArrivedMail) -> Author:
    """Return the author of what no person has written."""
    sender = arrived.mail.sender
    return Author(AuthorKind.MACHINE, sender.name if sender else "", sender.address if sender else "")


def all_files(arrived: ArrivedMail) -> list[StoredFile]:
    """Return every file that is kept of a mail."""
    return [arrived.original, *([arrived.html] if arrived.html else []), *(file for file, _content_id in arrived.files)]
