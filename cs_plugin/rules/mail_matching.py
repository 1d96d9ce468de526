"""Which thread a mail enters, and as whose: tables, read from top to bottom; the first row that holds decides, and its name is kept as the reason.

A key that leads nowhere (forged, revoked, of another shop's thread) is the same as none. A key alone opens nothing: whoever has no part in the thread
that theirs leads to stays outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cs_plugin.rules.incoming import Correspondent, IncomingMail, Landed, Outcome
from cs_plugin.rules.permissions import NO_GRANTS, Grants, Permission
from cs_plugin.rules.status import Folder


class Key(StrEnum):
    """What in a mail has led to a thread: a signed tag, or the Message-ID of a mail.

    A FORWARDED one went to somebody outside, and an OUTSIDE one came from there; the others went to the customer, to colleagues, or came from the
    customer. A COPIED one went to somebody who got a copy: no answer finds the thread by it, but a server's word that it did not come does.
    """

    TAG = "tag"
    SENT = "sent"
    RECEIVED = "received"
    FORWARDED = "forwarded"
    OUTSIDE = "outside"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class FoundThread:
    """A thread that a key leads to, as far as the rules look at it. `addresses` are digests of those that take part in it as its customer.

    `own_addresses` are the digests of the addresses that it is about. `customer_id` is its verified customer's. `home_id` is the thread that the key
    names, which has been merged into this one where it is another. `message_id` is the message that the key belongs to. `outsiders` are digests of
    the addresses that the thread was forwarded to.
    """

    id: int
    home_id: int
    shop_id: str
    contact_id: int | None
    folder: Folder
    own_addresses: frozenset[bytes]
    addresses: frozenset[bytes]
    customer_id: str | None
    key: Key
    message_id: int | None = None
    outsiders: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Clues:
    """What the look-ups have found for a mail: the threads that its keys lead to, by kind of key, the nearest first.

    `own` says that the mail's own Message-ID is one that we gave; `known` are the messages that came under it before. `employee_tags` are those that
    are signed for this very sender; `moved` is where the last message that is answered was moved by hand; `bounced` are threads of the mail that a
    bounce is about.
    """

    own: bool = False
    known: tuple[int, ...] = ()
    employee_tags: tuple[FoundThread, ...] = ()
    moved: tuple[FoundThread, ...] = ()
    address_tags: tuple[FoundThread, ...] = ()
    answered: tuple[FoundThread, ...] = ()
    subject_tags: tuple[FoundThread, ...] = ()
    bounced: tuple[FoundThread, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """Who has sent a mail, as far as it says. `address` is a digest, None where there is no good address.

    `customers` are the ids of the accounts with that address, by shop. `is_employee` says that it is an employee's address, and `grants` are theirs;
    `is_ours` that it is the address of a contact or of a fetched mailbox.
    """

    address: bytes | None
    customers: Mapping[str, str] = field(default_factory=dict)
    is_employee: bool = False
    grants: Grants = NO_GRANTS
    is_ours: bool = False

    def may_reply(self, thread: FoundThread) -> bool:
        """Say whether the sender is an employee who may answer in a thread."""
        return self.is_employee and self.grants.allow(Permission.REPLY, thread.shop_id)


class Part(StrEnum):
    """The part that a sender has in a thread."""

    CUSTOMER = "customer"      # their words are a message of the customer's
    EMPLOYEE = "employee"      # their words go to the customer
    COLLEAGUE = "colleague"    # their words are a private note of an employee's
    OURSELVES = "ourselves"    # likewise, of somebody who writes from an address of ours
    OUTSIDER = "outsider"      # likewise, of somebody to whom the thread was forwarded
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Place:
    """The thread that a mail leads to (None: no thread), its sender's part in it, and why."""

    thread: FoundThread | None
    part: Part
    reason: str


# --- Mails that a list has passed on ----------------------------------------------------------------------------------------------------------------


def as_written_to_the_list(mail: IncomingMail, is_ours: Callable[[str], bool]) -> IncomingMail:
    """Return a mail as it was before a list of ours put its own address into From, as one does where the sender's domain has others' mail refused.

    (RFC 7489 with "p=reject"; Google Groups and Mailman.) Its sender is whom X-Original-From names, else Reply-To, and the list's headers are no sign
    of a machine. Any other mail is returned as it is. `is_ours` says whether an address is a contact's or a fetched mailbox's.
    """
    listed, sender = mail.by_list, mail.sender
    if listed is None or sender is None or mail.bounce is not None or not is_ours(sender.address):
        return mail
    told = (listed.original,) if listed.original is not None else mail.reply_to
    original = next((one for one in told if not is_ours(one.address)), None)
    if original is None:
        return mail
    return replace(mail, sender=replace(original, name=original.name or _name_before_a_list(sender)), automatic=listed.automatic)


def _name_before_a_list(sender: Correspondent) -> str:
    """Return the sender's name where the list has written "'Jan Kowalski' via Shop"; empty where it has not."""
    name, via, _list = sender.name.rpartition(" via ")
    return name.strip(" '\"") if via else ""


# --- Mails that are not taken in --------------------------------------------------------------------------------------------------------------------

Refusal = Callable[[IncomingMail, Clues, Party], bool]


def is_a_mail_of_ours(mail: IncomingMail, clues: Clues, sender: Party) -> bool:  # noqa: ARG001 - a row of the table
    """Refuse a mail that we have sent, by the Message-ID that we gave it: it has come back, by a list, a copy, or an address of ours.

    All of it is kept here already.
    """
    return clues.own


