"""The contact form: what it asks, what it tells, what it keeps, and that nothing which was sent is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string
from markupsafe import Markup
from sqlalchemy import func, select, text

from cs_plugin import Shop, hookimpl
from cs_plugin.rules.inquiry import Channel, Inquiry
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.store.contacts import write_words
from cs_plugin.store.models import Attachment, Contact, Message, OutboxItem, Thread
from cs_plugin.store.options import set_option
from cs_plugin.web.posting import FILES_LAST, FORM_LASTS
from tests.hosts.store import DUBAI, EVA, JAN, PARIS, Store, make_store
from tests.hosts.visitor import CONTACT, Visitor, a_file, errors, hidden, kept, value_of
from tests.hosts.writing import do, look, messages_of, thread_of

SUCCESS = "Your message has been successfully sent to our team."
FAILURE = "An error occurred while sending the message, please try again."
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"


@pytest.fixture
def visitor(store: Store) -> Visitor:
    """A visitor without an account."""
    return Visitor(store)


def threads(store: Store) -> int:
    """Return how many threads there are."""
    return look(store, lambda session: session.scalar(select(func.count()).select_from(Thread))) or 0


def titles(page: str) -> list[str]:
    """Return the subjects that the form offers."""
    return re.findall(r"<option[^>]*>([^<]*)</option>", page.partition('name="contact"')[2].partition("</select>")[0])


def set_for_all(store: Store, name: str, value: object) -> None:
    """Give an option a value for all shops."""
    do(store, lambda bench: set_option(bench.session, name, value, bench.now, context=ALL_SHOPS))


# --- What it asks


@pytest.mark.shows("3.1")
def test_the_subjects_are_the_contacts_of_the_shop_in_the_visitors_language(store: Store, visitor: Visitor) -> None:
    """The list offers what the shop's contacts are called in the language of the page, and no contact of another shop."""

    def arrange(bench: Any) -> None:
        webmaster, service = bench.session.scalars(select(Contact).order_by(Contact.id))
        write_words(service, "fr", title="Service client", description="", signature="")
        webmaster.shops = [shop for shop in webmaster.shops if shop.shop_id == "2"]

    do(store, arrange)
    assert titles(visitor.open(f"{CONTACT}&language=fr")) == ["-- Choisir --", "Service client"]
    assert titles(visitor.open("/customer-service/contact?shop=2&language=en")) == ["-- Choose --", "Webmaster", "Customer service"]


@pytest.mark.shows("3.1")
def test_a_visitor_fills_in_an_address_and_a_customer_finds_theirs(store: Store, visitor: Visitor) -> None:
    """The address is that of the account where somebody is signed in, and empty where nobody is."""
    assert value_of(visitor.open(), "email") == ""
    assert value_of(Visitor(store, store.client(customer=JAN)).open(), "email") == JAN.email


@pytest.mark.shows("3.1")
def test_only_a_signed_in_customer_with_orders_chooses_an_order(store: Store, visitor: Visitor) -> None:
    """The order reference is asked of Jan, who has bought something here; not of Eva, not of a visitor, not in another shop."""
    jan = Visitor(store, store.client(customer=JAN))
    assert "XKBKNABJK" in jan.open()
    others = (visitor.open(), Visitor(store, store.client(customer=EVA)).open(), jan.open("/customer-service/contact?shop=2"))
    assert not any("Order reference" in page for page in others)


@pytest.mark.shows("3.1", "2.6")
def test_an_order_counts_only_where_it_is_the_customers(store: Store) -> None:
    """Another customer's order is refused at its field; one's own leads the next message into the same thread."""
    eva = Visitor(store, store.client(customer=EVA))
    eva.open()
    assert errors(eva.write(order="15").text)["order"] == "The order is no longer valid."
    assert threads(store) == 0
    jan = Visitor(store, store.client(customer=JAN))
    for words in ("Where is it?", "And the jug?"):
        jan.open()
        assert SUCCESS in jan.client.get(jan.write(words, order="15").location).text
    assert [one.text for one in messages_of(store, 1)] == ["Where is it?", "And the jug?"]
    assert thread_of(store, 1).order_id == "15"
    assert thread_of(store, 1).customer_verified


