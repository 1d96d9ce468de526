"""What a request says, read once: who looks, in which language, at which shops, and whether its form is genuine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Blueprint, Flask, current_app, request, session
from flask.signals import appcontext_pushed
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms.validators import ValidationError

from cs_plugin import i18n
from cs_plugin.rules.languages import Language, best_of, direction
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import NO_GRANTS, Actor, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, read_context, shop_at
from cs_plugin.store.preferences import preferences_of
from cs_plugin.store.scope import Scope, scope_of
from cs_plugin.web.drawing import once, once_but_for_number, times
from cs_plugin.web.mounted import Mounted, mounted
from cs_plugin.web.uploads import NO_FILES, UploadLimits, bound_request

_CONTEXT = "cs_context"
_VISIT = "cs_plugin.visit"


@dataclass(eq=False)
class Visit:
    """One request to a page of the desk. The host is asked at most once for each thing."""

    desk: Mounted

    @cached_property
    def now(self) -> dt.datetime:
        """Return the moment of this request."""
        return self.desk.clock()

    @cached_property
    def employee(self) -> Employee | None:
        """Return who uses the admin; None for nobody."""
        return self.desk.host.current_employee()

    @cached_property
    def grants(self) -> Grants:
        """Return what they may do; nothing for nobody."""
        return self.desk.host.grants(self.employee) if self.employee is not None else NO_GRANTS

    @cached_property
    def customer(self) -> Customer | None:
        """Return who is signed in to the storefront."""
        return self.desk.host.current_customer()

    @cached_property
    def shops(self) -> tuple[Shop, ...]:
        """Return all shops of the host."""
        return self.desk.host.shops()

    @cached_property
    def visible_shops(self) -> tuple[Shop, ...]:
        """Return the shops whose threads the employee may view."""
        viewed = self.grants.shops(Permission.VIEW)
        return tuple(shop for shop in self.shops if shop.id in viewed)

    @cached_property
    def employees(self) -> tuple[Employee, ...]:
        """Return everybody to whom the host lets threads be assigned."""
        return self.desk.host.employees()

    @cached_property
    def languages(self) -> tuple[Language, ...]:
        """Return the languages of the host, the default first."""
        return self.desk.host.languages()

    @property
    def default_language(self) -> str:
        """Return the code of the host's default language."""
        return self.languages[0].code

    @cached_property
    def context(self) -> Context:
        """Return which shops the employee looks at: the URL says it, else the last page did, else it is all of theirs.

        A URL that names a shop which they may not see, or which there is not, shows all of theirs: both are told alike, and neither is
        remembered. Where there is nothing to choose, the URL chooses nothing.
        """
        shops = self.visible_shops
        said = request.args.get("shop") if len(shops) > 1 else None
        if not said:
            return self.last_context
        context = read_context(said, shops)
        # The next employee who signs in at this browser begins with all of theirs.
        if context is not None and self.employee is not None and session.get(_CONTEXT) != [self.employee.id, said]:
            session[_CONTEXT] = [self.employee.id, said]
        return context or ALL_SHOPS

    @property
    def last_context(self) -> Context:
        """Return which shops the employee has looked at last, whatever this URL says: on a page of the host's it means something else."""
        if len(self.visible_shops) < 2:
            return self.widest_context
        return read_context(self._last_context(), self.visible_shops) or ALL_SHOPS

    @property
    def widest_context(self) -> Context:
        """Return the context that is all shops of the employee's."""
        shops = self.visible_shops
        return Context(Breadth.SHOP, shops[0].id) if len(shops) == 1 and len(self.shops) > 1 else ALL_SHOPS

    def _last_context(self) -> str | None:
        kept = session.get(_CONTEXT)
        if not isinstance(kept, list | tuple) or len(kept) != 2 or self.employee is None or kept[0] != self.employee.id:
            return None
        return str(kept[1])

    @cached_property
    def preferences(self) -> Mapping[str, Any]:
        """Return what the employee has chosen before, by name, as it was when this request first asked."""
        return preferences_of(self.desk.session(), self.actor().employee.id)

    def scope(self, permission: Permission = Permission.VIEW) -> Scope:
        """Return the shops of the context in which the employee holds a permission."""
        return scope_of(self.grants, permission, self.context, self.shops)

    @cached_property
    def granted(self) -> Scope:
        """Return all shops that the employee may view, whatever the context."""
        return Scope(self.grants.shops(Permission.VIEW))

    def actor(self, via: str = "page") -> Actor:
        """Return the employee as the desk's verbs want them. Only for pages that nobody else gets into."""
        if self.employee is None:
            raise LookupError("nobody is signed in; the page should not have been reached")
        return Actor(self.employee, self.grants, via)

    @cached_property
    def employee_language(self) -> str:
        """Return the language of admin pages: the employee's own, else that of Flask-Babel, else what the browser asks for."""
        own = self.employee.language if self.employee else None
        return best_of([own, _babel_locale(), *request.accept_languages.values()], i18n_languages()) or "en"

    @cached_property
    def zone(self) -> dt.tzinfo:
        """Return the employee's time zone."""
        return i18n.zone_of(self.employee.timezone if self.employee else None)


