"""Every surface of the desk as a row: how it is asked, and what it may show. Whoever adds a page, a function or a command adds a row here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import url_for
from sqlalchemy import delete
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.desk import Answer, Bench, Target
from cs_plugin.rules.incoming import IncomingMail
from cs_plugin.rules.people import Customer
from cs_plugin.rules.periods import Period
from cs_plugin.rules.permissions import Actor
from cs_plugin.rules.signing import TagKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import (
    blocked,
    bounces,
    contacts,
    daily,
    deliveries,
    figures,
    files,
    known_customers,
    list_rows,
    locking,
    mail_clues,
    mail_html,
    matches,
    matching,
    merges,
    notices,
    opinions,
    order_threads,
    packed_days,
    predefined,
    presence,
    ranges,
    reopening,
    reports,
    sorting,
    tally,
    threads,
    totals,
    undelivered,
    walk,
)
from cs_plugin.store import set_aside_settling as settling
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import ContactShop, ListRange, Merge, PackMark, PredefinedShop, Thread, ThreadEvent
from cs_plugin.store.ranges import Counted
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import Ranks, Sort
from cs_plugin.web.posting import FormKey
from tests.hosts.store import JAN
from tests.hosts.writing import look
from tests.leaks.world import CONTEXTS, SHOPS, TEXTS, WORDS, Thing, Who, World, changed, dump, strangers_in, words_in, words_of

MISSING = 987_654
SHOP_WORDS = frozenset({"Paris", "Berlin", "Dubai"})
# A page is asked in all contexts where it lists what it lists, and in these where it is searched, or shows one thing.
FEW_CONTEXTS = ("all", "group-1", "shop-3")
# What is under the bell stands on every page, whatever else the page shows; it has a check of its own.
_BELL = re.compile(r'<form class="cs-bell-list".*?</form>', re.DOTALL)
_MENU_ASIDE = re.compile(r"Set aside&nbsp;<bdi>\((\d+)\)")
_MENU = re.compile(r"Failed mails&nbsp;<bdi>\((\d+)\)")


def without_bell(text: str) -> str:
    """Return a page without what is under its bell."""
    return _BELL.sub("", text)


def path(world: World, endpoint: str, values: Mapping[str, Any]) -> str:
    """Return the address of an endpoint."""
    with world.store.app.test_request_context():
        return url_for(endpoint, **values)


def in_the_folder(folder: str, **about: Any) -> Callable[[Who, Thing], bool]:
    """Return what holds for threads of a folder about which this is true."""
    return lambda _who, thing: thing.folder == folder and all(thing.about.get(name, False) == value for name, value in about.items())


# --- Lists: what a page shows follows the context ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A page that lists things of the shops of the context in which `needs` is held; `opens` is what lets somebody in at all.

    It is asked in `contexts`. `rows` finds ids of what is listed, `total` the number that the page tells. `words` may be read there: exactly those
    of the context's shops in which `wordy` is held.
    """

    endpoint: str
    kind: str
    rows: str
    query: Mapping[str, str] | Callable[[World], Mapping[str, str]] = field(default_factory=dict)
    needs: str = "view"
    opens: str = "view"
    wordy: str = "view"
    words: frozenset[str] = TEXTS
    total: str = ""
    contexts: Sequence[str] = FEW_CONTEXTS
    holds: Callable[[Who, Thing], bool] = lambda _who, _thing: True

    def leaks(self, world: World, who: Who, context: str) -> Iterator[str]:
        """Yield what the page shows and should not, or hides."""
        query = self.query(world) if callable(self.query) else self.query
        answer = client_of(world, who).get(path(world, self.endpoint, {**query, "shop": context}))
        yield from strangers_in(answer.text, who.may("view"))
        if not who.may(self.opens):
            if answer.status_code != 403:
                yield f"status {answer.status_code}, not 403"
            return
        if answer.status_code != 200:
            yield f"status {answer.status_code}"
            return
        yield from menu_leaks(world, who, answer.text)
        listed = {thing.id for thing in world.of(self.kind) if thing.shops & who.scope(self.needs, context) and self.holds(who, thing)}
        text = without_bell(answer.text)
        shown = {int(one) for one in re.findall(self.rows, text)}
        if shown != listed:
            yield f"shows {sorted(shown - listed)} and hides {sorted(listed - shown)}"
        if self.total:
            told = re.findall(self.total, text)
            if (int(told[0]) if told else 0) != len(listed):
                yield f"counts {told}, not {len(listed)}"
        read, due = words_in(text) & TEXTS, words_of(who.scope(self.wordy, context), self.words)
        if read != due:
            yield f"reads {sorted(read)}, not {sorted(due)}"


_THREADS = r'cs-thread-id"><a href="/cs-admin/customer-service/(\d+)/'
_TOTAL = r'cs-total">(\d+) '


def _threads(query: Mapping[str, str] | Callable[[World], Mapping[str, str]], needs: str = "view", **about: Any) -> Listing:
    contexts = tuple(CONTEXTS) if not query else FEW_CONTEXTS
    holds = about.pop("holds", None) or in_the_folder(about.pop("folder", "list"), **about)
    return Listing("cs_threads.index_view", "thread", _THREADS, query, needs=needs, total=_TOTAL, contexts=contexts, holds=holds)


def _of_contact(which: Callable[[Thing], bool]) -> Callable[[World], Mapping[str, str]]:
    return lambda world: {"type": str(next(one.id for one in world.of("contact") if which(one)))}


LISTINGS: Mapping[str, Listing] = {
    "threads": _threads({}),
    "threads, counted": replace(_threads({}), total=r'data-figure="threads">(\d+)<'),
    "threads, mine": _threads({"view": "mine"}, holds=lambda who, one: one.assigned and one.status != "closed" and who.employee.id == "1"),
    "threads, unassigned": _threads(
        {"view": "unassigned"}, holds=lambda _who, one: one.folder == "list" and not one.assigned and one.status != "closed"
    ),
    "threads, waiting": _threads(
        {"view": "waiting"}, holds=lambda _who, one: one.folder == "list" and one.status == "open" and "main" not in one.about
    ),
    "threads, spam": _threads({"view": "spam"}, folder="spam"),
    "threads, bin": _threads({"view": "bin"}, "delete", folder="bin"),
    "threads, by message": _threads({"message": "parcel", "sort": "customer"}),
    "threads, by address": _threads({"email": JAN.email, "sort": "-type"}, jan=True),
    "threads, by name": _threads({"customer": "Kowalski", "sort": "last_message"}, jan=True),
    "threads, by everything": _threads({"q": "Kowalski", "sort": "-customer"}, jan=True),
    "threads, by short words": _threads({"q": "@"}),
    "threads, by status": _threads({"status": "closed", "sort": "employee"}, status="closed"),
    "threads, private": _threads({"private": "yes", "sort": "message"}, private=True),
    "threads, by employee": _threads({"employee": "Marie", "sort": "email"}, assigned=True),
    "threads, by language": _threads({"language": "fr", "sort": "language"}, status="pending1"),
    "threads, by day": _threads({"from": "2026-11-20", "to": "2026-11-22", "sort": "waiting"}),
    "threads, no type": _threads(
        {"type": "none"}, holds=lambda _who, one: one.folder == "list" and bool({"ordered", "strayed"} & set(one.about))
    ),
    "threads, by the id of one in Dubai": _threads(
        lambda world: {"id": str(_main(world, "3").id)}, holds=lambda _who, one: "main" in one.about and one.shop == "3"
    ),
    "threads, exported": Listing(
        "cs_threads.export_csv", "thread", r"\n(\d+),", needs="export", opens="export", wordy="export",
        words=TEXTS - {"strayed"}, contexts=tuple(CONTEXTS), holds=in_the_folder("list"),
    ),
    "contacts": Listing(
        "cs_contacts.index_view", "contact", r'href="/cs-admin/customer-service-contacts/(\d+)/[^d]',
        needs="configure", opens="configure", wordy="configure", contexts=tuple(CONTEXTS),
    ),
    "predefined messages": Listing(
        "cs_predefined.index_view", "predefined", r'href="/cs-admin/customer-service-predefined-messages/(\d+)/[^d]',
        needs="configure", opens="configure", wordy="configure", words=TEXTS - {"strayed"}, contexts=tuple(CONTEXTS),
    ),
    "predefined messages, by name": Listing(
        "cs_predefined.index_view", "predefined", r'href="/cs-admin/customer-service-predefined-messages/(\d+)/[^d]',
        {"name": "name", "sort": "name"}, needs="configure", opens="configure", wordy="configure", words=TEXTS - {"strayed"},
    ),
    "failed mails": Listing(
        "cs_failed_mails.index_view", "mail", r'href="/cs-admin/customer-service-failed-mails/(\d+)/[^d]',
        words=SHOP_WORDS, total=r"(\d+) failed mail", contexts=tuple(CONTEXTS),
    ),
    "mailboxes": Listing(
        "cs_mailboxes.index_view", "mailbox", r'cs-mailbox-name"><a href="/cs-admin/customer-service-mailboxes/(\d+)/',
        needs="configure", opens="configure", wordy="configure", words=SHOP_WORDS, contexts=tuple(CONTEXTS),
    ),
    "mails set aside": Listing(
        "cs_set_aside.index_view", "aside", r'cs-aside-what"><a href="/cs-admin/customer-service-set-aside/(\d+)/',
        words=SHOP_WORDS, total=r"(\d+) mails? set aside", contexts=tuple(CONTEXTS),
    ),
}  # fmt: skip


