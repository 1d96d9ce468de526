"""What the Customer Service page says to those who can change it while no worker runs."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import workers
from cs_plugin.web.reading import Visit

NO_WORKER = _("No worker runs, so the web processes deliver mail themselves. To take that off them, keep this command running:")


def no_worker(here: Visit, session: Session) -> str | None:
    """Return the sentence, to be followed by the command; None where a worker is alive, or for whoever cannot start one. One query at most."""
    config = here.desk.app.config
    if not (config["CS_WORKER_NOTICE"] and config["CS_BACKGROUND"] and here.grants.allow_somewhere(Permission.CONFIGURE)):
        return None
    return None if workers.some_worker_is_alive(session, here.now) else NO_WORKER
