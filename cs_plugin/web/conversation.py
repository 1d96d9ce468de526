"""What a thread's page shows of the database: read in a fixed number of queries, then let go, so that nothing is held while the host is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.desk.bench import facts_of_thread
from cs_plugin.desk.holding import WHY_HELD
from cs_plugin.desk.merging import MERGED_INTO
from cs_plugin.rules.facts import ThreadFacts
from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.merging import is_one_customer
from cs_plugin.rules.opinions import SCORES
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import without_tags
from cs_plugin.rules.status import Status
from cs_plugin.store import threads
from cs_plugin.store.bounces import Bounced, bounced_among, bounced_at
from cs_plugin.store.contacts import ContactWords, contact_of, default_contact, list_contacts, standing_for
from cs_plugin.store.employees import seen_employees
from cs_plugin.store.locking import let_go
from cs_plugin.store.merges import merges_among, owner_of
from cs_plugin.store.models import Attachment, Delivery, Message, SurveyAnswer, Thread, ThreadEvent
from cs_plugin.store.opinions import opinions_in
from cs_plugin.store.options import Options, read_options
from cs_plugin.store.persons import person_of
from cs_plugin.store.scope import Scope
from cs_plugin.web.answer_form import beginning
from cs_plugin.web.happenings import CHANNELS, Say, Words, event_words, merge_in, message_words, why_here
from cs_plugin.web.linked_text import linked
from cs_plugin.web.mail_words import how_read
from cs_plugin.web.predefined_choice import Offered, offered_in

AT_ONCE = 50           # messages on one page
_MOST_EVENTS = 200     # events between them
_OTHER_THREADS = 5


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a message; `size` counts bytes. `pictured` says that the page shows it as a small picture."""

    id: int
    name: str
    size: int
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class HeldReply:
    """A reply that the customer does not have yet: when it leaves, None for one that is held, and why; `later` where somebody chose that moment."""

    leaves_at: dt.datetime | None
    later: bool
    why: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as the page shows it. `side` is "customer", "employee", "note" or "other"; `way` and `why` are in the employee's language.

    `automatic` marks a machine's; `by_mail` says that the mail is kept as it came, `has_html` that its HTML is; `how_read` what was seen while it was
    read, `was_cut` that a part of it is not shown. `bounced` says of a mail that failed that it had left, and came back. `held` stands on a reply
    that is not released.
    """

    id: int
    at: dt.datetime
    side: str
    author: str
    icon: str
    way: str
    why: str
    product: str
    text: str
    quoted: str
    language: str
    files: tuple[ShownFile, ...]
    cc: tuple[str, ...]
    delivery: Delivery
    delivery_text: str
    delivered_at: dt.datetime | None
    automatic: bool = False
    was_cut: bool = False
    how_read: tuple[str, ...] = ()
    by_mail: bool = False
    has_html: bool = False
    bounced: bool = False
    held: HeldReply | None = None

    @property
    def linked_text(self) -> Markup:
        """Return the text with its web addresses as links."""
        return linked(self.text)

    @property
    def linked_history(self) -> Markup:
        """Return what the text quotes likewise."""
        return linked(self.quoted)

    @property
    def initials(self) -> str:
        """Return up to two letters that stand for the author."""
        return initials(self.author)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the conversation: a message, or an event in a sentence; `words` also stand for a message in the timeline.

    `thread` is another thread that an event is about and that can be opened; `undo` the merge or the move that it tells of and that can be undone.
    """

    at: dt.datetime
    icon: str
    words: str
    message: ShownMessage | None = None
    thread: int | None = None
    undo: int | None = None


@dataclass(frozen=True, slots=True)
class OtherThread:
    """Another thread of the same customer; `mergeable` says that it can be merged with the one that is shown."""

    id: int
    status: Status
    subject: str
    at: dt.datetime
    mergeable: bool


