"""The panel "Messages" of an order in the admin: who sees it, what it shows, what a comment becomes, and that two at once make one thread."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask import render_template_string
from sqlalchemy import event, func, select, text

from cs_plugin import desk, hookimpl
from cs_plugin import errors as desk_errors
from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import MAX_ORDER_PANEL_TEXT, Channel, Sender
from cs_plugin.rules.permissions import Actor, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import predefined
from cs_plugin.store.models import Contact, Delivery, Message, OutboxItem, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.web.posting import FORM_LASTS
from tests.hosts.store import EVA, EVERYTHING, JAN, JOHN, LAYLA, MARIE, PARIS, Store, make_store
from tests.hosts.visitor import hidden, value_of
from tests.hosts.writing import JAN_SIGNED_IN, begin, contact_id, do, inquiry, kept_columns, look, messages_of, thread_of, token_of, worked_out
from tests.test_writers import at_once, in_own_session, in_the_hosts_session

PAGE = "/cs-admin/customer-service-orders/?order=15"
ADDED = "Comment successfully added."
OVERWRITE = "Do you want to overwrite your existing message?"


def panel(store: Store, employee_id: str = MARIE.id, order_id: str = "15") -> Any:
    """The answer of the hook, asked on a page of the host's."""
    with store.app.test_request_context("/admin/orders/15", headers={"X-Employee": employee_id}):
        return store.customer_service.hook.cs_order_panel(order_id=order_id)


def post(store: Store, client: Any = None, page: str = PAGE, shown: str = "", **fields: str) -> Any:
    """Post the panel's form as it is shown on our own page, or as it stood on another (`shown`)."""
    client = client or store.client(employee=MARIE)
    return client.post(page, data={**hidden(shown or client.get(page).text), **fields})


def write(store: Store, words: str = "Wrapped twice.", *, public: bool = False, actor: Actor | None = None, order_id: str = "15") -> Message:
    """Write on an order by the verb."""
    order = next(one for one in store.answers.orders if one.id == order_id)
    return do(store, lambda bench: desk.write_on_order(bench, actor or store.actor(), order, words, public=public))


def about_order(store: Store, words: str = "The jug is broken.", **changes: Any) -> int:
    """Begin a thread about Jan's order from its page."""
    return begin(store, words, **{"channel": Channel.ORDER_PAGE, "order_id": "15", "sender": JAN_SIGNED_IN, **changes})


def offer(store: Store, name: str, words: str, *, shops: tuple[str, ...] = ("1",), french: tuple[str, str] = ("", "")) -> str:
    """Make a predefined message and return its id."""

    def make(bench: Bench) -> str:
        message = predefined.new_predefined(bench.session, bench.now)
        predefined.write_words(message, "en", name=name, text=words)
        predefined.write_words(message, "fr", name=french[0], text=french[1])
        predefined.write_shops(message, shops)
        bench.session.flush()
        return str(message.id)

    return do(store, make)


def threads(store: Store) -> list[Thread]:
    """All threads."""
    return look(store, lambda session: list(session.scalars(select(Thread).order_by(Thread.id))))


def switch(store: Store, title: str, **mails: bool) -> None:
    """Switch mails of a contact on or off."""

    def work(bench: Bench) -> None:
        bench.session.get_one(Contact, contact_id(store, title)).mails = mails

    do(store, work)


def told(html: str) -> list[str]:
    """The errors that the panel shows."""
    return [unescape(re.sub("<[^>]+>", "", one)).strip() for one in re.findall(r'<p class="cs-op-error"[^>]*>(.*?)</p>', html, re.DOTALL)]


# --- Who sees it


