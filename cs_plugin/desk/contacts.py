"""Arrange the contacts that customers choose: whoever changes one may configure every shop that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store import contacts
from cs_plugin.store.models import Contact

MAX_TITLE = 255
MAX_DESCRIPTION = 2_000
_LONG_LINE = 10_000   # far beyond every limit, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """A contact as somebody wants it. `titles` and `descriptions` stand under language codes."""

    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    email: str
    save_messages: bool
    shop_ids: frozenset[str]

    def cleaned(self) -> ContactDraft:
        """Return it as every database and every header can hold it."""
        return replace(
            self,
            titles={language: clean_line(title, _LONG_LINE) for language, title in self.titles.items()},
            descriptions={language: clean_text(text).strip() for language, text in self.descriptions.items()},
            email=self.email.strip(),
        )


def wrong_with(bench: Bench, draft: ContactDraft) -> list[InvalidInputError]:
    """Return everything that is wrong with a contact; fields are "title-en", "description-en", "email" and "shops"."""
    draft = draft.cleaned()
    return [*_wrong_words(bench, draft), *_wrong_address(draft), *_wrong_shops(bench, draft)]


def _wrong_words(bench: Bench, draft: ContactDraft) -> Iterator[InvalidInputError]:
    default = bench.languages[0].code
    if not draft.titles.get(default):
        yield InvalidInputError(f"title-{default}", _("The field title is required at least in your default language."))
    too_long = _("This field cannot be longer than %(most)s characters")
    for language, title in draft.titles.items():
        if len(title) > MAX_TITLE:
            yield InvalidInputError(f"title-{language}", too_long, most=MAX_TITLE)
    for language, text in draft.descriptions.items():
        if len(text) > MAX_DESCRIPTION:
            yield InvalidInputError(f"description-{language}", too_long, most=MAX_DESCRIPTION)


def _wrong_address(draft: ContactDraft) -> Iterator[InvalidInputError]:
    if not draft.email:
        if not draft.save_messages:
            yield InvalidInputError("email", _("An email address is required where messages are not saved."))
        return
    try:
        checked_address(draft.email)
    except InvalidInputError as error:
        yield error


def _wrong_shops(bench: Bench, draft: ContactDraft) -> Iterator[InvalidInputError]:
    if not draft.shop_ids & {shop.id for shop in bench.shops}:
        yield InvalidInputError("shops", _("You have to select at least one shop to associate this item with"))


def save_contact(bench: Bench, actor: Actor, contact_id: int | None, draft: ContactDraft) -> Contact:
    """Make a contact (no id), or change one, and return it.

    Raise InvalidInputError for the first field that is wrong, NotFoundError, NotPermittedError where a shop of it, before or after, is not theirs.
    """
    for error in wrong_with(bench, draft):
        raise error
    draft = draft.cleaned()
    known = {shop.id for shop in bench.shops}
    contact = contacts.new_contact(bench.session, bench.now) if contact_id is None else _locked(bench, actor, contact_id)
    before = {shop.shop_id for shop in contact.shops}
    for shop_id in sorted((before | draft.shop_ids) & known):
        actor.grants.require(Permission.CONFIGURE, shop_id)
    contact.email = checked_address(draft.email) if draft.email else ""
    contact.save_messages = draft.save_messages
    for language in draft.titles:
        contacts.write_words(contact, language, title=draft.titles[language], description=draft.descriptions.get(language, ""))
    # A shop that the host does not list at the moment may come back.
    contacts.write_shops(contact, (draft.shop_ids & known) | (before - known))
    bench.session.flush()
    return contact


def take_out_contact(bench: Bench, actor: Actor, contact_id: int, shop_ids: Collection[str]) -> bool:
    """Take a contact out of these shops; where no other shop offers it, it is deleted, and its threads stay. Return whether it is gone.

    Raise NotFoundError where it is in none of these shops, NotPermittedError where one of these is not theirs.
    """
    contact = _locked(bench, actor, contact_id)
    before = {shop.shop_id for shop in contact.shops}
    taken = before & set(shop_ids)
    for shop_id in sorted(taken):
        actor.grants.require(Permission.CONFIGURE, shop_id)
    left = before - taken
    if left & {shop.id for shop in bench.shops}:
        if not taken:
            raise NotFoundError("contact", contact_id)
        contacts.write_shops(contact, left)
        bench.session.flush()
        return False
    if not taken and not actor.grants.allow_everywhere(Permission.CONFIGURE):
        raise NotPermittedError(Permission.CONFIGURE)
    contacts.remove_contact(bench.session, contact, _event(bench, actor, contact_id))
    return True


def _locked(bench: Bench, actor: Actor, contact_id: int) -> Contact:
    """Lock a contact. Raise NotFoundError where they may configure none of its shops."""
    contact = contacts.lock_contact(bench.session, contact_id)
    grants = actor.grants
    theirs = contact is not None and any(grants.allow(Permission.CONFIGURE, shop.shop_id) for shop in contact.shops)
    if contact is None or not (theirs or grants.allow_everywhere(Permission.CONFIGURE)):
        raise NotFoundError("contact", contact_id)
    return contact


def _event(bench: Bench, actor: Actor, contact_id: int) -> Mapping[str, object]:
    return {
        "kind": "type",
        "actor_kind": "employee",
        "actor_id": actor.employee.id,
        "actor_name": clean_line(actor.employee.name, 200),
        "via": actor.via,
        "details": {"before": contact_id, "after": None, "title": "--"},
        "created_at": bench.now,
    }
