"""Arrange the contacts that customers choose: whoever changes one may configure every shop that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.of_shops import is_theirs_to_see, shops_after_change, shops_left, too_long, wrong_shops
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.mails import MAILS
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import contacts
from cs_plugin.store.models import Contact

MAX_TITLE = 255
MAX_DESCRIPTION = 2_000
_LONG_LINE = 10_000   # far beyond every limit, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """A contact as somebody wants it. `titles` and `descriptions` stand under language codes.

    `mails` names those that are switched on (`rules.mails`); None leaves them as they are.
    """

    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    email: str
    save_messages: bool
    shop_ids: frozenset[str]
    mails: frozenset[str] | None = None

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
    return [*_wrong_words(bench, draft), *_wrong_address(draft), *wrong_shops(bench, draft.shop_ids)]


def _wrong_words(bench: Bench, draft: ContactDraft) -> Iterator[InvalidInputError]:
    default = bench.languages[0].code
    if not draft.titles.get(default):
        yield InvalidInputError(f"title-{default}", _("The field title is required at least in your default language."))
    yield from too_long("title", draft.titles, MAX_TITLE)
    yield from too_long("description", draft.descriptions, MAX_DESCRIPTION)


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
    contact.save_messages = draft.save_messages
    if draft.mails is not None:
        others = {name: on for name, on in (contact.mails or {}).items() if name not in MAILS}
        contact.mails = {**others, **dict.fromkeys(sorted(MAILS - draft.mails), False)}
    for language in draft.titles:
        contacts.write_words(contact, language, title=draft.titles[language], description=draft.descriptions.get(language, ""))
    contacts.write_shops(contact, shops)
    bench.session.flush()
    return contact


def take_out_contact(bench: Bench, actor: Actor, contact_id: int, shop_ids: Collection[str]) -> bool:
    """Take a contact out of these shops; where no other shop offers it, it is deleted, and its threads stay. Return whether it is gone.

    Raise NotFoundError where it is in none of these shops, NotPermittedError where one of these is not theirs.
    """
    contact = _locked(bench, actor, contact_id)
    left = shops_left(bench, actor, ("contact", contact_id), {shop.shop_id for shop in contact.shops}, shop_ids)
    if left:
        contacts.write_shops(contact, left)
        bench.session.flush()
        return False
    contacts.remove_contact(bench.session, contact, _event(bench, actor, contact_id))
    return True


def _locked(bench: Bench, actor: Actor, contact_id: int) -> Contact:
    """Lock a contact. Raise NotFoundError where they may configure none of its shops."""
    contact = contacts.lock_contact(bench.session, contact_id)
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