@pytest.mark.shows("4.1", "12.1")
def test_nobody_sees_it_who_may_not_view_the_shop(store: Store) -> None:
    """No panel for nobody, for an employee of another shop, for one without grants; nor for an order that is not there."""
    about_order(store)
    store.answers.grants[LAYLA.id] = {"view": ["3"], "reply": ["3"]}
    store.answers.grants[JOHN.id] = {}
    assert [panel(store, one) for one in ("", LAYLA.id, JOHN.id)] == [None, None, None]
    assert [panel(store, order_id=one) for one in ("99", "", "\0", "x" * 100)] == [None] * 4
    assert "The jug is broken." in panel(store)
    for employee, status in ((None, 403), (LAYLA, 404), (JOHN, 403)):
        client = store.client(employee=employee)
        assert (client.get(PAGE).status_code, client.post(PAGE, data={"text": "x"}).status_code) == (status, status)
    marie = store.client(employee=MARIE)
    assert [marie.get(f"/cs-admin/customer-service-orders/{one}").status_code for one in ("", "?order=99", "?order=%00")] == [404] * 3


@pytest.mark.shows("12.1")
def test_whoever_may_view_and_not_reply_reads_only(store: Store) -> None:
    """No form, and a post is refused."""
    about_order(store)
    store.answers.grants[JOHN.id] = {"view": ["1"]}
    shown = panel(store, JOHN.id)
    assert "The jug is broken." in shown
    assert "<form" not in shown
    client = store.client(employee=JOHN)
    assert client.post(PAGE, data={"text": "x"}).status_code == 403
    assert len(messages_of(store, 1)) == 1


@pytest.mark.shows("4.1", "12.1")
def test_the_way_to_the_predefined_messages_is_for_those_who_may_configure(store: Store) -> None:
    """Others see the drop-down without that link."""
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    assert "Configure predefined messages" in panel(store)
    assert "Configure predefined messages" not in panel(store, JOHN.id)
    assert 'name="predefined"' in panel(store, JOHN.id)


def test_outside_a_request_there_is_no_panel(store: Store) -> None:
    """A host's command that fires the hook gets None."""
    with store.app.app_context():
        assert store.customer_service.hook.cs_order_panel(order_id="15") is None


def test_a_hosts_page_stands_while_the_tables_cannot_be_read(store: Store) -> None:
    """The fragment stays away."""
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE cs_thread RENAME TO cs_thread_away"))
    assert panel(store) is None


# --- What it shows


@pytest.mark.shows("4.1")
def test_the_last_four_messages_and_how_many_there_are(store: Store) -> None:
    """The oldest of five is left out; private ones are marked by class, icon and words, and the thread's page is a click away."""
    begun = about_order(store, "The very first words")
    for number in (2, 3):
        do(store, lambda bench, number=number: desk.add_note(bench, store.actor(), begun, f"note {number}"))
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("We are sorry.")))
    write(store, "from the panel")
    shown = panel(store)
    assert "Messages (5)" in shown
    assert "The very first words" not in shown
    places = [shown.index(words) for words in ("note 2", "note 3", "We are sorry.", "from the panel")]
    assert places == sorted(places)
    assert shown.count('class="cs-op-message cs-op-note"') == 3
    assert shown.count("Private note, not visible to the customer") == 3
    assert f'href="/cs-admin/customer-service/{begun}/">View full conversation</a>' in shown


@pytest.mark.shows("4.1")
def test_several_threads_of_an_order_are_listed(store: Store) -> None:
    """The link leads to a list of all of them; those in spam or in the bin are not among them, nor counted, nor those of another shop's order 15."""
    about_order(store, "in the list")
    others = [begin(store, words, sender=JAN_SIGNED_IN) for words in ("also listed", "deleted", "spam")]
    berlin = begin(store, "of Berlin", sender=JAN_SIGNED_IN, shop_id="2")

    def about_it(bench: Bench) -> None:
        for one in (*others, berlin):
            bench.session.get_one(Thread, one).order_id = "15"
        bench.session.get_one(Thread, others[2]).folder = Folder.SPAM

    do(store, about_it)
    do(store, lambda bench: desk.delete(bench, store.actor(), [others[1]]))
    shown = panel(store)
    assert "Messages (2)" in shown
    assert f'href="{PAGE}">View full conversation</a>' in shown
    page = store.client(employee=MARIE).get(PAGE).text
    assert [int(one) for one in re.findall(r'href="/cs-admin/customer-service/(\d+)/">Thread', page)] == [others[0], 1]


