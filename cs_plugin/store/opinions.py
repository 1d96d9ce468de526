"""Closing questions: which answer one was asked with, and what its customer has said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.opinions import Opinion
from cs_plugin.rules.signing import Signer, TagKind, read_tag
from cs_plugin.rules.status import Folder
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
    home = session.get(Thread, row[1].home_thread_id) if row is not None and row[1].home_thread_id != row[0].id else None
    good = still_asked(signer, token, row[0] if row is not None else None, home)
    return (row[0], row[1]) if row is not None and good else None


def still_asked(signer: Signer, token: str, thread: Thread | None, home: Thread | None = None) -> bool:
    """Say whether a question's token holds for a thread as it is now; `home` is the one that the answer belongs to, where that was merged into it."""
    tag = read_tag(token)
    good = tag is not None and any(
        signer.verify(TagKind.QUESTION, tag, one.token_nonce if one is not None else "none") for one in ((thread, home) if home else (thread,))
    )
    return good and thread is not None and thread.folder is Folder.LIST


def opinion_on(session: Session, message: Message) -> Opinion | None:
    """Return what the customer has said with an answer of ours; None where they have not."""
    row = session.scalars(select(SurveyAnswer).where(*_about(message))).one_or_none()
    return None if row is None else Opinion(row.score, row.comment)


def opinions_in(session: Session, scope: Scope, thread_id: int) -> Sequence[SurveyAnswer]:
    """Return what the customer has said in a thread of the scope, the newest first."""
    query = select(SurveyAnswer).where(SurveyAnswer.thread_id == thread_id, thread_in(scope, SurveyAnswer.thread_id))
    return session.scalars(query.order_by(SurveyAnswer.created_at.desc(), SurveyAnswer.id.desc())).all()


def keep_opinion(session: Session, message: Message, opinion: Opinion, now: dt.datetime) -> bool:
    """Keep what the customer has said with an answer, in the place of what they had said before; say whether that changes anything."""
    key = {"thread_id": message.thread_id, "message_id": message.id}
    values = {"score": opinion.score, "comment": opinion.comment, "created_at": now}
    if insert_if_absent(session, SurveyAnswer, list(key), {**key, "shop_id": message.shop_id, **values}):
        return True
    row = session.scalars(locking(session, select(SurveyAnswer).where(*_about(message)))).one()
    if Opinion(row.score, row.comment) == opinion:
        return False
    row.score, row.comment, row.created_at = opinion.score, opinion.comment, now
    session.flush()
    return True


def _about(message: Message) -> tuple[ColumnElement[bool], ...]:
    return SurveyAnswer.thread_id == message.thread_id, SurveyAnswer.message_id == message.id
