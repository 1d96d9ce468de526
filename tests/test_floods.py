"""Floods: who sends too much is told so and loses nothing; everybody else is let in, also where the counting itself fails."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import redis
from markupsafe import Markup
from sqlalchemy import event, func, select
from werkzeug.middleware.proxy_fix import ProxyFix

from cs_plugin import desk, hookimpl
from cs_plugin.errors import ConfigurationError
from cs_plugin.rules.floods import mailbox_of
from cs_plugin.rules.inquiry import Channel, Sender
from cs_plugin.store.models import Contact, Message, OutboxItem, Thread
from cs_plugin.web import floods
from tests.hosts.store import EVA, JAN, Store, make_store
from tests.hosts.visitor import CONTACT, Visitor, a_file, errors, kept, value_of
from tests.hosts.writing import JAN_SIGNED_IN, begin, contact_id, do, inquiry, look, messages_of, receive, thread_of, token_of
from tests.servers.processes import free_port
from tests.servers.redis import RedisServer

TOO_MANY = "This message was not sent: too many have come from your network or your address."


class Filter:
    """A host's captcha and spam filter, which count how often they are asked."""

    def __init__(self) -> None:
        self.captchas = self.spam_asked = 0
        self.solved = True
        self.store: Store | None = None
        self.in_transaction: list[bool] = []

    @hookimpl
    def cs_contact_form_fields(self, shop_id: str) -> Markup:
        return Markup('<label>Seven? <input name="captcha"></label>')

    @hookimpl
    def cs_check_captcha(self, form: Any) -> bool:
        self.captchas += 1
        return self.solved

    @hookimpl
    def cs_check_spam(self, inquiry: Any) -> bool | None:
        self.spam_asked += 1
        if self.store is not None:
            self.in_transaction.append(self.store.desk.session().in_transaction())
        return None


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Any]:
    """Make stores with a configuration of their own."""
    made: list[Store] = []

    def make(**config: Any) -> Store:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(make_store(f"sqlite:///{folder}/store.sqlite", folder, **config))
        return made[-1]

    yield make
    for store in made:
        with store.app.app_context():
            store.db.session.remove()
            store.db.engine.dispose()


def visitor_from(store: Store, network: str, **who: Any) -> Visitor:
    """A visitor whose requests come from a network, with the form open before them."""
    client = store.client(**who)
    client.environ_base["REMOTE_ADDR"] = network
    visitor = Visitor(store, client)
    visitor.open()
    return visitor


def count(store: Store, table: Any, *where: Any) -> int:
    """Return how many rows there are."""
    return look(store, lambda session: session.scalar(select(func.count()).select_from(table).where(*where))) or 0


def write(visitor: Visitor, text: str, **changes: Any) -> int:
    """Open the form and post it; return the status."""
    opened(visitor)
    return int(visitor.write(text, **changes).status_code)


def opened(visitor: Visitor) -> Visitor:
    """Open the form; the page may tell of the last message first."""
    if "post_key" not in visitor.open():
        visitor.open()
    return visitor


def confirmations(store: Store) -> int:
    """Return how many confirmations are queued."""
    return count(store, OutboxItem, OutboxItem.kind == "confirmation")


# --- Networks and senders


@pytest.mark.shows("3.6", "2.8")
def test_a_network_that_sends_too_much_is_told_when_to_come_again_and_loses_nothing(stores: Any) -> None:
    """The post past the allowance is answered by 429 with the time, keeps text and file, and stores nothing; other networks write on."""
    store = stores(CS_FORM_RATE="2/hour", CS_SENDER_RATE="")
    visitor = visitor_from(store, "203.0.113.7")
    assert [write(visitor, f"Message {number}") for number in range(2)] == [303, 303]
    answer = opened(visitor).write("One too many", [a_file()])
    assert answer.status_code == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert TOO_MANY in errors(answer.text)[""]
    assert "in 60 minutes" in errors(answer.text)[""]
    assert value_of(answer.text, "text") == "One too many"
    assert len(kept(answer.text)) == 1
    assert count(store, Message) == 2
    assert write(visitor_from(store, "203.0.113.8"), "From elsewhere") == 303


