"""Events collected in a transaction and told after it: never before the commit, never on a rollback, never raising.

Work that ends without a commit and without a rollback was forgotten by whoever fired the hook: it is logged as an error
that names the hook.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pluggy
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from cs_plugin import plugins

log = logging.getLogger(__name__)
_KEY = "cs_plugin.announce"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An event to tell, or (without a manager) work that must not be forgotten."""

    name: str
    savepoint: SessionTransaction | None
    manager: pluggy.PluginManager | None = None
    arguments: Mapping[str, object] | None = None


class _Collected:
    """What one session has collected in its present transaction, and how that ended."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.committed = False
        self.rolled_back = False


def collect(session: Session, manager: pluggy.PluginManager, name: str, /, **arguments: object) -> None:
    """Keep an event until the session's transaction has been committed."""
    _of(session).entries.append(_Entry(name, session.get_nested_transaction(), manager, arguments))


def expect_commit(session: Session, name: str) -> None:
    """Note that a hook has written in this session: where the transaction is closed uncommitted, an error is logged that names it."""
    _of(session).entries.append(_Entry(name, session.get_nested_transaction()))


def _of(session: Session) -> _Collected:
    collected = session.info.get(_KEY)
    if collected is None:
        collected = session.info[_KEY] = _Collected()
        event.listen(session, "after_commit", _after_commit)
        event.listen(session, "after_rollback", _after_rollback)
        event.listen(session, "after_transaction_end", _after_transaction_end)
    return collected


def _after_commit(session: Session) -> None:
    # It fires on the release of a savepoint too, which commits nothing.
    if not session.in_nested_transaction():
        session.info[_KEY].committed = True


def _after_rollback(session: Session) -> None:
    # Not `after_soft_rollback`: it misses a savepoint whose flush failed, and for the root it comes after the end.
    collected: _Collected = session.info[_KEY]
    savepoint = session.get_nested_transaction()
    if savepoint is None:
        collected.rolled_back = True
    else:
        collected.entries = [entry for entry in collected.entries if not _within(entry.savepoint, savepoint)]


def _within(savepoint: SessionTransaction | None, ended: SessionTransaction) -> bool:
    while savepoint is not None:
        if savepoint is ended:
            return True
        savepoint = savepoint.parent
    return False


def _after_transaction_end(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is not None:
        return
    collected: _Collected = session.info[_KEY]
    entries, committed, rolled_back = collected.entries, collected.committed, collected.rolled_back
    collected.entries, collected.committed, collected.rolled_back = [], False, False
    if committed:
        _tell(session, entries)
    elif not rolled_back:
        for name in dict.fromkeys(entry.name for entry in entries if entry.manager is None):
            log.error("%s wrote in a transaction that was closed without a commit: its work is lost. Commit it.", name)


def _tell(session: Session, entries: Sequence[_Entry]) -> None:
    for entry in entries:
        if entry.manager is None or entry.arguments is None:
            continue
        plugins.tell(entry.manager, entry.name, **entry.arguments)
        if session.in_transaction():
            # What a listener began in the caller's session and left there, perhaps broken, is not the caller's to carry.
            session.rollback()