def is_a_machine_at_our_own_address(mail: IncomingMail, clues: Clues, sender: Party) -> bool:  # noqa: ARG001 - a row of the table
    """Refuse what a machine sends from an address of ours: it answers our notices, and to keep each would fill the desk with itself.

    Nothing of it is kept, so that it stays on the server: the shop's own form may have sent it.
    """
    return sender.is_ours and bool(mail.automatic) and mail.bounce is None


# The first one that holds refuses the mail; beside it stands what becomes of the mail then.
REFUSALS: tuple[tuple[Refusal, Outcome], ...] = (
    (is_a_mail_of_ours, Outcome.OWN),
    (is_a_machine_at_our_own_address, Outcome.LEFT),
)


def refused(mail: IncomingMail, clues: Clues, sender: Party) -> Landed | None:
    """Return what becomes of a mail that is not taken in, and why; None where it is taken."""
    return next((Landed(outcome, refusal.__name__) for refusal, outcome in REFUSALS if refusal(mail, clues, sender)), None)


# --- The threads that a mail leads to ---------------------------------------------------------------------------------------------------------------

Matcher = Callable[[Clues], tuple[FoundThread, ...]]


def carries_an_employees_tag(clues: Clues) -> tuple[FoundThread, ...]:
    """Match an employee who answers one of our notices, by the tag that was signed for them."""
    return clues.employee_tags


def answers_a_moved_message(clues: Clues) -> tuple[FoundThread, ...]:
    """Match an answer to a message that somebody has moved by hand: the tag that its sender still has tells where it stood before."""
    return clues.moved


def carries_an_address_tag(clues: Clues) -> tuple[FoundThread, ...]:
    """Match a mail to the signed address that our mail asked to answer to."""
    return clues.address_tags


def answers_a_known_mail(clues: Clues) -> tuple[FoundThread, ...]:
    """Match by In-Reply-To and References (RFC 5322, section 3.6.4) to mails that we sent or imported for this shop, the last one first."""
    return clues.answered


def carries_a_subject_tag(clues: Clues) -> tuple[FoundThread, ...]:
    """Match by the signed tag in the subject, where a mail program has left out everything else."""
    return clues.subject_tags


# First match wins.
MATCHERS: tuple[Matcher, ...] = (
    carries_an_employees_tag,
    answers_a_moved_message,
    carries_an_address_tag,
    answers_a_known_mail,
    carries_a_subject_tag,
)


# --- The sender's part in it ------------------------------------------------------------------------------------------------------------------------

Holds = Callable[[FoundThread, str, Party], bool]


def answers_with_their_own_tag(thread: FoundThread, matcher: str, sender: Party) -> bool:
    """Hold for an employee who may answer there, and proves it by the tag of the notice that was sent to them."""
    return matcher == carries_an_employees_tag.__name__ and sender.may_reply(thread)


def is_the_threads_own_address(thread: FoundThread, _matcher: str, sender: Party) -> bool:
    """Hold for the address that the thread is about, whoever else it may belong to."""
    return sender.address is not None and sender.address in thread.own_addresses


def is_an_employee_without_a_tag(thread: FoundThread, _matcher: str, sender: Party) -> bool:
    """Hold for an employee's address without their tag: anybody can write a name on an envelope, so that nothing of it goes out."""
    return sender.may_reply(thread)


def takes_part_in_the_thread(thread: FoundThread, _matcher: str, sender: Party) -> bool:
    """Hold for the verified customer's other addresses, and for those that an employee has added; an employee's own is none of these."""
    if sender.address is None or sender.is_employee:
        return False
    theirs = thread.customer_id is not None and sender.customers.get(thread.shop_id) == thread.customer_id
    return theirs or sender.address in thread.addresses


def writes_from_our_own_address(_thread: FoundThread, _matcher: str, sender: Party) -> bool:
    """Hold for a colleague who has answered with a mail program from an address of ours, and let us have a copy."""
    return sender.is_ours


def answers_what_was_forwarded(thread: FoundThread, _matcher: str, sender: Party) -> bool:
    """Hold for an address that the thread was forwarded to, answering that mail or one of theirs: to know a Message-ID is not enough.

    Theirs is made by a program of theirs, and may be guessed; ours is known to whoever they have sent a copy.
    """
    return thread.key in (Key.FORWARDED, Key.OUTSIDE) and sender.address is not None and sender.address in thread.outsiders


# First row that holds decides.
PARTS: tuple[tuple[Holds, Part], ...] = (
    (answers_with_their_own_tag, Part.EMPLOYEE),
    (is_the_threads_own_address, Part.CUSTOMER),
    (is_an_employee_without_a_tag, Part.COLLEAGUE),
    (takes_part_in_the_thread, Part.CUSTOMER),
    (writes_from_our_own_address, Part.OURSELVES),
    (answers_what_was_forwarded, Part.OUTSIDER),
)

BEGINS = "begins_a_thread"
STRANGER = "comes_from_a_stranger"
DELETED = "its_thread_was_deleted"


def place_of(clues: Clues, sender: Party) -> Place:
    """Return the first thread that a mail leads to and in which its sender has a part; without a part in any, the first one that it leads to."""
    led_to = [(matcher.__name__, thread) for matcher in MATCHERS for thread in matcher(clues)]
    for matcher, thread in led_to:
        for holds, part in PARTS:
            if holds(thread, matcher, sender):
                # How a customer's mail was matched is what an employee asks; of the others, why they may be there.
                return Place(thread, part, matcher if part in (Part.CUSTOMER, Part.EMPLOYEE) else holds.__name__)
    if led_to:
        return Place(led_to[0][1], Part.NONE, STRANGER)
    return Place(None, Part.NONE, BEGINS)
