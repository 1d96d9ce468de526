"""Replies whose moment has come are released, one transaction each: whoever delivers mail does it first. Nothing is kept between two calls."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import desk
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import held
from cs_plugin.store.employees import employees_by_id
from cs_plugin.store.held import Due
from cs_plugin.store.locking import committed, only_reads
from cs_plugin.web.mounted import Mounted

log = logging.getLogger(__name__)


def release_due(here: Mounted, *, stopping: Callable[[], bool]) -> int:
    """Release the replies that are due, and return how many were. What is wrong with one of them holds it, and stops no other."""
    with here.sessions() as session:
        due = held.due(only_reads(session), here.clock())
        seen = employees_by_id(session, {one.author_id for one in due})
    if not due:
        return 0
    try:
        listed = here.host.employees()
    except Exception:  # a host that does not answer now is asked again at the next round: nobody has left for that
        log.exception("replies that are due wait: the host does not say who its employees are")
        return 0
    # A host that lists nobody has told of everybody by their visits.
    known = {one.id: one for one in listed} if listed else seen
    released = 0
    for one in due:
        if stopping():
            break
        released += _release(here, one, known.get(one.author_id))
    return released


def _release(here: Mounted, due: Due, author: Employee | None) -> bool:
    # The host is asked before the lock.
    actor = Actor(author, here.host.told_grants(author).grants, "rule") if author is not None and author.active else None
    with here.sessions() as session:
        bench = here.bench(session)
        bench.ask_host()
        try:
            return committed(session, lambda: desk.release_due(bench.at(here.clock()), actor, due))
        except SQLAlchemyError:
            log.exception("reply %s could not be released: the database has refused it; it is tried again", due.message_id)
            return False
        except Exception:
            log.exception("reply %s could not be released, and is held", due.message_id)
        committed(session, lambda: desk.hold_due(bench.at(here.clock()), due))
        return False
