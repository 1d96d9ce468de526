"""Contacts: the departments that customers choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_admin.contrib.sqla import ModelView

from cs_plugin.desk.contacts import ContactDraft, move_contact, save_contact, take_out_contact, take_out_several, wrong_with
from cs_plugin.desk.of_shops import MAX_POSITION
from cs_plugin.i18n import marked as _
from cs_plugin.rules.mails import MAILS, ON, SWITCHES, is_sent
from cs_plugin.store.contacts import contact_in, contacts_in, next_position, words_of
from cs_plugin.store.models import Contact
from cs_plugin.web.desk_view import MenuName
from cs_plugin.web.forms import ContactEditor, contact_editor
from cs_plugin.web.of_shops import Listed, OfShopsView, Pages, Verbs, position_of
from cs_plugin.web.small_list import Column


@dataclass(frozen=True, slots=True)
class Row(Listed):
    """A contact in the list."""

    email: str
    description: str
    save_messages: bool


COLUMNS: tuple[Column[Row], ...] = (
    Column("id", _("ID"), lambda row: row.id),
    Column("title", _("Title"), lambda row: row.name),
    Column("email", _("Email address"), lambda row: row.email),
    Column("description", _("Description"), lambda row: row.description),
)


class ContactView(OfShopsView[Contact, ContactDraft], ModelView):
    """Contacts: a list, and a form for each."""

    verbs = Verbs(contacts_in, contact_in, wrong_with, save_contact, take_out_contact, take_out_several, move_contact)
    pages = Pages(
        kind="contact",
        list="contacts.html",
        form="contact.html",
        columns=COLUMNS,
        labels={
            "title": _("Title"),
            "description": _("Description"),
            "signature": _("Signature"),
            "email": _("Email address"),
            "position": _("Position"),
            "shops": _("Shop association"),
        },
        deleted=_("Its threads stay; they are shown without a type."),
    )

    def __init__(self, db: Any, *, category: str | None) -> None:
        """Stand in the menu as "Contacts"."""
        super().__init__(Contact, db, name=MenuName(_("Contacts")), category=category, endpoint="cs_contacts", url="customer-service-contacts")

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows which mails a contact sends."""
        return super().page(template, switches=SWITCHES, **words)

    def row(self, thing: Contact) -> Row:
        """Return a contact in the employee's language."""
        words = words_of(thing, self.here.employee_language, self.here.default_language)
        listed = self.listed(thing, name=words.title, active=thing.active)
        return Row(**listed, email=thing.email, description=words.description, save_messages=thing.save_messages)

    def editor(self, codes: Sequence[str]) -> type[ContactEditor]:
        """Return the form of a contact."""
        return contact_editor(codes)

    def values(self, thing: Contact | None) -> dict[str, Any]:
        """Return what the form begins with: a new contact saves nothing yet, stands behind the others, and sends the usual mails."""
        if thing is None:
            position = min(next_position(self.here.desk.session()), MAX_POSITION)
            return {"shops": self.chosen_for_new(), "mails": sorted(ON), "active": True, "position": str(position)}
        words = {f"{field}-{text.language}": getattr(text, field) for text in thing.texts for field in ("title", "description", "signature")}
        mails = [name for name in MAILS if is_sent(thing.mails or {}, name)]
        shops = [shop.shop_id for shop in thing.shops]
        plain = {"email": thing.email, "save_messages": thing.save_messages, "active": thing.active, "position": str(thing.position)}
        return {**words, **plain, "shops": shops, "mails": mails}

    def draft(self, form: ContactEditor, codes: Sequence[str]) -> ContactDraft:
        """Return what a posted form wants of a contact."""
        return ContactDraft(
            titles={code: form[f"title-{code}"].data or "" for code in codes},
            descriptions={code: form[f"description-{code}"].data or "" for code in codes},
            signatures={code: form[f"signature-{code}"].data or "" for code in codes},
            email=form.email.data or "",
            save_messages=bool(form.save_messages.data),
            active=bool(form.active.data),
            position=position_of(form.position.data or ""),
            shop_ids=self.chosen_in_form(form.shops.data or ()),
            mails=frozenset(form.mails.data or ()) if form.mails_shown.data else None,
        )