def _main(world: World, shop_id: str) -> Thing:
    return next(one for one in world.of("thread", main=True) if one.shop == shop_id)


def client_of(world: World, who: Who) -> Any:
    """Return a new browser of somebody."""
    return world.store.client(employee=who.employee)


def menu_leaks(world: World, who: Who, text: str) -> Iterator[str]:
    """Yield what is wrong with the number of failed mails in the menu, which follows the grants and not the context."""
    told, due = _MENU.findall(text), len([one for one in world.of("mail") if one.shops & who.may("view")])
    if told and int(told[0]) != due:
        yield f"the menu counts {told[0]} failed mails, not {due}"
    aside, kept = _MENU_ASIDE.findall(text), len([one for one in world.of("aside") if one.shops & who.may("view")])
    if aside and int(aside[0]) != kept:
        yield f"the menu counts {aside[0]} mails set aside, not {kept}"


# --- Direct addresses: what is not theirs answers as what is not there ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Direct:
    """A page of one thing, which an employee who holds `needs` in a shop of it may see; for anybody else it is as if it were not there.

    `values` are those of its address. What `follows` the context shows nothing outside it but the way there. A page that is `exact` shows the thing
    itself, and `besides` what of these its own shops have; any other shows more: all of it from shops of the context.
    """

    endpoint: str
    kind: str
    values: Callable[[Thing], Mapping[str, Any]]
    needs: str = "view"
    opens: str = "view"
    follows: bool = False
    exact: bool = True
    besides: frozenset[str] = frozenset()
    only: Callable[[Thing], bool] = lambda _thing: True

    def address(self, world: World, thing: Thing, context: str) -> str:
        """Return the address of a thing."""
        return path(world, self.endpoint, {**self.values(thing), "shop": context})

    def contexts(self, who: Who, thing: Thing) -> Sequence[str]:
        """Return the contexts in which it is asked: one is enough where it is refused."""
        return FEW_CONTEXTS if thing.shops & who.may(self.needs) else FEW_CONTEXTS[:1]

    def leaks(self, world: World, who: Who, thing: Thing, context: str) -> Iterator[str]:
        """Yield what is wrong with the answer."""
        answer = client_of(world, who).get(self.address(world, thing, context))
        yield from strangers_in(answer.text + str(answer.headers), who.may("view"))
        if not who.may(self.opens):
            if answer.status_code != 403:
                yield f"status {answer.status_code}, not 403"
        elif not thing.shops & who.may(self.needs):
            nothing = client_of(world, who).get(self.address(world, elsewhere(thing), context))
            if told(answer, thing) != told(nothing, elsewhere(thing)):
                yield f"answers otherwise than what is not there: {answer.status_code}, {nothing.status_code}"
        elif answer.status_code != 200:
            yield f"status {answer.status_code} for what is theirs"
        else:
            yield from menu_leaks(world, who, answer.text)
            yield from self._wrong_words(who, thing, context, without_bell(answer.text))

    def _wrong_words(self, who: Who, thing: Thing, context: str, text: str) -> Iterator[str]:
        read, scope = words_in(text) & TEXTS, who.scope("view", context)
        if self.follows and not thing.shops & scope:
            if read or "Switch to" not in text:
                yield f"outside the context it reads {sorted(read)}"
            return
        if own_words(thing) and not read & own_words(thing):
            yield "its own words are not there"
        if self.exact and read - (own_words(thing) | words_of(thing.shops, self.besides)):
            yield f"reads {sorted(read - own_words(thing))} besides"
        if not self.exact and read - words_of(scope):
            yield f"reads {sorted(read - words_of(scope))} of outside the context"


def own_words(thing: Thing) -> frozenset[str]:
    """Return the words that a thing was planted with; what everybody has holds none."""
    if thing.about.get("first"):
        return frozenset()
    if thing.about.get("shared"):
        return frozenset({"shared"})
    if thing.kind == "contact" and thing.about.get("strayed"):
        return frozenset({"strayed"})
    return frozenset(key for key in SHOP_WORDS if WORDS[key][1] == thing.shops)


def elsewhere(thing: Thing) -> Thing:
    """Return a thing like this one that is not there."""
    about = {**thing.about, **{name: MISSING for name in ("thread", "message") if thing.about.get(name) is not None}}
    return Thing(thing.kind, str(MISSING) if isinstance(thing.id, str) else MISSING, thing.shops, about)


def told(answer: Any, *things: Thing) -> tuple[Any, ...]:
    """Return what an answer tells, whichever of these things it is about: their ids are left out where an address or a form holds them."""
    ours = {name for thing in things for name in (str(thing.id), *(str(thing.about[one]) for one in ("thread", "message") if thing.about.get(one)))}
    named = re.compile(r"(?<=[/=\"#])(" + "|".join(map(re.escape, sorted(ours, key=len, reverse=True))) + r")(?![\d.])")
    body = re.sub(r'name="(csrf_token|post_key)" value="[^"]*"', "", without_bell(answer.text))
    return answer.status_code, named.sub("#", answer.headers.get("Location", "")), named.sub("#", body), answer.headers.get("ETag")


def _of_another_kind(thing: Thing) -> bool:
    """Leave out the threads that are like another one."""
    return bool({"main", "strayed", "ordered"} & set(thing.about)) or thing.folder != "list"


