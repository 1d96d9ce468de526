"""Receive what a customer sends, on any channel: it is stored once, in the right thread, or mailed on; or the sender is told what is wrong."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.desk import letters
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.holding import CUSTOMER, hold_replies
from cs_plugin.errors import InvalidInputError
from cs_plugin.host import Host
from cs_plugin.i18n import marked as _
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import (
    MAX_NAME,
    MAX_SUBJECT,
    MAX_TEXT,
    SAME_TEXT_WINDOW,
    AuthorKind,
    Channel,
    Inquiry,
    Sender,
    address_key,
    clean_line,
    clean_text,
    digest,
    fold,
    preview,
)
from cs_plugin.rules.matching import (
    Decision,
    carries_a_thread_link,
    decide,
    has_come_to_rest,
    is_about_an_order_that_has_a_thread,
    reopened_for,
)
from cs_plugin.rules.orders import Order
from cs_plugin.rules.signing import read_tag, without_tags
from cs_plugin.rules.status import AFTER, Folder, Happening, Status
from cs_plugin.store import files, posts, reopening, search, threads
from cs_plugin.store.contacts import ContactWords, contact_of, list_contacts
from cs_plugin.store.locking import lock_thread, locking
from cs_plugin.store.matching import RECEIVED, StoredThreads, message_id_key, remember_message_id
from cs_plugin.store.models import BlockedSender, Message, Post, Thread
from cs_plugin.store.numbering import number_rows
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

_CLOSED = _("This conversation is closed.")
# Why a message stands in a thread that was not the one it was written to.
GOES_ON = "goes_on_after_a_closed_thread"
BLOCKED = "comes_from_a_blocked_sender"
# The events by which a thread and another that refers to it know each other.
REFERS, REFERRED_TO = "refers_to", "referred_to"


@dataclass(frozen=True, slots=True)
class Vetted:
    """An inquiry that every database and every header can hold, whether the host holds it for spam, and its order's reference, where it names one."""

    inquiry: Inquiry
    spam: bool
    reference: str = ""


def vet(host: Host, inquiry: Inquiry) -> Vetted:
    """Clean an inquiry and ask the host about its order, and whether it is spam: outside any transaction, since a filter may ask a server far away.

    Raise InvalidInputError naming the field that is wrong.
    """
    inquiry, order = _checked(host, inquiry)
    # A link opens a conversation that is there already; what begins none is never held for spam.
    return Vetted(inquiry, inquiry.channel is not Channel.LINK and host.is_spam(inquiry), order.reference if order else "")


def receive(bench: Bench, inquiry: Inquiry | Vetted) -> Received:
    """Store an inquiry, or mail it on where its contact keeps none, and queue what has to be mailed about it.

    The same post, or the same text from the same sender within ten minutes, is taken once. Raise InvalidInputError naming the field that is wrong.
    One that was not vetted is vetted here, before anything is locked: so does a host that stands in a transaction of its own.
    """
    vetted = inquiry if isinstance(inquiry, Vetted) else vet(bench.host, inquiry)
    inquiry = vetted.inquiry
    # All that can be refused is refused before the first row is written: a host that catches the error may commit what stands until then.
    if inquiry.shop_id not in {shop.id for shop in bench.shops}:
        raise InvalidInputError("shop", _("This shop does not exist."))
    decision = decide(inquiry, StoredThreads(bench.session, _scope(inquiry), bench.signer))
    contact = contact_of(bench.session, inquiry.shop_id, inquiry.contact_id, inquiry.language, bench.languages[0].code)
    reference = _reference(bench, vetted, decision)
    ours: list[bytes] = []
    if decision.thread_id is None:
        _check_beginning(bench, inquiry, contact)
        decision = _one_after_the_other(bench, inquiry, decision, ours)
    spam = vetted.spam or is_blocked(bench.session, inquiry.sender.address, inquiry.shop_id)
    for key, lasts in _post_keys(inquiry, decision):
        earlier = posts.claim(bench.session, key, bench.now, lasts=lasts)
        if earlier is not None:
            return _lead(bench, ours, Received(earlier.thread_id, earlier.message_id, repeated=True))
        ours.append(key)
    return _lead(bench, ours, _take(bench, inquiry, contact, decision, reference, ours, spam=spam))


