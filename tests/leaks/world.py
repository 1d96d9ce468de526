"""A world of two groups and three shops, in which every text of a shop holds a word that nobody can guess: where it is read, that shop has leaked.

What ought to be seen is worked out here a second way: from what was planted, whom the grants name, and which shops a context has. No code of the desk
is asked.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from cs_plugin import ALL, Customer, Employee, Order, Product, desk, outbox
from cs_plugin.desk import Answer, Bench
from cs_plugin.jobs import put as put_job
from cs_plugin.rules.inquiry import Channel, Sender, StoredFile, address_key
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import predefined
from cs_plugin.store.files import Content
from cs_plugin.store.models import (
    Attachment,
    Audit,
    Base,
    BlockedSender,
    Contact,
    ContactShop,
    ContactText,
    Draft,
    Message,
    OutboxItem,
    OutboxState,
    PredefinedMessage,
    SurveyAnswer,
    Thread,
    ThreadEvent,
)
from cs_plugin.store.models import Mailbox as ModelMailbox
from cs_plugin.store.options import set_option
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.set_aside import set_aside
from tests.hosts.store import EVERYTHING, JAN, MARIE, Store
from tests.hosts.writing import begin, do, look, token_of

SHOPS = frozenset({"1", "2", "3"})

# Each word with the shops to which it belongs: those of a shop's texts, and of its orders, of what Paris and Dubai share, and of a contact that Paris
# once had and only Berlin has still.
WORDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "Paris": ("xavorly", frozenset({"1"})),
    "Berlin": ("ukentar", frozenset({"2"})),
    "Dubai": ("imbrosel", frozenset({"3"})),
    "shared": ("torvenic", frozenset({"1", "3"})),
    "strayed": ("lomquist", frozenset({"2"})),
    "orders of Paris": ("qefalin", frozenset({"1"})),
    "orders of Berlin": ("wodrusk", frozenset({"2"})),
    "orders of Dubai": ("yupanthe", frozenset({"3"})),
}
TEXTS = frozenset({"Paris", "Berlin", "Dubai", "shared", "strayed"})   # what follows the context; orders are the host's, and follow the grants alone
WORD_OF = {"1": "xavorly", "2": "ukentar", "3": "imbrosel"}
ORDER_WORD_OF = {"1": "qefalin", "2": "wodrusk", "3": "yupanthe"}
SHARED, STRAYED = WORDS["shared"][0], WORDS["strayed"][0]
SECRET = "zelminor"   # in every password: read nowhere
COMMON = "parcel"     # in a message of every thread

# The names of shops and groups, with the shops of which one has to be seen for the name to be known.
NAMES: Mapping[str, frozenset[str]] = {
    "paris": frozenset({"1"}),
    "berlin": frozenset({"2"}),
    "dubai": frozenset({"3"}),
    "europe": frozenset({"1", "2"}),
    "gulf": frozenset({"3"}),
}

# What the URL says, and the shops that it means; None for what means nothing.
CONTEXTS: Mapping[str, frozenset[str] | None] = {
    "all": SHOPS,
    "group-1": frozenset({"1", "2"}),
    "group-2": frozenset({"3"}),
    "shop-1": frozenset({"1"}),
    "shop-2": frozenset({"2"}),
    "shop-3": frozenset({"3"}),
    "shop-99": None,
    "group-": None,
    "shop-\x00'": None,
}


@dataclass(frozen=True)
class Who:
    """Somebody who asks. `grants` is the host's answer; `employee` is None for whoever is not signed in."""

    name: str
    employee: Employee | None
    grants: Mapping[str, object] = field(default_factory=dict)

    def may(self, permission: str) -> frozenset[str]:
        """Return the shops in which the permission is held: none that may not be viewed."""
        held, viewed = (SHOPS if self.grants.get(one) is ALL else frozenset(self.grants.get(one, ())) for one in (permission, "view"))
        return held & viewed

    def looks_at(self, context: str) -> frozenset[str]:
        """Return the shops of a context; one that is not theirs, or none at all, is as if nothing were said."""
        meant = CONTEXTS[context]
        return meant if meant and meant & self.may("view") else SHOPS

    def scope(self, permission: str, context: str) -> frozenset[str]:
        """Return the shops of a context in which the permission is held."""
        return self.may(permission) & self.looks_at(context)


def _employee(number: int, name: str) -> Employee:
    return Employee(str(number), name, "Tester", f"{name.lower()}@desk.example")