@pytest.mark.shows("4.1")
def test_what_was_written_is_shown_as_text(store: Store) -> None:
    """Markup in a message, a name, a product or a predefined message stays text."""
    about_order(store, "<script>alert(1)</script>", sender=replace(JAN_SIGNED_IN, first_name="<b>Jan"), product_name="<i>Jug", product_id="4")
    offer(store, "<u>name", '"><script>alert(2)</script>')
    shown = panel(store)
    for markup in ("<script>alert", "<b>Jan", "<i>Jug", "<u>name"):
        assert markup not in shown


def test_it_costs_a_known_number_of_queries(store: Store) -> None:
    """Four messages in two threads cost as many queries as one message."""
    from sqlalchemy import event

    def queries() -> int:
        counted: list[str] = []

        def count(*arguments: Any) -> None:
            counted.append(arguments[2])

        with store.app.app_context():
            event.listen(store.desk.engine, "before_cursor_execute", count)
            panel(store)
            event.remove(store.desk.engine, "before_cursor_execute", count)
        return len([one for one in counted if one.startswith("SELECT")])

    about_order(store)
    offer(store, "One", "One")
    few = queries()
    for number in range(4):
        write(store, f"comment {number}")
        offer(store, f"Name {number}", "Text")
    assert queries() == few <= 11


# --- Writing: the verb


@pytest.mark.shows("4.1", "2.1", "2.4")
def test_a_comment_is_a_private_note_and_no_mail(store: Store) -> None:
    """On an order without a thread it begins an open one of the order's customer, type "--"; nothing leaves."""
    message = write(store, "Wrapped twice.")
    assert (message.private, message.channel, message.delivery) == (True, Channel.ORDER_PAGE, Delivery.NONE)
    (begun,) = threads(store)
    assert (begun.status, begun.contact_id, begun.order_id, begun.shop_id, begun.subject) == (Status.OPEN, None, "15", "1", "XKBKNABJK")
    assert (begun.address, begun.customer_id, begun.customer_name, begun.customer_verified) == (JAN.email, JAN.id, JAN.name, True)
    assert begun.assignee_id is None
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(OutboxItem))) == 0
    assert kept_columns(begun) == worked_out(messages_of(store, begun.id))


@pytest.mark.shows("4.1", "2.1", "2.3", "11.4")
def test_a_public_comment_is_mailed_and_closes_what_it_begins(store: Store) -> None:
    """A thread that an employee begins is closed; the mail is the order message, in the order's language, with the link; its author takes it."""
    store.answers.orders[0] = replace(store.answers.orders[0], language="fr")
    message = write(store, "It leaves tomorrow.", public=True)
    (begun,) = threads(store)
    assert (begun.status, begun.language, begun.assignee_id) == (Status.CLOSED, "fr", MARIE.id)
    assert (message.private, message.delivery, message.released_at) == (False, Delivery.QUEUED, store.clock())
    assert look(store, lambda session: session.scalars(select(ThreadEvent.kind)).all()) == ["assigned"]
    with store.app.app_context():
        store.desk.office.deliver()
    (mail,) = store.desk.transport.sent
    assert mail.recipients == (JAN.email,)
    body = mail.message.get_body(("plain",)).get_content()
    assert "It leaves tomorrow." in body
    assert "XKBKNABJK" in body
    assert token_of(store, begun.id) in body
    assert kept_columns(begun) == worked_out(messages_of(store, begun.id))


@pytest.mark.shows("4.1", "2.3", "2.6")
@pytest.mark.parametrize(("after", "status"), [("close", Status.CLOSED), ("keep", Status.OPEN)])
def test_it_goes_into_the_newest_thread_with_the_orders_customer(store: Store, after: str, status: Status) -> None:
    """A public comment is the answer that the customer waits for: it is timed, and closes as the option says; the customer's next words follow it."""
    about_order(store, "An older one")
    do(store, lambda bench: set_option(bench.session, "after_reply", after, bench.now, context=ALL_SHOPS))
    store.clock.forward(minutes=90)
    message = write(store, "We are sorry.", public=True)
    assert (message.thread_id, message.response_seconds) == (1, 5400.0)
    assert thread_of(store, 1).status is status
    assert about_order(store, "Thank you") == 1
    assert [one.text for one in messages_of(store, 1)] == ["An older one", "We are sorry.", "Thank you"]


