"""What all admin pages of the desk share: who gets in, the form's token, the chrome around them, and how an error is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from jinja2.utils import concat
from markupsafe import Markup

from cs_plugin import i18n, plugins
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.languages import direction
from cs_plugin.rules.permissions import Permission
from cs_plugin.web.contexts import picker
from cs_plugin.web.reading import Visit, page_words, visit
from cs_plugin.web.saying import take_said

if TYPE_CHECKING:
    from flask_admin.base import BaseView
else:
    BaseView = object

Result = TypeVar("Result")

# What a link to another context keeps of an address: its search and its sort, not the page, and never more than a list can say.
_NOT_KEPT = frozenset({"shop", "page"})
_LONGEST_KEPT, _MOST_KEPT = 300, 30


class MenuName:
    """A text of the menu, translated when the menu is shown."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __str__(self) -> str:
        return i18n.gettext(visit().employee_language, self._message)


class DeskView(BaseView):
    """A page of the desk in the host's Flask-Admin; stands before Flask-Admin's own class among the bases.

    Nobody gets in unless the host names an employee who holds `needs` in some shop. Every POST handler checks the form's token
    (`web.reading.form_is_genuine`) and each object's permission in the desk.
    """

    needs: Permission = Permission.VIEW

    # What Flask-Admin's model views expose, and the desk does not: its own pages do it, with permissions on each object.
    create_view = edit_view = details_view = delete_view = action_view = export = ajax_lookup = ajax_update = None

    @property
    def here(self) -> Visit:
        """Return what this request says."""
        return visit()

    def is_accessible(self) -> bool:
        """Say whether the employee may open the page at all; asked by Flask-Admin for the page and for its menu."""
        return self.here.grants.allow_somewhere(self.needs)

    def is_visible(self) -> bool:
        """Say whether the menu names the page."""
        return self.is_accessible()

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:  # noqa: ARG002 - Flask-Admin's signature
        """Send whoever is not signed in to the host's sign-in page, where it names one; refuse anybody else."""
        here = self.here
        if here.employee is None and request.method == "GET":
            sign_in = here.desk.host.url("admin_sign_in", request.full_path.rstrip("?"))
            if sign_in:
                return redirect(sign_in)
        return abort(403)

    def say(self, message: str, /, **values: object) -> str:
        """Return a text in the employee's language."""
        return i18n.gettext(self.here.employee_language, message, **values)

    def say_error(self, error: InvalidInputError) -> str:
        """Return what is wrong with a field, in the employee's language."""
        return self.say(error.message, **error.values)

    def address_in(self, context: str) -> str:
        """Return the address of this page in another context of shops: a list as it stands, from its first page; from anything else, its list."""
        stays = request.endpoint == f"{self.endpoint}.index_view"
        said = [(name, text) for name, text in request.args.items(multi=True) if name not in _NOT_KEPT and len(name + text) <= _LONGEST_KEPT]
        return f"{url_for('.index_view')}?{urlencode([('shop', context), *(said[:_MOST_KEPT] if stays else ())])}"

    def page(self, template: str, **words: Any) -> str:
        """Render `cs_plugin/admin/<template>` by itself, and put it into the host's admin: our words and the host's never meet."""
        here, language = self.here, self.here.employee_language
        content = current_app.jinja_env.get_template(f"cs_plugin/admin/{template}")
        context: dict[str, Any] = {**page_words(language), "admin_view": self, "here": here, "said": take_said()}
        context |= {"picker": picker(here), "in_context": self.address_in, **words}
        current_app.update_template_context(context)
        title = concat(content.blocks["cs_title"](content.new_context(context)))
        return str(
            self.render(
                "cs_plugin/admin/_frame.html",
                **self._context_of_host(),
                cs_base=here.desk.host.base_template() or self.admin.theme.base_template,
                cs_title=Markup(title),  # noqa: S704 - escaped by the template
                cs_content=Markup(content.render(context)),  # noqa: S704 - as above
                cs_language=language,
                cs_direction=direction(language),
            )
        )

    def _context_of_host(self) -> dict[str, Any]:
        """Return what plugins give to the frame; the frame's own words win."""
        answers: dict[str, Any] = {}
        for answer in plugins.collect(self.here.desk.manager, "cs_template_context"):
            answers.update(answer)
        return {name: value for name, value in answers.items() if not name.startswith("cs_")}


def guarded(work: Callable[[], Result]) -> Result:
    """Do a page's work and turn the desk's refusals into answers: what is not there or not theirs is 404, what is not granted 403."""
    try:
        return work()
    except NotFoundError:
        abort(404)
    except NotPermittedError:
        abort(403)