def was_taken(session: Session, inquiry: Inquiry) -> bool:
    """Say whether this very post has been received before."""
    return inquiry.post_key is not None and posts.was_taken(session, _key_of_form(inquiry.post_key))


def _reference(bench: Bench, vetted: Vetted, decision: Decision) -> str:
    """Return the order's reference, as people know it, for the mails; empty where there is none. Call it before the lock: it may ask the host."""
    if vetted.reference or decision.thread_id is None:
        return vetted.reference
    theirs = Thread.id == decision.thread_id, _scope(vetted.inquiry).covers(Thread.shop_id)
    order_id = bench.session.scalar(select(Thread.order_id).where(*theirs))
    order = bench.host.find_order(order_id=order_id, shop_id=vetted.inquiry.shop_id) if order_id else None
    return order.reference if order else ""


def _one_after_the_other(bench: Bench, inquiry: Inquiry, decision: Decision, ours: list[bytes]) -> Decision:
    """Let those who begin a thread about one order of theirs at the same moment wait for each other: the second goes on in the first one's thread.

    The claim is added to `ours`. What it leads to is read by the lock itself: on MariaDB `decide` has seen only what was there when it first looked.
    """
    sender = inquiry.sender
    if inquiry.order_id is None or not sender.verified or inquiry.channel not in (Channel.FORM, Channel.ORDER_PAGE):
        return decision
    key = posts.turn_on_order(inquiry.shop_id, inquiry.order_id, customer_id=sender.customer_id, address=sender.address)
    earlier = posts.take_turn(bench.session, key, bench.now)
    ours.append(key)
    if earlier is None or earlier.thread_id is None:
        return decision
    thread = lock_thread(bench.session, _scope(inquiry), earlier.thread_id)
    if thread is None or thread.folder is not Folder.LIST or thread.order_id != inquiry.order_id or not _is_of(thread, sender):
        return decision
    return Decision(thread.id, is_about_an_order_that_has_a_thread.__name__)


def _is_of(thread: Thread, sender: Sender) -> bool:
    if sender.customer_id is not None:
        return thread.customer_verified and thread.customer_id == sender.customer_id
    return thread.customer_verified and thread.customer_id is None and thread.address_hash == address_key(sender.address)


def _lead(bench: Bench, keys: list[bytes], received: Received) -> Received:
    for key in keys:
        posts.lead_to(bench.session, key, received.thread_id, received.message_id)
    return received


def _take(
    bench: Bench, inquiry: Inquiry, contact: ContactWords | None, decision: Decision, reference: str, ours: list[bytes], *, spam: bool
) -> Received:
    # What is held for spam is kept even where the contact keeps nothing: it is neither mailed on nor lost, should it be none.
    if decision.thread_id is None and contact is not None and not contact.save_messages and not spam:
        letters.pass_on(bench, inquiry, contact, reference=reference)
        return Received(None, None)
    place = _place_for(bench, inquiry, decision, spam=spam)
    earlier = _said_there(bench, inquiry, place, ours)
    if earlier is not None:
        return Received(earlier.thread_id, earlier.message_id, repeated=True)
    return _store(bench, inquiry, contact, place, reference)


def _scope(inquiry: Inquiry) -> Scope:
    return Scope(frozenset({inquiry.shop_id}))


def _store(bench: Bench, inquiry: Inquiry, contact: ContactWords | None, place: Opening, reference: str) -> Received:
    thread, begins = place.thread, place.begins
    message = _write(bench, inquiry, thread, place.reason)
    if begins and place.reason == GOES_ON:
        bench.note_event(thread, reopening.CONTINUES, None, message=message, other=thread.refers_to_id)
    move_by_message(bench, thread, message, Happening.CUSTOMER_BEGAN if begins else Happening.CUSTOMER_WROTE)
    threads.recompute(bench.session, [thread.id])
    if thread.folder is not Folder.SPAM:
        letters.tell_of_message(bench, thread, message, contact, begins=begins, reference=reference)
    if begins:
        bench.announce("cs_thread_opened", thread=facts_of_thread(thread), message=facts_of_message(message))
    bench.announce("cs_message_received", thread=facts_of_thread(thread), message=facts_of_message(message))
    return Received(thread.id, message.id)


