"""The customer's side of an order: who opens it, what they read, what they write, and that nobody else learns anything."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from flask import render_template_string
from sqlalchemy import select, text
from werkzeug.datastructures import FileStorage

from cs_plugin import Order, Product, desk
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.inquiry import AuthorKind, Channel, Sender, StoredFile
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Attachment, Message, Thread
from cs_plugin.store.options import set_option
from cs_plugin.web.customer_order import MOST_MESSAGES
from cs_plugin.web.posting import FORM_LASTS
from cs_plugin.web.uploads import UploadLimits, keep_uploads
from tests.hosts.store import EVA, JAN, MARIE, Store
from tests.hosts.visitor import Visitor, a_file, errors, kept, value_of
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, messages_of, thread_of

ORDER = "/customer-service/order?order=15"
BY_TOKEN = "/customer-service/order?token=token-16"
NOTE = "the note that no customer may read"
FAILURE = "An error occurred while sending the message, please try again."
SENT = "Message successfully sent"
NO_LONGER_VALID = "The order is no longer valid."


@pytest.fixture
def with_guest(store: Store) -> Store:
    """A store in which a guest has made an order too."""
    bought = store.answers.orders[0]
    guests = replace(bought, id="16", reference="GUESTORDR", email="ida@example.com", customer_id=None, products=(Product("9", "Linen towel"),))
    store.answers.orders.append(guests)
    return store


def invalid(store: Store) -> None:
    """Let the order of Jan count as cancelled."""
    store.answers.orders[0] = replace(store.answers.orders[0], valid=False)


def jan(store: Store) -> Visitor:
    """Jan, signed in, at the page of his order."""
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(ORDER)
    return visitor


def guest(store: Store) -> Visitor:
    """A guest who came with the host's token of her order."""
    visitor = Visitor(store)
    visitor.open(BY_TOKEN)
    return visitor


def panel(store: Store, order_id: str, token: str | None = None, **headers: str) -> Any:
    """The answer of the hook, asked on a page of the host's."""
    with store.app.test_request_context("/orders/15?x=1", headers=headers):
        return store.customer_service.hook.cs_customer_order_panel(order_id=order_id, token=token)


def about_order(store: Store, words: str = "The jug is broken.", **changes: Any) -> int:
    """Begin a thread about Jan's order from its page."""
    return begin(store, words, **{"channel": Channel.ORDER_PAGE, "order_id": "15", "sender": JAN_SIGNED_IN, **changes})


def stored(store: Store, name: str) -> StoredFile:
    """A file that is kept."""
    limits = UploadLimits(types=frozenset({"txt"}), most=5, each=1000, together=5000)
    with store.app.test_request_context():
        return keep_uploads(store.desk, [FileStorage(io.BytesIO(b"words of a file"), name)], limits)[0]


def attachment(store: Store, name: str) -> tuple[int, int]:
    """The ids of a file's message and of the file."""
    found = look(store, lambda session: session.scalars(select(Attachment).where(Attachment.name == name)).one())
    return found.message_id, found.id


def threads(store: Store) -> list[Thread]:
    """All threads."""
    return look(store, lambda session: list(session.scalars(select(Thread).order_by(Thread.id))))


# --- Who opens it


@pytest.mark.shows("4.2")
def test_wrong_foreign_and_unknown_orders_are_answered_alike(with_guest: Store) -> None:
    """Whoever may not see an order learns nothing: neither from the page, nor from a post, nor from the file's address, nor from the hook."""
    store = with_guest
    about_order(store)
    addresses = ("?order=15", "?order=16", "?order=99", "?token=none", "?order=15&token=none", "?order=15&token=token-16", "?order=%00", "")
    for client in (store.client(), store.client(customer=EVA)):
        answers = [client.get(f"/customer-service/order{one}") for one in addresses]
        answers += [client.get(f"/customer-service/order/files/1/1{one}") for one in ("?order=15", "?order=99")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers[: len(addresses)]}) == 1
        assert {client.post(f"/customer-service/order{one}", data={"text": "x"}).status_code for one in addresses} == {404}
    for order_id, token in (("15", None), ("16", None), ("99", None), ("15", "token-16"), ("16", "none"), ("", None)):
        assert panel(store, order_id, token) is None
        assert panel(store, order_id, token, **{"X-Customer": EVA.id}) is None
    assert len(threads(store)) == 1


