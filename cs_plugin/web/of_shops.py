"""The pages of what employees arrange for shops: a list, a form for each, the question before something is deleted; whose it is, and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Contact, PredefinedMessage
from cs_plugin.store.preferences import preferences_of, set_preference
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import PAGE_SIZES
from cs_plugin.store.types import can_be_id
from cs_plugin.web.desk_view import DeskView, guarded
from cs_plugin.web.forms import SpokenForm
from cs_plugin.web.list_state import numbers
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.small_list import Asked, Column

EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")
_NONE_CHOSEN = _("Select at least one item first.")
_GONE = _("Nothing was deleted: these items are no longer there, or you may not delete them.")
_MOST_CHOSEN = PAGE_SIZES[-1]


One = TypeVar("One", bound=Contact | PredefinedMessage)
Draft = TypeVar("Draft")


@dataclass(frozen=True)
class Verbs(Generic[One, Draft]):
    """What can be read of one kind of thing, and done with it: the functions of its store and of its desk."""

    listed: Callable[[Session, Scope], Sequence[One]]
    found: Callable[[Session, Scope, int], One | None]
    wrong: Callable[[Bench, Draft], Sequence[InvalidInputError]]
    save: Callable[[Bench, Actor, int | None, Draft], One]
    take_out: Callable[[Bench, Actor, int, Collection[str]], bool]
    take_out_several: Callable[[Bench, Actor, Collection[int], Collection[str]], int]
    move: Callable[..., None]


@dataclass(frozen=True)
class Pages:
    """What the pages of one kind of thing look like: their templates, and what is said of one that is deleted for good.

    `kind` begins the names of their classes in the style sheet; `labels` are the names of the form's fields, by what stands before the language
    in a field's own name.
    """

    kind: str
    list: str
    form: str
    columns: tuple[Column[Any], ...]
    labels: Mapping[str, str]
    deleted: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A thing in a list. `theirs` says that the employee may configure every shop it is in, `left` what becomes of it when it is deleted here."""

    id: int
    name: str
    active: bool
    theirs: bool
    left: str