@pytest.mark.shows("3.6")
@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_what_counts_as_one_network(stores: Any, first: str, second: str, one: bool) -> None:
    """An IPv4 address, also one that is written within IPv6; of IPv6 the /64 that a household has."""
    store = stores(CS_FORM_RATE="1/hour", CS_SENDER_RATE=None)
    assert write(visitor_from(store, first), "one") == 303
    assert write(visitor_from(store, second), "two") == (429 if one else 303)


@pytest.mark.shows("3.6")
def test_a_sender_is_counted_across_networks_whatever_they_make_of_their_address(stores: Any) -> None:
    """Case, a "+tag" and the dots of Gmail are no new sender; another address is."""
    store = stores(CS_FORM_RATE="", CS_SENDER_RATE="2/hour")
    statuses = [
        write(visitor_from(store, f"203.0.113.{number}"), f"text {number}", email=address)
        for number, address in enumerate(["a.b@gmail.com", "A.B+shop@GMail.com", "ab@googlemail.com", "abc@gmail.com"])
    ]
    assert statuses == [303, 303, 429, 303]


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        (" Jan.Kowalski+shop@Example.COM ", "jan.kowalski@example.com"),
        ("j.a.n@googlemail.com", "jan@gmail.com"),
        ("+tag@example.com", "+tag@example.com"),
        ('"a+b"@example.com', '"a+b"@example.com'),
        ("nothing", "@nothing"),
    ],
)
def test_which_mailbox_an_address_counts_for(address: str, mailbox: str) -> None:
    """Dots count where they mean something, and what cannot be taken off stays."""
    assert mailbox_of(address) == mailbox


@pytest.mark.shows("3.6")
def test_nobody_uses_up_a_customers_allowance_by_typing_their_address(stores: Any) -> None:
    """Who is signed in is counted by their account, and a conversation's link for itself."""
    store = stores(CS_FORM_RATE="", CS_SENDER_RATE="1/hour")
    strangers = [write(visitor_from(store, "203.0.113.7"), f"text {number}", email=JAN.email) for number in range(2)]
    assert strangers == [303, 429]
    assert write(visitor_from(store, "203.0.113.8", customer=JAN), "It is me", email=JAN.email) == 303
    guest = visitor_from(store, "203.0.113.9")
    guest.open(f"/customer-service/thread/{token_of(store, 1)}")
    assert [guest.post(text=f"answer {number}").status_code for number in range(2)] == [303, 429]
    assert value_of(guest.page, "text") == "answer 1"
    assert TOO_MANY in guest.page


@pytest.mark.shows("3.6")
def test_mending_a_field_uses_up_little(stores: Any) -> None:
    """Seven wrong posts leave room for the good one; who posts wrong ones without end is held all the same."""
    store = stores(CS_FORM_RATE="3/hour", CS_SENDER_RATE="")
    visitor = visitor_from(store, "203.0.113.7")
    assert {visitor.write("A text", email="wrong").status_code for _post in range(7)} == {422}
    assert visitor.write("A text").status_code == 303
    opened(visitor)
    statuses = [visitor.write("A text", email="wrong").status_code for _post in range(3)]
    assert statuses == [422, 429, 429]
    assert "email" in errors(visitor.page)


@pytest.mark.shows("2.7", "3.6")
def test_the_same_post_again_is_counted_once_and_asked_for_one_captcha(tmp_path: Path) -> None:
    """A double click on the last message that is allowed sees success twice, and a captcha that is good for one time is asked once."""
    held = Filter()
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[held], CS_FORM_RATE="2/hour")
    visitor = visitor_from(store, "203.0.113.7")
    assert [visitor.write("Twice").status_code for _click in range(3)] == [303, 303, 303]
    assert held.captchas == 1
    assert write(visitor, "The second") == 303
    assert write(visitor, "The third") == 429
    assert held.captchas == 2
    assert count(store, Message) == 2