@dataclass(frozen=True, slots=True)
class Opening:
    """The locked thread in which a message is written, whether it begins with that message, and why it is this one."""

    thread: Thread
    begins: bool
    reason: str


def _place_for(bench: Bench, inquiry: Inquiry, decision: Decision, *, spam: bool) -> Opening:
    wanted = lock_thread(bench.session, _scope(inquiry), decision.thread_id) if decision.thread_id is not None else None
    if wanted is None or wanted.folder is Folder.BIN:
        # One that was decided on was deleted between our look and our lock.
        if decision.thread_id is not None and inquiry.channel is Channel.LINK:
            raise InvalidInputError("text", _CLOSED)
        return Opening(begin(bench, inquiry, spam=spam), True, "begins_a_thread")
    if wanted.folder is Folder.LIST and _is_kept_out(bench, inquiry, wanted):
        return _beside(bench, wanted)
    place = reopened_or_continued(bench, wanted, decision.reason, spam=spam)
    if decision.reason == carries_a_thread_link.__name__ or inquiry.sender.verified:
        _know_customer(bench, place.thread, inquiry.sender)
    return place


def _is_kept_out(bench: Bench, inquiry: Inquiry, thread: Thread) -> bool:
    """Say whether somebody may not write into a thread of the list: their address is blocked, or the one of the thread that they write by."""
    return not blocked_among(bench.session, [inquiry.sender.address, *([thread.address] if thread.address else [])]).is_free(thread.shop_id)