@pytest.mark.shows("4.2")
def test_a_guests_order_is_reached_by_its_token(with_guest: Store) -> None:
    """With the host's token the fragment stands on the host's page and our own page opens; a signed-in customer's own order needs none."""
    assert "Linen towel" in panel(with_guest, "16", "token-16")
    assert "Linen towel" in with_guest.client().get(BY_TOKEN).text
    assert "Stoneware jug" in panel(with_guest, "15", **{"X-Customer": JAN.id})
    assert "Stoneware jug" in panel(with_guest, "15", "a wrong token", **{"X-Customer": JAN.id})


def test_an_account_without_an_id_owns_nothing(with_guest: Store) -> None:
    """A host that writes an empty text for nobody, here and there, opens no guest's order to anybody by that."""
    with_guest.answers.orders[1] = replace(with_guest.answers.orders[1], customer_id="")
    with_guest.answers.customers[""] = replace(EVA, id="")
    assert with_guest.client().get("/customer-service/order?order=16").status_code == 404
    assert panel(with_guest, "16") is None


def test_an_address_that_only_looks_like_the_guests_writes_nothing(with_guest: Store) -> None:
    """"ß" is not "ss": they are two people's mailboxes, and the host's slip must not let one write about the other's order."""
    with_guest.answers.orders[1] = replace(with_guest.answers.orders[1], email="strasse@example.com")
    sent = {"customer_id": None, "email": "straße@example.com", "product_id": None, "shop_id": None, "language": None, "files": [], "post_key": None}
    with with_guest.app.test_request_context(), pytest.raises(InvalidInputError):
        with_guest.customer_service.hook.cs_order_message_posted(order_id="16", text="Mine?", **sent)


def test_an_order_that_merely_has_the_customers_address_is_not_theirs(with_guest: Store) -> None:
    """Whoever opens an account with a guest's address does not read the guest's messages by it."""
    with_guest.answers.orders[1] = replace(with_guest.answers.orders[1], email=EVA.email)
    assert with_guest.client(customer=EVA).get("/customer-service/order?order=16").status_code == 404


def test_a_thread_about_the_order_that_is_not_its_owners_is_not_shown(store: Store) -> None:
    """A stranger's words about an order, verified as the stranger's, do not reach its customer; nor do those of an unverified address."""
    about_order(store, "from Eva", sender=Sender(EVA.email, "Eva", "Novak", EVA.id, verified=True))
    unverified = about_order(store, "from nobody in particular")

    def unverify(bench: Any) -> None:
        bench.session.get_one(Thread, unverified).customer_verified = False

    do(store, unverify)
    page = jan(store).page
    assert "from Eva" not in page
    assert "from nobody in particular" not in page


@pytest.mark.parametrize("path", [ORDER, BY_TOKEN, "/customer-service/order?token=none"])
def test_the_page_is_kept_from_other_sites_and_caches(with_guest: Store, path: str) -> None:
    """The token is a key: no referrer, no store, no index; for what opens nothing as well."""
    headers = with_guest.client(customer=JAN).get(path).headers
    assert (headers["Referrer-Policy"], headers["Cache-Control"], headers["X-Robots-Tag"]) == ("no-referrer", "no-store", "noindex")


def test_too_many_guessed_tokens_are_held_up(tmp_path: Any) -> None:
    """A network that tries token after token has to wait."""
    from tests.hosts.store import make_store

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_TOKEN_RATE="3/hour")
    client = store.client()
    assert [client.get(f"/customer-service/order?token=guess-{number}").status_code for number in range(5)] == [404, 404, 404, 429, 429]


# --- Reading