DIRECTS: Mapping[str, Direct] = {
    "a thread": Direct("cs_threads.thread_page", "thread", lambda one: {"thread_id": one.id}, follows=True, exact=False, only=_of_another_kind),
    "a file": Direct(
        "cs_threads.thread_file", "file", lambda one: {"thread_id": one.thread, "message_id": one.message, "attachment_id": one.id}
    ),
    "merging a thread": Direct(
        "cs_threads.thread_merge", "thread", lambda one: {"thread_id": one.id}, "reply", only=_of_another_kind
    ),
    "moving a message": Direct("cs_threads.thread_move", "file", lambda one: {"thread_id": one.thread, "message_id": one.message}, "reply"),
    "a mail as it came": Direct(
        "cs_threads.thread_original", "file", lambda one: {"thread_id": one.thread, "message_id": one.message}, "reply"
    ),
    "a mail as it was sent": Direct("cs_threads.thread_html", "file", lambda one: {"thread_id": one.thread, "message_id": one.message}),
    "how far a mail is": Direct(
        "cs_threads.thread_deliveries", "mail", lambda one: {"thread_id": one.thread, "message": one.message}, only=lambda one: one.thread is not None
    ),
    "a contact": Direct(
        "cs_contacts.edit", "contact", lambda one: {"number": one.id}, "configure", "configure"
    ),
    "taking a contact out": Direct(
        "cs_contacts.remove", "contact", lambda one: {"number": one.id}, "configure", "configure"
    ),
    "a predefined message": Direct("cs_predefined.edit", "predefined", lambda one: {"number": one.id}, "configure", "configure"),
    "taking a predefined message out": Direct("cs_predefined.remove", "predefined", lambda one: {"number": one.id}, "configure", "configure"),
    "a failed mail": Direct("cs_failed_mails.mail", "mail", lambda one: {"item_id": one.id}),
    "a mailbox": Direct(
        "cs_mailboxes.edit", "mailbox", lambda one: {"mailbox_id": one.id}, "configure", "configure", besides=frozenset({"shared", "strayed"})
    ),
    "deleting a mailbox": Direct("cs_mailboxes.remove", "mailbox", lambda one: {"mailbox_id": one.id}, "configure", "configure"),
    "the runs of a mailbox": Direct("cs_mailboxes.sync_page", "mailbox", lambda one: {"mailbox_id": one.id}, "configure", "configure"),
    "a mail set aside": Direct("cs_set_aside.mail", "aside", lambda one: {"mail_id": one.id}),
    "the original of a mail set aside": Direct("cs_set_aside.download", "aside", lambda one: {"mail_id": one.id}, "reply"),
    "an order": Direct("cs_orders.index_view", "order", lambda one: {"order": one.id}, besides=frozenset({"shared"})),
}

# Asked by GET with a thing, and answered with a question or with a way; each has a check of its own in tests/test_leaks.py, named here.
OTHER_PAGES: Mapping[str, str] = {
    "cs_threads.delete_one": "test_a_question_before_deleting_names_no_thread_of_another_shop",
    "cs_failed_mails.ask": "test_a_question_before_discarding_names_no_mail_of_another_shop",
    "cs_set_aside.ask": "test_a_question_before_discarding_names_no_mail_of_another_shop",
    "cs_mailboxes.new": "test_a_new_thing_is_offered_the_shops_that_are_theirs_to_configure",
    "cs_mailboxes.test": "test_a_connection_test_is_its_employees_own",
    "cs_mailboxes.sync_now": "test_how_far_a_run_is_stays_with_those_who_configure_its_shop",
    "cs_mailboxes.authorised": "test_who_comes_back_from_a_provider_authorises_what_is_theirs",
    "cs_threads.longest_waiting_of": "test_the_thread_that_waited_longest_is_of_the_context",
    "cs_threads.blocked_senders": "test_blocked_senders_are_listed_in_their_own_shops",
    "cs_threads.new_message": "test_a_conversation_is_begun_only_in_shops_where_they_may_answer",
    "cs_threads.next_unanswered": "test_the_next_unanswered_thread_is_of_the_context",
    "cs_threads.bulk_jobs": "test_bulk_actions_are_told_to_their_own_employee",
    "cs_figures.index_view": "test_figures_of_a_period_are_those_of_the_context",
    "cs_figures.export_table": "test_figures_of_a_period_are_those_of_the_context",
    "cs_threads.views": "test_saved_views_are_their_employees_own",
    "cs_threads.view_counts": "test_views_count_what_is_theirs",
    "cs_contacts.new": "test_a_new_thing_is_offered_the_shops_that_are_theirs_to_configure",
    "cs_predefined.new": "test_a_new_thing_is_offered_the_shops_that_are_theirs_to_configure",
    "cs_options.index_view": "test_options_show_what_the_context_has",
    "cs_options.test": "test_a_connection_test_is_its_employees_own",
    "cs_permissions.index_view": "test_the_page_of_permissions_names_no_shop_that_is_out_of_sight",
    "cs_bell.index_view": "test_the_bell_rings_for_its_context_alone",
    "cs_bell.news": "test_the_bell_rings_for_its_context_alone",
    "cs_admin.index": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_threads.sql_query": "test_the_query_of_a_list_is_of_its_employees_shops",
    "cs_threads.sql_manager": "test_the_query_of_a_list_is_of_its_employees_shops",
    "cs_sql.index_view": "test_the_sql_manager_is_for_those_who_see_every_shop",
}


