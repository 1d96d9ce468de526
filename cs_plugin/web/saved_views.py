"""The saved views of the list: their page, what its forms do, and how many threads each view holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import i18n
from cs_plugin.desk import Bench
from cs_plugin.desk.saved_views import change_view, delete_view, may_share, move_view, save_view
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import words
from cs_plugin.store.locking import let_go
from cs_plugin.store.matches import count_some
from cs_plugin.store.saved_views import LONGEST_NAME, Saved, count_each, view_of, views_of
from cs_plugin.web.list_address import list_query, list_url
from cs_plugin.web.list_state import VIEWS, ListState, View
from cs_plugin.web.list_surroundings import surroundings
from cs_plugin.web.reading import Visit, form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.thread_deeds import ThreadDeeds

_MOST_COUNTED = 99
_MOST_SEARCHED = 10   # views that search text and have a number
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")
_GONE = _("Nothing was changed: this view is no longer there, or you may not change it.")


def able(here: Visit, permission: Permission) -> bool:
    """Say whether the permission is held in some shop of the context."""
    shops = here.scope(permission).shops
    return not isinstance(shops, frozenset) or bool(shops)


def offered(here: Visit) -> list[View]:
    """Return the desk's own views that the employee can use in this context."""
    return [view for view in VIEWS if able(here, view.needs)]


class SavedViewPages(ThreadDeeds):
    """Saved views."""

    @expose("/views", methods=("GET", "POST"))
    def views(self) -> ResponseReturnValue:
        """Show the views that there are, and the form that saves the list as it stands; do what its forms say."""
        if request.method == "GET":
            return self._views_page()
        if not form_is_genuine():
            return self._told(_EXPIRED)
        return self._do_to_view(request.form.get("action", ""))

    @expose("/view-counts")
    def view_counts(self) -> ResponseReturnValue:
        """Tell a script how many threads each view holds, up to 99: nothing, where nothing has changed since."""
        here, session, state, me = self.here, self.here.desk.session(), self._state(), self.here.actor().employee.id
        choices = surroundings(here).choices
        saved = views_of(session, me)
        states = {view.name: state.in_view(view) for view in offered(here)} | {str(one.id): state.in_saved(one) for one in saved}
        lists = {name: (here.scope(one.view.needs), one.asked(choices, me)[0]) for name, one in states.items()}
        plain = {name: one for name, one in lists.items() if not one[1].searches_text}
        counts = count_each(session, plain.values(), bound=_MOST_COUNTED + 1)
        numbers = {name: (min(n, _MOST_COUNTED), n > _MOST_COUNTED) for name, n in zip(plain, counts, strict=True)}
        # Every open list asks for this every minute: few of those that search text are counted, and none of them to its end whatever it takes.
        words.plan_each_time(session)
        for name in [name for name in lists if name not in plain][:_MOST_SEARCHED]:
            numbers[name] = count_some(session, *lists[name], bound=_MOST_COUNTED)
        let_go(session)
        response = jsonify({name: self._bounded(*number) for name, number in numbers.items()})
        response.headers["Cache-Control"] = "private, no-cache"
        response.add_etag()
        return response.make_conditional(request)

    def _bounded(self, n: int, more: bool) -> str:
        return i18n.number(self.here.employee_language, n) + ("+" if more else "")

    def _views_page(self, errors: dict[str, str] | None = None) -> ResponseReturnValue:
        here, session, state = self.here, self.here.desk.session(), self._state()
        saved = views_of(session, here.actor().employee.id)
        let_go(session)
        words: dict[str, Any] = {
            "state": state,
            "query": list_query(state),
            "back": list_url(state),
            "list_url": list_url,
            "own": [one for one in saved if one.mine],
            "others": [one for one in saved if not one.mine],
            "may_share": may_share(here.actor(), here.shops),
            "longest": LONGEST_NAME,
            "errors": errors or {},
            "typed": request.form if errors else {},
        }
        return self.page("views.html", **words), 422 if errors else 200

    def _do_to_view(self, action: str) -> ResponseReturnValue:
        here, state, actor = self.here, self._state(), self.here.actor("list")
        number = int(text) if (text := request.form.get("view", "")).isascii() and text.isdigit() and len(text) < 19 else 0
        name, shared = request.form.get("name", ""), request.form.get("shared") == "y"
        # What a form does, what is said of it, and where it leads: to the view, or back to the page of all.
        deeds: dict[str, tuple[Callable[[Bench], Any], str]] = {
            "save": (lambda bench: save_view(bench, actor, name, state.to_save(), shared=shared), _("The view was saved.")),
            "replace": (lambda bench: change_view(bench, actor, number, query=state.to_save()), _("The view was saved.")),
            "change": (lambda bench: change_view(bench, actor, number, name=name, shared=shared), _("The view was saved.")),
            "delete": (lambda bench: delete_view(bench, actor, number), _("The view was deleted.")),
            "up": (lambda bench: move_view(bench, actor, number, up=True), ""),
            "down": (lambda bench: move_view(bench, actor, number, up=False), ""),
        }
        if action not in deeds:
            return self._told(_GONE)
        work, said = deeds[action]
        let_go(here.desk.session())
        try:
            made = here.desk.do(work)
        except InvalidInputError as error:
            return self._views_page({f"{action}-{number or 'new'}": self.say_error(error)})
        except (NotFoundError, NotPermittedError):
            return self._told(_GONE)
        if said:
            say_good(self.say(said))
        if action in ("save", "replace"):
            saved = view_of(here.desk.session(), actor.employee.id, made or number)
            return redirect(list_url(state.in_saved(saved) if saved else state), 303)
        if action == "delete" and number == state.saved_id:
            state = state.in_view(state.view)
        return redirect(url_for(".views") + list_query(state), 303)

    def _told(self, message: str) -> ResponseReturnValue:
        say_bad(self.say(message))
        return redirect(url_for(".views") + list_query(self._state()), 303)


def saved_words(saved: Sequence[Saved], state: ListState, asked_for: int | None) -> dict[str, Any]:
    """Return what the list says of saved views; `asked_for` is the one that its URL names."""
    return {"saved_views": saved, "view_is_gone": asked_for is not None and state.saved is None}
