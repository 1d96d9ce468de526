"""What the verbs work with: one session, one moment, and the shop's surroundings."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property

import pluggy
from sqlalchemy.orm import Session

from cs_plugin import announce
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.host import Host
from cs_plugin.mail.compose import Composer
from cs_plugin.rules.facts import MessageFacts, ThreadFacts
from cs_plugin.rules.floods import Allowance
from cs_plugin.rules.inquiry import MAX_NAME, clean_line
from cs_plugin.rules.languages import Language
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Actor
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import Signer, TagKind
from cs_plugin.store.contacts import ContactWords, contact_of, contacts_of_shops, default_contact, standing_for
from cs_plugin.store.mailboxes import mailbox_for
from cs_plugin.store.models import Audit, Mailbox, Message, Thread, ThreadEvent
from cs_plugin.store.options import Options, read_options
from cs_plugin.store.our_addresses import OurAddresses, our_addresses
from cs_plugin.store.vault import Vault

log = logging.getLogger(__name__)
# What is the same at another moment: no rows, which belong to their transaction.
_KEPT = frozenset({"shops", "languages", "employees", "addresses", "_contacts", "_standing"})


@dataclass(frozen=True)
class Bench:
    """Everything that a verb needs.

    `storefront` returns the address under which a shop's storefront pages of the desk begin; `thread_page` that of a thread's page in the admin,
    as mails to employees may name it, or an empty text. `confirmations` is how many of them may be mailed to one address.
    """

    session: Session
    host: Host
    manager: pluggy.PluginManager
    composer: Composer
    signer: Signer
    now: dt.datetime
    storefront: Callable[[Shop], str]
    thread_page: Callable[[Shop, int], str]
    default_sender: str
    vault: Vault
    confirmations: tuple[Allowance, ...] = ()

    @cached_property
    def shops(self) -> tuple[Shop, ...]:
        """Return the host's shops."""
        return self.host.shops()

    @cached_property
    def languages(self) -> tuple[Language, ...]:
        """Return the host's languages, the default first."""
        return self.host.languages()

    @cached_property
    def employees(self) -> tuple[Employee, ...]:
        """Return the host's employees; nobody where its answer is none: no customer's message may be lost for want of a list of names."""
        try:
            return self.host.employees()
        except BadHostAnswerError:
            log.exception("notices to employees go out in the shop's language")
            return ()

    def ask_host(self) -> None:
        """Ask the host now for what the verbs may want of it, so that they need not ask under a lock."""
        _answers = self.shops, self.languages, self.employees

    def read_ahead(self, shop_ids: Collection[str]) -> None:
        """Read now what nearly every mail to these shops wants of our own addresses and contacts, so that no lock is held for it."""
        wanted = {shop_id: self.shop(shop_id).default_language for shop_id in shop_ids}
        _addresses = self.addresses
        for shop_id, read in contacts_of_shops(self.session, wanted, self.languages[0].code).items():
            language = wanted[shop_id]
            self._standing[shop_id, language] = standing_for(read)
            self._contacts.update(((shop_id, one.id, language), one) for one in read)

    def at(self, now: dt.datetime) -> Bench:
        """Return the bench at another moment, with the answers that the host has given and the contacts that have been read."""
        later = replace(self, now=now)
        vars(later).update((name, answer) for name, answer in vars(self).items() if name in _KEPT)
        return later

    def shop(self, shop_id: str) -> Shop:
        """Return a shop; for one that the host no longer lists, a shop of that id without a name."""
        return next((shop for shop in self.shops if shop.id == shop_id), Shop(id=shop_id, name=""))

    def options(self, shop_id: str) -> Options:
        """Return the options that hold for a shop."""
        return read_options(self.session, self.shop(shop_id))

    @cached_property
    def _contacts(self) -> dict[tuple[str, int | None, str], ContactWords | None]:
        return {}

    def contact(self, shop_id: str, contact_id: int | None, language: str) -> ContactWords | None:
        """Return a contact of a shop in a language, None for one that it has no longer; it is read once for all that is done at this bench."""
        key = shop_id, contact_id, language
        if key not in self._contacts:
            self._contacts[key] = contact_of(self.session, shop_id, contact_id, language, self.languages[0].code)
        return self._contacts[key]

    @cached_property
    def _standing(self) -> dict[tuple[str, str], ContactWords | None]:
        return {}

    def standing_contact(self, shop_id: str, language: str) -> ContactWords | None:
        """Return the contact that stands for a shop where none was chosen; it is read once likewise."""
        key = shop_id, language
        if key not in self._standing:
            self._standing[key] = default_contact(self.session, shop_id, language, self.languages[0].code)
        return self._standing[key]

    @cached_property
    def _mailboxes(self) -> dict[tuple[str, int | None], Mailbox | None]:
        return {}

    def mailbox(self, shop_id: str, contact_id: int | None) -> Mailbox | None:
        """Return the mailbox that is fetched for a contact of a shop, None where there is none; it is read once likewise."""
        key = shop_id, contact_id
        if key not in self._mailboxes:
            self._mailboxes[key] = mailbox_for(self.session, self.shop(shop_id), contact_id)
        return self._mailboxes[key]

    @cached_property
    def addresses(self) -> OurAddresses:
        """Return the addresses of all contacts and fetched mailboxes, read once likewise."""
        return our_addresses(self.session)

    def link(self, thread: Thread) -> str:
        """Return the address at which the customer reads the conversation; empty where the store's public address is not known."""
        storefront = self.storefront(self.shop(thread.shop_id))
        token = self.signer.sign(TagKind.LINK, thread.id, thread.token_nonce)
        return f"{storefront}/thread/{token}" if storefront else ""

    def question(self, thread: Thread, message: Message) -> str:
        """Return the address at which the customer says how this answer has served them; empty where the store's public address is not known."""
        storefront = self.storefront(self.shop(thread.shop_id))
        token = self.signer.sign(TagKind.QUESTION, message.id, thread.token_nonce)
        return f"{storefront}/question/{token}" if storefront else ""

    def note_event(self, thread: Thread, kind: str, actor: Actor | None, *, message: Message | None = None, **details: object) -> None:
        """Leave an event for the timeline; without an actor the customer, or the desk itself, did it."""
        self.session.add(
            ThreadEvent(
                thread_id=thread.id,
                message_id=message.id if message else None,
                kind=kind,
                actor_kind="employee" if actor else "customer" if message else "desk",
                actor_id=actor.employee.id if actor else None,
                actor_name=clean_line(actor.employee.name, MAX_NAME) if actor else "",
                via=actor.via if actor else "page",
                details=details,
                created_at=self.now,
            )
        )

    def write_down(self, actor: Actor, action: str, kind: str, object_id: object = "", /, **details: object) -> None:
        """Keep for the host's own records who did something that no thread's timeline shows: of which kind of object, and to which one."""
        self.session.add(
            Audit(
                actor_kind="employee",
                actor_id=actor.employee.id,
                actor_name=clean_line(actor.employee.name, MAX_NAME),
                via=actor.via,
                action=action,
                object_kind=kind,
                object_id=str(object_id),
                details=details,
                created_at=self.now,
            )
        )

    def announce(self, name: str, /, **arguments: object) -> None:
        """Tell an event once the transaction has been committed."""
        announce.collect(self.session, self.manager, name, **arguments)


def facts_of_thread(thread: Thread) -> ThreadFacts:
    """Return a thread as listeners are told of it."""
    return ThreadFacts(
        id=thread.id,
        shop_id=thread.shop_id,
        status=thread.status,
        folder=thread.folder,
        subject=thread.subject,
        address=thread.address,
        language=thread.language,
        contact_id=thread.contact_id,
        customer_id=thread.customer_id,
        order_id=thread.order_id,
        assignee_id=thread.assignee_id,
    )


def facts_of_message(message: Message) -> MessageFacts:
    """Return a message as listeners are told of it."""
    return MessageFacts(
        id=message.id,
        thread_id=message.thread_id,
        author_kind=message.author_kind,
        author_id=message.author_id,
        author_name=message.author_name,
        private=message.private,
        channel=message.channel,
        text=message.text,
        created_at=message.created_at,
    )