@dataclass(frozen=True, slots=True)
class ShownOpinion:
    """What the customer said to a closing question: the score and its words, and a comment, which may be empty."""

    score: int
    words: str
    comment: str
    at: dt.datetime
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that the page shows and the database knows.

    `bounced` is the newest mail to the customer's address that came back, where nothing has arrived there or come from there since.
    `entries` stand oldest first. `earlier` is the message before which more can be shown, None where the beginning is on the page. `begins_after` and
    `ends_at` bound the page in time; None where it reaches to the beginning or to now.
    """

    facts: ThreadFacts
    customer_name: str
    customer_verified: bool
    entries: tuple[Entry, ...]
    earlier: int | None
    begins_after: dt.datetime | None
    ends_at: dt.datetime | None
    newest_id: int
    contacts: tuple[ContactWords, ...]
    contact: ContactWords | None
    seen_employees: tuple[Employee, ...]
    others: tuple[OtherThread, ...]
    person: str | None
    threads_of_customer: int
    open_of_customer: int
    options: Options
    beginning: str
    offered: tuple[Offered, ...]
    opinions: tuple[ShownOpinion, ...]
    bounced: Bounced | None = None

    @property
    def mailed_by(self) -> ContactWords | None:
        """Return the contact that the thread's mails come from, and whose switches hold: its own, else the one that stands for its shop."""
        return self.contact or standing_for(self.contacts)

    def sends(self, mail: str) -> bool:
        """Say whether the mail of that name is switched on for this thread."""
        return self.mailed_by is None or self.mailed_by.sends(mail)

    @property
    def shows_newest(self) -> bool:
        """Say whether the page reaches to the end of the conversation."""
        return self.ends_at is None

    @property
    def has_customer_text(self) -> bool:
        """Say whether the page shows anything of the customer's that an answer could quote."""
        return any(entry.message is not None and entry.message.side == "customer" and entry.message.text.strip() for entry in self.entries)

    @property
    def addressee(self) -> str:
        """Return the customer's name, else the address."""
        return self.customer_name or self.facts.address


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the page: a language for its words, and the host's default language for texts that miss that one."""

    language: str
    default_language: str
    say: Say


def read_sheet(
    session: Session, scope: Scope, thread_id: int, shop_of: dict[str, Shop], reader: Reader, *, before: int | None = None
) -> Sheet | None:
    """Read a thread of the scope with its newest messages, or those before a message; None where it is not this person's to see.

    The transaction of the session is over when this returns.
    """
    thread = threads.get(session, scope, thread_id)
    sheet = None if thread is None else _sheet(session, scope, thread, shop_of, reader, before)
    let_go(session)
    return sheet


def _sheet(session: Session, scope: Scope, thread: Thread, shop_of: dict[str, Shop], reader: Reader, before: int | None) -> Sheet:
    loaded = threads.messages(session, scope, thread.id, newest=AT_ONCE + 1, before=before)
    if before is not None and not loaded:
        before = None
        loaded = threads.messages(session, scope, thread.id, newest=AT_ONCE + 1)
    left_out, shown = (loaded[0], loaded[1:]) if len(loaded) > AT_ONCE else (None, loaded)
    begins_after = left_out.created_at if left_out else None
    ends_at = shown[-1].created_at if before is not None and shown else None
    happened = threads.events(session, scope, thread.id, newest=_MOST_EVENTS, after=begins_after, until=ends_at)
    came_back = bounced_among(happened)
    ranked = [(message.created_at, 1, message.id, _entry(message, reader.say, bounced=message.id in came_back)) for message in shown]
    told = [(event, words) for event in happened for words in [event_words(event, reader.say)] if not _is_told_here(event, words, thread.id)]
    named = {words.thread for _event, words in told if words.thread is not None}
    openable = threads.among(session, scope, named) if named else set()
    undoable = merges_among(session, scope, told_merges) if (told_merges := {one for event, _words in told if (one := merge_in(event))}) else set()
    for event, words in told:
        # What happened at the moment of a message follows it; only who takes a thread by a reply has it before they reply.
        rank = 0 if event.details.get("because") == "first_reply" else 2
        ranked.append((event.created_at, rank, event.id, _told(event, words, openable, undoable, thread.id)))
    owner = owner_of(thread)
    total, opened = threads.counts_of_person(session, scope, thread)
    in_its_language = thread.language, reader.default_language
    signer = contact_of(session, thread.shop_id, thread.contact_id, *in_its_language) or default_contact(session, thread.shop_id, *in_its_language)
    options = read_options(session, shop_of.get(thread.shop_id, Shop(thread.shop_id, "")))
    return Sheet(
        facts=facts_of_thread(thread),
        customer_name=thread.customer_name,
        customer_verified=thread.customer_verified,
        entries=tuple(entry for *_key, entry in sorted(ranked, key=lambda one: one[:3])),
        earlier=shown[0].id if left_out and shown else None,
        begins_after=begins_after,
        ends_at=ends_at,
        newest_id=shown[-1].id if shown else 0,
        contacts=tuple(list_contacts(session, [thread.shop_id], reader.language, reader.default_language, with_inactive=True)),
        contact=contact_of(session, thread.shop_id, thread.contact_id, reader.language, reader.default_language),
        seen_employees=tuple(seen_employees(session)),
        others=tuple(
            OtherThread(other.id, other.status, other.subject, other.last_customer_at or other.created_at, is_one_customer(owner, owner_of(other)))
            for other in threads.others_of(session, scope, thread, limit=_OTHER_THREADS)
        ),
        person=person_of(thread),
        threads_of_customer=total,
        open_of_customer=opened,
        options=options,
        beginning=beginning(_default_message(options, thread.language, reader.default_language), signer.signature if signer else ""),
        offered=offered_in(session, thread.shop_id, reader.language, thread.language, reader.default_language),
        opinions=tuple(_opinion(one, reader.say) for one in opinions_in(session, scope, thread.id)),
        bounced=bounced_at(session, scope, thread),
    )


