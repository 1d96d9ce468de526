"""Arrange the contacts that customers choose: whoever changes one may configure every shop that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.of_shops import is_theirs_to_see, pass_neighbour, shops_after_change, shops_left, too_long, wrong_position, wrong_shops
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.mails import MAILS, ON
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import contacts
from cs_plugin.store.models import Contact
from cs_plugin.store.scope import Scope

MAX_TITLE = 255
MAX_DESCRIPTION = 2_000
MAX_SIGNATURE = 2_000
_LONG_LINE = 10_000   # far beyond every limit, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """A contact as somebody wants it. `titles`, `descriptions` and `signatures` stand under language codes; None as `position` is no number.

    `mails` names those that are switched on (`rules.mails`); None leaves them as they are.
    """

    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    signatures: Mapping[str, str]
    email: str
    save_messages: bool
    active: bool
    position: int | None
    shop_ids: frozenset[str]
    mails: frozenset[str] | None = None

    def cleaned(self) -> ContactDraft:
        """Return it as every database and every header can hold it."""
        return replace(
            self,
            titles={language: clean_line(title, _LONG_LINE) for language, title in self.titles.items()},
            descriptions={language: clean_text(text).strip() for language, text in self.descriptions.items()},
            signatures={language: clean_text(text).strip() for language, text in self.signatures.items()},
            email=self.email.strip(),
        )


def wrong_with(bench: Bench, draft: ContactDraft) -> list[InvalidInputError]:
    """Return everything that is wrong with a contact; fields are "title-en", "description-en", "signature-en", "email", …"""
    draft = draft.cleaned()
    return [*_wrong_words(bench, draft), *_wrong_address(draft), *wrong_position(draft.position), *wrong_shops(bench, draft.shop_ids)]


def _wrong_words(bench: Bench, draft: ContactDraft) -> Iterator[InvalidInputError]:
    default = bench.languages[0].code
    if not draft.titles.get(default):
        yield InvalidInputError(f"title-{default}", _("The field title is required at least in your default language."))
    yield from too_long("title", draft.titles, MAX_TITLE)
    yield from too_long("description", draft.descriptions, MAX_DESCRIPTION)
    yield from too_long("signature", draft.signatures, MAX_SIGNATURE)


def _wrong_address(draft: ContactDraft) -> Iterator[InvalidInputError]:
    if not draft.email:
        if not draft.save_messages:
            yield InvalidInputError("email", _("An email address is required where messages are not saved."))
        return
    try:
        checked_address(draft.email)
    except InvalidInputError as error:
        yield error


def save_contact(bench: Bench, actor: Actor, contact_id: int | None, draft: ContactDraft) -> Contact:
    """Make a contact (no id), or change one, and return it.

    Raise InvalidInputError for the first field that is wrong, NotFoundError, NotPermittedError where a shop of it, before or after, is not theirs.
    """
    for error in wrong_with(bench, draft):
        raise error
    draft = draft.cleaned()
    contact = contacts.new_contact(bench.session, bench.now) if contact_id is None else _locked(bench, actor, contact_id)
    shops = shops_after_change(bench, actor, {shop.shop_id for shop in contact.shops}, draft.shop_ids)
    contact.email = checked_address(draft.email) if draft.email else ""
    contact.save_messages, contact.active, contact.position = draft.save_messages, draft.active, draft.position or 0
    if draft.mails is not None:
        others = {name: on for name, on in (contact.mails or {}).items() if name not in MAILS}
        contact.mails = {**others, **{name: name in draft.mails for name in sorted(MAILS) if (name in draft.mails) != (name in ON)}}
    for language, title in draft.titles.items():
        description, signature = draft.descriptions.get(language, ""), draft.signatures.get(language, "")
        contacts.write_words(contact, language, title=title, description=description, signature=signature)
    contacts.write_shops(contact, shops)
    bench.session.flush()
    return contact


def take_out_contact(bench: Bench, actor: Actor, contact_id: int, shop_ids: Collection[str]) -> bool:
    """Take a contact out of these shops, where its threads stay without a type; where no other shop offers it, it is deleted. Return whether it is.

    Raise NotFoundError where it is in none of these shops, NotPermittedError where one of these is not theirs.
    """
    return _take_out(bench, actor, _locked(bench, actor, contact_id), shop_ids)


def take_out_several(bench: Bench, actor: Actor, contact_ids: Collection[int], shop_ids: Collection[str]) -> int:
    """Take contacts out of these shops and return of how many. Those that are not there, or not theirs, are left out."""
    done = 0
    for contact in contacts.lock_contacts(bench.session, contact_ids).values():
        with suppress(NotFoundError, NotPermittedError):
            _take_out(bench, actor, _theirs(actor, contact, contact.id), shop_ids)
            done += 1
    return done


def move_contact(bench: Bench, actor: Actor, contact_id: int, shown: Collection[int], *, up: bool) -> None:
    """Let a contact pass its neighbour among those that are shown.

    Raise NotFoundError, NotPermittedError where a shop of it is not theirs.
    """
    everyone = contacts.lock_contacts(bench.session)
    contact = _theirs(actor, everyone.get(contact_id), contact_id)
    shops = {shop.shop_id for shop in contact.shops}
    shops_after_change(bench, actor, shops, shops)
    pass_neighbour(everyone.values(), shown, contact_id, up=up)
    bench.session.flush()


def _take_out(bench: Bench, actor: Actor, contact: Contact, shop_ids: Collection[str]) -> bool:
    before = {shop.shop_id for shop in contact.shops}
    left = shops_left(bench, actor, ("contact", contact.id), before, shop_ids)
    if left:
        contacts.write_shops(contact, left)
        contacts.let_threads_go(bench.session, contact.id, Scope(frozenset(before - left)), _event(bench, actor, contact.id))
        bench.session.flush()
        return False
    contacts.remove_contact(bench.session, contact, _event(bench, actor, contact.id))
    return True


def _locked(bench: Bench, actor: Actor, contact_id: int) -> Contact:
    return _theirs(actor, contacts.lock_contacts(bench.session, [contact_id]).get(contact_id), contact_id)


def _theirs(actor: Actor, contact: Contact | None, contact_id: int) -> Contact:
    """Return a contact that is there. Raise NotFoundError where it is gone, or where they may configure none of its shops."""
    if contact is None or not is_theirs_to_see(actor, {shop.shop_id for shop in contact.shops}):
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