PEOPLE = (
    Who("everything everywhere", MARIE, EVERYTHING),
    Who("views Paris", _employee(11, "Vera"), {"view": ["1"]}),
    Who("replies in Europe", _employee(12, "Remo"), {"view": ["1", "2"], "reply": ["1", "2"]}),
    Who("configures Berlin, views Europe", _employee(13, "Cora"), {"view": ["1", "2"], "configure": ["2"]}),
    Who("deletes in Dubai, views Paris too", _employee(14, "Dora"), {"view": ["1", "3"], "delete": ["3"]}),
    Who("everything in Paris", _employee(15, "Paul"), {permission: ["1"] for permission in EVERYTHING}),
    Who("exports from Berlin, and may do much where nothing is seen", _employee(16, "Xena"), {**dict.fromkeys(EVERYTHING, ALL), "view": ["2"]}),
    Who("no permissions", _employee(17, "Nils"), {}),
    Who("nobody", None),
)
BY_NAME = {who.name: who for who in PEOPLE}
MANAGER = PEOPLE[0]


@dataclass(frozen=True)
class Thing:
    """Something planted: what it is called, its id, the shops that it belongs to, and what a row of a table asks of it."""

    kind: str
    id: int | str
    shops: frozenset[str]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shop(self) -> str:
        """Return its only shop."""
        (shop,) = self.shops
        return shop

    def __getattr__(self, name: str) -> Any:
        try:
            return self.about[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass
class World:
    """A store with everything planted."""

    store: Store
    things: list[Thing] = field(default_factory=list)

    def of(self, kind: str, **about: Any) -> list[Thing]:
        """Return what was planted of a kind."""
        return [one for one in self.things if one.kind == kind and all(one.about.get(name) == value for name, value in about.items())]

    def plant(self, kind: str, identity: int | str, shops: frozenset[str], **about: Any) -> Thing:
        """Write down what was planted."""
        thing = Thing(kind, identity, shops, about)
        self.things.append(thing)
        return thing


# --- What is read in an answer ----------------------------------------------------------------------------------------------------------------------


def words_in(text: str) -> frozenset[str]:
    """Return whose words a text holds."""
    text = text.lower()
    return frozenset(key for key, (word, _shops) in WORDS.items() if word in text)


def words_of(shops: frozenset[str], among: frozenset[str] = TEXTS) -> frozenset[str]:
    """Return whose words belong to some of these shops."""
    return frozenset(key for key in among if WORDS[key][1] & shops)


def names_in(text: str) -> frozenset[str]:
    """Return the shops and groups that a text names."""
    text = text.lower()
    return frozenset(name for name in NAMES if re.search(rf"(?<![a-z]){name}(?![a-z])", text))


def strangers_in(text: str, seen: frozenset[str]) -> Iterator[str]:
    """Yield what a text tells of shops of which none may be seen, and every secret."""
    yield from sorted(f"words of {key}" for key in words_in(text) if not WORDS[key][1] & seen)
    yield from sorted(f"the name {name}" for name in names_in(text) if not NAMES[name] & seen)
    if SECRET in text.lower():
        yield "a secret"


def dump(store: Store) -> dict[str, list[Any]]:
    """Return every row of the desk's tables."""
    with store.desk.sessions() as session:
        return {name: sorted(map(repr, session.execute(select(table)))) for name, table in Base.metadata.tables.items()}


def changed(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> list[str]:
    """Return the tables that differ."""
    return [name for name in before if before[name] != after[name]]


# --- Planting ---------------------------------------------------------------------------------------------------------------------------------------


def build(store: Store) -> World:
    """Plant everything in a store that has just been made."""
    world = World(store)
    answers = store.answers
    answers.employees = {who.employee.id: who.employee for who in PEOPLE if who.employee is not None}
    answers.grants = {who.employee.id: who.grants for who in PEOPLE if who.employee is not None}
    answers.orders = [_order(shop_id) for shop_id in sorted(SHOPS)]
    store.app.config.update(WTF_CSRF_ENABLED=False, CS_FORM_MIN_SECONDS=0)
    do(store, lambda bench: _plant_settings(bench, world))
    for number, shop_id in enumerate(sorted(SHOPS)):
        _plant_threads(world, shop_id, more=(0, 2, 5)[number])
        _plant_failed_mails(world, shop_id, number + 2)
    _plant_mail_in(world)
    do(store, lambda bench: _plant_the_rest(bench, world))
    # Whoever looks first has the names of colleagues written down.
    store.client(employee=MARIE).get("/cs-admin/customer-service/")
    return world


def _order(shop_id: str) -> Order:
    word = ORDER_WORD_OF[shop_id]
    moment = dt.datetime(2026, 11, 16, 20, 37, tzinfo=dt.UTC)
    products = (Product("4", f"{word} jug"),)
    return Order(
        f"15{shop_id}", word.upper(), JAN.email, shop_id, moment, Decimal(f"{shop_id}68.00"), "EUR", f"{word} status", JAN.id, products=products
    )


def _plant_settings(bench: Bench, world: World) -> None:
    # The store's first contacts are everybody's, and name nobody.
    bench.session.execute(update(Contact).values(email="desk@shop.example"))
    for contact in bench.session.scalars(select(Contact).order_by(Contact.id)):
        world.plant("contact", contact.id, SHOPS, first=True)
    for shop_id, word in WORD_OF.items():
        context = Context(Breadth.SHOP, shop_id)
        world.plant("contact", _contact(bench, word, {shop_id}), frozenset({shop_id}))
        world.plant("predefined", _predefined(bench, word, {shop_id}), frozenset({shop_id}))
        set_option(bench.session, "default_message", f"{word} regards", bench.now, context=context, language="en")
        set_option(bench.session, "imap_user", f"{word}-imap", bench.now, context=context)
        set_option(bench.session, "imap_password", bench.vault.seal(SECRET, ""), bench.now, context=context)
        bench.session.add(BlockedSender(**_blocked(shop_id), created_at=bench.now))
    set_option(bench.session, "imap_password", bench.vault.seal(SECRET, ""), bench.now, context=ALL_SHOPS)
    world.plant("contact", _contact(bench, SHARED, {"1", "3"}), frozenset({"1", "3"}), shared=True)
    world.plant("contact", _contact(bench, STRAYED, {"2"}), frozenset({"2"}), strayed=True)
    world.plant("predefined", _predefined(bench, SHARED, {"1", "3"}), frozenset({"1", "3"}), shared=True)


def _blocked(shop_id: str) -> dict[str, Any]:
    columns = BlockedSender.__table__.columns.keys()
    address = f"blocked@{WORD_OF[shop_id]}.example"
    told = {"address": address, "address_hash": address_key(address), "shop_id": shop_id, "blocked_by": MARIE.id}
    return {name: value for name, value in told.items() if name in columns}


def _contact(bench: Bench, word: str, shop_ids: set[str]) -> int:
    contact = Contact(email=f"{word}@contacts.example", save_messages=True, active=True, position=5, mails={}, created_at=bench.now)
    contact.texts = [ContactText(language="en", title=f"{word} desk", description=f"{word} described", signature=f"{word} signed")]
    contact.shops = [ContactShop(shop_id=shop_id) for shop_id in sorted(shop_ids)]
    bench.session.add(contact)
    bench.session.flush()
    return contact.id


def _predefined(bench: Bench, word: str, shop_ids: set[str]) -> int:
    message: PredefinedMessage = predefined.new_predefined(bench.session, bench.now)
    predefined.write_words(message, "en", name=f"{word} name", text=f"{word} text")
    predefined.write_shops(message, shop_ids)
    bench.session.flush()
    return message.id


def _stored(store: Store, name: str) -> StoredFile:
    source = Path(store.app.instance_path) / "planted"
    source.write_text(f"{name} content")
    return store.desk.files.keep(source, name, "text/plain")


def _plant_threads(world: World, shop_id: str, *, more: int) -> None:
    """Plant threads of every folder and status; `more` of them, so that the numbers of no two choices of shops are equal."""
    store, word = world.store, WORD_OF[shop_id]
    own = next(one for one in world.of("contact") if one.shops == {shop_id} and not one.about).id
    jan = Sender(JAN.email, JAN.first_name, JAN.last_name, JAN.id, verified=True)
    ida = Sender(f"ida@{word}.example", f"{word}ida", "Vogel")

    def thread(sender: Sender, text: str, **about: Any) -> Thing:
        told = {"subject": f"{word} subject", "contact_id": own, **about.pop("sent", {})}
        store.clock.forward(minutes=1)
        identity = begin(store, f"{word} {COMMON} {text}", shop_id=shop_id, sender=sender, **told)
        planted = {"folder": "list", "status": "open", "assigned": False, "private": False, "jan": sender is jan, **about}
        return world.plant("thread", identity, frozenset({shop_id}), **planted)

    opened = thread(ida, "open", main=True, sent={"files": (_stored(store, f"{word}.txt"),)}, private=True)
    do(store, lambda bench: desk.add_note(bench, store.actor(), opened.id, f"{word} note", (_stored(store, f"{word}-note.txt"),)))
    answered = thread(jan, "answered", status="closed", assigned=True)
    do(store, lambda bench: desk.reply(bench, store.actor(), answered.id, Answer(f"{word} answer", cc=(f"copy@{word}.example",))))
    of_order = {"channel": Channel.ORDER_PAGE, "order_id": f"15{shop_id}", "contact_id": None, "subject": word}
    ordered = thread(jan, "ordered", sent=of_order, ordered=True)
    do(store, lambda bench: desk.assign(bench, store.actor(), ordered.id, None))
    # A reply that nobody has released: it changes nothing, and stands on no customer's page.
    later = {"release_at": store.clock() + dt.timedelta(days=900), "later": True}
    waits = do(store, lambda bench: desk.reply(bench, store.actor(), ordered.id, Answer(f"{word} unsent", **later)).id)
    world.plant("held", waits, frozenset({shop_id}), thread=ordered.id, message=waits)
    offered = [one.id for one in world.of("contact", shared=True) if shop_id in one.shops]
    pending = thread(ida, "pending", status="pending1", assigned=True, sent={"language": "fr", "contact_id": offered[0] if offered else own})
    do(store, lambda bench: desk.set_status(bench, store.actor(), [pending.id], Status.PENDING1))
    do(store, lambda bench: desk.assign(bench, store.actor(), pending.id, MARIE.id))
    for number in range(more):
        thread(ida, f"another {number}")
    binned = thread(ida, "binned", folder="bin")
    do(store, lambda bench: desk.delete(bench, store.actor(), [binned.id]))
    world.plant("deletion", store.clock().isoformat(), frozenset({shop_id}), thread=binned.id)
    thread(Sender(f"blocked@{word}.example"), "spam", folder="spam")
    if shop_id == "1":
        strayed = thread(ida, "strayed", strayed=True)
        wanted = next(one for one in world.of("contact") if one.about.get("strayed")).id
        do(store, lambda bench: bench.session.execute(update(Thread).where(Thread.id == strayed.id).values(contact_id=wanted)))
        strayed_id = strayed.id
        do(store, lambda bench: bench.session.add(_event(bench, strayed_id, word)))
    _note_files(world, opened)


def _event(bench: Bench, thread_id: int, word: str) -> ThreadEvent:
    details = {"recipient": f"{word}@forward.example", "name": f"{word}@forward.example"}
    return ThreadEvent(
        thread_id=thread_id, kind="forwarded", actor_kind="employee", actor_id=MARIE.id, actor_name=MARIE.name, details=details, created_at=bench.now
    )


def _bounce(bench: Bench, thread_id: int, word: str) -> ThreadEvent:
    address = bench.session.get_one(Thread, thread_id).address
    details = {"mail": "reply", "recipients": [address], "words": f"550 {word} said no", "bounced": True}
    return ThreadEvent(thread_id=thread_id, kind="delivery_failed", actor_kind="desk", via="mail", details=details, created_at=bench.now)


def _note_files(world: World, opened: Thing) -> None:
    query = select(Message.id, Attachment.id, Message.private).join(Attachment, Attachment.message_id == Message.id)
    for message_id, attachment_id, private in look(world.store, lambda session: session.execute(query.where(Message.thread_id == opened.id)).all()):
        # The same bytes stand for the mail that the message came by, and for its HTML.
        blob = select(Attachment.blob_id).where(Attachment.id == attachment_id).scalar_subquery()
        came_by = update(Message).where(Message.id == message_id).values(original_blob_id=blob, html_blob_id=blob)
        do(world.store, lambda bench, came_by=came_by: bench.session.execute(came_by))
        world.plant("file", attachment_id, opened.shops, thread=opened.id, message=message_id, private=private)


def _plant_failed_mails(world: World, shop_id: str, number: int) -> None:
    """Let mails of a shop fail for good: one of a thread, the others without."""
    store, word = world.store, WORD_OF[shop_id]
    main = next(one for one in world.of("thread") if one.shop == shop_id and one.about.get("main"))

    def work(bench: Bench) -> list[int]:
        reply = desk.reply(bench, store.actor(), main.id, Answer(f"{word} failed answer", keep_status=True))
        of_thread = bench.session.scalars(select(OutboxItem).where(OutboxItem.message_id == reply.id)).one()
        failed = [of_thread]
        for one in range(number - 1):
            mail = OutgoingMail(
                "passed_on", Mailbox(f"{word}@from.example"), (Mailbox(f"{word}@to.example"),), f"{word} mail {one}", f"{word} {COMMON}", "",
                f"<{one}@{word}.example>", "en", shop_id,
            )  # fmt: skip
            failed.append(outbox.put(bench.session, mail, bench.now))
        for item in failed:
            item.state, item.last_error = OutboxState.FAILED, f"550 {word} said no"
        bench.session.flush()
        return [item.id for item in failed]

    ids = do(store, work)
    do(store, lambda bench: desk.assign(bench, store.actor(), main.id, None))
    message_id = look(store, lambda session: session.scalar(select(OutboxItem.message_id).where(OutboxItem.id == ids[0])))
    came_back = {"delivery": "failed", "delivery_text": f"550 {word} said no"}
    do(store, lambda bench: bench.session.execute(update(Message).where(Message.id == message_id).values(came_back)))
    do(store, lambda bench: bench.session.add(_bounce(bench, main.id, word)))
    for identity in ids:
        of_thread = identity == ids[0]
        world.plant("mail", identity, frozenset({shop_id}), thread=main.id if of_thread else None, message=message_id if of_thread else None)


def _plant_mail_in(world: World) -> None:
    """Give each shop a mailbox that is switched off, with what signs in to it, and a mail that was set aside; one of no shop is the manager's."""
    store = world.store
    for number, (shop_id, word) in enumerate(WORD_OF.items(), 1):
        raw = f"From: a@{word}.example\r\nSubject: {word} aside\r\n\r\n{word} whole\r\n".encode()
        originals = store.desk.files.keep_several([Content("mail.eml", "message/rfc822", raw) for _ in range(number)])
        do(store, partial(_plant_mails_in, world=world, shop_id=shop_id, originals=originals))


def _plant_mails_in(bench: Bench, world: World, shop_id: str, originals: list[StoredFile]) -> None:
    word = WORD_OF[shop_id]
    place = {"breadth": Breadth.SHOP, "breadth_id": shop_id, "server": f"{word}.mail.example", "port": 993, "username": f"{word}@mail.example"}
    sealed = bench.vault.seal(SECRET, f"{word}.mail.example")
    mailbox = ModelMailbox(name=f"{word} mailbox", **place, password=sealed, active=False, began_at=bench.now, created_at=bench.now)
    bench.session.add(mailbox)
    bench.session.flush()
    world.plant("mailbox", mailbox.id, frozenset({shop_id}))
    for original in originals:
        about = {"sender": f"a@{word}.example", "subject": f"{word} aside", "mailbox_id": mailbox.id, "shop_id": shop_id}
        kept = set_aside(bench.session, original, f"ValueError: {word} broke", bench.now, **about)
        world.plant("aside", kept.id, frozenset({shop_id}))


def _plant_the_rest(bench: Bench, world: World) -> None:
    for who in PEOPLE:
        if who.employee is not None:
            set_preference(bench.session, who.employee.id, "list_size", 50, bench.now)
    for main in world.of("thread", main=True):
        word = WORD_OF[main.shop]
        draft = {"employee_id": MARIE.id, "thread_id": main.id, "reply": f"{word} draft", "note": f"{word} draft", "changed_at": bench.now}
        bench.session.add(Draft(**draft))
        answered = next(one.message for one in world.of("mail", thread=main.id))
        opinion = {"thread_id": main.id, "message_id": answered, "shop_id": main.shop, "score": 1, "comment": f"{word} opinion"}
        bench.session.add(SurveyAnswer(**opinion, created_at=bench.now))
        put_job(bench.session, "retry_failed_mails", {"ids": [1]}, bench.now, employee_id=MARIE.id, not_before=bench.now + dt.timedelta(days=9))
        bench.session.add(
            Audit(
                actor_kind="employee", actor_id=MARIE.id, actor_name=MARIE.name, via="page", action="mail_discarded", object_kind="outgoing_mail",
                object_id="1", details={"mail": word, "shop_id": main.shop}, created_at=bench.now,
            )
        )  # fmt: skip
    for order in world.store.answers.orders:
        world.plant("order", order.id, frozenset({order.shop_id}))


def link_of(world: World, thread: Thing) -> str:
    """Return the token of a thread's link."""
    return token_of(world.store, int(thread.id))


FOLDERS = {folder.value for folder in Folder}
Holds = Callable[[Thing], bool]
STRANGER = Customer("88", "stranger@example.com", "Stella", "Stranger")