@pytest.mark.shows("3.1")
def test_files_are_asked_for_only_where_the_option_lets_them_in(store: Store, visitor: Visitor) -> None:
    """With "Allow file uploading" off there is no such field, and the server refuses a file that comes all the same, keeping the text."""
    page = visitor.open()
    assert "Attachment" in page
    set_for_all(store, "allow_file_uploading", False)
    assert "Attachment" not in visitor.open()
    answer = visitor.write("Look at this", [a_file()])
    assert answer.status_code == 422
    assert "Files cannot be attached here." in errors(answer.text)[""]
    assert value_of(answer.text, "text") == "Look at this"
    assert threads(store) == 0


@pytest.mark.shows("3.1")
def test_consent_is_asked_for_only_where_the_host_has_a_text_for_it(tmp_path: Path) -> None:
    """The check box stands there with the host's text in the page's language, and the form is not sent without it."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_CONSENT_TEXT={"en": "I agree.", "fr": "D'accord."})
    visitor = Visitor(store)
    assert "D&#39;accord." in visitor.open(f"{CONTACT}&language=fr")
    assert "I agree." in visitor.open()
    answer = visitor.write()
    assert "consent" in errors(answer.text)
    assert threads(store) == 0
    assert visitor.write(consent="y").status_code == 303


def test_a_shop_without_contacts_takes_no_messages_and_says_so(store: Store, visitor: Visitor) -> None:
    """A form that could not be sent is not shown."""
    do(store, lambda bench: [bench.session.delete(one) for one in bench.session.scalars(select(Contact))])
    page = visitor.open()
    assert "At the moment no messages are taken here." in page
    assert "<form" not in page


# --- What it tells


@pytest.mark.shows("3.2")
def test_a_good_message_begins_a_thread_and_success_is_told_once(store: Store, visitor: Visitor) -> None:
    """After the post the browser is sent on, so that a reload posts nothing; the page then says that the message was sent."""
    visitor.open()
    answer = visitor.write("Where is my parcel?", [a_file("receipt.txt"), a_file("jug.png", PNG)])
    assert answer.status_code == 303
    assert SUCCESS in visitor.client.get(answer.location).text
    assert SUCCESS not in visitor.client.get(answer.location).text
    (message,) = messages_of(store, 1)
    assert (message.text, message.channel, message.author_address) == ("Where is my parcel?", Channel.FORM, "ida@example.com")
    names = look(store, lambda session: session.scalars(select(Attachment.name).order_by(Attachment.position)).all())
    assert names == ["receipt.txt", "jug.png"]


@pytest.mark.shows("3.2")
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("email", "ida", "Invalid email address."),
        ("email", "", "Invalid email address."),
        ("email", "ida@example.com\r\nBcc: all@example.com", "Invalid email address."),
        ("email", f"{'i' * 300}@example.com", "Invalid email address."),
        ("text", "", "The message cannot be blank."),
        ("text", " \t\r\n\0", "The message cannot be blank."),
        ("text", "a" * 21_000, "The message is too long: 20000 characters at most."),
        ("contact", "", "Please select a subject from the list provided."),
        ("contact", "99", "Please select a subject from the list provided."),
        ("contact", "9" * 400, "Please select a subject from the list provided."),
        ("contact", "two\0", "Please select a subject from the list provided."),
        ("order", "15", "The order is no longer valid."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_written_stays(store: Store, field: str, value: str, told: str) -> None:
    """Each error is told where it belongs, the other fields keep what they had, and nothing is stored."""
    visitor = Visitor(store, store.client(customer=EVA))
    visitor.open()
    answer = visitor.write("A text of its own", **{field: value}) if field != "text" else visitor.write(value)
    assert answer.status_code == 422
    shown = errors(answer.text)
    assert shown[field] == told
    if field != "text":
        assert value_of(answer.text, "text") == "A text of its own"
    if field != "email":
        assert value_of(answer.text, "email") == "ida@example.com"
    assert threads(store) == 0


@pytest.mark.shows("3.2", "3.3")
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("film.mov", b"anything", "film.mov: Bad file extension"),
        ("jug.png", b"MZ is no picture", "jug.png: Bad file extension"),
        ("page.txt", b"<!doctype html><script>", "page.txt: Bad file extension"),
        ("nothing", b"anything", "nothing: Bad file extension"),
        ("large.txt", b"a" * 1_000_001, "large.txt: The file is too large."),
        ("..\\..\\film.mov\0", b"anything", "film.mov: Bad file extension"),
    ],
)
def test_a_file_that_is_refused_is_named_and_the_others_are_kept(store: Store, visitor: Visitor, name: str, content: bytes, told: str) -> None:
    """The error stands at the files with the name of the one; the good file beside it stays with the form and goes with the next post."""
    set_for_all(store, "file_size_mb", 1)
    visitor.open()
    answer = visitor.write("Two files", [a_file(), a_file(name, content)])
    assert answer.status_code == 422
    assert errors(answer.text)["file"] == told
    assert "receipt.txt" in answer.text
    assert value_of(answer.text, "text") == "Two files"
    assert visitor.write("Two files").status_code == 303
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == ["receipt.txt"]


@pytest.mark.shows("2.9")
def test_more_files_than_a_message_may_have_are_refused(store: Store, visitor: Visitor) -> None:
    """The sixth file is told, the first five stay; with kept ones counted in."""
    visitor.open()
    answer = visitor.write("Many files", [a_file(f"{number}.txt") for number in range(6)])
    assert errors(answer.text)["file"] == "Too many files: 5 at most."
    assert len(kept(answer.text)) == 5
    answer = visitor.write("Many files", [a_file("7.txt")])
    assert errors(answer.text)["file"] == "Too many files: 5 at most."
    assert threads(store) == 0


def test_a_thousand_files_are_one_error_and_no_failure(store: Store, visitor: Visitor) -> None:
    """A post with more parts than any form has is answered by the form, not by an error page."""
    visitor.open()
    answer = visitor.write("Many files", [a_file(f"{number}.txt", b"x") for number in range(1100)])
    assert answer.status_code == 413
    assert "file" in errors(answer.text)
    assert threads(store) == 0


def test_a_kept_file_can_be_taken_off(store: Store, visitor: Visitor) -> None:
    """Whoever clears the box beside a kept file sends the message without it."""
    visitor.open()
    visitor.write("", [a_file()])
    assert visitor.write("Without the file", kept_file=[]).status_code == 303
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == []


@pytest.mark.shows("3.2")
def test_too_large_a_post_keeps_its_text_and_says_which_field_is_wrong(store: Store, visitor: Visitor) -> None:
    """A body beyond all limits is answered by the form with the text in it, though the file came before the text and was thrown away on its way."""
    visitor.open()
    visitor.write("", [a_file()])
    answer = visitor.post([a_file("film.txt", b"a" * 26_000_000)], contact="2", email="ida@example.com", text="A text behind a large file")
    assert answer.status_code == 413
    assert errors(answer.text)["file"] == "The file is too large."
    assert value_of(answer.text, "text") == "A text behind a large file"
    assert value_of(answer.text, "email") == "ida@example.com"
    assert len(kept(answer.text)) == 1
    assert visitor.write("A text behind a large file").status_code == 303


def test_a_gigabyte_is_refused_unread(store: Store, visitor: Visitor) -> None:
    """The server answers a post of a gigabyte before it has read any of it."""

    class Unread:
        def read(self, *_sizes: int) -> bytes:
            raise AssertionError("the body was read")

    visitor.open()
    body = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000000000", "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    answer = visitor.client.post(CONTACT, environ_overrides=body)
    assert answer.status_code == 413
    assert errors(answer.text)["file"] == "The file is too large."
    assert threads(store) == 0


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"text=%ff%fe&email=%c3%28&contact=\xff&post_key=\xff%00", "application/x-www-form-urlencoded"),
        (b"--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\xff\xfe\0\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"no multipart at all", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=\xff"),
        (b'{"text": "json"}', "application/json"),
        (b"a" * 600_000, "application/x-www-form-urlencoded"),
        (b"text=" + b"a" * 600_000, "application/x-www-form-urlencoded"),
        (b"", "text/plain"),
    ],
)
def test_bytes_that_are_no_form_are_answered_by_the_form(store: Store, visitor: Visitor, body: bytes, content_type: str) -> None:
    """Whatever is posted, the answer is the form with an error, and nothing is stored."""
    visitor.open()
    answer = visitor.client.post(CONTACT, data=body, content_type=content_type)
    assert answer.status_code in (400, 413)
    assert "<form" in answer.text
    assert threads(store) == 0


@pytest.mark.parametrize(
    "query", ["?shop=%00&language=%ff", f"?shop={'9' * 500}&language={'x' * 500}", "?shop[]=1&language=../..", "?shop=1%27%3B--"]
)
def test_no_address_breaks_the_page(visitor: Visitor, query: str) -> None:
    """A shop or a language that does not exist is passed over."""
    assert "<form" in visitor.open(f"/customer-service/contact{query}")


def test_what_was_written_is_shown_again_as_text(visitor: Visitor) -> None:
    """Markup in the fields and in a file's name comes back as text."""
    visitor.open()
    answer = visitor.write('</textarea><script>alert(1)</script>"', [a_file('"><img src=x>.txt')], email='"><script>', contact="")
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert value_of(answer.text, "text") == '</textarea><script>alert(1)</script>"'


