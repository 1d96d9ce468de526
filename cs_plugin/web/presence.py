"""Who else is in a thread: told on its page, written down when it is opened, and asked for again while somebody looks at it."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from cs_plugin.store import presence
from cs_plugin.store.locking import committed, let_go
from cs_plugin.store.presence import Around
from cs_plugin.store.scope import Scope
from cs_plugin.web.reading import Visit

log = logging.getLogger(__name__)


def around(here: Visit, scope: Scope, thread_id: int) -> Around | None:
    """Return who is in a thread of the scope; None where there is no such thread."""
    session = here.desk.session()
    found = presence.look_around(session, scope, thread_id, here.now)
    let_go(session)
    return found


def arrive(here: Visit, thread_id: int, found: Around, *, writing: bool = False) -> None:
    """Let the others see that the employee is there, unless that is known; no page is lost where it goes wrong."""
    employee, session = here.actor().employee, here.desk.session()
    if found.has_lately(employee.id, writing=writing, now=here.now):
        return
    try:
        committed(session, lambda: presence.arrive(session, thread_id, employee, writing=writing, now=here.now))
    except SQLAlchemyError:
        log.exception("it could not be written down who is in thread %s", thread_id)
        session.rollback()


def leave(here: Visit, thread_id: int) -> None:
    """Let the others see that the employee has gone."""
    session, employee_id = here.desk.session(), here.actor().employee.id
    let_go(session)
    committed(session, lambda: presence.leave(session, thread_id, employee_id))