@pytest.mark.shows("2.6")
def test_the_customer_answers_into_the_thread_that_the_employee_began(store: Store) -> None:
    """From the order's page and by account: the thread is theirs."""
    write(store, "It leaves tomorrow.", public=True)
    assert about_order(store, "Thank you") == 1
    assert thread_of(store, 1).status is Status.OPEN


def test_nothing_is_mailed_to_a_stranger_who_wrote_about_the_order(store: Store) -> None:
    """A thread of somebody else, of an unverified address, of another shop, in spam or in the bin takes no comment: it begins a new one."""
    eva = Sender(EVA.email, "Eva", "Novak", EVA.id, verified=True)
    others = [about_order(store, "from Eva", sender=eva), *(begin(store, words, sender=JAN_SIGNED_IN) for words in ("no proof", "spam", "bin"))]
    berlin = begin(store, "of Berlin", sender=JAN_SIGNED_IN, shop_id="2")

    def arrange(bench: Bench) -> None:
        for one in (*others, berlin):
            bench.session.get_one(Thread, one).order_id = "15"
        bench.session.get_one(Thread, others[1]).customer_verified = False
        bench.session.get_one(Thread, others[2]).folder = Folder.SPAM

    do(store, arrange)
    do(store, lambda bench: desk.delete(bench, store.actor(), [others[3]]))
    message = write(store, "It leaves tomorrow.", public=True)
    assert message.thread_id not in {*others, berlin}
    assert thread_of(store, message.thread_id).address == JAN.email


def test_after_the_thread_was_deleted_a_comment_begins_a_new_one(store: Store) -> None:
    """And the next goes into that."""
    first = write(store).thread_id
    do(store, lambda bench: desk.delete(bench, store.actor(), [first]))
    second = write(store, "Again").thread_id
    assert second != first
    assert write(store, "And again").thread_id == second


def test_a_guests_order_is_written_to_at_its_address(store: Store) -> None:
    """Without an account the order's own address counts; without a good one a note can stand and a mail cannot go."""
    store.answers.orders[0] = replace(store.answers.orders[0], customer_id=None, email="ida@example.com")
    write(store, "It leaves tomorrow.", public=True)
    assert (threads(store)[0].address, threads(store)[0].customer_id) == ("ida@example.com", None)
    store.answers.orders.append(replace(store.answers.orders[0], id="17", email="at the door"))
    with pytest.raises(desk_errors.InvalidInputError, match="no address"):
        write(store, "Hello", public=True, order_id="17")
    assert len(threads(store)) == 1
    assert write(store, "Paid in cash", order_id="17").private
    with pytest.raises(desk_errors.InvalidInputError, match="no address"):
        write(store, "Hello", public=True, order_id="17")


@pytest.mark.parametrize(
    ("grants", "error"),
    [
        ({"view": ["3"], "reply": ["3"]}, desk_errors.NotFoundError),
        ({"view": ["1"]}, desk_errors.NotPermittedError),
        ({"reply": ["1"]}, desk_errors.NotFoundError),
    ],
)
def test_the_verb_refuses_whoever_may_not(store: Store, grants: dict[str, Any], error: type[Exception]) -> None:
    """The shop of the order counts, and nothing is written."""
    with pytest.raises(error):
        write(store, actor=Actor(JOHN, Grants.of(grants)))
    assert threads(store) == []


def test_listeners_hear_of_it(tmp_path: Any) -> None:
    """A new thread is opened, a public comment is a reply, a private one a note, an assignment is told."""
    heard: list[str] = []

    class Listener:
        @hookimpl
        def cs_thread_opened(self, message: Any) -> None:
            heard.append(f"opened: {message.text}")

        @hookimpl
        def cs_reply_sent(self, message: Any) -> None:
            heard.append(f"reply: {message.text}")

        @hookimpl
        def cs_note_added(self, message: Any) -> None:
            heard.append(f"note: {message.text}")

        @hookimpl
        def cs_thread_assigned(self, assignee_id: str) -> None:
            heard.append(f"assigned: {assignee_id}")

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Listener()])
    write(store, "one")
    write(store, "two", public=True)
    assert heard == ["note: one", "opened: one", f"assigned: {MARIE.id}", "reply: two"]