# --- Expired forms, double posts, machines


@pytest.mark.shows("3.2")
def test_an_expired_form_keeps_its_text_and_file_and_signs_itself_anew(store: Store, visitor: Visitor) -> None:
    """After more than a day the form is not taken, but shown with all that was in it; sent once more, at once, it is taken."""
    visitor.open()
    before = hidden(visitor.page)
    store.clock.forward(seconds=FORM_LASTS.total_seconds() + 1)
    answer = visitor.write("A long letter", [a_file()])
    assert answer.status_code == 400
    assert "expired" in errors(answer.text)[""]
    assert value_of(answer.text, "text") == "A long letter"
    assert len(kept(answer.text)) == 1
    assert hidden(answer.text)["post_key"] != before["post_key"]
    assert threads(store) == 0
    assert visitor.write("A long letter").status_code == 303
    assert threads(store) == 1


@pytest.mark.shows("3.2", "12.1")
@pytest.mark.parametrize("token", ["", "forged", "\0", None])
def test_a_post_without_the_forms_token_is_not_taken(store: Store, visitor: Visitor, token: str | None) -> None:
    """Another site can make a browser post, but it cannot know the token; a visitor whose token was lost finds the text again."""
    visitor.open()
    changes = {"csrf_token": token} if token is not None else {}
    if token is None:
        visitor.page = visitor.page.replace('name="csrf_token"', 'name="other"')
    answer = visitor.write("Mine", **changes)
    assert answer.status_code == 400
    assert value_of(answer.text, "text") == "Mine"
    assert threads(store) == 0
    assert visitor.write("Mine").status_code == 303


