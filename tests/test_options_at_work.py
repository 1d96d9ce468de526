"""Options of a shop where they take effect: each is set for Berlin alone, and Paris goes on as before."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from cs_plugin import desk
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.rules.status import Status
from cs_plugin.store.models import Attachment, OutboxItem
from cs_plugin.store.options import set_option
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import Visitor, a_file
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, thread_of, token_of

PARIS, BERLIN = "1", "2"


def in_berlin(store: Store, **values: Any) -> None:
    """Give options values of Berlin's own."""
    for name, value in values.items():
        do(store, lambda bench, name=name, value=value: set_option(  # type: ignore[misc]
            bench.session, name, value, bench.now, context=Context(Breadth.SHOP, BERLIN)
        ))


def answered(store: Store, shop_id: str, **changes: Any) -> int:
    """Begin a thread of Jan's in a shop, and let Marie answer it."""
    thread_id = begin(store, shop_id=shop_id, sender=JAN_SIGNED_IN, **changes)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.")))
    return thread_id


def order_in(store: Store, shop_id: str) -> str:
    """Give Jan an order in a shop, and return its id."""
    order = replace(store.answers.orders[0], id=f"in-{shop_id}", reference=f"ORDER{shop_id}", shop_id=shop_id)
    store.answers.orders.append(order)
    return order.id


# --- Answers ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.8", "2.3")
def test_a_shop_keeps_the_status_after_a_reply(store: Store) -> None:
    """The box offers that first, and so it is where no button names a status."""
    in_berlin(store, after_reply="keep")
    threads = [answered(store, shop_id) for shop_id in (PARIS, BERLIN)]
    assert [thread_of(store, one).status for one in threads] == [Status.CLOSED, Status.OPEN]
    main = re.compile(r'cs-button-main" name="then" value="(\w+)"')
    pages = [store.client(employee=MARIE).get(f"/cs-admin/customer-service/{one}/").text for one in threads]
    assert [main.findall(page) for page in pages] == [["close"], ["keep"]]


@pytest.mark.shows("8.8", "2.4")
def test_a_shop_assigns_nobody_by_a_reply(store: Store) -> None:
    """Whoever answers there first does not take the thread."""
    in_berlin(store, assign_on_first_reply=False)
    assert [thread_of(store, answered(store, shop_id)).assignee_id for shop_id in (PARIS, BERLIN)] == [MARIE.id, None]


@pytest.mark.shows("8.8", "4.2")
@pytest.mark.parametrize(("choice", "name"), [("full", "Marie Dubois"), ("shop", "Berlin")])
def test_a_shop_shows_its_employees_under_the_name_that_it_chose(store: Store, choice: str, name: str) -> None:
    """In the mail, to the guest, in My messages, on the order's page and to somebody outside; the other shop shows first names."""
    in_berlin(store, name_shown=choice)
    for shop_id, shown in ((PARIS, "Marie"), (BERLIN, name)):
        order = order_in(store, shop_id)
        thread_id = answered(store, shop_id, channel=Channel.ORDER_PAGE, contact_id=None, order_id=order)
        do(store, lambda bench, thread_id=thread_id: desk.forward(  # type: ignore[misc]
            bench, store.actor(), thread_id, desk.Target(address="carrier@example.com")
        ))
        signed_in, guest = store.client(customer=JAN), store.client()
        pages = (
            guest.get(f"/customer-service/thread/{token_of(store, thread_id)}"),
            signed_in.get(f"/customer-service/my-messages/{thread_id}"),
            signed_in.get(f"/customer-service/order?order={order}"),
        )
        for page in pages:
            assert re.findall(r"cs-by-shop\">\s*<p[^>]*><b><bdi>([^<]*)", page.text) == [shown]
        mails = {mail.kind: mail.content for mail in look(store, lambda session, thread_id=thread_id: session.scalars(  # type: ignore[misc]
            select(OutboxItem).where(OutboxItem.thread_id == thread_id)).all())}
        assert f"{shown} has answered your message:" in mails["reply"]["text"]
        assert re.search(rf"^{shown}\b", mails["forward"]["text"], re.MULTILINE)
        if choice == "shop" and shop_id == BERLIN:
            assert "Marie" not in mails["reply"]["text"] + mails["reply"]["html"]


# --- Files ------------------------------------------------------------------------------------------------------------------------------------------


def contact_form(store: Store, shop_id: str) -> Visitor:
    """Return a visitor at the contact form."""
    visitor = Visitor(store)
    visitor.open(f"/customer-service/contact?shop={shop_id}&language=en")
    return visitor


def order_form(store: Store, shop_id: str) -> Visitor:
    """Return Jan at the page of an order of his."""
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"/customer-service/order?order={order_in(store, shop_id)}")
    return visitor