@pytest.mark.shows("3.6")
def test_the_captcha_is_asked_after_all_that_costs_nothing(tmp_path: Path) -> None:
    """Neither of a form with a wrong field, nor of a trapped program, nor of a flood; an unsolved one keeps everything."""
    held = Filter()
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[held], CS_FORM_RATE="2/hour")
    visitor = visitor_from(store, "203.0.113.7")
    visitor.write("A text", email="wrong")
    visitor.write("A text", website="https://spam.example")
    assert held.captchas == 0
    held.solved = False
    answer = visitor.write("A text", [a_file()])
    assert (answer.status_code, held.captchas, len(kept(answer.text))) == (422, 1, 1)
    assert "keeps robots out" in answer.text
    held.solved = True
    assert visitor.write("A text").status_code == 303


def test_files_of_a_flood_do_not_fill_the_disk(stores: Any) -> None:
    """Past a generous number of posts with files, these are no longer kept, and the sender is asked to choose them again."""
    store = stores(CS_FORM_RATE="1/hour", CS_SENDER_RATE="")
    visitor = visitor_from(store, "203.0.113.7")
    answers = [visitor.write("A text", [a_file(f"{number}.txt")], kept_file=[], email="wrong").text for number in range(7)]
    assert [len(kept(one)) for one in answers] == [1, 1, 1, 1, 1, 0, 0]
    assert "6.txt: This file is no longer there: please choose it again." in errors(answers[-1])["file"]


def test_as_many_at_once_as_are_allowed(stores: Any) -> None:
    """Of twenty posts at the same moment no more are taken than the allowance has."""
    store = stores(CS_FORM_RATE="5/hour", CS_SENDER_RATE="")
    visitors = [visitor_from(store, "203.0.113.7") for _one in range(12)]
    start = Barrier(len(visitors))

    def post(numbered: tuple[int, Visitor]) -> int:
        start.wait(timeout=60)
        return int(numbered[1].write(f"Text {numbered[0]}").status_code)

    with ThreadPoolExecutor(len(visitors)) as pool:
        statuses = sorted(pool.map(post, enumerate(visitors)))
    assert statuses == [303] * 5 + [429] * 7
    assert count(store, Message) == 5


@pytest.mark.shows("3.6", "4.2")
def test_the_order_form_is_counted_with_the_others(stores: Any) -> None:
    """Messages by contact form and by order page use up one allowance; what was written on the order page is kept."""
    store = stores(CS_FORM_RATE="2/hour", CS_SENDER_RATE="")
    jan = visitor_from(store, "203.0.113.7", customer=JAN)
    assert write(jan, "By the form") == 303
    jan.open("/customer-service/order?order=15")
    assert jan.post(text="By the order page").status_code == 303
    jan.open("/customer-service/order?order=15")
    answer = jan.post(text="One too many")
    assert (answer.status_code, value_of(answer.text, "text")) == (429, "One too many")
    assert TOO_MANY in answer.text
    assert count(store, Message) == 2


# --- Proxies


def test_behind_a_proxy_the_network_is_the_one_that_it_names(stores: Any) -> None:
    """With werkzeug's ProxyFix the visitors are told apart by what the proxy says."""
    store = stores(CS_FORM_RATE="1/hour", CS_SENDER_RATE="")
    store.app.wsgi_app = ProxyFix(store.app.wsgi_app)
    statuses = []
    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7"):
        visitor = visitor_from(store, "127.0.0.1")
        visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = address
        statuses.append(write(visitor, f"from {address} {len(statuses)}"))
    assert statuses == [303, 303, 429]


