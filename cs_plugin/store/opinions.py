"""Closing questions: which answer one was asked with, and what its customer has said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.merging import is_one_customer
from cs_plugin.rules.opinions import KeptOpinion, Opinion
from cs_plugin.rules.signing import Signer, TagKind, read_tag
from cs_plugin.rules.status import Folder
from cs_plugin.store import merges
from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import Message, SurveyAnswer, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import public, thread_in


def asked_with(session: Session, signer: Signer, token: str, now: dt.datetime) -> tuple[Thread, Message] | None:
    """Return the thread and the answer that a question's token was mailed with.

    None for a token that is forged or was revoked with its thread's link, and where the thread lies in spam or in the bin: all are answered alike.
    """
    tag = read_tag(token)
    if tag is None:
        return None
    asked = (Message.id == tag.thread_id, Message.author_kind == AuthorKind.EMPLOYEE, public(now))
    row = session.execute(select(Thread, Message).join(Message, Message.thread_id == Thread.id).where(*asked)).one_or_none()
    # A missing answer costs the same verification as one that is there.
    good = still_asked(session, signer, token, row[0] if row is not None else None, row[1] if row is not None else None)
    return (row[0], row[1]) if row is not None and good else None


def still_asked(
    session: Session, signer: Signer, token: str, thread: Thread | None, message: Message | None, *, locked: bool = False
) -> bool:
    """Say whether a question's token holds for an answer and its thread as they are now, or as they were when they were `locked`.

    It was signed for the thread that the answer was written in, from which it may have been moved by hand, and which may have been merged into this
    one since; it holds for that thread's customer alone.
    """
    tag = read_tag(token)
    signed_for = _signed_for(session, thread, message, locked=locked) if message is not None and thread is not None else []
    # All are tried, whatever the first one says: how long it takes tells nothing.
    nonces = {"none", *(one.token_nonce for one in signed_for)}
    good = tag is not None and True in {signer.verify(TagKind.QUESTION, tag, one) for one in sorted(nonces)}
    return good and thread is not None and thread.folder is Folder.LIST


def _signed_for(session: Session, thread: Thread, message: Message, *, locked: bool) -> list[Thread]:
    """Return the threads of this one's customer in which an answer has its home, or had it before it was moved by hand; and this one itself."""
    homes = merges.homes_of(session, message, anew=locked)
    others = session.scalars(select(Thread).where(Thread.id.in_(sorted(homes - {thread.id})))).all()
    whose = merges.owner_of(thread)
    return [thread, *(one for one in others if is_one_customer(merges.owner_of(one), whose))]


def opinion_on(session: Session, message: Message) -> KeptOpinion | None:
    """Return what the customer has said with an answer of ours; None where they have not."""
    row = session.scalars(select(SurveyAnswer).where(SurveyAnswer.message_id == message.id)).first()
    return None if row is None else KeptOpinion(Opinion(row.score, row.comment), row.created_at)


def opinions_in(session: Session, scope: Scope, thread_id: int) -> Sequence[SurveyAnswer]:
    """Return what the customer has said in a thread of the scope, the newest first."""
    # By its message, which may have come from another thread since.
    query = select(SurveyAnswer).join(Message, Message.id == SurveyAnswer.message_id)
    query = query.where(Message.thread_id == thread_id, thread_in(scope, Message.thread_id))
    return session.scalars(query.order_by(SurveyAnswer.created_at.desc(), SurveyAnswer.id.desc())).all()


def keep_opinion(session: Session, message: Message, opinion: Opinion, now: dt.datetime) -> bool:
    """Keep what the customer has said with an answer, in the place of what they had said before; say whether that changes anything.

    It counts on the day on which they first said something.
    """
    key = {"thread_id": message.thread_id, "message_id": message.id}
    values = {"score": opinion.score, "comment": opinion.comment, "created_at": now}
    if opinion_on(session, message) is None and insert_if_absent(
        session, SurveyAnswer, list(key), {**key, "shop_id": message.shop_id, **values}
    ):
        return True
    row = session.scalars(locking(session, select(SurveyAnswer).where(SurveyAnswer.message_id == message.id))).one()
    if Opinion(row.score, row.comment) == opinion:
        return False
    row.score, row.comment = opinion.score, opinion.comment
    session.flush()
    return True
