"""What has been written in a thread since the notice that an employee answers by mail."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, not_, select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.store.matching import SENT, message_id_key
from cs_plugin.store.models import Message, Thread, ThreadAlias


def is_behind(session: Session, thread: Thread, home_id: int, answered: Sequence[str], employee_id: str) -> bool:
    """Say whether somebody else has written in a locked thread since the newest of these notices was sent, by their Message-IDs.

    They are notices of the thread, or of the one that was merged into it (`home_id`).
    Where none of them is known nobody can tell, and it is. What a machine has written counts for nothing, nor does what the employee wrote.
    """
    alias = ThreadAlias
    named = and_(alias.kind == SENT, alias.hash.in_(sorted(map(message_id_key, answered))), alias.thread_id.in_((thread.id, home_id)))
    query = select(alias.message_id, alias.created_at).where(named).order_by(alias.created_at.desc(), alias.id.desc())
    notice = session.execute(query.limit(1)).one_or_none() if answered else None
    if notice is None:
        return True
    theirs = and_(Message.author_kind == AuthorKind.EMPLOYEE, Message.author_id == employee_id)
    people = Message.author_kind.in_((AuthorKind.CUSTOMER, AuthorKind.EMPLOYEE, AuthorKind.OUTSIDER))
    since = and_(Message.id > (notice.message_id or 0), Message.created_at >= notice.created_at)
    return session.scalar(select(Message.id).where(Message.thread_id == thread.id, since, people, not_(theirs)).limit(1)) is not None