def test_a_proxy_that_nobody_reads_does_not_make_one_visitor_of_all(stores: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without ProxyFix all come from the proxy: they are not counted as one, and the log says once what to do."""
    store = stores(CS_FORM_RATE="1/hour", CS_SENDER_RATE="")
    statuses = []
    for number in range(3):
        visitor = visitor_from(store, "127.0.0.1")
        visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.7"
        statuses.append(write(visitor, f"text {number}"))
    assert statuses == [303] * 3
    assert len([one for one in caplog.records if "ProxyFix" in one.getMessage()]) == 1


# --- Guesses


@pytest.mark.shows("3.5", "3.6")
def test_a_network_that_guesses_links_is_stopped_and_learns_nothing(stores: Any) -> None:
    """Past the allowance a good link and a bad one are answered alike; who had opened theirs before reads and answers on, and others do too."""
    store = stores(CS_TOKEN_RATE="3/hour")
    good = f"/customer-service/thread/{token_of(store, begin(store))}"
    customer = visitor_from(store, "203.0.113.7")
    customer.open(good)
    guesser = store.client()
    guesser.environ_base["REMOTE_ADDR"] = "203.0.113.7"
    bad = "/customer-service/thread/aa" + "b" * 24 + "-1"
    assert [guesser.get(bad).status_code for _guess in range(4)] == [404, 404, 404, 429]
    answers = [guesser.get(address) for address in (good, bad, f"{bad}/files/1/1")]
    assert [one.status_code for one in answers] == [429] * 3
    assert len({one.text for one in answers}) == 1
    assert "Too many links were tried" in answers[0].text
    assert int(answers[0].headers["Retry-After"]) > 3000
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert "Do not lose me" in guesser.post(good, data={"text": "Do not lose me"}).text
    assert customer.post(text="Still here").status_code == 303
    assert store.client().get(good).status_code == 200


# --- The storage


@pytest.mark.shows("3.6")
def test_two_processes_count_together_in_redis(stores: Any, redis_server: RedisServer) -> None:
    """What one application has counted holds in the other; no address is readable in what is stored."""
    both = [stores(CS_FORM_RATE="2/hour", CS_LIMITS_URL=redis_server.url) for _one in range(2)]
    statuses = [write(visitor_from(both[number % 2], "198.51.100.77"), f"text {number}", email="seen@example.com") for number in range(3)]
    assert statuses == [303, 303, 429]
    keys = redis.from_url(redis_server.url).keys("*")
    assert keys
    assert not [one for one in keys if b"198.51" in one or b"seen" in one]


def test_a_key_can_be_told_by_nobody_who_lacks_the_secret(stores: Any, redis_server: RedisServer) -> None:
    """There are so few networks that whoever reads the storage would try them all: two stores with other secrets count under other keys."""
    both = [stores(CS_LIMITS_URL=redis_server.url, SECRET_KEY=secret) for secret in ("the secret of one store", b"the secret of the other one")]
    keys = []
    for store in both:
        redis.from_url(redis_server.url).flushdb()
        assert write(visitor_from(store, "198.51.100.78"), "text", email="seen@example.com") == 303
        keys.append({key for key in redis.from_url(redis_server.url).keys("*") if b"post" not in key})
    assert all(keys)
    assert not keys[0] & keys[1]


@pytest.mark.shows("2.8", "3.6")
def test_without_its_storage_the_form_takes_messages_and_the_log_says_so_once(stores: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A customer's message counts above all: nothing is limited while Redis is away, and a minute has one line of it."""
    store = stores(CS_FORM_RATE="1/hour", CS_LIMITS_URL=f"redis://:a-secret@127.0.0.1:{free_port()}/0")
    visitor = visitor_from(store, "203.0.113.7")
    assert [write(visitor, f"text {number}") for number in range(3)] == [303] * 3
    told = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(told) == 1
    assert "CS_LIMITS_URL" in told[0].getMessage()
    assert "a-secret" not in caplog.text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CS_FORM_RATE", "often"),
        ("CS_SENDER_RATE", "0/hour"),
        ("CS_TOKEN_RATE", 20),
        ("CS_CONFIRMATION_RATE", "3/hour;"),
        ("CS_LIMITS_URL", "nowhere://:a-secret@host"),
        ("CS_LIMITS_URL", 7),
        ("CS_LIMITS_URL", "redis://:a-secret@host:port"),
    ],
)
def test_what_cannot_be_read_stops_the_start(stores: Any, key: str, value: Any) -> None:
    """And the error names the key, without a password."""
    with pytest.raises(ConfigurationError, match=key) as error:
        stores(**{key: value})
    assert "a-secret" not in str(error.value)