def test_the_session_of_another_visitor_does_not_open_the_form(store: Store, visitor: Visitor) -> None:
    """A form that somebody else was given, as from a cache, is shown anew, and then taken."""
    visitor.open()
    other = Visitor(store)
    other.open()
    other.page = visitor.page
    assert other.write("From a cached page").status_code == 400
    assert other.write("From a cached page").status_code == 303


@pytest.mark.shows("2.7")
def test_the_same_post_twice_is_one_message(store: Store, visitor: Visitor) -> None:
    """A double click stores the message and its file once, and both are told that it was sent."""
    visitor.open()
    assert [visitor.write("Twice", [a_file()]).status_code for _click in range(2)] == [303, 303]
    assert threads(store) == 1
    assert len(messages_of(store, 1)) == 1


@pytest.mark.shows("2.7")
def test_other_words_in_the_same_form_are_another_message(store: Store, visitor: Visitor) -> None:
    """Whoever steps back in the browser and writes something else has sent two messages: none is lost behind the success of the other."""
    visitor.open()
    for words in ("The first", "The second"):
        assert visitor.write(words).status_code == 303
    assert threads(store) == 2


@pytest.mark.shows("3.6")
def test_a_machine_that_fills_in_the_hidden_field_is_told_of_an_error(store: Store, visitor: Visitor) -> None:
    """The honeypot is not taken; a person whose browser filled it in keeps the text, and the next post is taken."""
    visitor.open()
    answer = visitor.write("Buy now", website="https://spam.example")
    assert answer.status_code == 422
    assert errors(answer.text)[""] == FAILURE
    assert value_of(answer.text, "website") == ""
    assert threads(store) == 0
    assert visitor.write("I am a person").status_code == 303


@pytest.mark.shows("3.6")
def test_a_form_that_is_posted_faster_than_people_read_is_not_taken(store: Store, visitor: Visitor) -> None:
    """A post at once is an error; the time is signed, so that nobody makes a form older."""
    visitor.page = visitor.client.get(CONTACT).text
    visitor.address = CONTACT
    assert errors(visitor.write().text)[""] == FAILURE
    assert threads(store) == 0
    store.clock.forward(seconds=5)
    assert visitor.write().status_code == 303


