"""Contacts: the departments that customers choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.contacts import ContactDraft, save_contact, take_out_contact, wrong_with
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.contacts import contact_in, contacts_in, words_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Contact
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web.contexts import picker
from cs_plugin.web.desk_view import DeskView, MenuName, guarded
from cs_plugin.web.forms import ContactEditor, contact_editor
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_good

_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")


@dataclass(frozen=True, slots=True)
class Row:
    """A contact in the list. `theirs` says that the employee may configure every shop it belongs to."""

    id: int
    title: str
    email: str
    description: str
    save_messages: bool
    theirs: bool


class ContactView(DeskView, ModelView):
    """Contacts: a plain list, and a form for each."""

    needs = Permission.CONFIGURE

    def __init__(self, db: Any, *, category: str | None) -> None:
        """Stand in the menu as "Contacts"."""
        super().__init__(Contact, db, name=MenuName(_("Contacts")), category=category, endpoint="cs_contacts", url="customer-service-contacts")

    def page(self, template: str, **words: Any) -> str:
        """Render a page with what the last form led to at its top, and the picker of shops."""
        return super().page(template, query=self._query(), **words)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the contacts of the context."""
        here = self.here
        rows = [self._row(contact) for contact in contacts_in(here.desk.session(), here.scope(Permission.CONFIGURE))]
        let_go(here.desk.session())
        here_in = {"picker": picker(here), "in_context": lambda context: url_for("cs_contacts.index_view", shop=context)}
        return self.page("contacts.html", rows=rows, **here_in)

    @expose("/new/", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Make a contact."""
        in_context = [shop.id for shop in self.here.context.shops(self._shops)]
        return self._form(None, {"shops": in_context or [shop.id for shop in self._shops]}, _("Successful creation."))

    @expose("/<int:contact_id>/", methods=("GET", "POST"))
    def edit(self, contact_id: int) -> ResponseReturnValue:
        """Change a contact."""
        contact = self._found(contact_id)
        return self._form(contact, _values(contact), _("Successful update."))

    @expose("/<int:contact_id>/delete/", methods=("GET", "POST"))
    def remove(self, contact_id: int) -> ResponseReturnValue:
        """Ask, and take a contact out of the context's shops; out of the last one, it is deleted."""
        contact, here = self._found(contact_id), self.here
        if request.method == "POST" and form_is_genuine():
            shops = {shop.id for shop in here.context.shops(self._shops)}
            guarded(lambda: here.desk.do(lambda bench: take_out_contact(bench, here.actor(), contact_id, shops)))
            say_good(self.say(_("Successful deletion.")))
            return redirect(url_for("cs_contacts.index_view") + self._query(), 303)
        expired = self.say(_EXPIRED) if request.method == "POST" else ""
        row, stays_in = self._row(contact), self._stays_in(contact)
        let_go(here.desk.session())
        return self.page("contact_delete.html", contact=row, stays_in=stays_in, wrong=expired), 400 if expired else 200

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    @property
    def _shops(self) -> Sequence[Shop]:
        """Return the shops that the employee may configure."""
        return [shop for shop in self.here.shops if self.here.grants.allow(Permission.CONFIGURE, shop.id)]

    def _query(self) -> str:
        """Return the context as every address of these pages carries it."""
        return "?" + urlencode({"shop": str(self.here.context)}) if len(self.here.visible_shops) > 1 else ""

    def _found(self, contact_id: int) -> Contact:
        granted = self.here.grants.shops(Permission.CONFIGURE)
        scope = Scope(granted) if isinstance(granted, frozenset) else EVERYTHING
        contact = contact_in(self.here.desk.session(), scope, contact_id)
        if contact is None:
            abort(404)
        return contact

    def _row(self, contact: Contact) -> Row:
        words = words_of(contact, self.here.employee_language, self.here.default_language)
        return Row(contact.id, words.title, contact.email, words.description, contact.save_messages, self._is_theirs(contact))

    def _is_theirs(self, contact: Contact) -> bool:
        known = {shop.id for shop in self.here.shops}
        return all(self.here.grants.allow(Permission.CONFIGURE, one.shop_id) for one in contact.shops if one.shop_id in known)

    def _stays_in(self, contact: Contact) -> list[str]:
        """Return the names of the shops in which the contact stays when it is taken out of the context's."""
        gone = {shop.id for shop in self.here.context.shops(self._shops)}
        of_contact = {one.shop_id for one in contact.shops}
        return [shop.name for shop in self.here.shops if shop.id in of_contact - gone]

    # --- The form -----------------------------------------------------------------------------------------------------------------------------

    def _form(self, contact: Contact | None, values: Mapping[str, Any], done: str) -> ResponseReturnValue:
        here = self.here
        editor = contact_editor([language.code for language in here.languages])
        posted = request.method == "POST"
        genuine = posted and form_is_genuine()
        form = editor(request.form if posted else None, say=self.say, **values)
        if contact is not None and not self._is_theirs(contact):
            return (self._shown(contact, form, {}, locked=True), 403) if posted else self._shown(contact, form, {}, locked=True)
        if not posted:
            return self._shown(contact, form, {})
        draft = self._draft(form)
        errors = self._wrong(draft) if genuine else {"": self.say(_EXPIRED)}
        if errors:
            return self._shown(contact, form, errors), 422
        contact_id = contact.id if contact is not None else None
        guarded(lambda: here.desk.do(lambda bench: save_contact(bench, here.actor(), contact_id, draft)))
        say_good(self.say(done))
        return redirect(url_for("cs_contacts.index_view") + self._query(), 303)

    def _draft(self, form: ContactEditor) -> ContactDraft:
        codes = [language.code for language in self.here.languages]
        theirs = {shop.id for shop in self._shops}
        # Where there is one shop, nobody is asked: every contact belongs to it.
        chosen = theirs if len(self.here.shops) == 1 else theirs & set(form.shops.data or ())
        return ContactDraft(
            titles={code: form[f"title-{code}"].data or "" for code in codes},
            descriptions={code: form[f"description-{code}"].data or "" for code in codes},
            email=form.email.data or "",
            save_messages=bool(form.save_messages.data),
            shop_ids=frozenset(chosen),
        )

    def _wrong(self, draft: ContactDraft) -> dict[str, str]:
        """Return what is wrong, by field, in the employee's language."""
        bench: Bench = self.here.desk.bench(self.here.desk.session())
        errors: dict[str, str] = {}
        for error in wrong_with(bench, draft):
            errors.setdefault(error.field, self.say_error(error))
        return errors

    def _shown(self, contact: Contact | None, form: ContactEditor, errors: Mapping[str, str], *, locked: bool = False) -> str:
        row = self._row(contact) if contact is not None else None
        let_go(self.here.desk.session())
        return self.page(
            "contact.html",
            contact=row,
            form=form,
            errors=errors,
            locked=locked,
            shops=self._shops if len(self.here.shops) > 1 else (),
            languages=self.here.languages,
        )


def _values(contact: Contact) -> dict[str, Any]:
    words = {f"title-{text.language}": text.title for text in contact.texts}
    words |= {f"description-{text.language}": text.description for text in contact.texts}
    return {**words, "email": contact.email, "save_messages": contact.save_messages, "shops": [shop.shop_id for shop in contact.shops]}