@pytest.mark.shows("4.2")
def test_the_public_messages_of_all_threads_stand_newest_first(store: Store) -> None:
    """Messages and answers of each thread of the order with their product, without notes."""
    first = about_order(store, "The jug is broken.", product_id="4", product_name="Stoneware jug, indigo")
    do(store, lambda bench: desk.reply(bench, store.actor(), first, desk.Answer("We are sorry.")))
    do(store, lambda bench: desk.add_note(bench, store.actor(), first, NOTE))
    store.clock.forward(minutes=1)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [first], Status.CLOSED))
    second = begin(store, "A second thing", sender=JAN_SIGNED_IN)

    def about_it(bench: Any) -> None:
        bench.session.get_one(Thread, second).order_id = "15"

    do(store, about_it)
    page = jan(store).page
    places = [page.index(words) for words in ("A second thing", "We are sorry.", "The jug is broken.")]
    assert places == sorted(places)
    assert NOTE not in page
    assert page.index("-- choose a product --") < places[0]


@pytest.mark.shows("4.2")
@pytest.mark.parametrize(
    ("option", "shown", "hidden"), [("first", ">Marie<", "Dubois"), ("full", "Marie Dubois", "@desk"), ("shop", ">Paris<", "Marie")]
)
def test_employees_have_the_name_that_the_option_allows(store: Store, option: str, shown: str, hidden: str) -> None:
    """First name, full name, or the shop's."""
    begun = about_order(store)
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("We are sorry.")))
    do(store, lambda bench: set_option(bench.session, "name_shown", option, bench.now, context=ALL_SHOPS))
    page = jan(store).page
    assert shown in page
    assert hidden not in page


@pytest.mark.shows("4.2")
def test_the_files_of_public_messages_are_there_and_no_others(with_guest: Store) -> None:
    """A file comes as a download to the order's customer; that of a note, and one of another order, to nobody here."""
    store = with_guest
    begun = about_order(store, files=(stored(store, "photo.txt"),))
    do(store, lambda bench: desk.add_note(bench, store.actor(), begun, NOTE, (stored(store, "note.txt"),)))
    client = store.client(customer=JAN)
    message, file = attachment(store, "photo.txt")
    address = f"/customer-service/order/files/{message}/{file}"
    assert f'href="{address}?order=15"' in client.get(ORDER).text
    answer = client.get(f"{address}?order=15")
    assert (answer.status_code, answer.data) == (200, b"words of a file")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert store.client().get(f"{address}?token=token-16").status_code == 404
    hidden, of_note = attachment(store, "note.txt")
    assert client.get(f"/customer-service/order/files/{hidden}/{of_note}?order=15").status_code == 404
    assert client.get(f"/customer-service/order/files/{message}/{of_note}?order=15").status_code == 404


@pytest.mark.parametrize("numbers", ["1/99", "99/1", "-1/1", "9223372036854775808/1", f"{'9' * 400}/1", "1/%00", "one/two", "1/١"])
def test_no_number_of_a_file_breaks_anything(store: Store, numbers: str) -> None:
    """Ids that cannot be are answered as files that are not there."""
    about_order(store, files=(stored(store, "photo.txt"),))
    assert store.client(customer=JAN).get(f"/customer-service/order/files/{numbers}?order=15").status_code == 404


def test_older_messages_are_a_page_away(store: Store) -> None:
    """A long talk shows its newest part and leads to the rest, where no form stands; nonsense in the address shows the newest."""
    begun = about_order(store, "The very first words")

    def go_on(bench: Any) -> None:
        for number in range(MOST_MESSAGES):
            bench.session.add(
                Message(
                    thread_id=begun, home_thread_id=begun, shop_id="1", author_kind=AuthorKind.CUSTOMER, channel=Channel.ORDER_PAGE,
                    text=f"Message {number}.", author_address=JAN.email, created_at=bench.now,
                )
            )

    do(store, go_on)
    client = store.client(customer=JAN)
    page = client.get(ORDER).text
    assert "The very first words" not in page
    assert "Message 49." in page
    older = client.get(f"{ORDER}&before=2").text
    assert "The very first words" in older
    assert "Message 0." not in older
    assert "<textarea" not in older
    for nonsense in ("1", "x", "%00", "-5", "9" * 18, "9" * 40):
        assert "Message 49." in client.get(f"{ORDER}&before={nonsense}").text