@pytest.mark.parametrize("doing", [in_own_session, in_the_hosts_session])
def test_two_at_once_write_into_one_thread(any_store: Store, doing: Callable[..., object]) -> None:
    """Employees and the customer who write on an order without a thread at the same moment begin one, and nothing of theirs is lost."""
    store = any_store
    actors = [Actor(one, store.actor().grants) for one in (MARIE, JOHN, LAYLA)]
    order = store.answers.orders[0]

    def work(actor: Actor, number: int) -> Callable[[Bench], object]:
        return lambda bench: desk.write_on_order(bench, actor, order, f"{actor.employee.id}/{number}", public=number % 2 == 0)

    def ask(number: int) -> Callable[[Bench], object]:
        sent = inquiry(store, f"jan/{number}", channel=Channel.ORDER_PAGE, order_id=order.id, sender=JAN_SIGNED_IN)
        return lambda bench: desk.receive(bench, sent)

    piles = [[work(actor, number) for number in range(6)] for actor in actors]
    at_once(store, doing, [*piles, [ask(number) for number in range(6)]])
    (begun,) = threads(store)
    written = messages_of(store, begun.id)
    writers = ("jan", *(actor.employee.id for actor in actors))
    assert sorted(one.text for one in written) == sorted(f"{who}/{number}" for who in writers for number in range(6))
    assert kept_columns(begun) == worked_out(written)


# --- Writing: the form


@pytest.mark.shows("4.1")
def test_the_form_stands_on_the_hosts_page_and_leads_back_to_it(store: Store) -> None:
    """A comment from a host's page is added, "Comment successfully added." is said there once, and the box is off by default."""

    @store.app.route("/admin/orders/<order_id>")
    def order_page(order_id: str) -> str:
        return render_template_string("{{ cs_order_panel(order) }}", order=order_id)

    client = store.client(employee=MARIE)
    shown = client.get("/admin/orders/15?tab=2").text
    assert "checked" not in shown
    answer = post(store, client, shown=shown, text="Wrapped twice.")
    assert (answer.status_code, answer.location) == (303, "/admin/orders/15?tab=2#cs-order-panel-15")
    page = client.get("/admin/orders/15?tab=2").text
    assert page.count(ADDED) == 1
    assert "Wrapped twice." in page
    assert ADDED not in client.get("/admin/orders/15?tab=2").text
    assert messages_of(store, 1)[0].private
    assert store.client().get("/admin/orders/15").text == ""


@pytest.mark.shows("4.1")
def test_the_customer_sees_what_is_to_be_displayed(store: Store) -> None:
    """With the box on it is public."""
    assert post(store, text="It leaves tomorrow.", public="1").status_code == 303
    assert not messages_of(store, 1)[0].private
    assert "It leaves tomorrow." in store.client(customer=JAN).get("/customer-service/order?order=15").text


