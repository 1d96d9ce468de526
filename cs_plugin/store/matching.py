"""The look-ups behind `rules.matching`: one indexed query each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import address_key, digest
from cs_plugin.rules.mail_matching import Key
from cs_plugin.rules.signing import Signer, TagKind, read_tag
from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import insert_rows
from cs_plugin.store.merges import kept_of
from cs_plugin.store.models import Message, Thread, ThreadAlias
from cs_plugin.store.scope import Scope

COPIED = Key.COPIED.value
# FORWARDED: sent to somebody outside, whose answer is never the customer's; OUTSIDE: such an answer.
SENT, RECEIVED, FORWARDED, OUTSIDE = Key.SENT.value, Key.RECEIVED.value, Key.FORWARDED.value, Key.OUTSIDE.value


@dataclass(frozen=True, slots=True)
class StoredThreads:
    """Look threads up in the database, in a scope."""

    session: Session
    scope: Scope
    signer: Signer

    def by_link(self, token: str) -> int | None:
        """Return the thread that a link token opens; a forged, revoked or binned one opens nothing, and all are answered alike."""
        thread = linked_thread(self.session, self.scope, self.signer, token)
        return thread.id if thread is not None and thread.folder is not Folder.BIN else None

    def newest_of_order(self, order_id: str, *, customer_id: str | None, address: str) -> int | None:
        """Return the newest thread about an order that this very customer wrote, verified."""
        query = select(Thread.id).where(
            Thread.order_id == order_id, Thread.customer_verified, Thread.folder == Folder.LIST, self.scope.covers(Thread.shop_id)
        )
        if customer_id is not None:
            query = query.where(Thread.customer_id == customer_id)
        else:
            query = query.where(Thread.customer_id.is_(None), Thread.address_hash == address_key(address))
        return self.session.scalar(query.order_by(Thread.id.desc()).limit(1))


def linked_thread(session: Session, scope: Scope, signer: Signer, token: str) -> Thread | None:
    """Return the thread of a link token, whatever folder it lies in, or the one that it has been merged into; None where it is forged or revoked."""
    tag = read_tag(token)
    if tag is None or tag.thread_id >= 1 << 63:
        return None
    thread = session.scalars(select(Thread).where(Thread.id == tag.thread_id, scope.covers(Thread.shop_id))).one_or_none()
    # A missing thread costs the same verification as one that is there.
    good = signer.verify(TagKind.LINK, tag, thread.token_nonce if thread is not None else "none")
    if not good or thread is None or thread.merged_into_id is None:
        return thread if good else None
    return kept_of(session, scope, thread.merged_into_id)


def message_id_key(message_id: str) -> bytes:
    """Return the 32 bytes under which a Message-ID is known: byte for byte, since servers tell `AbC` and `abc` apart."""
    return digest("message-id", message_id)


def remember_message_id(
    session: Session, kind: str, message_id: str, thread: Thread, at_message: int | None, now: object, *, whose: str = ""
) -> None:
    """Let a Message-ID lead to a thread; `kind` is one of those above. `whose` is the address outside that it went to, or came from."""
    session.add(
        ThreadAlias(
            kind=kind,
            hash=message_id_key(message_id),
            thread_id=thread.id,
            message_id=at_message,
            shop_id=thread.shop_id,
            address_hash=address_key(whose) if whose else None,
            created_at=now,
        )
    )


def remember_messages(session: Session, messages: Sequence[tuple[str, Message]], now: object) -> None:
    """Let the Message-IDs of messages lead to their threads, each by its kind of key."""
    rows = [
        {
            "kind": kind,
            "hash": one.message_id_hash,
            "thread_id": one.thread_id,
            "message_id": one.id,
            "shop_id": one.shop_id,
            "created_at": now,
        }
        for kind, one in messages
    ]
    insert_rows(session, ThreadAlias, rows)