# --- Deeds: a POST on what is not theirs changes no row ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """A form about one thing. It takes `needs` in the thing's shop (in `every` one of them); whoever lacks it changes nothing at all.

    Whoever does not even hold `sees` is answered as for what is not there. A form that `makes` something makes it in no shop that is not theirs.
    """

    endpoint: str
    kind: str
    form: Callable[[Thing], Mapping[str, Any]]
    needs: str
    values: Callable[[Thing], Mapping[str, Any]] = lambda _thing: {}
    sees: str = "view"
    only: Callable[[Thing], bool] = lambda _thing: True
    makes: type[ContactShop] | type[PredefinedShop] | None = None

    def post(self, world: World, who: Who, thing: Thing) -> Any:
        """Post the form, and return the answer with the sentences that wait for the next page."""
        context = f"shop-{min(thing.shops)}"
        client = client_of(world, who)
        with world.store.app.test_request_context():
            key = str(FormKey.new(world.store.clock()))
            address = url_for(self.endpoint, **self.values(thing), shop=context)
        answer = client.post(address, data={"post_key": key, **self.form(thing)})
        with client.session_transaction() as session:
            said = [words for _category, words in session.get("_flashes", ())]
        return answer, said

    def leaks(self, world: World, who: Who, thing: Thing) -> Iterator[str]:
        """Yield what somebody who may not do this has changed or learned."""
        before = dump(world.store)
        answer, said = self.post(world, who, thing)
        yield from strangers_in(answer.text + str(answer.headers) + "".join(said), who.may("view"))
        after = dump(world.store)
        if self.makes is not None:
            made = set(after[self.makes.__tablename__]) - set(before[self.makes.__tablename__])
            yield from (f"makes {row}" for row in sorted(made) if not any(f"'{shop}'" in row for shop in who.may(self.needs)))
        elif different := changed(before, after):
            yield f"changes {different}"
        if answer.status_code >= 500 or (not who.may("view") and answer.status_code != 403):
            yield f"status {answer.status_code}"
        if self.makes is None and not thing.shops & who.may(self.sees):
            nothing, said_of_nothing = self.post(world, who, elsewhere(thing))
            both = thing, elsewhere(thing)
            if (told(answer, *both), said) != (told(nothing, *both), said_of_nothing):
                yield f"answers otherwise than for what is not there: {answer.status_code} {said}, {nothing.status_code} {said_of_nothing}"

    def is_theirs(self, who: Who, thing: Thing) -> bool:
        """Say whether somebody may do this."""
        return bool(thing.shops & who.may(self.needs))


def _one(thing: Thing) -> Mapping[str, Any]:
    return {"thread_id": thing.id}


def _plain(thing: Thing) -> bool:
    return thing.about.get("main", False)


def _words(prefixes: tuple[str, ...], **more: Any) -> Callable[[Thing], Mapping[str, Any]]:
    return lambda thing: {**{f"{prefix}-en": "changed" for prefix in prefixes}, "shops": sorted(thing.shops), **more}


def _of_one_shop(thing: Thing) -> bool:
    return len(thing.shops) == 1 and not thing.about


_PLACED = {"position": "0", "active": "y"}
_MAILBOX = {
    "name": "changed", "protocol": "imap", "server": "other.example", "port": "993", "username": "changed", "password": "changed", "contact_id": "",
    "sign_in": "", "folder": "", "afterwards": "leave",
}  # fmt: skip
_OF_LIST = "cs_threads.{}".format


def _held(one: Thing) -> Mapping[str, Any]:
    return {"thread_id": one.thread, "message_id": one.message}


DEEDS: Mapping[str, Deed] = {
    "reply": Deed(_OF_LIST("thread_page"), "thread", lambda _one: {"text": "changed", "then": "close", "seen": 999_999}, "reply", _one, only=_plain),
    "note": Deed(_OF_LIST("thread_page"), "thread", lambda _one: {"note": "changed", "then": "note"}, "reply", _one, only=_plain),
    "status": Deed(_OF_LIST("thread_status"), "thread", lambda _one: {"status": "pending2"}, "reply", _one, only=_plain),
    "assignee": Deed(_OF_LIST("thread_assignee"), "thread", lambda _one: {"assignee": "1"}, "reply", _one, only=_plain),
    "forward": Deed(
        _OF_LIST("thread_forward"), "thread", lambda _one: {"target": "else", "address": "a@example.com", "comment": "changed"}, "reply", _one,
        only=_plain,
    ),
    "type": Deed(_OF_LIST("thread_type"), "thread", lambda _one: {"contact": ""}, "reply", _one, only=_plain),
    "retry": Deed(
        _OF_LIST("thread_retry"), "mail", lambda _one: {}, "reply", lambda one: {"thread_id": one.thread, "message_id": one.message},
        only=lambda one: one.thread is not None,
    ),
    "draft": Deed(_OF_LIST("thread_draft"), "thread", lambda _one: {"text": "changed", "draft": "save"}, "reply", _one, only=_plain),
    "discard a draft": Deed(_OF_LIST("thread_draft"), "thread", lambda _one: {"draft": "discard"}, "reply", _one, only=_plain),
    "presence": Deed(_OF_LIST("thread_presence"), "thread", lambda _one: {}, "view", _one, only=_plain),
    "undo of a reply": Deed(_OF_LIST("thread_undo"), "held", lambda _one: {}, "reply", _held),
    "a reply sent before its time": Deed(_OF_LIST("thread_send_now"), "held", lambda _one: {}, "reply", _held),
    "a reply discarded": Deed(_OF_LIST("thread_discard"), "held", lambda _one: {}, "reply", _held),
    "revoke": Deed(_OF_LIST("thread_revoke"), "thread", lambda _one: {}, "reply", _one, only=_plain),
    "restore": Deed(_OF_LIST("thread_restore"), "thread", lambda _one: {}, "delete", _one, only=lambda one: one.folder == "bin"),
    "spam": Deed(_OF_LIST("thread_spam"), "thread", lambda _one: {}, "reply", _one, only=_plain),
    "block": Deed(_OF_LIST("thread_block"), "thread", lambda _one: {}, "reply", _one, only=_plain),
    "unblock": Deed(_OF_LIST("thread_unblock"), "thread", lambda _one: {}, "reply", _one, only=lambda one: one.folder == "spam"),
    "not spam": Deed(_OF_LIST("thread_not_spam"), "thread", lambda _one: {}, "reply", _one, only=lambda one: one.folder == "spam"),
    "status in the row": Deed(
        _OF_LIST("save_status"), "thread", lambda one: {"save": one.id, f"status-{one.id}": "pending2"}, "reply", only=_plain
    ),
    "status of a selection": Deed(_OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "pending2"}, "reply", only=_plain),
    "delete a selection": Deed(_OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "delete"}, "delete", only=_plain),
    "delete": Deed(_OF_LIST("delete_one"), "thread", lambda one: {"thread": one.id}, "delete", only=_plain),
    "assign a selection": Deed(
        _OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "assign", "assignee": "1"}, "reply", only=_plain
    ),
    "not spam of a selection": Deed(
        _OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "not_spam"}, "reply", only=lambda one: one.folder == "spam"
    ),
    "spam of a selection": Deed(_OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "spam"}, "reply", only=_plain),
    "block the senders of a selection": Deed(
        _OF_LIST("bulk"), "thread", lambda one: {"thread": [one.id], "action": "block"}, "reply", only=_plain
    ),
    "undo": Deed(_OF_LIST("undo_delete"), "thread", lambda one: {"deleted": one.id}, "delete", only=lambda one: one.folder == "bin"),
    "undo by the moment": Deed(_OF_LIST("undo_delete"), "deletion", lambda one: {"deleted": one.id}, "delete"),
    "contact": Deed(
        "cs_contacts.edit", "contact", _words(("title",), email="a@example.com", save_messages="y", **_PLACED), "configure",
        lambda one: {"number": one.id}, sees="configure", only=_of_one_shop,
    ),
    "delete a contact": Deed(
        "cs_contacts.remove", "contact", lambda _one: {}, "configure", lambda one: {"number": one.id}, sees="configure", only=_of_one_shop
    ),
    "new contact": Deed(
        "cs_contacts.new", "contact", _words(("title",), email="a@example.com", save_messages="y", **_PLACED), "configure", sees="configure",
        only=_of_one_shop, makes=ContactShop,
    ),
    "moving a contact": Deed(
        "cs_contacts.move", "contact", lambda one: {"up": one.id}, "configure", sees="configure", only=_of_one_shop
    ),
    "delete contacts": Deed(
        "cs_contacts.bulk", "contact", lambda one: {"chosen": [one.id], "action": "delete"}, "configure", sees="configure", only=_of_one_shop
    ),
    "predefined message": Deed(
        "cs_predefined.edit", "predefined", _words(("name", "text"), **_PLACED), "configure", lambda one: {"number": one.id},
        sees="configure", only=_of_one_shop,
    ),
    "delete a predefined message": Deed(
        "cs_predefined.remove", "predefined", lambda _one: {}, "configure", lambda one: {"number": one.id}, sees="configure", only=_of_one_shop
    ),
    "delete predefined messages": Deed(
        "cs_predefined.bulk", "predefined", lambda one: {"chosen": [one.id], "action": "delete"}, "configure", sees="configure", only=_of_one_shop
    ),
    "new predefined message": Deed(
        "cs_predefined.new", "predefined", _words(("name", "text"), **_PLACED), "configure", sees="configure",
        only=_of_one_shop, makes=PredefinedShop,
    ),
    "moving a predefined message": Deed(
        "cs_predefined.move", "predefined", lambda one: {"down": one.id}, "configure", sees="configure", only=_of_one_shop
    ),
    "retry failed mails": Deed(
        "cs_failed_mails.selected", "mail", lambda one: {"mail": [one.id], "action": "retry"}, "reply", only=lambda one: one.thread is not None
    ),
    "discard failed mails": Deed(
        "cs_failed_mails.selected", "mail", lambda one: {"mail": [one.id], "action": "discard"}, "reply", only=lambda one: one.thread is not None
    ),
    "discard a failed mail that has no thread": Deed(
        "cs_failed_mails.selected", "mail", lambda one: {"mail": [one.id], "action": "discard"}, "delete", only=lambda one: one.thread is None
    ),
    "mailbox": Deed(
        "cs_mailboxes.edit", "mailbox", lambda one: {**_MAILBOX, "context": f"shop-{one.shop}"}, "configure", lambda one: {"mailbox_id": one.id},
        sees="configure",
    ),
    "begin with a mailbox": Deed(
        "cs_mailboxes.begin", "mailbox", lambda _one: {"start": "all"}, "configure", lambda one: {"mailbox_id": one.id}, sees="configure"
    ),
    "switch a mailbox on": Deed(
        "cs_mailboxes.switch", "mailbox", lambda _one: {"on": "y"}, "configure", lambda one: {"mailbox_id": one.id}, sees="configure"
    ),
    "delete a mailbox": Deed(
        "cs_mailboxes.remove", "mailbox", lambda _one: {}, "configure", lambda one: {"mailbox_id": one.id}, sees="configure"
    ),
    "retry a mail set aside": Deed("cs_set_aside.selected", "aside", lambda one: {"retry": one.id}, "reply"),
    "make a thread of a mail set aside": Deed("cs_set_aside.selected", "aside", lambda one: {"thread": one.id}, "reply"),
    "discard a mail set aside": Deed("cs_set_aside.selected", "aside", lambda one: {"mail": [one.id], "action": "discard"}, "delete"),
    "opening a notice": Deed("cs_bell.open", "thread", lambda one: {"thread": one.id}, "view", only=_plain),
    "comment on an order": Deed(
        "cs_orders.index_view", "order", lambda _one: {"text": "changed"}, "reply", lambda one: {"order": one.id}
    ),
}  # fmt: skip

# Posted about no single thing.
OTHER_DEEDS: Mapping[str, str] = {
    "cs_threads.thread_merge": "test_merging_and_moving_change_nothing_that_is_not_theirs",
    "cs_threads.thread_move": "test_merging_and_moving_change_nothing_that_is_not_theirs",
    "cs_threads.thread_undo_merge": "test_merging_and_moving_change_nothing_that_is_not_theirs",
    "cs_threads.refresh_figures": "test_key_figures_are_those_of_the_context",
    "cs_threads.fold_figures": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_threads.bulk_jobs": "test_bulk_actions_are_told_to_their_own_employee",
    "cs_threads.views": "test_saved_views_are_their_employees_own",
    "cs_threads.list_options": "test_options_change_nowhere_else",
    "cs_threads.thread_link_customer": "test_a_link_is_taken_back_only_where_they_may_answer",
    "cs_threads.thread_unlink_customer": "test_a_link_is_taken_back_only_where_they_may_answer",
    "cs_threads.blocked_senders": "test_blocked_senders_are_listed_in_their_own_shops",
    "cs_threads.new_message": "test_a_conversation_is_begun_only_in_shops_where_they_may_answer",
    "cs_threads.choose_keys": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_threads.choose_size": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_contacts.choose_size": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_predefined.choose_size": "test_what_shows_nothing_of_shops_shows_nothing",
    "cs_failed_mails.retry_all": "test_retrying_all_failed_mails_retries_those_of_the_context",
    "cs_options.index_view": "test_options_change_nowhere_else",
    "cs_mailboxes.new": "test_a_mailbox_is_made_only_for_shops_that_are_theirs_to_configure",
    "cs_mailboxes.run_sync": "test_how_far_a_run_is_stays_with_those_who_configure_its_shop",
    "cs_mailboxes.authorise": "test_who_comes_back_from_a_provider_authorises_what_is_theirs",
    "cs_sql.run": "test_the_sql_manager_is_for_those_who_see_every_shop",
    "cs_sql.export": "test_the_sql_manager_is_for_those_who_see_every_shop",
    "cs_sql.save": "test_the_sql_manager_is_for_those_who_see_every_shop",
    "cs_sql.delete": "test_the_sql_manager_is_for_those_who_see_every_shop",
}

# Pages of the storefront, each with the check in tests/test_leaks.py that asks it. "static" are files of the package.
STOREFRONT: Mapping[tuple[str, str], str] = {
    ("cs_plugin.contact", "GET"): "test_a_contact_form_offers_what_its_shop_has",
    ("cs_plugin.contact", "POST"): "test_a_contact_form_takes_nothing_of_another_shop",
    ("cs_plugin.thread", "GET"): "test_a_link_shows_its_own_conversation",
    ("cs_plugin.thread", "POST"): "test_mails_name_their_own_shop_alone",
    ("cs_plugin.thread_file", "GET"): "test_a_link_shows_its_own_conversation",
    ("cs_plugin.order", "GET"): "test_an_orders_page_shows_its_own_shop",
    ("cs_plugin.order", "POST"): "test_what_is_another_customers_is_not_there",
    ("cs_plugin.order_file", "GET"): "test_what_is_another_customers_is_not_there",
    ("cs_plugin.question", "GET"): "test_a_closing_question_shows_its_own_shop",
    ("cs_plugin.question", "POST"): "test_a_closing_question_shows_its_own_shop",
    ("cs_plugin.my_messages", "GET"): "test_my_messages_are_the_customers_own",
    ("cs_plugin.my_thread", "GET"): "test_my_messages_are_the_customers_own",
    ("cs_plugin.my_thread", "POST"): "test_what_is_another_customers_is_not_there",
    ("cs_plugin.my_file", "GET"): "test_what_is_another_customers_is_not_there",
}


# --- Functions of the store that take a scope -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """A function of the store: the things that it finds in a scope, as ids or as their number."""

    module: Any
    kind: str
    read: Callable[[Session, Scope, World], Any]
    holds: Callable[[Thing], bool] = lambda _thing: True

    def leaks(self, world: World, shops: frozenset[str]) -> Iterator[str]:
        """Yield what it finds and should not, or misses."""
        due = {thing.id for thing in world.of(self.kind) if thing.shops & shops and self.holds(thing)}
        found = look(world.store, lambda session: self.read(session, Scope(shops), world))
        if found != (len(due) if isinstance(found, int) else due):
            yield f"in {sorted(shops)} it finds {found}, not {due}"


def _each(world: World, kind: str, found: Callable[[Any], Any]) -> set[Any]:
    return {one.id for one in world.of(kind) if found(one.id)}


def _listed(one: Thing) -> bool:
    return bool(one.folder == "list")


def _jans(session: Session, world: World) -> Thread:
    return session.get_one(Thread, world.of("thread", jan=True)[0].id)


def _jans_by_name(session: Session, scope: Scope, world: World) -> set[Any]:
    """Return Jan's threads in those shops of the scope in which his account is found by his name."""

    def found(shop: str) -> bool:
        return JAN.id in known_customers.customers_named(session, scope & Scope(frozenset({shop})), "Kowalski", most=9)

    return {one.id for one in world.of("thread", jan=True) if found(one.shop)}