@pytest.mark.shows("4.1")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "This field cannot be empty"),
        (" \r\n\0", "This field cannot be empty"),
        ("a" * (MAX_ORDER_PANEL_TEXT + 1), "This field cannot be longer than 1200 characters"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_lost(store: Store, words: str, sentence: str) -> None:
    """Text, choices and the way back stay."""
    mine = offer(store, "Delay", "There is a delay.")
    answer = post(store, text=words, public="1", predefined=mine, next="/admin/orders/15")
    assert answer.status_code == 422
    assert told(answer.text) == [sentence]
    assert value_of(answer.text, "text") == words.replace("\0", "").replace("\r\n", "\n")
    assert re.search(r'name="public"[^>]*checked', answer.text)
    assert f'value="{mine}" data-text="There is a delay." selected' in answer.text
    assert hidden(answer.text)["next"] == "/admin/orders/15"
    assert threads(store) == []


@pytest.mark.shows("4.1", "2.9")
def test_twelve_hundred_characters_are_not_too_long(store: Store) -> None:
    """Line ends count once, as in the browser."""
    assert post(store, text="a\r\n" * 599 + "aa").status_code == 303
    assert len(messages_of(store, 1)[0].text) == 1200


@pytest.mark.shows("4.1")
def test_without_scripts_a_predefined_message_is_used_and_asks_before_it_overwrites(store: Store) -> None:
    """An empty field is filled; another text is asked about, kept, or overwritten; nothing is stored by any of it."""
    delay = offer(store, "Delay", "There is a delay.", french=("Retard", "Il y a du retard."))
    assert OVERWRITE not in re.sub(r"<dialog.*?</dialog>", "", panel(store), flags=re.DOTALL)

    def used(how: str, words: str) -> str:
        answer = post(store, use=how, text=words, predefined=delay, public="1")
        assert answer.status_code == 200
        assert re.search(r'name="public"[^>]*checked', answer.text)
        return re.sub(r"<dialog.*?</dialog>", "", answer.text, flags=re.DOTALL)

    assert value_of(used("fill", ""), "text") == "There is a delay."
    asked = used("fill", "My own words")
    assert OVERWRITE in asked
    assert value_of(asked, "text") == "My own words"
    kept = used("keep", "My own words")
    assert OVERWRITE not in kept
    assert value_of(kept, "text") == "My own words"
    assert value_of(used("overwrite", "My own words"), "text") == "There is a delay."
    assert value_of(post(store, use="fill", text="Mine", predefined="99").text, "text") == "Mine"
    assert threads(store) == []


@pytest.mark.shows("4.1")
def test_the_drop_down_offers_those_of_the_shop_in_the_customers_language(store: Store) -> None:
    """"-" by default; names in the employee's language, texts in the order's; none of another shop's."""
    offer(store, "Delay", "There is a delay.", french=("Retard", "Il y a du retard."))
    offer(store, "Dubai only", "Hot.", shops=("3",))
    store.answers.orders[0] = replace(store.answers.orders[0], language="fr")
    shown = panel(store)
    assert re.search(r'<option value="">-</option>\s*<option value="\d+" data-text="Il y a du retard.">Delay</option>', shown)
    assert "Dubai only" not in shown


@pytest.mark.shows("2.7")
def test_a_double_click_is_one_comment(store: Store) -> None:
    """The same post is taken once; a step back and other words are a second one."""
    client = store.client(employee=MARIE)
    shown = client.get(PAGE).text
    for words in ("Once", "Once", "Twice"):
        assert post(store, client, shown=shown, text=words).status_code == 303
    assert [one.text for one in messages_of(store, 1)] == ["Once", "Twice"]


def test_the_host_is_asked_before_the_first_row_is_written(tmp_path: Any) -> None:
    """Nobody waits behind a row of ours for the host's answer about a customer."""
    unsettled: list[str] = []
    asked: list[list[str]] = []

    class Slow:
        @hookimpl(tryfirst=True)
        def cs_find_customer(self) -> None:
            asked.append(list(unsettled))

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Slow()])
    with store.app.app_context():
        engine = store.db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            unsettled.append(statement)

    @event.listens_for(engine, "commit")
    def settle(_connection: Any) -> None:
        unsettled.clear()

    client = store.client(employee=MARIE)
    shown = client.get(PAGE).text
    asked.clear()
    assert post(store, client, shown=shown, text="Wrapped twice.").status_code == 303
    assert asked
    assert not any(asked)


def test_an_expired_or_forged_form_keeps_its_text(store: Store) -> None:
    """It is shown again, renewed, and taken then; another site's post is not."""
    client = store.client(employee=MARIE)
    shown = client.get(PAGE).text
    forged = client.post(PAGE, data={**hidden(shown), "csrf_token": "forged", "text": "Forged"})
    assert forged.status_code == 422
    assert "This form had expired" in told(forged.text)[0]
    store.clock.forward(seconds=FORM_LASTS.total_seconds() + 1)
    late = post(store, client, shown=shown, text="Written slowly")
    assert late.status_code == 422
    assert value_of(late.text, "text") == "Written slowly"
    assert threads(store) == []
    assert post(store, client, shown=late.text, text="Written slowly").status_code == 303