def _beside(bench: Bench, thread: Thread) -> Opening:
    """Return where a blocked sender's message goes that was written to a locked thread of the list: into one in spam that refers to it.

    They go on in the same one, so that all of it is freed by one click.
    """
    laid = Thread.refers_to_id == thread.id, Thread.folder == Folder.SPAM, Thread.address_hash == thread.address_hash
    earlier = bench.session.scalars(locking(bench.session, select(Thread).where(*laid).order_by(Thread.id.desc()).limit(1))).one_or_none()
    found = lock_thread(bench.session, Scope(frozenset({thread.shop_id})), earlier.id) if earlier is not None else None
    if found is not None and found.folder is Folder.SPAM:
        return Opening(found, False, BLOCKED)
    new = _begin_like(bench, thread, spam=True)
    bench.note_event(new, REFERS, None, other=thread.id)
    bench.note_event(thread, REFERRED_TO, None, other=new.id)
    return Opening(new, True, BLOCKED)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What begins a thread: what somebody has sent, whether it is held for spam, and the thread that it refers to."""

    inquiry: Inquiry
    spam: bool
    refers_to_id: int | None = None


def begin(bench: Bench, inquiry: Inquiry, *, spam: bool, refers_to_id: int | None = None) -> Thread:
    """Begin a thread with what somebody has sent; it is locked, since nobody else can see it yet."""
    (thread,) = begin_several(bench, [Beginning(inquiry, spam, refers_to_id)])
    return thread


def begin_several(bench: Bench, beginnings: Sequence[Beginning]) -> list[Thread]:
    """Begin threads likewise, in their order: in as many statements as for one."""
    opened = [_thread_of(bench, one) for one in beginnings]
    number_rows(bench.session, opened)
    bench.session.add_all(opened)
    bench.session.flush()
    search.index_new_threads(bench.session, opened)
    return opened


def _thread_of(bench: Bench, beginning: Beginning) -> Thread:
    inquiry, sender = beginning.inquiry, beginning.inquiry.sender
    return Thread(
        shop_id=inquiry.shop_id,
        language=inquiry.language,
        contact_id=inquiry.contact_id,
        folder=Folder.SPAM if beginning.spam else Folder.LIST,
        status=AFTER[Happening.CUSTOMER_BEGAN],
        subject=inquiry.subject,
        address=sender.address,
        address_hash=address_key(sender.address),
        address_sort=fold(sender.address)[:254],
        customer_id=sender.customer_id,
        customer_verified=sender.verified,
        customer_name=sender.name,
        customer_sort=fold(sender.name)[:254],
        order_id=inquiry.order_id,
        refers_to_id=beginning.refers_to_id,
        token_nonce=secrets.token_hex(16),
        # Told, since the database has a default of its own for it, and would be asked for that row by row.
        message_sort="",
        created_at=bench.now,
    )


def _said_there(bench: Bench, inquiry: Inquiry, place: Opening, ours: list[bytes]) -> Post | None:
    """Return the post by which the same text has come to the thread in which another one goes on: it has a link of its own to write by.

    Where it has not, the claim is added to `ours`.
    """
    if inquiry.channel is not Channel.LINK or place.reason != GOES_ON:
        return None
    for key, lasts in _post_keys(replace(inquiry, post_key=None), Decision(place.thread.id, carries_a_thread_link.__name__)):
        earlier = posts.claim(bench.session, key, bench.now, lasts=lasts)
        if earlier is not None:
            return earlier
        ours.append(key)
    return None


def reopened_or_continued(bench: Bench, wanted: Thread, reason: str, *, spam: bool) -> Opening:
    """Return where a message to a locked thread goes: into that one, to reopen it, unless it has come to rest.

    Then it goes into the thread in which that one went on since, or, where this rests too, into a new one.
    """
    thread = wanted
    while _rests(bench, thread):
        number = reopening.continuation_of(bench.session, thread)
        # Later ones have higher numbers, so that all who follow lock in one order.
        further = lock_thread(bench.session, Scope(frozenset({thread.shop_id})), number) if number is not None and number > thread.id else None
        # One that was merged stands for the thread that it was merged into, which may be this very one.
        if further is None or further.id <= thread.id or further.folder is Folder.BIN or further.address_hash != thread.address_hash:
            return Opening(_begin_after(bench, thread, spam=spam), True, GOES_ON)
        thread = further
    return Opening(thread, False, reason if thread is wanted else GOES_ON)


def _rests(bench: Bench, thread: Thread) -> bool:
    if thread.status is not Status.CLOSED:
        return False
    options = bench.options(thread.shop_id)
    reopened = reopened_for(options["reopen_closed"], options["reopen_days"])
    if reopened is None:
        return False
    quiet_for = bench.now - reopening.last_public_message_at(bench.session, thread, bench.now)
    return has_come_to_rest(thread.status, thread.folder, quiet_for, reopened=reopened)


def _begin_after(bench: Bench, old: Thread, *, spam: bool) -> Thread:
    """Begin the thread in which one goes on that is not opened again."""
    new = _begin_like(bench, old, spam=spam)
    reopening.copy_participants(bench.session, old, new)
    bench.note_event(old, reopening.CONTINUED, None, other=new.id)
    hold_replies(bench, [old], CUSTOMER)
    return new


def _begin_like(bench: Bench, old: Thread, *, spam: bool) -> Thread:
    """Begin a thread with the customer of another one, about the same, under a token of its own."""
    new = Thread(
        shop_id=old.shop_id,
        language=old.language,
        contact_id=old.contact_id,
        folder=Folder.SPAM if spam else Folder.LIST,
        status=AFTER[Happening.CUSTOMER_BEGAN],
        subject=old.subject,
        address=old.address,
        address_hash=old.address_hash,
        address_sort=old.address_sort,
        customer_id=old.customer_id,
        customer_verified=old.customer_verified,
        customer_name=old.customer_name,
        customer_sort=old.customer_sort,
        order_id=old.order_id,
        refers_to_id=old.id,
        token_nonce=secrets.token_hex(16),
        created_at=bench.now,
    )
    bench.session.add(new)
    bench.session.flush()
    search.index_thread(bench.session, new)
    return new


def _know_customer(bench: Bench, thread: Thread, sender: Sender) -> None:
    """Note that a thread's own address is its customer's: they were signed in, or held the link that only this address was sent."""
    if thread.customer_verified or address_key(sender.address) != thread.address_hash or sender.customer_id not in (None, thread.customer_id):
        return
    thread.customer_verified = True
    if sender.name and not thread.customer_name:
        thread.customer_name, thread.customer_sort = sender.name, fold(sender.name)[:254]
        bench.session.flush()
        search.rename_threads(bench.session, [thread.id])


def _write(bench: Bench, inquiry: Inquiry, thread: Thread, reason: str) -> Message:
    sender = inquiry.sender
    message = Message(
        thread_id=thread.id,
        home_thread_id=_home(inquiry, thread, reason),
        shop_id=thread.shop_id,
        author_kind=AuthorKind.CUSTOMER,
        author_id=sender.customer_id,
        author_name=sender.name,
        author_address=sender.address,
        channel=inquiry.channel,
        product_id=inquiry.product_id,
        product_name=inquiry.product_name,
        subject=inquiry.subject,
        text=inquiry.text,
        preview=preview(inquiry.text),
        language=inquiry.language,
        message_id=inquiry.message_id,
        message_id_hash=message_id_key(inquiry.message_id) if inquiry.message_id else None,
        matched_by=reason[:64],
        network=inquiry.network,
        agent=inquiry.agent,
        sent_at=inquiry.sent_at,
        created_at=bench.now,
    )
    bench.session.add(message)
    bench.session.flush()
    files.attach(bench.session, message.id, inquiry.files, bench.now)
    search.index(bench.session, message)
    if inquiry.message_id:
        remember_message_id(bench.session, RECEIVED, inquiry.message_id, thread, message.id, bench.now)
    return message


def _home(inquiry: Inquiry, thread: Thread, reason: str) -> int:
    """Return the thread that a message belongs to: the one whose link it was written by, which may have been merged into that in which it stands."""
    tag = read_tag(inquiry.thread_token) if inquiry.thread_token and reason == carries_a_thread_link.__name__ else None
    return tag.thread_id if tag is not None else thread.id


@dataclass(frozen=True, slots=True)
class Befallen:
    """What has befallen a locked thread with a message."""

    thread: Thread
    message: Message
    happening: Happening


def move_by_message(bench: Bench, thread: Thread, message: Message, happening: Happening) -> None:
    """Give a locked thread the status that what has befallen it with a message makes of it."""
    move_by_messages(bench, [Befallen(thread, message, happening)])


def move_by_messages(bench: Bench, befallen: Sequence[Befallen]) -> None:
    """Give several locked threads theirs likewise."""
    hold_replies(bench, [one.thread for one in befallen if one.happening is Happening.CUSTOMER_WROTE], CUSTOMER)
    for one in befallen:
        _move(bench, one.thread, one.message, AFTER[one.happening])


def _move(bench: Bench, thread: Thread, message: Message, after: Status | None) -> None:
    before = thread.status
    if after is None or after is before:
        return
    thread.status = after
    bench.session.flush()
    bench.note_event(thread, "status", None, message=message, before=before.value, after=after.value)
    bench.announce("cs_status_changed", thread=facts_of_thread(thread), before=before.value, after=after.value, employee=None)


def is_blocked(session: Session, address: str, shop_id: str) -> bool:
    """Say whether somebody has blocked an address, in this shop or in all."""
    return blocked_among(session, [address]).holds(address, shop_id)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Which of some addresses somebody has blocked, as pairs of the address's digest and the shop, empty for all shops."""

    pairs: frozenset[tuple[bytes, str]]

    def holds(self, address: str, shop_id: str) -> bool:
        """Say whether an address is blocked in a shop or in all."""
        key = address_key(address)
        return (key, "") in self.pairs or (key, shop_id) in self.pairs

    def is_free(self, shop_id: str) -> bool:
        """Say whether none of them is blocked in a shop or in all."""
        return all(where not in ("", shop_id) for _key, where in self.pairs)