def guest_thread(store: Store, shop_id: str) -> Visitor:
    """Return a guest at a conversation."""
    visitor = Visitor(store)
    visitor.open(f"/customer-service/thread/{token_of(store, begin(store, shop_id=shop_id))}")
    return visitor


def answer_box(store: Store, shop_id: str) -> Visitor:
    """Return Marie at the answer box of a thread."""
    visitor = Visitor(store, store.client(employee=MARIE))
    thread_id = begin(store, "Is this yours?", shop_id=shop_id)
    visitor.open(f"/cs-admin/customer-service/{thread_id}/")
    return visitor


STOREFRONT = [contact_form, order_form, guest_thread]
EVERY_FORM = [*STOREFRONT, answer_box]
Form = Callable[[Store, str], Visitor]


def send(store: Store, visitor: Visitor, *files: tuple[str, bytes]) -> str:
    """Post the form with files; return what is told at the files, empty where they were taken."""
    fields = {"text": f"Look at this, {visitor.address}", "contact": "2", "email": "ida@example.com", "then": "keep"}
    answer = visitor.post([a_file(name, content) for name, content in files], **fields)
    told = re.search(r'id="cs-[^"]*file-error"[^>]*>(.*?)</div>', visitor.page, re.DOTALL)
    return "" if answer.status_code == 303 else unescape(re.sub(r"<[^>]+>", "", told[1])).strip() if told else "not told"


def stored_files(store: Store) -> list[str]:
    """Return the names of the files that messages have."""
    return look(store, lambda session: list(session.scalars(select(Attachment.name).order_by(Attachment.id))))


LIMITS: list[tuple[dict[str, Any], list[tuple[str, bytes]], str]] = [
    ({"file_types": "pdf png"}, [("a.txt", b"words")], "a.txt: Bad file extension"),
    ({"files_per_message": 1}, [("a.txt", b"one"), ("b.txt", b"two")], "Too many files: 1 at most."),
    ({"file_size_mb": 1}, [("a.txt", b"x" * 1_000_001)], "a.txt: The file is too large."),
    ({"files_size_mb": 1}, [("a.txt", b"x" * 600_000), ("b.txt", b"y" * 600_000)], "b.txt: The file is too large."),
]


@pytest.mark.shows("8.8", "2.9", "3.3")
@pytest.mark.parametrize(("values", "files", "told"), LIMITS, ids=[next(iter(values)) for values, _files, _told in LIMITS])
@pytest.mark.parametrize("form", EVERY_FORM)
def test_a_shops_limits_for_files_hold_in_every_form(
    store: Store, form: Form, values: dict[str, Any], files: list[tuple[str, bytes]], told: str
) -> None:
    """Customers' and employees' alike; what Berlin refuses Paris takes."""
    in_berlin(store, **values)
    assert send(store, form(store, BERLIN), *files) == told
    assert stored_files(store) == []
    assert send(store, form(store, PARIS), *files) == ""
    assert stored_files(store) == [name for name, _content in files]


@pytest.mark.shows("8.1", "8.8", "3.3")
@pytest.mark.parametrize("form", STOREFRONT)
def test_a_shop_that_takes_no_files_of_customers_offers_no_place_for_them(store: Store, form: Form) -> None:
    """And refuses one that is sent all the same; employees attach theirs, and Paris takes them as before."""
    in_berlin(store, allow_file_uploading=False)
    visitor = form(store, BERLIN)
    assert 'type="file"' not in visitor.page
    visitor.post([a_file()], text="Look at this", contact="2", email="ida@example.com")
    assert "Files cannot be attached here." in visitor.page
    assert stored_files(store) == []
    assert 'type="file"' in form(store, PARIS).page
    assert send(store, answer_box(store, BERLIN), ("a.txt", b"words")) == ""


@pytest.mark.shows("8.1", "8.8", "4.3")
def test_a_hosts_own_forms_take_no_files_either_where_the_shop_takes_none(store: Store) -> None:
    """What they hand over with a file is refused with a sentence; a field that was left empty is no file."""
    in_berlin(store, allow_file_uploading=False)

    def post(shop_id: str, *files: FileStorage) -> Any:
        said = {"email": JAN.email, "contact": "Customer service", "subject": "", "first_name": "", "last_name": "", "customer_id": None,
                "order_id": None, "post_key": None, "language": "en"}
        with store.app.test_request_context():
            taken = store.customer_service.hook.cs_contact_form_submitted(shop_id=shop_id, text=f"Look {len(files)} {shop_id}", files=files, **said)
            store.db.session.commit()
            return taken

    with pytest.raises(InvalidInputError, match="Files cannot be attached here"):
        post(BERLIN, FileStorage(io.BytesIO(b"words"), "a.txt"))
    assert post(BERLIN, FileStorage(io.BytesIO(), "")).thread_id
    assert post(PARIS, FileStorage(io.BytesIO(b"words"), "a.txt")).thread_id
    assert stored_files(store) == ["a.txt"]