def _laid_in_spam(session: Session, scope: Scope, world: World) -> set[Any]:
    """Return what was laid in spam, as if an employee had done so with all that lie there."""
    moment = world.store.clock.now
    for one in world.of("thread"):
        if one.folder == "spam":
            session.add(ThreadEvent(thread_id=one.id, kind="spam", actor_kind="employee", actor_id="1", created_at=moment))
    session.flush()
    return set(blocked.laid_in_spam_at(session, scope, moment, "1", most=99))


def _by_link(session: Session, scope: Scope, world: World) -> set[Any]:
    signer = world.store.desk.signer

    def token(identity: int) -> str:
        return signer.sign(TagKind.LINK, identity, session.get_one(Thread, identity).token_nonce)

    return _each(world, "thread", lambda one: matching.linked_thread(session, scope, signer, token(one)))


def _tagged(session: Session, world: World, identity: int) -> IncomingMail:
    """Return a mail to the signed address of a thread."""
    tag = world.store.desk.signer.sign(TagKind.ADDRESS, identity, session.get_one(Thread, identity).token_nonce)
    return IncomingMail(None, "", "", written_to=(f"box+{tag}@shop.example",))


def _by_address_tag(session: Session, scope: Scope, world: World) -> set[Any]:
    signer = world.store.desk.signer

    def led_to(identity: int) -> bool:
        return bool(mail_clues.read_clues(session, scope, signer, _tagged(session, world, identity), None).address_tags)

    return _each(world, "thread", led_to)