def blocked_among(session: Session, addresses: Collection[str]) -> Blocked:
    """Return which of these addresses somebody has blocked."""
    keys = sorted({address_key(address) for address in addresses})
    rows = session.execute(select(BlockedSender.address_hash, BlockedSender.shop_id).where(BlockedSender.address_hash.in_(keys))) if keys else ()
    return Blocked(frozenset((bytes(key), shop_id) for key, shop_id in rows))


def _post_keys(inquiry: Inquiry, decision: Decision) -> list[tuple[bytes, dt.timedelta | None]]:
    """Return the keys under which the same post would come again, each with how long it counts (None: for ever)."""
    keys: list[tuple[bytes, dt.timedelta | None]] = []
    if inquiry.post_key:
        keys.append((_key_of_form(inquiry.post_key), None))
    if not inquiry.files and inquiry.channel is not Channel.MAIL:
        by_link = decision.reason == carries_a_thread_link.__name__
        target = f"thread {decision.thread_id}" if by_link else f"{inquiry.contact_id}/{inquiry.order_id}/{inquiry.product_id}"
        keys.append((digest("text", fold(inquiry.sender.address), inquiry.shop_id, target, inquiry.text), SAME_TEXT_WINDOW))
    return keys


def _key_of_form(post_key: str) -> bytes:
    return digest("post", post_key)


