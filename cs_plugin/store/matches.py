"""The threads of a list that is searched for words: found by the database's index where it knows them, and up to a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from cs_plugin.store import words
from cs_plugin.store.filters import ThreadFilter, besides_texts
from cs_plugin.store.models import EmployeeName, Thread
from cs_plugin.store.scope import Scope

COUNT_BOUND = 5_000


def matching_ids(session: Session, scope: Scope, wanted: ThreadFilter, *, descending: bool) -> Sequence[int]:
    """Return the threads of a list that is searched for words, newest or oldest first: at most one more than the bound, to tell that there are more.

    Scope and filters apply before the bound. Where an index knows few threads with the words these are looked at, else the list is walked.
    """
    clauses, found = besides_texts(scope, replace(wanted, employee=None)), None
    if wanted.employee is not None:
        employees = session.scalars(select(EmployeeName.id).where(words.contains(EmployeeName.words, words.folded(wanted.employee)))).all()
        if not employees:
            return []
        clauses.append(Thread.assignee_id.in_(employees))
    for name, said in wanted.texts.items():
        asked = words.ask(session, name, said, most=COUNT_BOUND) if words.asks_an_index(session, said) else words.Asked(None, few=True)
        if asked.ids is not None:
            found = asked.ids if found is None else found & asked.ids
        else:
            clauses.append(words.threads_with(scope, wanted.folder, name, said) if asked.few else words.threads_one_by_one(name, said))
    if found is not None:
        clauses.append(Thread.id.in_(bindparam("found", sorted(found), expanding=True, literal_execute=True)))
    order = Thread.id.desc() if descending else Thread.id.asc()
    return session.scalars(select(Thread.id).where(*clauses).order_by(order).limit(COUNT_BOUND + 1)).all()