@pytest.mark.parametrize("post_key", ["", "forged", "eyJ2YWx1ZSI6ICJ4In0.x", "\0", "." * 5000])
def test_a_form_that_was_not_made_here_is_not_taken(store: Store, visitor: Visitor, post_key: str) -> None:
    """Without our signature a form leaves neither a message nor a file."""
    visitor.open()
    answer = visitor.write("Forged", [a_file()], post_key=post_key)
    assert answer.status_code == 400
    assert kept(answer.text) == []
    assert threads(store) == 0


def files_in(store: Store) -> int:
    """Return how many files lie in the store."""
    return sum(path.is_file() for path in Path(store.desk.files.url).rglob("*"))


def test_a_post_that_is_not_taken_leaves_no_bytes_unless_a_visitor_may_have_written_it(store: Store, visitor: Visitor) -> None:
    """Not without our cookie, not without the token, not from a form that is days old; an expired form of this very browser keeps its file."""
    visitor.open()
    copied = Visitor(store)
    copied.page, copied.address = visitor.page, visitor.address
    stolen = copied.write("Without the cookie", [a_file()])
    without_token = visitor.write("Without the token", [a_file()], csrf_token="")
    for answer in (stolen, without_token):
        assert (answer.status_code, kept(answer.text)) == (400, [])
        assert "receipt.txt: This file is no longer there: please choose it again." in errors(answer.text)["file"]
    visitor.open()
    old = visitor.page
    store.clock.forward(hours=47)
    assert files_in(store) == 0
    assert len(kept(visitor.write("", [a_file()]).text)) == 1
    assert files_in(store) == 1
    store.clock.forward(hours=2)
    visitor.page = old
    assert kept(visitor.write("Days later", [a_file()]).text) == []
    assert files_in(store) == 1


@pytest.mark.shows("3.2")
def test_a_token_that_is_older_than_its_limit_costs_no_file(store: Store, visitor: Visitor) -> None:
    """A form on which somebody wrote for longer than the host's limit of tokens comes back with its file."""
    visitor.open()
    store.app.config["WTF_CSRF_TIME_LIMIT"] = -1
    answer = visitor.write("A long letter", [a_file()])
    assert (answer.status_code, len(kept(answer.text))) == (400, 1)


@pytest.mark.parametrize("reference", ["forged", "", "\0", "x" * 9000])
def test_a_forged_reference_brings_no_file(store: Store, visitor: Visitor, reference: str) -> None:
    """Nobody names a file of somebody else's: a reference that was not sealed here is passed over."""
    visitor.open()
    assert visitor.write("Give me a file", kept_file=[reference]).status_code == 303
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == []


def test_a_kept_file_that_is_gone_is_told(store: Store, visitor: Visitor) -> None:
    """After most of a day a kept file may have been swept: the sender is asked to choose it again, and nothing is sent without it."""
    visitor.open()
    reference = kept(visitor.write("", [a_file()]).text)
    store.clock.forward(seconds=FILES_LAST.total_seconds() + 1)
    visitor.open()
    answer = visitor.write("With a file", kept_file=reference)
    assert errors(answer.text)["file"] == "receipt.txt: This file is no longer there: please choose it again."
    assert threads(store) == 0


@pytest.mark.shows("3.6")
def test_a_host_can_add_a_captcha(tmp_path: Path) -> None:
    """The host's field stands above the button; an unsolved one is told, and the text stays."""

    class Captcha:
        @hookimpl
        def cs_contact_form_fields(self, shop_id: str) -> Markup:
            return Markup('<label>Three and four? <input name="captcha"></label>')

        @hookimpl
        def cs_check_captcha(self, form: Any) -> bool:
            return form.get("captcha") == "seven"

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Captcha()])
    visitor = Visitor(store)
    assert "Three and four?" in visitor.open()
    answer = visitor.write("A riddle", captcha="eight")
    assert "keeps robots out" in answer.text
    assert value_of(answer.text, "text") == "A riddle"
    assert visitor.write("A riddle", captcha="seven").status_code == 303


@pytest.mark.shows("3.6")
def test_nothing_tells_whether_an_address_is_known(store: Store) -> None:
    """The answers to a customer's address and to one that nobody has are the same."""
    answers = []
    for address in (JAN.email, "nobody@example.com"):
        visitor = Visitor(store)
        visitor.open()
        answer = visitor.write("Hello", email=address)
        answers.append((answer.status_code, answer.location, re.sub(r'name="\w+" value="[^"]*"', "", visitor.client.get(answer.location).text)))
    assert answers[0] == answers[1]