class OfShopsView(DeskView, Generic[One, Draft]):
    """Pages of what an employee arranges for the shops that they may configure; each kind of thing says how it reads and writes itself."""

    needs = Permission.CONFIGURE
    verbs: Verbs[One, Draft]
    pages: Pages

    # --- What each kind of thing says -------------------------------------------------------------------------------------------------------------

    def row(self, thing: One) -> Any:
        """Return a thing as its list shows it: a `Listed` with what else the columns hold."""
        raise NotImplementedError

    def editor(self, codes: Sequence[str]) -> type[SpokenForm]:
        """Return the form, with the fields of these languages."""
        raise NotImplementedError

    def values(self, thing: One | None) -> dict[str, Any]:
        """Return what the form of a thing begins with; None is a new one."""
        raise NotImplementedError

    def draft(self, form: Any, codes: Sequence[str]) -> Draft:
        """Return what a posted form wants."""
        raise NotImplementedError

    # --- The list ---------------------------------------------------------------------------------------------------------------------------------

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List what there is in the context, as the address asks for it."""
        here, session = self.here, self.here.desk.session()
        rows = [self.row(thing) for thing in self.verbs.listed(session, here.scope(Permission.CONFIGURE))]
        remembered = preferences_of(session, here.actor().employee.id).get(self._size_name)
        let_go(session)
        asked = self.asked
        page = asked.page_of(rows, self.pages.columns, remembered if remembered in PAGE_SIZES else PAGE_SIZES[0])
        return self.page(
            self.pages.list,
            list=page,
            any_there=bool(rows),
            may_move=asked.in_own_order and len(rows) > 1,
            first_of_all=rows[0].id if rows else 0,
            last_of_all=rows[-1].id if rows else 0,
            kind=self.pages.kind,
            columns=self.pages.columns,
            numbers=numbers(page.number, page.pages),
            sizes=PAGE_SIZES,
        )

    @expose("/page-size", methods=("POST",))
    def choose_size(self) -> ResponseReturnValue:
        """Remember how many rows this employee wants on a page."""
        here = self.here
        # It is asked first: it bounds the form, too.
        genuine = form_is_genuine()
        size = next((size for size in PAGE_SIZES if str(size) == request.form.get("size")), None)
        if not genuine or size is None:
            say_bad(self.say(_("Choose a page size of the list.") if size is None else EXPIRED))
            return redirect(self.list_address, 303)
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, self._size_name, size, bench.now))
        return redirect(self._list_at(self.asked.sized(size)), 303)

    @expose("/move", methods=("POST",))
    def move(self) -> ResponseReturnValue:
        """Let a thing pass its neighbour in the list of the context."""
        here = self.here
        genuine = form_is_genuine()
        upwards = _ids(request.form.getlist("up"))
        chosen = upwards or _ids(request.form.getlist("down"))
        if not genuine or not chosen:
            say_bad(self.say(_NONE_CHOSEN if genuine else EXPIRED))
            return redirect(self.list_address, 303)
        scope = here.scope(Permission.CONFIGURE)

        def work(bench: Bench) -> None:
            shown = [thing.id for thing in self.verbs.listed(bench.session, scope)]
            self.verbs.move(bench, here.actor("list"), chosen[0], shown, up=bool(upwards))

        guarded(lambda: here.desk.do(work))
        say_good(self.say(_("Successful update.")))
        return redirect(self.list_address, 303)

    # --- The form ---------------------------------------------------------------------------------------------------------------------------------

    @expose("/new/", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Make one."""
        return self._form(None, _("Successful creation."))

    @expose("/<int:number>/", methods=("GET", "POST"))
    def edit(self, number: int) -> ResponseReturnValue:
        """Change one."""
        return self._form(self._found(number), _("Successful update."))

    def _form(self, thing: One | None, done: str) -> ResponseReturnValue:
        here = self.here
        codes = [language.code for language in here.languages]
        posted = request.method == "POST"
        genuine = posted and form_is_genuine()
        form = self.editor(codes)(request.form if posted else None, say=self.say, **self.values(thing))
        if thing is not None and not self.is_theirs(_shops_of(thing)):
            return self._shown(thing, form, {}, locked=True), 403 if posted else 200
        if not posted:
            return self._shown(thing, form, {})
        draft = self.draft(form, codes)
        errors = self._wrong(draft) if genuine else {"": self.say(EXPIRED)}
        if errors:
            return self._shown(thing, form, errors), 422
        number = thing.id if thing is not None else None
        guarded(lambda: here.desk.do(lambda bench: self.verbs.save(bench, here.actor(), number, draft)))
        say_good(self.say(done))
        return redirect(self.list_address, 303)

    def _wrong(self, draft: Draft) -> dict[str, str]:
        """Return what is wrong, by field, in the employee's language."""
        errors: dict[str, str] = {}
        for error in self.verbs.wrong(self.here.desk.bench(self.here.desk.session()), draft):
            errors.setdefault(error.field, self.say_error(error))
        return errors

    def _shown(self, thing: One | None, form: SpokenForm, errors: Mapping[str, str], *, locked: bool = False) -> str:
        row = self.row(thing) if thing is not None else None
        let_go(self.here.desk.session())
        return self.page(
            self.pages.form,
            row=row,
            form=form,
            errors=errors,
            summary=[(field, self._labelled(field, text)) for field, text in errors.items() if field],
            locked=locked,
            shops=self.shops_to_choose(),
            languages=self.here.languages,
        )

    def _labelled(self, field: str, text: str) -> str:
        """Return what is wrong with a field, by the field's name, and its language's where there are several."""
        name, _dash, code = field.partition("-")
        language = next((one.name for one in self.here.languages if one.code == code), code)
        label = self.say(self.pages.labels[name])
        if code and len(self.here.languages) > 1:
            # It reads: "Title (French): This field cannot be longer than 255 characters"
            return self.say(_("%(field)s (%(language)s): %(what)s"), field=label, language=language, what=text)
        return self.say(_("%(field)s: %(what)s"), field=label, what=text)

    # --- Deleting ---------------------------------------------------------------------------------------------------------------------------------

    @expose("/<int:number>/delete/", methods=("GET", "POST"))
    def remove(self, number: int) -> ResponseReturnValue:
        """Ask, and take a thing out of the context's shops; out of the last one, it is deleted."""
        thing, here = self._found(number), self.here
        if request.method == "POST" and form_is_genuine():
            shops = self.chosen_shops
            guarded(lambda: here.desk.do(lambda bench: self.verbs.take_out(bench, here.actor(), number, shops)))
            say_good(self.say(_("Successful deletion.")))
            return redirect(self.list_address, 303)
        return self._question([thing], self.say(EXPIRED) if request.method == "POST" else "")

    @expose("/bulk", methods=("POST",))
    def bulk(self) -> ResponseReturnValue:
        """Delete the selected ones; ask first, and delete once that is answered."""
        genuine, here = form_is_genuine(), self.here
        ids = _ids(request.form.getlist("chosen"))
        if not genuine or not ids:
            say_bad(self.say(_NONE_CHOSEN if genuine else EXPIRED))
            return redirect(self.list_address, 303)
        if request.form.get("action") != "delete":
            found = [one for one in self.verbs.listed(here.desk.session(), here.scope(Permission.CONFIGURE)) if one.id in set(ids)]
            return self._question(found) if found else self._told(0, len(ids))
        shops = self.chosen_shops
        return self._told(here.desk.do(lambda bench: self.verbs.take_out_several(bench, here.actor("list"), ids, shops)), len(ids))

    def _question(self, things: Sequence[One], wrong: str = "") -> ResponseReturnValue:
        rows = [self.row(thing) for thing in things]
        let_go(self.here.desk.session())
        several = request.path == url_for(".bulk")
        action = url_for(".bulk") if several else url_for(".remove", number=rows[0].id)
        page = self.page("_small_delete.html", rows=rows, wrong=wrong, several=several, action=f"{action}{self.asked}")
        return page, 400 if wrong else 200

    def _told(self, done: int, wanted: int) -> ResponseReturnValue:
        if not done:
            say_bad(self.say(_GONE))
            return redirect(self.list_address, 303)
        said = self.say(_("The selection has been successfully deleted."))
        if done < wanted:
            left = self.say(_("%(done)s of %(asked)s; the others are no longer there, or you may not delete them."), done=done, asked=wanted)
            said = f"{said} {left}"
        say_good(said)
        return redirect(self.list_address, 303)

    def becomes(self, thing: One) -> str:
        """Return what becomes of a thing that is deleted in the context: where it stays, else what is left of it."""
        stays_in = self.stays_in(_shops_of(thing))
        return self.say(_("It stays in: %(shops)s."), shops=", ".join(stays_in)) if stays_in else self.say(self.pages.deleted)

    def _found(self, number: int) -> One:
        thing = self.verbs.found(self.here.desk.session(), self.granted, number)
        if thing is None:
            abort(404)
        return thing

    # --- Addresses --------------------------------------------------------------------------------------------------------------------------------

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows the list it came from, and the context of its addresses."""
        return super().page(template, asked=self.asked, query=self.query, list_address=self.list_address, **words)

    @property
    def asked(self) -> Asked:
        """Return what the address asks of the list; the pages that it leads to carry it along."""
        return Asked.of(request.args, self.pages.columns, str(self.here.context) if self.query else "")

    @property
    def list_address(self) -> str:
        """Return the address of the list as it stood."""
        return self._list_at(self.asked)

    def _list_at(self, asked: Asked) -> str:
        return f"{url_for('.index_view')}{asked}"

    def address_in(self, context: str) -> str:
        """Return the address of the list in another context of shops: as it stands, from its first page."""
        return self._list_at(replace(self.asked, shop=context, page=1))

    @property
    def query(self) -> str:
        """Return the context as every address of these pages carries it; nothing where there is one shop."""
        return "?" + urlencode({"shop": str(self.here.context)}) if len(self.here.visible_shops) > 1 else ""

    @property
    def _size_name(self) -> str:
        """Return the name under which the page size is remembered."""
        return f"{self.endpoint}_size"

    # --- Shops ------------------------------------------------------------------------------------------------------------------------------------

    @property
    def shops(self) -> Sequence[Shop]:
        """Return the shops that the employee may configure."""
        return [shop for shop in self.here.shops if self.here.grants.allow(Permission.CONFIGURE, shop.id)]

    @property
    def chosen_shops(self) -> frozenset[str]:
        """Return the shops of the context that the employee may configure."""
        return frozenset(shop.id for shop in self.here.context.shops(self.shops))

    @property
    def granted(self) -> Scope:
        """Return all shops that the employee may configure, whatever the context."""
        return Scope(self.here.grants.shops(Permission.CONFIGURE))

    def is_theirs(self, shop_ids: Collection[str]) -> bool:
        """Say whether the employee may configure every shop of these that the host lists."""
        known = {shop.id for shop in self.here.shops}
        return all(self.here.grants.allow(Permission.CONFIGURE, one) for one in shop_ids if one in known)

    def stays_in(self, shop_ids: Collection[str]) -> list[str]:
        """Return the names of the shops in which a thing of these shops stays when it is taken out of the context's; those of others are not told."""
        left = set(shop_ids) - self.chosen_shops
        theirs = {shop.id for shop in self.shops}
        names = [shop.name for shop in self.shops if shop.id in left]
        others = any(shop.id in left - theirs for shop in self.here.shops)
        # It follows "It stays in:", after the names of shops or alone
        return [*names, self.say(_("other shops"))] if others else names

    def listed(self, thing: One, *, name: str, active: bool) -> dict[str, Any]:
        """Return what every row of a list says of a thing."""
        return {"id": thing.id, "name": name, "active": active, "theirs": self.is_theirs(_shops_of(thing)), "left": self.becomes(thing)}

    def chosen_in_form(self, posted: Collection[str]) -> frozenset[str]:
        """Return the shops that a form chooses. Whoever sees one shop is not asked: what they arrange belongs to it."""
        theirs = frozenset(shop.id for shop in self.shops)
        return theirs if len(self.here.visible_shops) == 1 else theirs & frozenset(posted)

    def chosen_for_new(self) -> list[str]:
        """Return the shops that the form of a new thing begins with: those of the context."""
        return sorted(self.chosen_shops) or [shop.id for shop in self.shops]

    def shops_to_choose(self) -> Sequence[Shop]:
        """Return the shops that a form offers; none where there is nothing to choose."""
        return self.shops if len(self.here.visible_shops) > 1 else ()


def position_of(text: str) -> int | None:
    """Read a place in the order; None for what is no number."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _ids(texts: Sequence[str]) -> list[int]:
    """Return the ids among what was posted, each once, and no more of them than a page holds."""
    found = {int(one) for one in texts if one.isascii() and one.isdigit() and len(one) < 20}
    return sorted(one for one in found if can_be_id(one))[:_MOST_CHOSEN]


def _shops_of(thing: Contact | PredefinedMessage) -> set[str]:
    return {shop.shop_id for shop in thing.shops}