def test_spam_and_bin_look_as_the_customer_expects(store: Store) -> None:
    """Whoever was marked as spam is not told, and a deleted conversation leaves."""
    spam, deleted = about_order(store, "taken for spam"), begin(store, "deleted", sender=JAN_SIGNED_IN)

    def lay(bench: Any) -> None:
        bench.session.get_one(Thread, spam).folder = Folder.SPAM
        bench.session.get_one(Thread, deleted).order_id = "15"

    do(store, lay)
    do(store, lambda bench: desk.delete(bench, store.actor(), [deleted]))
    page = jan(store).page
    assert "taken for spam" in page
    assert "deleted" not in page


def test_what_was_written_is_shown_as_text(store: Store) -> None:
    """Markup in a message, a product or a file's name stays text."""
    about_order(store, "<script>alert(1)</script>", product_name="<b>Jug</b>", product_id="4", files=(stored(store, "<img src=x>.txt"),))
    page = jan(store).page
    assert "<script>alert" not in page
    assert "<b>Jug" not in page
    assert "<img src=x" not in page


# --- Writing


@pytest.mark.shows("4.2", "2.2", "2.6")
def test_a_message_begins_a_thread_and_the_next_goes_into_it(store: Store) -> None:
    """The verified customer's newest thread of that order takes it and is open again; the page says once that it was sent."""
    visitor = jan(store)
    answer = visitor.post([a_file("photo.txt")], text="The jug is broken.", product="4")
    assert answer.status_code == 303
    page = visitor.client.get(answer.location).text
    assert SENT in page
    assert "photo.txt" in page
    assert SENT not in visitor.client.get(answer.location).text
    begun = threads(store)[0]
    assert (begun.order_id, begun.contact_id, begun.customer_id, begun.customer_verified, begun.subject) == ("15", None, JAN.id, True, "XKBKNABJK")
    message = messages_of(store, begun.id)[0]
    assert (message.channel, message.product_id, message.product_name) == (Channel.ORDER_PAGE, "4", "Stoneware jug, indigo")
    do(store, lambda bench: desk.reply(bench, store.actor(), begun.id, desk.Answer("We are sorry.")))
    visitor.open(ORDER)
    assert visitor.post(text="Thank you").status_code == 303
    assert [one.text for one in messages_of(store, begun.id)] == ["The jug is broken.", "We are sorry.", "Thank you"]
    assert thread_of(store, begun.id).status is Status.OPEN


@pytest.mark.shows("4.2")
def test_a_guest_writes_with_the_token_and_is_the_orders_address(with_guest: Store) -> None:
    """What comes by the token is the guest's, and stands in one thread."""
    visitor = guest(with_guest)
    assert visitor.post(text="Where is it?", product="9").status_code == 303
    visitor.open(BY_TOKEN)
    assert "Where is it?" in visitor.page
    assert visitor.post(text="Hello?").status_code == 303
    (begun,) = threads(with_guest)
    assert (begun.order_id, begun.address, begun.customer_id, begun.customer_verified) == ("16", "ida@example.com", None, True)


@pytest.mark.shows("4.3")
def test_the_contact_is_told_of_it_else_the_assignee(store: Store) -> None:
    """An order message goes to the context's default contact, and to whoever has the thread."""
    visitor = jan(store)
    visitor.post(text="The jug is broken.")
    with store.app.app_context():
        store.desk.office.deliver()
    assert [mail.recipients for mail in store.desk.transport.sent] == [("paris@shop.example",)]
    do(store, lambda bench: desk.assign(bench, store.actor(), 1, MARIE.id))
    visitor.open(ORDER)
    visitor.post(text="And the lid too.")
    with store.app.app_context():
        store.desk.office.deliver()
    assert store.desk.transport.sent[-1].recipients == (MARIE.email,)