# --- What is not kept, and what fails


@pytest.mark.shows("3.4")
def test_a_contact_that_saves_nothing_gets_the_message_by_mail(store: Store, visitor: Visitor) -> None:
    """With "Save messages?" off there is no thread; the message waits to be mailed, and the sender is told of success."""

    def mail_on(bench: Any) -> None:
        bench.session.get(Contact, 2).save_messages = False

    do(store, mail_on)
    visitor.open()
    assert visitor.write("Only a mail", [a_file()]).status_code == 303
    assert threads(store) == 0
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(OutboxItem))) == 2


@pytest.mark.shows("2.8")
def test_a_message_that_could_not_be_stored_is_never_told_as_sent(store: Store, visitor: Visitor) -> None:
    """Where the database fails, the sender sees an error and keeps text and file; once it works again the same form is taken."""
    visitor.open()
    store_sql(store, "ALTER TABLE cs_message RENAME TO cs_message_away")
    answer = visitor.write("Do not lose me", [a_file()])
    assert answer.status_code == 503
    assert errors(answer.text)[""] == FAILURE
    assert value_of(answer.text, "text") == "Do not lose me"
    assert len(kept(answer.text)) == 1
    assert SUCCESS not in visitor.client.get(CONTACT).text
    store_sql(store, "ALTER TABLE cs_message_away RENAME TO cs_message")
    assert visitor.write("Do not lose me").status_code == 303
    assert [one.text for one in messages_of(store, 1)] == ["Do not lose me"]
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == ["receipt.txt"]


@pytest.mark.shows("2.8")
def test_a_database_that_is_away_loses_nothing_either(store: Store, visitor: Visitor) -> None:
    """Where not even the contacts can be read, the form still comes back with the text and the file in it."""
    visitor.open()
    store_sql(store, "ALTER TABLE cs_contact RENAME TO cs_contact_away")
    assert visitor.client.get(CONTACT).status_code == 503
    answer = visitor.write("Do not lose me", [a_file()])
    assert answer.status_code == 503
    assert errors(answer.text)[""] == FAILURE
    assert value_of(answer.text, "text") == "Do not lose me"
    assert len(kept(answer.text)) == 1


@pytest.mark.shows("2.8")
def test_files_that_cannot_be_kept_are_told(store: Store, visitor: Visitor) -> None:
    """Where the file storage fails, the message is not sent without its file."""
    visitor.open()
    folder = Path(store.desk.files.url)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file stands where the folder of files should be")
    answer = visitor.write("With a file", [a_file()])
    assert errors(answer.text)["file"] == f"receipt.txt: {FAILURE}"
    assert threads(store) == 0


def store_sql(store: Store, statement: str) -> None:
    """Execute a statement beside the application."""
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_plugin_that_fails_does_not_lose_the_message(tmp_path: Path) -> None:
    """A field or a filter of a host that raises is passed over."""

    class Broken:
        @hookimpl
        def cs_contact_form_fields(self, shop_id: str) -> Markup:
            raise RuntimeError("broken field")

        @hookimpl
        def cs_check_spam(self, inquiry: Inquiry) -> bool:
            raise RuntimeError("broken filter")

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Broken()])
    visitor = Visitor(store)
    visitor.open()
    assert visitor.write("Through all of it").status_code == 303
    assert threads(store) == 1


# --- The page, and the form inside a host's page


def test_the_page_sends_strict_headers_and_has_nothing_inline(visitor: Visitor) -> None:
    """Nothing from elsewhere, no script or style within the markup, not in a frame, no guessing of types."""
    headers = visitor.client.get(CONTACT).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    page = visitor.open()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


@pytest.mark.shows("9.2")
def test_the_page_runs_in_the_direction_of_its_language(visitor: Visitor) -> None:
    """In Arabic the page runs from right to left."""
    assert '<html lang="ar" dir="rtl">' in visitor.open(f"{CONTACT}&language=ar")


def test_the_page_leads_back_to_the_shop(visitor: Visitor) -> None:
    """The shop's name stands at the top and leads to its front page."""
    assert f'<a href="{PARIS.url}"><bdi>{PARIS.name}</bdi></a>' in visitor.open()


def embedding(store: Store) -> None:
    """Let the host have a page with the form in it."""

    @store.app.route("/help")
    def help_page() -> str:
        return render_template_string("<h1>Help</h1>{{ cs_contact_form('1', 'en') }}<a href='{{ cs_contact_url() }}'>Contact</a>")