def _by_address_tags(session: Session, scope: Scope, world: World) -> set[str]:
    """Return the threads that their address tags lead to, all of them asked for at once."""
    signer = world.store.desk.signer
    named = [one.id for one in world.of("thread")]
    mails = [(_tagged(session, world, one), None) for one in named]
    found = mail_clues.read_clues_of_several(session, scope, signer, mails)
    return {one for one, clues in zip(named, found, strict=True) if clues.address_tags}


def _named_by_tags(session: Session, scope: Scope, world: World) -> set[Any]:
    return mail_clues.threads_named(session, scope, [_tagged(session, world, int(one.id)) for one in world.of("thread")])


def _suggested(session: Session, scope: Scope, identity: int) -> set[int]:
    """Return what is suggested to be merged with a thread that is like this one."""
    thread = session.get_one(Thread, identity)
    like = Thread(id=0, shop_id=thread.shop_id, address=thread.address, address_hash=thread.address_hash, customer_verified=False)
    return {one.id for one in merges.suggested(session, scope, like, limit=99)}


def _merged(session: Session, scope: Scope, world: World) -> set[int]:
    """Return which threads have a merge that is found in a scope."""
    rows = _merges_of_each(session, world)
    found = merges.merges_among(session, scope, list(rows))
    session.rollback()
    return {rows[one] for one in found}


def _merged_one_by_one(session: Session, scope: Scope, world: World) -> set[int]:
    rows = _merges_of_each(session, world)
    found = {thread_id for one, thread_id in rows.items() if merges.merge_named(session, scope, one) is not None}
    session.rollback()
    return found


def _merges_of_each(session: Session, world: World) -> dict[int, int]:
    """Return a merge for each thread, by its id: of the thread into itself."""
    rows = [Merge(kind="merge", kept_thread_id=one.id, merged_thread_id=one.id, created_at=world.store.clock.now) for one in world.of("thread")]
    session.add_all(rows)
    session.flush()
    return {one.id: one.kept_thread_id for one in rows}


def _originals(session: Session, scope: Scope, world: World) -> set[Any]:
    return {one.id for one in world.of("file") if files.original_of(session, scope, one.thread, one.message)}


def _htmls(session: Session, scope: Scope, world: World) -> set[Any]:
    return {one.id for one in world.of("file") if mail_html.html_of(session, scope, one.thread, one.message)}


def _deliveries(session: Session, scope: Scope, world: World) -> set[Any]:
    of_threads = [one for one in world.of("mail") if one.thread is not None]
    return {one.id for one in of_threads if deliveries.deliveries_of(session, scope, one.thread, [one.message])}


def _bounces(session: Session, scope: Scope, world: World) -> set[Any]:
    return {one.id for one in world.of("thread", main=True) if bounces.bounced_at(session, scope, session.get_one(Thread, one.id))}


def _orders(world: World) -> list[Any]:
    return list(world.store.answers.orders)


def _written_down(_session: Session, scope: Scope, world: World) -> set[int]:
    written = walk.write_down(world.store.desk.sessions, scope, ThreadFilter(), Sort("type"), Ranks())
    return {one for piece in written.pieces(50) for one in piece}


def _total_by_ranges(session: Session, scope: Scope) -> int:
    session.add(ListRange(number=-1, times=1))
    session.flush()
    found = ranges.counted_by_ranges(session, scope, ThreadFilter(), Sort())
    session.rollback()
    assert found is not None
    return found.total


def _by_ranges(session: Session, scope: Scope) -> int:
    # A range that is counted and holds nothing: totals are read, and the rest is counted live.
    session.add(ListRange(number=-1, times=1))
    session.flush()
    counted = totals.counted(session, scope, Folder.LIST, totals.ALL)
    session.rollback()
    assert counted is not None
    return sum(counted.get("", {}).values())