def visit() -> Visit:
    """Return what this request says.

    It is kept with the request itself: `g` outlives one that is made inside another context, and would hand the next visitor its employee.
    """
    found: Visit | None = request.environ.get(_VISIT)
    if found is None:
        found = request.environ[_VISIT] = Visit(mounted())
    return found


def visitor_language(here: Visit, shop: Shop, wanted: str | None = None) -> str:
    """Return the language of storefront pages: what the URL says, else Flask-Babel, else the customer's, the browser's, the shop's."""
    known = [language.code for language in here.languages if language.enabled] or [here.default_language]
    own = here.customer.language if here.customer else None
    return best_of([wanted, _babel_locale(), own, *request.accept_languages.values(), shop.default_language], known) or known[0]


def visitor_shop(here: Visit, wanted: str | None = None) -> Shop:
    """Return the shop that a visitor is in: named, else the one whose URL the page begins with, else the first."""
    named = next((shop for shop in here.shops if shop.id == wanted), None)
    return named or shop_at(request.referrer or "", here.shops) or shop_at(request.base_url, here.shops) or here.shops[0]


def i18n_languages() -> list[str]:
    """Return the languages into which the desk's own texts are translated."""
    return list(i18n.languages())


def _babel_locale() -> str | None:
    """Return the locale of Flask-Babel, where the host has set it up."""
    if "babel" not in current_app.extensions:
        return None
    from flask_babel import get_locale

    locale = get_locale()
    return str(locale) if locale else None


def csrf_token() -> str:
    """Return the token that every form of the desk carries: that of Flask-WTF, so that a host's CSRFProtect takes it too."""
    return str(generate_csrf())


def form_is_genuine(limits: UploadLimits = NO_FILES, *, lasts: dt.timedelta | None = None) -> bool:
    """Say whether the posted form carries a good token, made no longer ago than `lasts` (as WTF_CSRF_TIME_LIMIT says, unless given).

    It is asked before anything of the form is read, since it bounds the form too: to a few texts, unless `limits` let files in.
    Raise as `bound_request` does.
    """
    bound_request(limits)
    posted = request.form
    if not current_app.config.get("WTF_CSRF_ENABLED", True):
        return True
    try:
        validate_csrf(posted.get("csrf_token") or request.headers.get("X-CSRFToken", ""), time_limit=int(lasts.total_seconds()) if lasts else None)
    except ValidationError:
        return False
    return True


def page_words(language: str) -> dict[str, Any]:
    """Return what every template of the desk can say: texts, dates and numbers in the language of the page."""
    return {
        "_": i18n.speaker(language),
        "_n": i18n.counter(language),
        "_c": i18n.speaker_in_context(language),
        "language": language,
        "direction": direction(language),
        "i18n": i18n,
        "csrf_token": csrf_token,
        "once": once,
        "once_but_for_number": once_but_for_number,
        "times": times,
    }


def exempt_from_csrf_protect(app: Flask, blueprint: Blueprint) -> None:
    """Check the token of our forms ourselves, in every POST handler: a host's CSRFProtect answers 400, and what somebody wrote is gone.

    CSRFProtect may be set up after us, so it is told when a context of the application is entered.
    """

    def exempt(sender: Flask, **_named: object) -> None:
        protect = sender.extensions.get("csrf")
        if protect is not None and hasattr(protect, "exempt"):
            protect.exempt(blueprint)

    app.extensions[f"cs_plugin_exempt_{blueprint.name}"] = exempt   # signals hold their receivers weakly
    appcontext_pushed.connect(exempt, app)