@pytest.mark.parametrize("off", [None, ""])
def test_a_rate_can_be_switched_off(stores: Any, off: str | None) -> None:
    """None and an empty text mean no limit."""
    store = stores(CS_FORM_RATE=off, CS_SENDER_RATE=off, CS_TOKEN_RATE=off, CS_CONFIRMATION_RATE=off)
    visitor = visitor_from(store, "203.0.113.7")
    assert {write(visitor, f"text {number}") for number in range(12)} == {303}
    assert confirmations(store) == 12
    assert {visitor.client.get("/customer-service/thread/x").status_code for _guess in range(25)} == {404}


# --- Confirmations


@pytest.mark.shows("3.6", "3.4")
def test_thirty_posts_of_one_sender_fill_nobodys_mailbox(any_store: Store) -> None:
    """All are kept, three are confirmed, "+tags" and case counted as one; an hour later the next is confirmed; others are confirmed meanwhile."""
    store = any_store
    for number in range(30):
        receive(store, f"text {number}", sender=_from(f"Victim+{number}@example.com"))
    assert count(store, Thread) == 30
    assert confirmations(store) == 3
    receive(store, "another", sender=_from("other@example.com"))
    assert confirmations(store) == 4
    store.clock.forward(minutes=59)
    receive(store, "too early", sender=_from("victim@example.com"))
    assert confirmations(store) == 4
    store.clock.forward(minutes=2)
    receive(store, "an hour later", sender=_from("victim@example.com"))
    assert confirmations(store) == 5


@pytest.mark.shows("3.6")
def test_confirmations_at_once_are_no_more(any_store: Store) -> None:
    """Twelve posts at the same moment, by sessions of their own: three confirmations on every database."""
    start = Barrier(12)

    def post(number: int) -> None:
        start.wait(timeout=60)
        receive(any_store, f"text {number}", sender=_from("victim@example.com"))

    chosen = contact_id(any_store)
    assert chosen
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(post, range(12)))
    assert (count(any_store, Thread), confirmations(any_store)) == (12, 3)


@pytest.mark.shows("3.4", "3.6")
def test_what_is_mailed_on_is_confirmed_as_seldom(store: Store) -> None:
    """A contact that keeps nothing gets every message; the sender gets three confirmations."""
    do(store, lambda bench: bench.session.query(Contact).update({"save_messages": False}))
    for number in range(5):
        receive(store, f"text {number}")
    assert confirmations(store) == 3
    assert count(store, OutboxItem, OutboxItem.kind == "passed_on") == 5


def test_what_is_rolled_back_was_not_confirmed(store: Store) -> None:
    """A confirmation of a transaction that did not happen is not counted."""
    for number in range(5):
        with store.desk.sessions() as session:
            desk.receive(store.desk.bench(session), inquiry(store, f"text {number}"))
            session.rollback()
    receive(store, "at last")
    assert confirmations(store) == 1


def _from(address: str) -> Sender:
    return Sender(address)


# --- Asked before the lock, and one thread an order