@pytest.mark.shows("4.2")
@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"text": ""}, "text", "The message cannot be blank."),
        ({"text": "\0 \r\n"}, "text", "The message cannot be blank."),
        ({"text": "a" * 20_001}, "text", "The message is too long: 20000 characters at most."),
        ({"text": "Hello", "product": "99"}, "product", "Please choose a product of this order, or none."),
        ({"text": "Hello", "website": "https://spam.example"}, "", FAILURE),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(store: Store, fields: dict[str, str], field: str, told: str) -> None:
    """Errors on our own page, with product, text and file kept; the mended form goes through."""
    visitor = jan(store)
    answer = visitor.post([a_file("photo.txt")], **{"product": "4", **fields})
    assert answer.status_code == 422
    assert errors(answer.text)[field] == told
    assert len(kept(answer.text)) == 1
    assert threads(store) == []
    assert visitor.post(text="Now it is good", product="4").status_code == 303
    assert "photo.txt" in visitor.client.get(ORDER).text


@pytest.mark.shows("4.2")
def test_an_order_that_is_no_longer_valid_takes_nothing_and_loses_nothing(store: Store) -> None:
    """Text and file are there again under the error; with the order valid once more they are taken."""
    visitor = jan(store)
    invalid(store)
    answer = visitor.post([a_file("photo.txt")], text="My long words")
    assert answer.status_code == 422
    assert errors(answer.text)[""] == NO_LONGER_VALID
    assert value_of(answer.text, "text") == "My long words"
    assert len(kept(answer.text)) == 1
    assert threads(store) == []
    page = store.client(customer=JAN).get(ORDER).text
    assert NO_LONGER_VALID in page
    assert "<textarea" not in page
    store.answers.orders[0] = replace(store.answers.orders[0], valid=True)
    assert visitor.post(text="My long words").status_code == 303


@pytest.mark.shows("4.2")
def test_an_order_that_is_gone_gives_back_what_was_written(store: Store) -> None:
    """Where the host knows the order no more, the text is shown to be copied."""
    visitor = jan(store)
    store.answers.orders.clear()
    answer = visitor.post(text="My long words <b>")
    assert answer.status_code == 404
    assert NO_LONGER_VALID in answer.text
    assert "My long words &lt;b&gt;" in answer.text


def test_a_form_that_comes_too_fast_is_a_programs(store: Store) -> None:
    """The signed time is part of the form."""
    visitor = jan(store)
    store.clock.forward(seconds=-29)
    assert errors(visitor.post(text="Buy now").text)[""] == FAILURE
    assert threads(store) == []


def test_an_expired_form_is_renewed_with_its_text_and_file(store: Store) -> None:
    """A page that stood open for days shows everything again."""
    visitor = jan(store)
    store.clock.forward(seconds=FORM_LASTS.total_seconds() + 1)
    answer = visitor.post([a_file()], text="A long answer")
    assert answer.status_code == 400
    assert value_of(answer.text, "text") == "A long answer"
    assert visitor.post(text="A long answer").status_code == 303
    assert len(messages_of(store, 1)) == 1


@pytest.mark.shows("2.7")
def test_a_double_click_is_one_message(store: Store) -> None:
    """The same post is stored once, and its sender sees success each time."""
    visitor = jan(store)
    assert [visitor.post([a_file()], text="Once").status_code for _time in range(2)] == [303, 303]
    assert [one.text for one in messages_of(store, 1)] == ["Once"]


@pytest.mark.shows("2.8")
def test_a_message_that_could_not_be_stored_is_never_told_as_sent(store: Store) -> None:
    """Where the database fails, the customer sees an error and keeps text and file."""
    visitor = jan(store)
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE cs_post RENAME TO cs_post_away"))
    answer = visitor.post([a_file()], text="Do not lose me")
    assert answer.status_code == 503
    assert errors(answer.text)[""] == FAILURE
    assert value_of(answer.text, "text") == "Do not lose me"
    assert len(kept(answer.text)) == 1


@pytest.mark.shows("3.3")
def test_the_switch_governs_files_here_too(store: Store) -> None:
    """With uploading off there is no such field, and a file that comes all the same is refused; the text stays."""
    do(store, lambda bench: set_option(bench.session, "allow_file_uploading", False, bench.now, context=ALL_SHOPS))
    visitor = jan(store)
    assert 'type="file"' not in visitor.page
    answer = visitor.post([a_file()], text="A file")
    assert "Files cannot be attached here." in errors(answer.text)[""]
    assert value_of(answer.text, "text") == "A file"


