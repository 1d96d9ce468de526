"""Contacts: the departments that customers choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.contacts import ContactDraft, save_contact, take_out_contact, wrong_with
from cs_plugin.i18n import marked as _
from cs_plugin.rules.mails import MAILS, SWITCHES
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.contacts import contact_in, contacts_in, words_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Contact
from cs_plugin.web.desk_view import MenuName, guarded
from cs_plugin.web.forms import ContactEditor, contact_editor
from cs_plugin.web.of_shops import EXPIRED, OfShopsView
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_good


@dataclass(frozen=True, slots=True)
class Row:
    """A contact in the list. `theirs` says that the employee may configure every shop it belongs to."""

    id: int
    title: str
    email: str
    description: str
    save_messages: bool
    theirs: bool


class ContactView(OfShopsView, ModelView):
    """Contacts: a plain list, and a form for each."""

    def __init__(self, db: Any, *, category: str | None) -> None:
        """Stand in the menu as "Contacts"."""
        super().__init__(Contact, db, name=MenuName(_("Contacts")), category=category, endpoint="cs_contacts", url="customer-service-contacts")

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the contacts of the context."""
        here = self.here
        rows = [self._row(contact) for contact in contacts_in(here.desk.session(), here.scope(Permission.CONFIGURE))]
        let_go(here.desk.session())
        return self.page("contacts.html", rows=rows, **self.context_words())

    @expose("/new/", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Make a contact."""
        return self._form(None, {"shops": self.chosen_for_new(), "mails": sorted(MAILS)}, _("Successful creation."))

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
            shops = self.chosen_shops
            guarded(lambda: here.desk.do(lambda bench: take_out_contact(bench, here.actor(), contact_id, shops)))
            say_good(self.say(_("Successful deletion.")))
            return redirect(self.list_address, 303)
        expired = self.say(EXPIRED) if request.method == "POST" else ""
        row, stays_in = self._row(contact), self.stays_in(_shop_ids(contact))
        let_go(here.desk.session())
        return self.page("contact_delete.html", contact=row, stays_in=stays_in, wrong=expired), 400 if expired else 200

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    def _found(self, contact_id: int) -> Contact:
        contact = contact_in(self.here.desk.session(), self.granted, contact_id)
        if contact is None:
            abort(404)
        return contact

    def _row(self, contact: Contact) -> Row:
        words = words_of(contact, self.here.employee_language, self.here.default_language)
        return Row(contact.id, words.title, contact.email, words.description, contact.save_messages, self.is_theirs(_shop_ids(contact)))

    # --- The form -----------------------------------------------------------------------------------------------------------------------------

    def _form(self, contact: Contact | None, values: Mapping[str, Any], done: str) -> ResponseReturnValue:
        here = self.here
        editor = contact_editor([language.code for language in here.languages])
        posted = request.method == "POST"
        genuine = posted and form_is_genuine()
        form = editor(request.form if posted else None, say=self.say, **values)
        if contact is not None and not self.is_theirs(_shop_ids(contact)):
            return (self._shown(contact, form, {}, locked=True), 403) if posted else self._shown(contact, form, {}, locked=True)
        if not posted:
            return self._shown(contact, form, {})
        draft = self._draft(form)
        errors = self._wrong(draft) if genuine else {"": self.say(EXPIRED)}
        if errors:
            return self._shown(contact, form, errors), 422
        contact_id = contact.id if contact is not None else None
        guarded(lambda: here.desk.do(lambda bench: save_contact(bench, here.actor(), contact_id, draft)))
        say_good(self.say(done))
        return redirect(self.list_address, 303)

    def _draft(self, form: ContactEditor) -> ContactDraft:
        codes = [language.code for language in self.here.languages]
        return ContactDraft(
            titles={code: form[f"title-{code}"].data or "" for code in codes},
            descriptions={code: form[f"description-{code}"].data or "" for code in codes},
            email=form.email.data or "",
            save_messages=bool(form.save_messages.data),
            shop_ids=self.chosen_in_form(form.shops.data or ()),
            mails=frozenset(form.mails.data or ()) if form.mails_shown.data else None,
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
            shops=self.shops_to_choose(),
            languages=self.here.languages,
            switches=SWITCHES,
        )


def _shop_ids(contact: Contact) -> set[str]:
    return {shop.shop_id for shop in contact.shops}


def _values(contact: Contact) -> dict[str, Any]:
    words = {f"title-{text.language}": text.title for text in contact.texts}
    words |= {f"description-{text.language}": text.description for text in contact.texts}
    mails = [name for name in MAILS if (contact.mails or {}).get(name, True)]
    shops = [shop.shop_id for shop in contact.shops]
    return {**words, "email": contact.email, "save_messages": contact.save_messages, "shops": shops, "mails": mails}