@pytest.mark.shows("3.1")
def test_a_host_embeds_the_form_and_gets_its_visitor_back(store: Store, visitor: Visitor) -> None:
    """The form within a host's page posts to ours; success leads back to the host's page, which says it once."""
    embedding(store)
    page = visitor.client.get("/help?topic=parcels").text
    store.clock.forward(seconds=30)
    assert 'action="/customer-service/contact?shop=1&amp;language=en"' in page
    visitor.page, visitor.address = page, CONTACT
    answer = visitor.write("From the help page")
    assert answer.location == "/help?topic=parcels#cs-contact-form"
    assert SUCCESS in visitor.client.get("/help?topic=parcels").text
    assert SUCCESS not in visitor.client.get("/help?topic=parcels").text


def test_a_hosts_page_stands_where_the_desks_tables_are_not_made_yet(tmp_path: Path) -> None:
    """In place of the form it has a link to ours, and what the host is writing in that request is neither committed nor lost."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, mount=False)
    store.customer_service.init_app(store.app, db=store.db)
    with store.app.app_context():
        store.db.session.execute(text("CREATE TABLE visits (page VARCHAR(20))"))
        store.db.session.commit()

    @store.app.route("/help/<then>")
    def help_page(then: str) -> str:
        store.db.session.execute(text("INSERT INTO visits VALUES (:page)"), {"page": then})
        page = render_template_string("<h1>Help</h1>{{ cs_contact_form('1', 'en') }}")
        getattr(store.db.session, then)()
        return page

    for then in ("commit", "rollback"):
        answer = store.client().get(f"/help/{then}")
        assert answer.status_code == 200
        assert '<a href="/customer-service/contact?shop=1&amp;language=en">Contact us</a>' in answer.text
    with store.app.app_context():
        assert store.db.session.scalars(text("SELECT page FROM visits")).all() == ["commit"]


def test_what_is_wrong_with_an_embedded_form_is_shown_on_our_page_and_still_leads_back(store: Store, visitor: Visitor) -> None:
    """The way back survives an error."""
    embedding(store)
    visitor.page, visitor.address = visitor.client.get("/help").text, CONTACT
    store.clock.forward(seconds=30)
    answer = visitor.write("")
    assert answer.status_code == 422
    assert hidden(answer.text)["next"] == "/help"
    assert visitor.write("From the help page").location == "/help#cs-contact-form"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "evil", "/a\r\nX: y",
        "/" + "a" * 3000,
    ],
)
def test_the_way_back_never_leads_to_another_site(visitor: Visitor, elsewhere: str) -> None:
    """Only a path of this very site is followed; anything else leads to the form's own page."""
    visitor.open()
    assert visitor.write("Hello", next=elsewhere).location == "/customer-service/contact?shop=1&language=en"


def test_the_address_of_the_form_is_that_of_the_pages_own_shop(store: Store) -> None:
    """`cs_contact_url()` leads to the form of the shop that the page stands in; with one shop it says no shop at all."""
    embedding(store)
    assert "href='/customer-service/contact?shop=3'" in store.client().get("/help", base_url=DUBAI.url).text
    store.answers.shops = (Shop("1", "Paris", "https://paris.example"),)
    assert "href='/customer-service/contact'" in store.client().get("/help").text


@pytest.mark.shows("9.1")
def test_with_one_shop_the_form_works_without_naming_it(store: Store, visitor: Visitor) -> None:
    """A store of one shop has one form, whatever its address says."""
    store.answers.shops = (Shop("1", "Paris", "https://paris.example"),)
    visitor.open("/customer-service/contact")
    assert visitor.write("One shop").status_code == 303
    assert thread_of(store, 1).shop_id == "1"


def test_a_message_of_every_alphabet_arrives_on_every_database(any_store: Store) -> None:
    """Letters outside the first plane, right-to-left text and control characters: what can be kept is kept, on each database."""
    visitor = Visitor(any_store)
    visitor.open()
    assert visitor.write("Où est ma 🎁?\0\r\nأين طردي؟").status_code == 303
    (message,) = messages_of(any_store, 1)
    assert message.text == "Où est ma 🎁?\nأين طردي؟"
    assert look(any_store, lambda session: session.scalar(select(func.count()).select_from(Message))) == 1