def test_the_host_is_asked_about_spam_outside_any_transaction(tmp_path: Path) -> None:
    """A filter that asks a server far away holds up nobody else: once a post, also where the post comes by the form."""
    held = Filter()
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[held])
    held.store = store
    visitor = Visitor(store)
    visitor.open()
    assert visitor.write("Is this spam?").status_code == 303
    assert (held.spam_asked, held.in_transaction) == (1, [False])


@pytest.mark.shows("2.6")
@pytest.mark.parametrize("signed_in", [True, False])
def test_first_messages_about_one_order_at_once_make_one_thread(any_store: Store, signed_in: bool) -> None:
    """Ten windows of the same customer, or of a guest whom the host vouches for, at the same moment: one thread with ten messages."""
    store, writers = any_store, 10
    sender = JAN_SIGNED_IN if signed_in else _verified_guest()
    start = Barrier(writers)

    def post(number: int) -> int | None:
        with store.app.app_context():
            start.wait(timeout=60)
            sent = inquiry(store, f"text {number}", channel=Channel.ORDER_PAGE, order_id="15", sender=sender)
            return store.desk.receive(sent).thread_id

    with ThreadPoolExecutor(writers) as pool:
        threads = set(pool.map(post, range(writers)))
    assert len(threads) == 1
    assert sorted(one.text for one in messages_of(store, threads.pop() or 0)) == sorted(f"text {number}" for number in range(writers))


def _verified_guest() -> Sender:
    return Sender("guest@example.com", verified=True)


def test_an_older_view_of_the_database_does_not_make_a_second_thread(any_store: Store) -> None:
    """A host whose transaction has read before the first message was committed still writes into its thread."""
    store = any_store
    sent = [inquiry(store, f"text {number}", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN) for number in range(2)]
    with store.app.app_context():
        session = store.desk.session()
        session.scalar(select(func.count()).select_from(Thread))
        thread_id = do(store, lambda bench: desk.receive(bench, sent[0])).thread_id
        assert desk.receive(store.desk.bench(session), sent[1]).thread_id == thread_id
        session.commit()
    assert len(messages_of(store, thread_id or 0)) == 2


@pytest.mark.shows("2.6", "2.10")
def test_after_the_thread_of_an_order_is_gone_or_anothers_a_new_one_begins(any_store: Store) -> None:
    """What an earlier message led to counts only while it is this customer's thread of this order, in the list."""
    store = any_store

    def write_about_15() -> int:
        return receive(store, f"text {count(store, Message)}", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id or 0

    first = write_about_15()
    do(store, lambda bench: desk.delete(bench, store.actor(), [first]))
    second = write_about_15()
    assert second != first
    do(store, lambda bench: bench.session.query(Thread).filter_by(id=second).update({"customer_id": EVA.id}))
    third = write_about_15()
    assert third not in (first, second)
    assert thread_of(store, third).customer_id == JAN.id
    assert write_about_15() == third


@pytest.mark.shows("2.8")
def test_a_database_that_is_busy_for_a_moment_refuses_no_message(stores: Any, tmp_path: Path) -> None:
    """While a worker writes, SQLite lets nobody read: whether the post has come before is asked again until it answers."""
    store = stores(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0}})
    post = inquiry(store, post_key="a form's own key")
    with store.app.test_request_context("/", environ_base={"REMOTE_ADDR": "198.51.100.7"}):
        assert floods.admit(store.desk, post) is None
        path = store.desk.engine.url.database
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            asked = threading.Event()
            committing = threading.Thread(target=lambda: (asked.wait(10), writer.execute("COMMIT")))
            committing.start()
            event.listen(store.desk.engine, "handle_error", lambda _context: asked.set())
            assert floods.admit(store.desk, replace(post, post_key="another one")) is None
            committing.join()
    assert asked.is_set()


def test_the_contact_page_itself_is_never_limited(stores: Any) -> None:
    """Looking costs nothing."""
    store = stores(CS_FORM_RATE="1/hour")
    assert {store.client().get(CONTACT).status_code for _look in range(10)} == {200}
