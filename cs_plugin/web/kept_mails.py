"""What the pages of failed mails and of mails set aside share: their number in the menu, the pages of a list, which ones were chosen."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlencode

from flask import request, url_for
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.locking import let_go
from cs_plugin.store.scope import Scope
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.reading import Visit, visit

log = logging.getLogger(__name__)
SIZE = 20                              # mails on a page
JOB_SHOWS = dt.timedelta(minutes=10)   # how long its employee is told what came of a job
_MOST_COUNTED = 99
_MOST_CHOSEN = 200


class CountedName(MenuName):
    """The name of a page in the menu, with how many mails of the employee's shops wait there.

    The menu stands on every page of the host's admin: neither what the host has left in its session nor the page may suffer from it.
    """

    def __init__(self, message: str, count: Callable[[Session, Scope, int], int]) -> None:
        """Name a page, with what counts the mails of shops, and no more than so many."""
        super().__init__(message)
        self.count = count

    def __str__(self) -> str:
        name, number = super().__str__(), self._number(visit())
        return f"{name} ({_counted(visit(), number)})" if number else name

    def __html__(self) -> str:
        name, number = super().__str__(), self._number(visit())
        if not number:
            return str(escape(name))
        # Isolated, so that the number stays behind a name that runs the other way; a menu that is a flexbox would swallow a plain space.
        return str(Markup("{}&nbsp;<bdi>({})</bdi>").format(name, _counted(visit(), number)))

    def _number(self, here: Visit) -> int:
        """Return how many there are in the shops that the employee may view, counted once a request and to a hundred at most."""
        kept = f"cs_plugin.counted.{self._message}"
        if kept not in request.environ:
            request.environ[kept] = self._counted_now(here) if here.grants.allow_somewhere(Permission.VIEW) else 0
        return int(request.environ[kept])

    def _counted_now(self, here: Visit) -> int:
        session = here.desk.session()
        ours = not session.in_transaction()
        try:
            with session.no_autoflush:
                number = self.count(session, here.granted, _MOST_COUNTED + 1)
        except SQLAlchemyError:
            log.exception("%s could not be counted", self._message)
            # PostgreSQL refuses every further statement of a transaction in which one has failed.
            session.rollback()
            return 0
        if ours:
            let_go(session)
        return number


def _counted(here: Visit, number: int) -> str:
    return i18n.number(here.employee_language, min(number, _MOST_COUNTED)) + ("+" if number > _MOST_COUNTED else "")


class KeptMailsView(DeskView):
    """A list of mails in numbered pages, whose address says the context and the page."""

    @property
    def _query(self) -> str:
        return "?" + urlencode({"shop": str(self.here.context)}) if len(self.here.visible_shops) > 1 else ""

    def _page_number(self) -> int:
        wanted = request.args.get("page", "")
        return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1

    def _page_url(self, number: int) -> str:
        pairs = [("shop", str(self.here.context))] if self._query else []
        if number > 1:
            pairs.append(("page", str(number)))
        return url_for(".index_view") + (f"?{urlencode(pairs)}" if pairs else "")

    def _list_address(self) -> str:
        return self._page_url(self._page_number())

    def _shop(self, shop_id: str) -> Shop:
        return next((shop for shop in self.here.shops if shop.id == shop_id), Shop(shop_id, shop_id))

    def _remove_files(self, keys: Iterable[str]) -> None:
        """Remove the files of what was given up, once that is committed."""
        for key in keys:
            try:
                self.here.desk.files.remove(key)
            except OSError:  # it is swept like an upload that was never sent
                log.exception("file %s could not be removed", key)


def ids_of(texts: Sequence[str]) -> list[int]:
    """Return the ids among what was posted, each once, and no more of them than several pages hold."""
    return sorted({int(one) for one in texts if one.isascii() and one.isdigit() and len(one) < 20})[:_MOST_CHOSEN]
