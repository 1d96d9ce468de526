"""The bell: in the header of every admin page, on a page of its own, and asked again and again by its script."""

from __future__ import annotations

import hashlib
import logging
from typing import Any, cast

from flask import abort, current_app, has_request_context, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_admin.menu import MenuLink
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Context, read_context
from cs_plugin.store import notices, threads
from cs_plugin.store.locking import let_go
from cs_plugin.store.notices import Bell, News
from cs_plugin.store.scope import scope_of
from cs_plugin.web.bell_form import LASTS, read_shown, write_shown
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.reading import Visit, form_is_genuine, page_words, visit
from cs_plugin.web.thread_list import STATUS_WORDS

log = logging.getLogger(__name__)

_DRAWN = "cs_plugin.bell_drawn"
_NAME = _("Notifications")
_ID_DIGITS = 20
_OURS = "cs_"   # how the names of our blueprints begin


class BellView(DeskView, BaseView):
    """The bell's own page, what its script asks for, and the form of its notices."""

    needs = Permission.VIEW

    def __init__(self) -> None:
        """Stand in no menu: the bell leads there, where it has no script."""
        super().__init__(name=MenuName(_NAME), endpoint="cs_bell", url="customer-service-bell")

    def is_visible(self) -> bool:
        """Keep out of the menu; `BellLink` stands beside it."""
        return False

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        """Tell a script that it has nothing more to ask, where a page would lead to the sign-in."""
        return abort(403) if request.endpoint == f"{self.endpoint}.news" else super().inaccessible_callback(name, **kwargs)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the notices on a page of their own, in the context of the page."""
        here = self.here
        bell = read_bell(here, here.context)
        let_go(here.desk.session())
        return self.page("bell.html", notices=_list(here, here.context, bell), unseen=_label(here, bell))

    @expose("/news")
    def news(self) -> ResponseReturnValue:
        """Return the list as it is now; nothing where it is as it was."""
        here, context = self.here, _said_context(self.here)
        bell = read_bell(here, context)
        let_go(here.desk.session())
        tag = _tag(here, context, bell)
        answer = make_response("", 304) if request.if_none_match.contains_weak(tag) else make_response(_list(here, context, bell))
        answer.set_etag(tag)
        return answer

    @expose("/open", methods=("POST",))
    def open(self) -> ResponseReturnValue:
        """Go to the thread of a notice, and take everything from under the bell that its page had shown."""
        genuine = form_is_genuine(lasts=LASTS)
        here, context = self.here, _said_context(self.here)
        text = request.form.get("thread", "")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < _ID_DIGITS else 0
        scope = scope_of(here.grants, Permission.VIEW, context, here.shops)
        found = threads.get(here.desk.session(), scope, number) is not None
        let_go(here.desk.session())
        if not found:
            abort(404)
        # A form that is too old takes nothing away; the thread can be looked at all the same.
        if genuine:
            shown, employee, shops = read_shown(request.form.get("shown", ""), here.now), here.actor().employee, [shop.id for shop in here.shops]
            here.desk.do(lambda bench: notices.clear(bench.session, scope, shops, employee.id, shown, bench.now))
        return redirect(url_for("cs_threads.thread_page", thread_id=number, **_query(here, context, "shop")), 303)


class BellLink(MenuLink):
    """The bell beside the menu of the host's Flask-Admin: a link to its page, which the script turns into the bell itself.

    Nothing that goes wrong here may cost the host its page.
    """

    def __init__(self) -> None:
        """Lead to the bell's own page."""
        super().__init__(name=cast(str, _BellName()), endpoint="cs_bell.index_view", class_name="cs-bell-link")

    def is_accessible(self) -> bool:
        """Say whether there is anybody for whom it could ring."""
        return _may_hear()

    def is_visible(self) -> bool:
        """Say whether the page has no bell yet."""
        return _DRAWN not in request.environ

    def get_url(self) -> str:
        """Return the address of the bell's page in the context that the employee chose last."""
        here = visit()
        return url_for("cs_bell.index_view", **_query(here, _context_of_page(here), "shop"))


class _BellName:
    """What the link reads: the picture and the number, and beside them the script's file and the address that it asks."""

    def __str__(self) -> str:
        return i18n.gettext(visit().employee_language, _NAME)

    def __html__(self) -> str:
        return str(_drawn("_bell_link.html")) or str(escape(str(self)))


def header() -> Markup | None:
    """Return the bell for the header of this page; None where nobody is to hear it, and where the page has it already."""
    return (_drawn("_bell.html") or None) if _may_hear() else None


def embedded() -> Markup:
    """Return `header` for a template: `{{ cs_admin_header() }}`, empty where there is nothing to show."""
    return header() or Markup()


def read_bell(here: Visit, context: Context) -> Bell:
    """Read what is under the employee's bell in a context."""
    scope = scope_of(here.grants, Permission.VIEW, context, here.shops)
    shops = [shop.id for shop in here.shops]
    return notices.bell_of(here.desk.session(), scope, shops, here.actor().employee.id, here.now)


