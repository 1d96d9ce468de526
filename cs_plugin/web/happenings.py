"""What happened in a thread, in words: its events, the ways its messages came, and why a message landed where it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cs_plugin.desk.happenings import BY_HOST
from cs_plugin.desk.holding import WHY_HELD
from cs_plugin.desk.merging import MERGED, MERGED_INTO, UNMERGED, UNMERGED_FROM
from cs_plugin.desk.moving import MOVED_BACK, MOVED_BACK_FROM, MOVED_IN, MOVED_OUT
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.merging import MOVED_BY_HAND
from cs_plugin.rules.opinions import SCORES
from cs_plugin.rules.signing import without_tags
from cs_plugin.rules.status import Status
from cs_plugin.store.customer_links import LINKED, UNLINKED
from cs_plugin.store.models import Delivery, Message, ThreadEvent
from cs_plugin.store.reopening import CONTINUED, CONTINUES, named_in
from cs_plugin.web.thread_list import STATUS_WORDS

Say = Callable[..., str]

# For each way of a customer's message: its icon, and its words beside the date.
CHANNELS: Mapping[Channel, tuple[str, str]] = {
    Channel.FORM: ("form", _("contact form")),
    Channel.ORDER_PAGE: ("cart", _("order page")),
    Channel.LINK: ("view", _("by the link in our mail")),
    Channel.MAIL: ("mail", _("by e-mail")),
    Channel.DESK: ("pen", ""),
}

# Why a message stands in this thread, by the name of the matcher that decided.
REASONS: Mapping[str, str] = {
    "carries_a_thread_link": _("It was written on the page behind the link that we mailed for this thread."),
    "is_about_an_order_that_has_a_thread": _("The same customer had written about this order before, signed in or from the order page."),
    "carries_an_address_tag": _("It was sent to the signed address of this thread, which only our mails to its customer carry."),
    "answers_a_known_mail": _("It answers a mail of this thread: one that we sent, or that came in here."),
    "carries_a_subject_tag": _("Its subject carries the signed number of this thread, and its sender takes part in it."),
    "carries_an_employees_tag": _("It answers a notice, with the signed key that was sent to this employee alone."),
    "is_an_employee_without_a_tag": _(
        "It came by mail from an employee's address, without the signed key of a notice. Nothing proves who wrote it, so the customer has not got it."
    ),
    "could_not_be_sent_as_an_answer": _(
        "An employee answered a notice, but it could not be sent to the customer: the mail has no text or too much, or the thread takes no answer."
    ),
    "quotes_the_notice_that_it_answers": _("An employee answered a notice, but the mail quotes it in the text: it was not sent to the customer."),
    "newer_messages_came_before_it": _(
        "An employee answered a notice, but somebody had written in the thread since that was sent: the customer has not got it."
    ),
    "writes_from_our_own_address": _("It came by mail from an address of our own and belongs to this thread. Nothing proves who wrote it."),
    "answers_what_was_forwarded": _("It answers the mail by which this discussion was forwarded. The customer does not see it."),
    "comes_from_a_stranger": _("It answers another thread, and its sender has no part in that one."),
    "comes_from_a_blocked_sender": _("Its sender has been blocked."),
    "its_thread_was_deleted": _("It answers a thread that has been deleted, so it began this one."),
    "was_written_by_a_machine": _("A machine wrote it, and it belongs to no thread: it lies apart and counts nowhere."),
    "tells_that_a_mail_of_ours_failed": _("It says that a mail of this thread was not delivered."),
    "tells_that_a_mail_of_ours_waits": _("It says that a mail of this thread has not been delivered yet."),
    "answers_a_moved_message": _("It answers a message that was moved here by hand."),
    MOVED_BY_HAND: _("An employee moved it here by hand."),
    "takes_part_in_the_thread": _("Its sender takes part in this thread."),
    "is_the_threads_own_address": _("It came from the address that this thread is about."),
    "goes_on_after_a_closed_thread": _("It was written to an earlier thread that had been closed for too long, and goes on in this one."),
    "begins_a_thread": _("It belongs to no earlier thread, so it began this one."),
}


@dataclass(frozen=True, slots=True)
class Words:
    """Something that happened: the icon that stands for it, and a sentence; `thread` is another thread that it is about."""

    icon: str
    text: str
    thread: int | None = None


def isolated(name: str) -> str:
    """Return a name that keeps its own direction inside a sentence of another one (UAX #9: FSI and PDI)."""
    return f"\u2068{name}\u2069"


def event_words(event: ThreadEvent, say: Say) -> Words:
    """Tell an event; one of a kind that is not known here is told by its kind, since every change must show."""
    tell = _EVENTS.get(event.kind)
    if tell is not None:
        return tell(event, say)
    return Words("info", " · ".join(part for part in (event.kind.replace("_", " "), isolated(event.actor_name) if event.actor_name else "") if part))


def message_words(message: Message, say: Say) -> Words:
    """Tell in the timeline that a message was written."""
    author = isolated(message.author_name or message.author_address)
    if message.private:
        return Words("lock", say(_("Private note by %(name)s"), name=author))
    if message.delivery is Delivery.HELD:
        return Words("clock", say(_("Reply by %(name)s, not sent yet"), name=author))
    if message.author_kind is AuthorKind.EMPLOYEE:
        return Words("pen", say(_("Reply by %(name)s"), name=author))
    if message.author_kind is AuthorKind.MACHINE:
        return Words("mail", say(_("Automatic mail")))
    icon, words = CHANNELS[message.channel]
    if not words:
        return Words(icon, say(_("Message from the customer")))
    return Words(icon, say(_("Message from the customer, %(way)s"), way=say(words)))


def why_here(message: Message, say: Say) -> str:
    """Tell why a message stands in its thread; empty where nobody has to be told."""
    reason = say(REASONS[message.matched_by]) if message.matched_by in REASONS else ""
    if not message.same_id_other_text:
        return reason
    return f"{reason} {say(_('Another mail had come under the same Message-ID before.'))}".strip()


def _status(event: ThreadEvent, say: Say) -> Words:
    after = str(event.details.get("after", ""))
    word = say(STATUS_WORDS[Status(after)]) if after in set(Status) else after
    icon = after if after in set(Status) else "info"
    if event.details.get("because") == "bounce":
        return Words(icon, say(_("Reopened, because a mail was not delivered")))
    if event.actor_kind == "customer":
        return Words(icon, say(_("Reopened by the customer's message")) if after == Status.OPEN else word)
    if event.message_id is not None:
        return Words(icon, say(_("Closed by the reply")) if after == Status.CLOSED else say(_("Set to %(status)s by the reply"), status=word))
    return Words(icon, say(_("%(name)s set the status to %(status)s"), name=_actor(event, say), status=word))


def _assigned(event: ThreadEvent, say: Say) -> Words:
    to = str(event.details.get("assignee_name", ""))
    if not to:
        return Words("person", say(_("%(name)s assigned the thread to nobody"), name=_actor(event, say)))
    if event.details.get("because") == "first_reply":
        return Words("person", say(_("Assigned to %(name)s by their first reply"), name=isolated(to)))
    if event.details.get("assignee_id") == event.actor_id:
        return Words("person", say(_("%(name)s took the thread"), name=isolated(to)))
    return Words("person", say(_("%(name)s assigned the thread to %(assignee)s"), name=_actor(event, say), assignee=isolated(to)))


def _type(event: ThreadEvent, say: Say) -> Words:
    title = isolated(str(event.details.get("title", "--")))
    return Words("form", say(_("%(name)s changed the type to %(title)s"), name=_actor(event, say), title=title))


def _deleted(event: ThreadEvent, say: Say) -> Words:
    return Words("delete", say(_("%(name)s deleted the thread"), name=_actor(event, say)))


def _restored(event: ThreadEvent, say: Say) -> Words:
    return Words("refresh", say(_("%(name)s took the thread out of the bin"), name=_actor(event, say)))


def _not_spam(event: ThreadEvent, say: Say) -> Words:
    return Words("refresh", say(_("%(name)s took the thread out of spam"), name=_actor(event, say)))


def _spam(event: ThreadEvent, say: Say) -> Words:
    return Words("warn", say(_("%(name)s marked the thread as spam"), name=_actor(event, say)))


def _blocked(event: ThreadEvent, say: Say) -> Words:
    everywhere = bool(event.details.get("everywhere"))
    words = _("%(name)s blocked the sender %(address)s in all shops") if everywhere else _("%(name)s blocked the sender %(address)s")
    return Words("lock", say(words, name=_actor(event, say), address=isolated(str(event.details.get("address", "")))))


def _unblocked(event: ThreadEvent, say: Say) -> Words:
    address = isolated(str(event.details.get("address", "")))
    return Words("refresh", say(_("%(name)s unblocked the sender %(address)s"), name=_actor(event, say), address=address))


def _begun(event: ThreadEvent, say: Say) -> Words:
    if event.details.get("noted"):
        return Words("pen", say(_("%(name)s noted a phone call"), name=_actor(event, say)))
    return Words("pen", say(_("%(name)s began the conversation"), name=_actor(event, say)))


def _linked(event: ThreadEvent, say: Say) -> Words:
    customer = isolated(str(event.details.get("name", "")))
    return Words("person", say(_("%(name)s linked the thread to the customer %(customer)s"), name=_actor(event, say), customer=customer))


def _unlinked(event: ThreadEvent, say: Say) -> Words:
    customer = isolated(str(event.details.get("name", "")))
    return Words("person", say(_("%(name)s took back the link to the customer %(customer)s"), name=_actor(event, say), customer=customer))


def _by_host(event: ThreadEvent, _say: Say) -> Words:
    """Tell what the store did, in the words that it found for it."""
    words = isolated(str(event.details.get("words", "")))
    return Words("cart", f"{words} · {isolated(event.actor_name)}" if event.actor_name else words)


def _forwarded(event: ThreadEvent, say: Say) -> Words:
    to = isolated(str(event.details.get("name", "")))
    return Words("forward", say(_("%(name)s forwarded the discussion to %(recipient)s"), name=_actor(event, say), recipient=to))


def _link_revoked(event: ThreadEvent, say: Say) -> Words:
    return Words("lock", say(_("%(name)s revoked the customer's link"), name=_actor(event, say)))


def _failed(event: ThreadEvent, say: Say) -> Words:
    return Words("warn", say(_("Delivery failed: %(reason)s"), reason=isolated(without_tags(str(event.details.get("words", ""))))))


def _delayed(event: ThreadEvent, say: Say) -> Words:
    return Words("clock", say(_("Not delivered yet: %(reason)s"), reason=isolated(without_tags(str(event.details.get("words", ""))))))


def _refers(event: ThreadEvent, say: Say) -> Words:
    other = named_in(event)
    return Words("info", say(_("The mail refers to thread #%(number)s, in which its sender has no part"), number=other or "--"), other)


def _referred_to(event: ThreadEvent, say: Say) -> Words:
    other = named_in(event)
    words = _("Somebody who has no part in this thread answered it by mail, which began thread #%(number)s")
    return Words("info", say(words, number=other or "--"), other)


def _answers_elsewhere(event: ThreadEvent, say: Say) -> Words:
    address = isolated(str(event.details.get("address", "")))
    return Words("warn", say(_("The mail asks for answers to %(address)s, which is not the address that it came from"), address=address))


def _continued(event: ThreadEvent, say: Say) -> Words:
    other = named_in(event)
    return Words("next", say(_("The customer wrote again long after the closing, which began thread #%(number)s"), number=other or "--"), other)


def _continues(event: ThreadEvent, say: Say) -> Words:
    other = named_in(event)
    return Words("info", say(_("Continues thread #%(number)s, which had been closed for too long"), number=other or "--"), other)


def _question_answered(event: ThreadEvent, say: Say) -> Words:
    score = event.details.get("score")
    words = say(SCORES[score]) if isinstance(score, int) and score in SCORES else "--"
    return Words("check", say(_("The customer answered the closing question: %(score)s"), score=words))


def _of_two(icon: str, words: str) -> Callable[[ThreadEvent, Say], Words]:
    """Return what tells an event that is about another thread too."""

    def tell(event: ThreadEvent, say: Say) -> Words:
        other = named_in(event)
        return Words(icon, say(words, name=_actor(event, say), number=other or "--"), other)

    return tell


def merge_in(event: ThreadEvent) -> int | None:
    """Return the merge or the move that an event tells of."""
    number = event.details.get("merge")
    return number if isinstance(number, int) and event.kind in _UNDOABLE else None


def _reply_held(event: ThreadEvent, say: Say) -> Words:
    why = WHY_HELD.get(str(event.details.get("because", "")), _("Held"))
    return Words("clock", say(_("A reply was not sent. %(why)s"), why=say(why)))


def _reply_discarded(event: ThreadEvent, say: Say) -> Words:
    return Words("delete", say(_("%(name)s discarded a reply that had not been sent"), name=_actor(event, say)))


def _actor(event: ThreadEvent, say: Say) -> str:
    return isolated(event.actor_name) if event.actor_name else say(_("The desk"))


_EVENTS: Mapping[str, Callable[[ThreadEvent, Say], Words]] = {
    "status": _status,
    "assigned": _assigned,
    "type": _type,
    "deleted": _deleted,
    "restored": _restored,
    "spam": _spam,
    "not_spam": _not_spam,
    "blocked": _blocked,
    "unblocked": _unblocked,
    "begun": _begun,
    LINKED: _linked,
    UNLINKED: _unlinked,
    BY_HOST: _by_host,
    "link_revoked": _link_revoked,
    "delivery_failed": _failed,
    "delivery_delayed": _delayed,
    "refers_to": _refers,
    "referred_to": _referred_to,
    "answers_elsewhere": _answers_elsewhere,
    "forwarded": _forwarded,
    "question_answered": _question_answered,
    "reply_held": _reply_held,
    "reply_discarded": _reply_discarded,
    CONTINUED: _continued,
    CONTINUES: _continues,
    MERGED: _of_two("merge", _("%(name)s merged thread #%(number)s into this one")),
    MERGED_INTO: _of_two("merge", _("%(name)s merged this thread into #%(number)s")),
    UNMERGED: _of_two("merge", _("%(name)s undid the merge with thread #%(number)s")),
    UNMERGED_FROM: _of_two("merge", _("%(name)s undid the merge into thread #%(number)s")),
    MOVED_OUT: _of_two("next", _("%(name)s moved messages to thread #%(number)s")),
    MOVED_IN: _of_two("next", _("%(name)s moved messages here from thread #%(number)s")),
    MOVED_BACK: _of_two("next", _("%(name)s moved messages back from thread #%(number)s")),
    MOVED_BACK_FROM: _of_two("next", _("%(name)s moved messages back to thread #%(number)s")),
}
# Events beside which the page offers an undo, once for each thread.
_UNDOABLE = frozenset({MERGED, MOVED_OUT, MOVED_IN})