READERS: Mapping[str, Reader] = {
    "list_page": Reader(
        threads, "thread",
        lambda session, scope, _world: {
            row.id for row in threads.list_page(session, scope, ThreadFilter(), sort=Sort("type"), number=1, size=50, ranks=Ranks()).rows
        },
        _listed,
    ),
    "ordered_ids": Reader(
        sorting, "thread", lambda session, scope, _world: set(session.scalars(sorting.ordered_ids(scope, ThreadFilter(), Sort()))), _listed
    ),
    "rows": Reader(
        list_rows, "thread", lambda session, scope, world: {row.id for row in list_rows.rows(session, scope, [one.id for one in world.of("thread")])}
    ),
    "highest_id": Reader(
        walk, "thread", lambda session, scope, world: len(_shop_of(world, walk.highest_id(session, scope)) - scope.shops), lambda _one: False
    ),
    "next_ids": Reader(
        walk, "thread", lambda session, scope, _w: set(walk.next_ids(session, scope, ThreadFilter(), after=0, up_to=MISSING, most=99)), _listed
    ),
    "count_some": Reader(
        matches, "thread", lambda session, scope, _w: matches.count_some(session, scope, ThreadFilter(message="parcel"), bound=99)[0], _listed
    ),
    "still_listed": Reader(
        walk, "thread",
        lambda session, scope, world: set(walk.still_listed(session, scope, ThreadFilter(), [one.id for one in world.of("thread")])), _listed
    ),
    "still_binned": Reader(
        walk, "thread",
        lambda session, scope, world: {
            found
            for one in world.of("deletion")
            for found in walk.still_binned(session, scope, world.store.clock.now.fromisoformat(str(one.id)), [two.id for two in world.of("thread")])
        },
        lambda one: one.folder == "bin",
    ),
    "count_up_to": Reader(walk, "thread", lambda session, scope, _w: walk.count_up_to(session, scope, ThreadFilter(), MISSING), _listed),
    "counted": Reader(totals, "thread", lambda session, scope, _world: _by_ranges(session, scope), _listed),
    "next_binned_ids": Reader(
        walk, "thread",
        lambda session, scope, world: {
            found
            for one in world.of("deletion")
            for found in walk.next_binned_ids(session, scope, world.store.clock.now.fromisoformat(str(one.id)), after=0, most=99)
        },
        lambda one: one.folder == "bin",
    ),
    "write_down": Reader(walk, "thread", _written_down, _listed),
    "counted_by_ranges": Reader(ranges, "thread", lambda session, scope, _world: _total_by_ranges(session, scope), _listed),
    "ids_by_ranges": Reader(
        ranges, "thread",
        lambda session, scope, _world: set(
            ranges.ids_by_ranges(session, scope, ThreadFilter(), Counted("all", {"": {0: 99}}), Sort(), Ranks(), offset=0, size=99) or ()
        ),
        _listed,
    ),
    "matching_ids": Reader(
        matches, "thread",
        lambda session, scope, _w: set(matches.matching_ids(session, scope, ThreadFilter(message="parcel"), descending=True)), _listed
    ),
    "customers_named": Reader(known_customers, "thread", lambda session, scope, world: _jans_by_name(session, scope, world), lambda one: one.jan),
    "laid_in_spam_at": Reader(
        blocked, "thread", lambda session, scope, world: _laid_in_spam(session, scope, world), lambda one: one.folder == "spam"
    ),
    "get": Reader(threads, "thread", lambda session, scope, world: _each(world, "thread", lambda one: threads.get(session, scope, one))),
    "among": Reader(threads, "thread", lambda session, scope, world: threads.among(session, scope, [one.id for one in world.of("thread")])),
    "shop_of": Reader(threads, "thread", lambda session, scope, world: _each(world, "thread", lambda one: threads.shop_of(session, one, scope))),
    "messages": Reader(
        threads, "thread", lambda session, scope, world: _each(world, "thread", lambda one: threads.messages(session, scope, one, newest=9))
    ),
    "events": Reader(
        threads, "thread", lambda session, scope, world: _each(world, "thread", lambda one: threads.events(session, scope, one, newest=9)),
        lambda one: one.folder == "bin" or one.assigned or one.status != "open" or "main" in one.about or "strayed" in one.about,
    ),
    "opinions_in": Reader(
        opinions, "thread", lambda session, scope, world: _each(world, "thread", lambda one: opinions.opinions_in(session, scope, one)), _plain
    ),
    "look_around": Reader(
        presence, "thread",
        lambda session, scope, world: _each(
            world, "thread", lambda one: presence.look_around(session, scope, one, world.store.clock.now) is not None
        ),
    ),
    "others_of": Reader(
        threads, "thread",
        lambda session, scope, world: {one.id for one in threads.others_of(session, scope, _jans(session, world), limit=99)},
        lambda one: one.jan and one.id != 2,
    ),
    "counts_of_person": Reader(
        threads, "thread", lambda session, scope, world: threads.counts_of_person(session, scope, _jans(session, world))[0], lambda one: one.jan
    ),
    "longest_waiting": Reader(
        threads, "thread",
        lambda session, scope, world: len(_shop_of(world, threads.longest_waiting(session, scope)) - scope.shops),
        lambda one: False,
    ),
    "counts_by_contact": Reader(
        tally, "thread", lambda session, scope, _world: figures.total(tally.counts_by_contact(session, scope)).threads, _listed
    ),
    "span": Reader(daily, "thread", lambda session, scope, world: daily.span(session, scope, LONG_AGO, _soon(world)).threads, _listed),
    "report": Reader(reports, "thread", lambda session, scope, world: _reported(session, scope, world), _listed),
    "tell": Reader(packed_days, "thread", lambda session, scope, world: _told(session, scope, world), _listed),
    "days": Reader(daily, "thread", lambda session, scope, world: _on_days(session, scope, world), lambda _one: False),
    "kept": Reader(figures, "thread", lambda session, scope, world: _kept_for_all(session, scope, world), lambda _one: False),
    "calculate": Reader(figures, "thread", lambda session, scope, world: _calculated_otherwise(session, scope, world), lambda _one: False),
    "waiting_longest": Reader(
        figures, "thread",
        lambda session, scope, world: sum(
            len(_shop_of(world, figures.waiting_longest(session, scope, one)) - scope.shops) for one in (0, *(c.id for c in world.of("contact")))
        ),
        lambda _one: False,
    ),
    "lock_threads": Reader(
        locking, "thread",
        lambda session, scope, world: {one.id for one in locking.lock_threads(session, scope, [one.id for one in world.of("thread")])},
    ),
    "lock_thread": Reader(
        locking, "thread", lambda session, scope, world: _each(world, "thread", lambda one: locking.lock_thread(session, scope, one))
    ),
    "lock_with_neighbours": Reader(
        reopening, "thread", lambda session, scope, world: _each(world, "thread", lambda one: reopening.lock_with_neighbours(session, scope, one))
    ),
    "linked_thread": Reader(matching, "thread", _by_link),
    "read_clues": Reader(mail_clues, "thread", _by_address_tag),
    "read_clues_of_several": Reader(mail_clues, "thread", _by_address_tags),
    "threads_named": Reader(mail_clues, "thread", _named_by_tags),
    "original_of": Reader(files, "file", _originals),
    "html_of": Reader(mail_html, "file", _htmls),
    "deliveries_of": Reader(deliveries, "mail", _deliveries, lambda one: one.thread is not None),
    "bounced_at": Reader(bounces, "thread", _bounces, lambda one: bool(one.about.get("main"))),
    "threads_of_order": Reader(
        order_threads, "thread",
        lambda session, scope, world: {one.id for order in _orders(world) for one in order_threads.threads_of_order(session, scope, order)},
        lambda one: "ordered" in one.about,
    ),
    "messages_of_order": Reader(
        order_threads, "order",
        lambda session, scope, world: {one.id for one in _orders(world) if order_threads.messages_of_order(session, scope, one, newest=9)[0]},
    ),
    "bell_of": Reader(
        notices, "thread", lambda session, scope, world: notices.bell_of(session, scope, SHOPS, "nobody", world.store.clock()).number, _listed
    ),
    "rings": Reader(
        notices, "thread",
        lambda session, scope, world: _each(world, "thread", lambda one: notices.rings(session, scope, "nobody", one, world.store.clock())),
        _listed,
    ),
    "contacts_in": Reader(contacts, "contact", lambda session, scope, _world: {one.id for one in contacts.contacts_in(session, scope)}),
    "contact_in": Reader(
        contacts, "contact", lambda session, scope, world: _each(world, "contact", lambda one: contacts.contact_in(session, scope, one))
    ),
    "predefined_in": Reader(predefined, "predefined", lambda session, scope, _world: {one.id for one in predefined.predefined_in(session, scope)}),
    "one_predefined_in": Reader(
        predefined, "predefined",
        lambda session, scope, world: _each(world, "predefined", lambda one: predefined.one_predefined_in(session, scope, one)),
    ),
    "undelivered_page": Reader(
        undelivered, "mail", lambda session, scope, _world: {one.id for one in undelivered.undelivered_page(session, scope, number=1, size=50).rows}
    ),
    "undelivered_in": Reader(
        undelivered, "mail", lambda session, scope, world: _each(world, "mail", lambda one: undelivered.undelivered_in(session, scope, one))
    ),
    "undelivered_among": Reader(
        undelivered, "mail",
        lambda session, scope, world: {one.id for one in undelivered.undelivered_among(session, scope, [one.id for one in world.of("mail")])},
    ),
    "undelivered_ids": Reader(undelivered, "mail", lambda session, scope, _world: set(undelivered.undelivered_ids(session, scope))),
    "count_undelivered": Reader(undelivered, "mail", lambda session, scope, _world: undelivered.count_undelivered(session, scope, 99)),
    "set_aside_page": Reader(
        settling, "aside", lambda session, scope, _world: {one.id for one in settling.set_aside_page(session, scope, number=1, size=50).rows}
    ),
    "set_aside_in": Reader(
        settling, "aside", lambda session, scope, world: _each(world, "aside", lambda one: settling.set_aside_in(session, scope, one))
    ),
    "set_aside_among": Reader(
        settling, "aside",
        lambda session, scope, world: {one.id for one in settling.set_aside_among(session, scope, [one.id for one in world.of("aside")])},
    ),
    "kept_of": Reader(
        merges, "thread", lambda session, scope, world: _each(world, "thread", lambda one: merges.kept_of(session, scope, one) is not None)
    ),
    "lock_lines": Reader(
        merges, "thread", lambda session, scope, world: set(merges.lock_lines(session, scope, [one.id for one in world.of("thread")]))
    ),
    "suggested": Reader(
        merges, "thread", lambda session, scope, world: _each(world, "thread", lambda one: one in _suggested(session, scope, one)), _listed
    ),
    "stands_in": Reader(
        merges, "file",
        lambda session, scope, world: {one.id for one in world.of("file") if merges.stands_in(session, scope, one.thread, one.message)},
    ),
    "merges_among": Reader(merges, "thread", lambda session, scope, world: _merged(session, scope, world)),
    "merge_named": Reader(merges, "thread", lambda session, scope, world: _merged_one_by_one(session, scope, world)),
    "count_set_aside": Reader(settling, "aside", lambda session, scope, _world: settling.count_set_aside(session, scope, 99)),
}  # fmt: skip


LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def _soon(world: World) -> dt.datetime:
    return world.store.clock.now + dt.timedelta(days=1)


def _on_days(session: Session, scope: Scope, world: World) -> int:
    """Return by how many the totals of two days miss how many threads of the scope had a public message on each."""
    both = [world.store.clock.now.date() - dt.timedelta(days=number) for number in range(2)]
    for day in both:
        daily.write_day(session, daily.read_day(session, day, {}))
    found = daily.days(session, scope, both[-1])
    due = {day: daily.span(session, scope, daily.start_of(day), daily.start_of(day + dt.timedelta(days=1))).threads for day in both}
    return sum(abs(due[day] - (found[day].span.threads if day in found else 0)) for day in both)


def _reported(session: Session, scope: Scope, world: World) -> int:
    """Return how many threads of the scope had a public message in these weeks; more, where what customers said or what waits is of other shops."""
    now = world.store.clock.now
    found = reports.report(session, scope, Period(now.date() - dt.timedelta(days=60), now.date()), dt.UTC, now)
    said = len([one for one in world.of("thread", main=True) if one.shop in scope])
    waiting = len([one for one in world.of("thread") if _listed(one) and one.status != "closed" and one.shop in scope])
    wrong = abs(found.whole.opinions.number - said) + abs((found.waiting[-1] or 0) - waiting)
    parts = (found.steps, found.contacts.values(), found.employees.values())
    wrong += sum(abs(sum(part.opinions.number for part in some) - said) for some in parts)
    return found.whole.threads + 1_000 * wrong


def _told(session: Session, scope: Scope, world: World) -> int:
    """Return of how many threads of the scope it is told what was written; more, where it is told otherwise once these days are packed."""
    now = world.store.clock.now

    def threads_told(at: dt.datetime) -> tuple[set[int], set[int]]:
        written, waits = set[int](), set[int]()
        told = packed_days.Told(lambda one: written.update(one.threads), lambda one: waits.update(one.threads))
        packed_days.tell(session, scope, now - dt.timedelta(days=60), at, at, told)
        return written, waits

    live, tomorrow = threads_told(now), now + dt.timedelta(days=1)
    for day in packed_days.unpacked(session, tomorrow):
        packed_days.write_down(session, packed_days.look(session, day))
    session.execute(delete(PackMark))
    packed = threads_told(tomorrow)
    session.rollback()
    return len(live[0]) + 1_000 * (live != packed)


def _kept_for_all(session: Session, scope: Scope, world: World) -> int:
    """Return how many figures that were calculated for all shops are given to whoever sees these."""
    figures.keep(session, EVERYTHING, {"pending": figures.Figure(1, (), world.store.clock.now)})
    return len(figures.kept(session, scope, world.store.clock.now))


def _calculated_otherwise(session: Session, scope: Scope, world: World) -> int:
    """Return whether messages per thread are calculated from other messages than those of the scope."""
    now = world.store.clock.now
    due = daily.span(session, scope, now - figures.WINDOW, now + dt.timedelta(microseconds=1)).messages_per_thread
    return int(figures.calculate(session, scope, tally.NONE, now)["messages"].value != due)


def _shop_of(world: World, thread_id: int | None) -> set[str]:
    return {one.shop for one in world.of("thread") if one.id == thread_id}


# Take a scope and read nothing: they make the clauses of the functions above.
CLAUSES = {"where", "besides_texts", "thread_in", "threads_with"}
# Take a scope and write in it.
WRITERS: Mapping[str, Any] = {"let_threads_go": contacts, "keep": figures, "open_thread": notices, "clear": notices}

# --- The desk's verbs, for whatever edge calls them -------------------------------------------------------------------------------------------------

def _of_its_address(bench: Bench, thread_id: int) -> Customer | None:
    thread = bench.session.get(Thread, thread_id)
    return bench.host.find_customer(email=thread.address, shop_id=thread.shop_id) if thread is not None else None


VERBS: Mapping[str, Callable[[Bench, Actor, int], object]] = {
    "reply": lambda bench, actor, one: desk.reply(bench, actor, one, Answer("changed")),
    "merge": lambda bench, actor, one: desk.merge(bench, actor, [one]),
    "split": lambda bench, actor, one: desk.split(bench, actor, one, 1),
    "move_message": lambda bench, actor, one: desk.move_message(bench, actor, one, 1, one),
    "add_note": lambda bench, actor, one: desk.add_note(bench, actor, one, "changed"),
    "assign": lambda bench, actor, one: desk.assign(bench, actor, one, None),
    "assign_several": lambda bench, actor, one: desk.assign_several(bench, actor, [one], None),
    "move_to_contact": lambda bench, actor, one: desk.move_to_contact(bench, actor, one, None),
    "retry_mail": lambda bench, actor, one: desk.retry_mail(bench, actor, one, 1),
    "revoke_link": lambda bench, actor, one: desk.revoke_link(bench, actor, one),
    "forward": lambda bench, actor, one: desk.forward(bench, actor, one, Target(address="a@example.com")),
    "set_status": lambda bench, actor, one: desk.set_status(bench, actor, [one], Status.PENDING2),
    "delete": lambda bench, actor, one: desk.delete(bench, actor, [one]),
    "restore": lambda bench, actor, one: desk.restore(bench, actor, [one]),
    "not_spam": lambda bench, actor, one: desk.not_spam(bench, actor, [one]),
    "mark_spam": lambda bench, actor, one: desk.mark_spam(bench, actor, [one]),
    "block_senders": lambda bench, actor, one: desk.block_senders(bench, actor, [one]),
    "unblock_senders": lambda bench, actor, one: desk.unblock_senders(bench, actor, [one]),
    "link_customer": lambda bench, actor, one: desk.link_customer(bench, actor, one, _of_its_address(bench, one)),
    "unlink_customer": lambda bench, actor, one: desk.unlink_customer(bench, actor, one),
}

# --- Commands: the administrator's, who sees every shop. What they print tells no secret and no link. -----------------------------------------------

# Each with its arguments, and the kinds of things whose every id it prints.
COMMANDS: Mapping[str, tuple[list[str], str]] = {
    "failed": ([], "mail"),
    "jobs": ([], ""),
    "check": ([], ""),
    "doctor": ([], ""),
    "sweep": ([], ""),
    "purge": ([], ""),
    "reindex": ([], ""),
    "deliver": ([], ""),
    "options": (["list", "--shop", "1"], ""),
    "permissions": ([], ""),
    "reencrypt": ([], ""),
}
# Run for their effect, which other tests show; they print nothing but numbers of what they did.
SILENT_COMMANDS = {"upgrade", "downgrade", "work", "sample", "sync", "import"}

SUBSETS = [frozenset(), frozenset("1"), frozenset("3"), frozenset({"1", "2"}), SHOPS]