def test_a_body_that_is_far_too_large_keeps_its_text(store: Store) -> None:
    """A file has no business here, and the text comes back."""
    client = store.client(employee=MARIE)
    data = {**hidden(client.get(PAGE).text), "text": "Look at this", "file": (io.BytesIO(b"a" * 1_000_000), "film.txt")}
    answer = client.post(PAGE, data=data, content_type="multipart/form-data")
    assert answer.status_code == 413
    assert value_of(answer.text, "text") == "Look at this"


@pytest.mark.shows("4.1", "11.4")
def test_it_says_so_where_no_mail_would_go_out(store: Store) -> None:
    """Where the contact has these mails switched off: the one of the thread that the comment goes to, or the one that stands for the shop."""
    with_mail, without = "The customer sees it, and gets a mail.", "No mail goes out: order messages are switched off for this contact."
    assert [words in panel(store) for words in (with_mail, without)] == [True, False]
    switch(store, "Customer service", order_message=False)
    assert [words in panel(store) for words in (with_mail, without)] == [False, True]
    assert write(store, public=True).delivery is Delivery.NONE
    webmaster = contact_id(store, "Webmaster")
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), threads(store)[0].id, webmaster))
    assert with_mail in panel(store)
    assert write(store, public=True).delivery is Delivery.QUEUED


def test_panels_of_several_orders_share_no_id(store: Store) -> None:
    """A page may show several, whatever the host's ids hold; each comes back to its own."""
    odd = replace(store.answers.orders[0], id='9 "<ü>', reference="ODD")
    store.answers.orders.append(odd)
    html = "".join(panel(store, order_id=order.id) for order in store.answers.orders)
    ids, targets = re.findall(r' id="([^"]*)"', html), re.findall(r' (?:for|aria-labelledby|aria-describedby)="([^"]*)"', html)
    assert len(ids) == len(set(ids)) > 12
    assert {one for target in targets for one in target.split()} <= set(ids)
    places = re.findall(r'<section class="cs-order-panel" id="([^"]*)"', html)
    assert re.findall(r'action="[^"]*#([^"]*)"', html) == places


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_to_another_site(store: Store, elsewhere: str) -> None:
    """A way back that leaves this site is not gone."""
    assert post(store, text="Hello", next=elsewhere).location == f"{PAGE}#cs-order-panel-15"


def test_our_own_page_leads_back_to_the_order(store: Store) -> None:
    """To the host's page of it, where the host names one."""
    store.answers.urls["order"] = "/admin/order/{id}"
    assert 'href="/admin/order/15"' in store.client(employee=MARIE).get(PAGE).text


def test_a_failed_mail_is_told(store: Store) -> None:
    """Where the customer did not get it, the panel says so."""
    message = write(store, "It leaves tomorrow.", public=True)

    def fail(bench: Bench) -> None:
        failed = bench.session.get_one(Message, message.id)
        failed.delivery, failed.delivery_text = Delivery.FAILED, "no such user"

    do(store, fail)
    assert told(panel(store)) == ["Failed: no such user"]


def test_the_panel_speaks_the_employees_language(store: Store) -> None:
    """From right to left for Layla; the customer's words keep their own direction."""
    about_order(store)
    store.answers.grants[LAYLA.id] = EVERYTHING
    shown = panel(store, LAYLA.id)
    assert 'lang="ar" dir="rtl"' in shown
    assert 'dir="auto" lang="en">The jug is broken.' in shown


@pytest.mark.shows("4.1")
def test_the_panel_works_on_every_database(any_store: Store) -> None:
    """Reading and writing, on each."""
    assert post(any_store, text="Wrapped twice 🎁", public="1").status_code == 303
    assert "Wrapped twice 🎁" in panel(any_store)
    assert any_store.answers.grants[MARIE.id][Permission.VIEW] is not None
    assert thread_of(any_store, 1).shop_id == PARIS.id
