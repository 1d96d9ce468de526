"""The threads of a list that is searched for words: found by the database's index where it knows them, and up to a bound."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from cs_plugin.store import words
from cs_plugin.store.filters import ThreadFilter, besides_texts
from cs_plugin.store.models import EmployeeName, Thread
from cs_plugin.store.scope import Scope

COUNT_BOUND = 5_000
_AT_ONCE = 500   # threads whose texts are looked at in one query


def matching_ids(session: Session, scope: Scope, wanted: ThreadFilter, *, descending: bool) -> Sequence[int]:
    """Return the threads of a list that is searched for words, newest or oldest first: at most one more than the bound, to tell that there are more.

    Scope and filters apply before the bound. Where an index knows few threads with the words these are looked at, else the list is walked.
    """
    clauses = _besides_words(session, scope, wanted)
    if clauses is None:
        return []
    found, others = _asked(session, wanted)
    for name, (said, asked) in others.items():
        clauses.append(words.threads_with(scope, wanted.folder, name, said) if asked.few else words.threads_one_by_one(name, said))
    if found is not None:
        clauses.append(_one_of(found))
    order = Thread.id.desc() if descending else Thread.id.asc()
    return session.scalars(select(Thread.id).where(*clauses).order_by(order).limit(COUNT_BOUND + 1)).all()


def count_some(session: Session, scope: Scope, wanted: ThreadFilter, *, bound: int) -> tuple[int, bool]:
    """Return how many threads such a list holds, up to a bound, and whether there are more, or may be.

    It is cheap whatever is searched: words that are in too many messages for the index to tell are looked for in the newest 5,000 of the list alone.
    """
    clauses = _besides_words(session, scope, wanted)
    if clauses is None:
        return 0, False
    found, others = _asked(session, wanted)
    if found is not None:
        clauses.append(_one_of(found))
    common = {}
    for name, (said, _few) in others.items():
        if words.asks_an_index(session, said):
            common[name] = said
        else:
            clauses.append(words.threads_with(scope, wanted.folder, name, said))
    most = COUNT_BOUND if common else bound
    ids = session.scalars(select(Thread.id).where(*clauses).order_by(Thread.id.desc()).limit(most + 1)).all()
    if not common:
        return min(len(ids), bound), len(ids) > bound
    number = 0
    for start in range(0, min(len(ids), COUNT_BOUND), _AT_ONCE):
        left: Collection[int] = ids[start : min(start + _AT_ONCE, COUNT_BOUND)]
        for name, said in common.items():
            left = words.holding(session, name, said, left)
        number += len(left)
        if number > bound:
            return bound, True
    return number, len(ids) > COUNT_BOUND


def _besides_words(session: Session, scope: Scope, wanted: ThreadFilter) -> list[ColumnElement[bool]] | None:
    """Return the clauses of a list but those for words; None where it is narrowed to an employee that there is not."""
    clauses = besides_texts(scope, replace(wanted, employee=None))
    if wanted.employee is not None:
        employees = session.scalars(select(EmployeeName.id).where(words.contains(EmployeeName.words, words.folded(wanted.employee)))).all()
        if not employees:
            return None
        clauses.append(Thread.assignee_id.in_(employees))
    return clauses


def _asked(session: Session, wanted: ThreadFilter) -> tuple[Collection[int] | None, dict[str, tuple[str, words.Asked]]]:
    """Ask the index: return the threads that it knows with all words that are rare, and what else is to be looked for, by field."""
    found: frozenset[int] | None = None
    others: dict[str, tuple[str, words.Asked]] = {}
    for name, said in wanted.texts.items():
        asked = words.ask(session, name, said, most=COUNT_BOUND) if words.asks_an_index(session, said) else words.Asked(None, few=True)
        if asked.ids is not None:
            found = asked.ids if found is None else found & asked.ids
        else:
            others[name] = (said, asked)
    return found, others


def _one_of(ids: Collection[int]) -> ColumnElement[bool]:
    return Thread.id.in_(bindparam("found", sorted(ids), expanding=True, literal_execute=True))