def _checked(host: Host, inquiry: Inquiry) -> tuple[Inquiry, Order | None]:
    """Return an inquiry that every database and every header can hold, and its order. Raise InvalidInputError for what cannot be mended.

    A link to their conversation that a customer pastes goes no further, as none that a mail quotes does: whoever reads it could write in their name.
    """
    text = without_tags(clean_text(inquiry.text)).strip()
    if not text and inquiry.channel is not Channel.MAIL:
        raise InvalidInputError("text", _("The message cannot be blank."))
    if len(text) > MAX_TEXT and inquiry.channel is not Channel.MAIL:
        raise InvalidInputError("text", _("The message is too long: %(most)s characters at most."), most=MAX_TEXT)
    sender = replace(
        inquiry.sender,
        address=checked_address(inquiry.sender.address),
        first_name=clean_line(inquiry.sender.first_name, MAX_NAME // 2),
        last_name=clean_line(inquiry.sender.last_name, MAX_NAME // 2 - 1),
    )
    order = _checked_order(host, inquiry)
    checked = replace(
        inquiry,
        text=text,
        sender=sender,
        language=clean_line(inquiry.language, 16),
        contact_id=inquiry.contact_id if inquiry.contact_id is not None and can_be_id(inquiry.contact_id) else None,
        order_id=order.id if order else None,
        product_id=clean_line(inquiry.product_id, 64) if inquiry.product_id else None,
        subject=clean_line(without_tags(inquiry.subject), MAX_SUBJECT),
        product_name=clean_line(inquiry.product_name, 255),
        agent=clean_line(inquiry.agent, 255),
        network=clean_line(inquiry.network, 64),
    )
    return checked, order


def _checked_order(host: Host, inquiry: Inquiry) -> Order | None:
    """Return the order that is written about. A form may name only an order of the account that is signed in."""
    if not inquiry.order_id:
        return None
    order = host.find_order(order_id=clean_line(inquiry.order_id, 64), shop_id=inquiry.shop_id)
    if order is None or (inquiry.channel is Channel.FORM and not _owns(order, inquiry.sender)):
        raise InvalidInputError("order", _("The order is no longer valid."))
    return order


def _owns(order: Order, sender: Sender) -> bool:
    if order.customer_id is not None:
        return sender.verified and order.customer_id == sender.customer_id
    return sender.verified and address_key(order.email) == address_key(sender.address)


def _check_beginning(bench: Bench, inquiry: Inquiry, contact: ContactWords | None) -> None:
    """Raise InvalidInputError where an inquiry that found no thread may not begin one."""
    if inquiry.channel is Channel.LINK:
        raise InvalidInputError("text", _CLOSED)
    if inquiry.channel is not Channel.FORM:
        return
    offered = list_contacts(bench.session, [inquiry.shop_id], inquiry.language, bench.languages[0].code)
    if contact is None or contact.id not in {one.id for one in offered}:
        raise InvalidInputError("contact", _("Please select a subject from the list provided."))
    if not contact.save_messages and not contact.email:
        raise InvalidInputError("contact", _("An error occurred while sending the message, please try again."))


def checked_address(address: str, field: str = "email") -> str:
    """Return an e-mail address as it is kept. Raise InvalidInputError, naming the field, for what no mail could be sent to.

    The name server is not asked: a form must answer when it is slow.
    """
    try:
        good = validate_email(address.strip(), check_deliverability=False, allow_quoted_local=True, test_environment=True)
    except (EmailNotValidError, ValueError) as error:
        raise InvalidInputError(field, _("Invalid email address.")) from error
    if len(good.normalized) > 254:
        raise InvalidInputError(field, _("Invalid email address."))
    return good.normalized