def thread_opened(here: Visit, thread_id: int, newest_id: int) -> None:
    """Take a thread that is being shown from under the employee's bell; no page is lost where that goes wrong."""
    session, employee_id = here.desk.session(), here.actor().employee.id
    try:
        rang = notices.rings(session, here.granted, employee_id, thread_id, here.now)
        let_go(session)
        if rang:
            here.desk.do(lambda bench: notices.open_thread(bench.session, here.granted, employee_id, thread_id, newest_id, here.now))
    except SQLAlchemyError:
        log.exception("thread %s could not be taken from under the bell", thread_id)
        session.rollback()


# --- Drawing ----------------------------------------------------------------------------------------------------------------------------------------


def _drawn(template: str) -> Markup:
    """Return the bell for this page, once; empty where it stands already or could not be read.

    It stands on pages of the host's: what is in the host's session stays there, and what goes wrong is logged.
    """
    if _DRAWN in request.environ:
        return Markup()
    try:
        here = visit()
        context = _context_of_page(here)
        bell = _read_beside_the_host(here, context)
        words = _words(here, context, bell)
        whole = Markup(current_app.jinja_env.get_template(f"cs_plugin/admin/{template}").render(**words))  # noqa: S704 - escaped by the template
    except Exception:  # the host's page is worth more than a bell, whatever its answers or its database have raised
        log.exception("the bell could not be drawn")
        return Markup()
    request.environ[_DRAWN] = True
    return whole


def _read_beside_the_host(here: Visit, context: Context) -> Bell:
    session = here.desk.session()
    ours = not session.in_transaction()
    try:
        with session.no_autoflush:
            bell = read_bell(here, context)
    except SQLAlchemyError:
        # PostgreSQL refuses every further statement of a transaction in which one has failed.
        session.rollback()
        raise
    if ours:
        let_go(session)
    return bell


def _may_hear() -> bool:
    if not has_request_context():
        return False
    try:
        return visit().grants.allow_somewhere(Permission.VIEW)
    except Exception:  # as above: an answer of the host's that fails is told where the desk's own pages ask for it
        log.exception("nobody could be asked about the bell")
        return False


def _list(here: Visit, context: Context, bell: Bell) -> Markup:
    words = _words(here, context, bell)
    return Markup(current_app.jinja_env.get_template("cs_plugin/admin/_bell_list.html").render(**words))  # noqa: S704 - escaped by the template


def _words(here: Visit, context: Context, bell: Bell) -> dict[str, Any]:
    query = _query(here, context, "context")
    return {
        **page_words(here.employee_language),
        "here": here,
        "bell": bell,
        "count": _counted(here, bell),
        "label": _label(here, bell),
        "shown": write_shown(bell.shown),
        "status_words": STATUS_WORDS,
        "name_of": _name_of,
        "news_url": url_for("cs_bell.news", **query),
        "open_url": url_for("cs_bell.open", **query),
    }


def _counted(here: Visit, bell: Bell) -> str:
    """Return how many threads are new, as the bell says it: "99+" past 99, empty for none."""
    return i18n.number(here.employee_language, bell.number) + ("+" if bell.more else "") if bell.number else ""


def _label(here: Visit, bell: Bell) -> str:
    language = here.employee_language
    if not bell.number:
        return i18n.gettext(language, _("Notifications: No new message"))
    if bell.more:
        return i18n.gettext(language, _("Notifications: more than %(n)s threads with a new message"), n=i18n.number(language, bell.number))
    return i18n.ngettext(language, "Notifications: %(n)s thread with a new message", "Notifications: %(n)s threads with a new message", bell.number)


def _name_of(news: News) -> str:
    return news.name or news.address or "--"


# --- Context, and what has changed --------------------------------------------------------------------------------------------------------------


def _context_of_page(here: Visit) -> Context:
    """Return the context of one of our pages; on any other, where "?shop=" means something else, the one that the employee chose last."""
    return here.context if (request.blueprint or "").startswith(_OURS) else here.last_context


def _said_context(here: Visit) -> Context:
    """Return the context that the bell's page was in. It is said under a name of its own: asking for news changes no choice of the employee's."""
    said = read_context(request.args.get("context"), here.visible_shops) if len(here.visible_shops) > 1 else None
    return said or here.widest_context


def _query(here: Visit, context: Context, name: str) -> dict[str, Any]:
    return {name: str(context)} if len(here.visible_shops) > 1 else {}


def _tag(here: Visit, context: Context, bell: Bell) -> str:
    """Return a digest of all that the list shows, without drawing it. A new day, and a new language, show it otherwise."""
    who = here.actor().employee
    today = here.now.astimezone(here.zone).date()
    shown = (who.id, str(context), here.employee_language, str(here.zone), today, bell.number, bell.more, bell.newest)
    return hashlib.sha256(repr(shown).encode("utf-8", "surrogatepass")).hexdigest()[:32]