def _is_told_here(event: ThreadEvent, words: Words, shown_id: int) -> bool:
    """Say whether an event is that of a merged thread which says that it leads here: the thread that is shown tells of the same merge itself."""
    return event.kind == MERGED_INTO and event.thread_id != shown_id and words.thread == shown_id


def _told(event: ThreadEvent, words: Words, openable: Collection[int], undoable: Collection[int], shown_id: int) -> Entry:
    # What happened to a thread that has been merged into this one says so.
    text = words.text if event.thread_id == shown_id else f"#{event.thread_id}: {words.text}"
    merge = merge_in(event)
    other = words.thread if words.thread in openable and words.thread != shown_id else None
    return Entry(event.created_at, words.icon, text, thread=other, undo=merge if merge in undoable else None)


def _opinion(answer: SurveyAnswer, say: Say) -> ShownOpinion:
    words = say(SCORES[answer.score]) if answer.score in SCORES else ""
    return ShownOpinion(answer.score, words, answer.comment, answer.created_at, answer.message_id)


def _default_message(options: Options, language: str, default_language: str) -> str:
    own = options.text("default_message", language, default_language)
    return own if own is not None else i18n.gettext(language, str(BY_NAME["default_message"].default))


def _entry(message: Message, say: Say, *, bounced: bool) -> Entry:
    words = message_words(message, say)
    return Entry(message.created_at, words.icon, words.text, message_shown(message, say, bounced=bounced))


def message_shown(message: Message, say: Say, *, bounced: bool = False) -> ShownMessage:
    """Return a message as an employee sees it; `say` speaks their language."""
    icon, way = CHANNELS[message.channel]
    return ShownMessage(
        id=message.id,
        at=message.created_at,
        side="note" if message.private else _SIDES.get(message.author_kind, "other"),
        author=message.author_name or message.author_address or say("Customer"),
        icon=icon,
        way=say(way) if message.author_kind is not AuthorKind.EMPLOYEE or message.channel is Channel.MAIL else "",
        why=why_here(message, say),
        automatic=message.author_kind is AuthorKind.MACHINE,
        by_mail=message.original_blob_id is not None,
        has_html=message.html_blob_id is not None,
        bounced=bounced,
        was_cut=how_read(message.signs)[0],
        how_read=tuple(map(say, how_read(message.signs)[1])),
        product=message.product_name,
        text=message.text,
        quoted=message.quoted or "",
        language=message.language,
        files=tuple(ShownFile(one.id, one.name, one.size, _is_pictured(one)) for one in message.attachments),
        cc=tuple(message.cc or ()),
        delivery=message.delivery,
        # A server repeats the address that it refuses, and the sender's may be the tagged one.
        delivery_text=without_tags(message.delivery_text),
        delivered_at=message.delivered_at,
        held=_held(message, say) if message.delivery is Delivery.HELD else None,
    )


def _held(message: Message, say: Say) -> HeldReply:
    release = message.release or {}
    why = WHY_HELD.get(str(release.get("because", "")), "")
    return HeldReply(message.release_due_at, bool(release.get("later")), say(why) if why else "")


def _is_pictured(file: Attachment) -> bool:
    return file.content_type in _PICTURES and 0 < file.size <= _LARGEST_PICTURE


# What a browser draws and nothing in it runs. A larger one is downloaded by whoever wants to see it.
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_LARGEST_PICTURE = 2_000_000
_SIDES = {AuthorKind.CUSTOMER: "customer", AuthorKind.EMPLOYEE: "employee"}


def initials(name: str) -> str:
    """Return the first letters of the first two words of a name; one letter of an address."""
    return "".join(word[0] for word in name.split() if word[0].isalnum())[:2].upper() or "?"