def test_the_forms_token_is_asked_for(store: Store) -> None:
    """Another site cannot write in a customer's name."""
    visitor = jan(store)
    assert visitor.post(text="Forged", csrf_token="forged").status_code == 400
    assert threads(store) == []


# --- On the host's page


@pytest.mark.shows("4.2", "4.3")
def test_the_fragment_leads_back_to_the_hosts_page_and_says_it_there(with_guest: Store) -> None:
    """A guest writes on the host's order page, is back there with the sentence shown once; an error shows our own page with the way back."""
    store = with_guest

    @store.app.route("/orders/<order_id>")
    def order_page(order_id: str) -> str:
        from flask import request

        return render_template_string("{{ cs_customer_order_panel(order, token) }}", order=order_id, token=request.args.get("token"))

    visitor = Visitor(store)
    address = "/orders/16?token=token-16"
    visitor.open(address)
    visitor.address = BY_TOKEN
    wrong = visitor.post(text="")
    assert wrong.status_code == 422
    assert 'href="/orders/16?token=token-16"' in wrong.text
    answer = visitor.post(text="Where is it?")
    assert answer.location == "/orders/16?token=token-16#cs-order-messages-16"
    page = visitor.client.get(address).text
    assert page.count(SENT) == 1
    assert "Where is it?" in page
    assert SENT not in visitor.client.get(address).text
    assert visitor.client.get("/orders/15").text == ""


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tx"])
def test_nobody_is_led_to_another_site(store: Store, elsewhere: str) -> None:
    """A way back that leaves this site is not gone."""
    answer = jan(store).post(text="Hello", next=elsewhere)
    assert answer.location == "/customer-service/order?order=15#cs-order-messages-15"


def test_a_hosts_page_stands_while_the_tables_cannot_be_read(store: Store) -> None:
    """The fragment stays away, and the host's own transaction goes on."""
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE cs_thread RENAME TO cs_thread_away"))
    assert panel(store, "15", **{"X-Customer": JAN.id}) is None


def test_outside_a_request_there_is_no_panel(store: Store) -> None:
    """A host's command that fires the hook gets None."""
    with store.app.app_context():
        assert store.customer_service.hook.cs_customer_order_panel(order_id="15", token="token-15") is None


def test_an_order_is_read_and_written_on_every_database(any_store: Store) -> None:
    """Reading, writing and a file, on each database."""
    visitor = jan(any_store)
    assert visitor.post([a_file("beleg.txt")], text="Danke 🎁").status_code == 303
    visitor.open(ORDER)
    assert "Danke 🎁" in visitor.page
    message, file = attachment(any_store, "beleg.txt")
    assert visitor.client.get(f"/customer-service/order/files/{message}/{file}?order=15").status_code == 200


def test_an_order_without_products_offers_none(store: Store) -> None:
    """The drop-down stays away, and the message is taken."""
    order: Order = store.answers.orders[0]
    store.answers.orders[0] = replace(order, products=())
    visitor = jan(store)
    assert "-- choose a product --" not in visitor.page
    assert visitor.post(text="Hello").status_code == 303


def test_forms_of_several_orders_and_the_contact_form_share_no_id(store: Store) -> None:
    """A page may show them all, and each label belongs to its own field."""
    store.answers.orders.append(replace(store.answers.orders[0], id="17", reference="SECOND"))
    with store.app.test_request_context("/", headers={"X-Customer": JAN.id}):
        html = "".join(render_template_string("{{ cs_customer_order_panel('15') }}{{ cs_customer_order_panel('17') }}{{ cs_contact_form() }}"))
    ids, targets = re.findall(r' id="([^"]*)"', html), re.findall(r' (?:for|aria-labelledby|aria-describedby)="([^"]*)"', html)
    assert len(re.findall("<form", html)) == 3
    assert len(ids) == len(set(ids))
    assert {one for target in targets for one in target.split()} <= set(ids)
