"""A mail as it was sent: a document of its own, in which nothing runs and nothing is fetched unasked, and which gives nobody the customer's key."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cs_plugin import Employee
from cs_plugin.mail.clean_html import clean, cleaned
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.models import Blob, Message, Thread
from cs_plugin.web.linked_text import linked
from tests.hosts.html_mail import PNG, SVG, take_html
from tests.hosts.store import LAYLA, MARIE, Store
from tests.hosts.writing import do

pytestmark = pytest.mark.shows("5.3")

PAGE = "<p>Hello <b>there</b> <a href='https://shop.example/a?b=1'>look</a></p><img src='https://tracker.example/p.png' alt='Lamp'>"


def address(landed: Any) -> str:
    return f"/cs-admin/customer-service/{landed.thread_id}/messages/{landed.message_id}/html"


def shown(store: Store, landed: Any, query: str = "", employee: Employee = MARIE) -> Any:
    return store.client(employee=employee).get(address(landed) + query)


def test_the_document_is_sandboxed_and_may_fetch_nothing(store: Store) -> None:
    """It has a policy of its own, in the header and in itself, no origin, no referrer, and no cache keeps it."""
    answer = shown(store, take_html(store, PAGE))
    policy = answer.headers["Content-Security-Policy"]
    assert policy == (
        "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "default-src &#39;none&#39;" in answer.text
    assert answer.mimetype == "text/html"
    assert "<b>there</b>" in answer.text


def test_a_host_that_sends_one_policy_for_everything_takes_nothing_away(store: Store) -> None:
    """Where the host overwrites the header, the document's own policy still lets nothing run."""

    @store.app.after_request
    def everywhere(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "default-src *"
        return response

    text = shown(store, take_html(store, PAGE)).text
    assert '<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:;' in text


def test_pictures_elsewhere_wait_until_they_are_asked_for(store: Store) -> None:
    """The document says that they are not shown; asked for, they come by https alone."""
    landed = take_html(store, PAGE + "<img src='http://tracker.example/q.png'>")
    before = shown(store, landed).text
    assert "tracker.example" not in before
    assert "Pictures from elsewhere are not shown." in before
    asked = shown(store, landed, "?pictures=all")
    assert 'src="https://tracker.example/p.png"' in asked.text
    assert 'src="https://tracker.example/q.png"' in asked.text
    assert "img-src data: https:;" in asked.headers["Content-Security-Policy"]
    assert "Pictures from elsewhere are not shown." not in asked.text


def test_pictures_of_the_mail_stand_in_the_document(store: Store) -> None:
    """Of its parts those are shown that begin as a picture does, whatever they say they are; SVG and pages are not."""
    parts = (("a.png", "application/octet-stream", PNG, "logo@x"), ("b.png", "image/png", SVG, "evil@x"), ("c.png", "image/png", b"<html>", "page@x"))
    text = shown(store, take_html(store, "".join(f"<img src='cid:{one}' alt='{one}'>" for one in ("logo@x", "evil@x", "page@x")), parts=parts)).text
    assert text.count("data:image/png;base64,") == 1
    assert "svg" not in text.lower()
    assert text.count("src=") == 1


def test_a_picture_that_is_shown_a_thousand_times_does_not_grow_the_document_without_end(store: Store) -> None:
    """What the mail's own pictures come to in a document is bounded, however often each is named."""
    parts = (("a.png", "image/png", PNG + b"\0" * 1_000_000, "big@x"),)
    assert len(shown(store, take_html(store, "<img src='cid:big@x'>" * 1_000, parts=parts)).data) < 20_000_000


def test_a_link_tells_where_it_leads(store: Store) -> None:
    """Its tooltip is its target, whatever the sender wants it to say, with a foreign host in the letters that are asked for."""
    assert 'title="https://evil.example/x"' in clean('<a href="https://evil.example/x" title="https://bank.example/">https://bank.example/</a>')
    assert f'title="https://{"bänk".encode("idna").decode()}.example/"' in clean('<a href="https://bänk.example/">x</a>')
    assert "title" not in clean('<a href="javascript:alert(1)" title="x">x</a>')


def test_the_customers_key_is_shown_to_nobody_who_may_not_answer(store: Store) -> None:
    """A mail quotes ours with the customer's link in it: whoever may only look sees neither it nor any link."""
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    first = take_html(store, PAGE)
    thread = do(store, lambda bench: bench.session.get_one(Thread, first.thread_id))
    tag = store.desk.signer.sign(TagKind.LINK, thread.id, thread.token_nonce)
    link = f"https://paris.example/customer-service/thread/{tag}"
    safe = f"https://gate.example/?url=https%3A%2F%2Fparis.example%2Fcustomer-service%2Fthread%2F{tag}&amp;x=1"
    html = f"<p title='{tag}'>See {link} or <a href='{link}'>the conversation</a> or <a href='{safe}'>{safe}</a> {tag.replace('-', '&#45;')}</p>"
    quoting = take_html(store, html, by="other@example.com", name="Other")
    assert link in shown(store, quoting).text
    for_viewer = shown(store, quoting, employee=LAYLA)
    assert for_viewer.status_code == 200
    assert tag not in for_viewer.text
    assert tag.partition("-")[0] not in for_viewer.text
    assert "href" not in for_viewer.text.partition("<main")[2]
    assert "the conversation" in for_viewer.text
    deep = cleaned("<div>" * 5_000 + tag, keys=False)
    assert tag not in deep.html


def test_it_is_shown_to_whoever_may_see_the_thread_and_to_nobody_else(store: Store) -> None:
    """A stranger to the shop, another thread's address and a message without HTML are not found."""
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    landed, other = take_html(store, PAGE), take_html(store, PAGE, by="other@example.com")
    assert shown(store, landed).status_code == 200
    assert shown(store, landed, employee=LAYLA).status_code == 404
    assert store.app.test_client().get(address(landed)).status_code == 403
    client = store.client(employee=MARIE)
    assert client.get(f"/cs-admin/customer-service/{other.thread_id}/messages/{landed.message_id}/html").status_code == 404
    assert client.get(f"/cs-admin/customer-service/{landed.thread_id}/messages/999999/html").status_code == 404
    do(store, lambda bench: setattr(bench.session.get_one(Message, landed.message_id), "html_blob_id", None))
    assert shown(store, landed).status_code == 404


def test_what_cannot_be_shown_says_so_and_names_the_way_to_the_mail(store: Store) -> None:
    """HTML whose bytes are gone, or that is longer than anybody sends, gives a sentence."""
    landed, large = take_html(store, PAGE), take_html(store, PAGE, by="other@example.com")
    key = do(store, lambda bench: bench.session.get_one(Blob, bench.session.get_one(Message, landed.message_id).html_blob_id).key)
    store.desk.files.remove(key)
    do(store, lambda bench: setattr(bench.session.get_one(Blob, bench.session.get_one(Message, large.message_id).html_blob_id), "size", 9_000_000))
    for one in (landed, large):
        answer = shown(store, one)
        assert answer.status_code == 200
        assert "This mail cannot be shown here." in answer.text


def test_the_frame_is_on_the_page_only_for_mails_with_html(store: Store) -> None:
    """"Show original" stands at a mail with HTML: a sandboxed frame by its address, never the mail in an attribute of the page."""
    landed = take_html(store, PAGE)
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{landed.thread_id}/").text
    frame = re.search(r"<iframe[^>]*>", page)
    assert frame is not None
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]
    assert f"/messages/{landed.message_id}/html" in frame[0]
    assert "srcdoc" not in page
    assert "tracker.example" not in page
    do(store, lambda bench: setattr(bench.session.get_one(Message, landed.message_id), "html_blob_id", None))
    assert "<iframe" not in store.client(employee=MARIE).get(f"/cs-admin/customer-service/{landed.thread_id}/").text


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://shop.example/a?b=1&c=2.", ["https://shop.example/a?b=1&amp;c=2"]),
        ("(https://a.example/x_(y)), <http://b.example/>", ["https://a.example/x_(y)", "http://b.example/"]),
        ("javascript:alert(1) data:text/html,x file:///etc/passwd mailto:a@b.example ftp://x.example //x.example", []),
        ("https://a.example/\u202egnp.exe https://b.example\u200b/x", ["https://a.example/", "https://b.example"]),
        ("https://\"onclick=alert(1) https://", []),
        ("<a href=\"https://c.example\">x</a>", ["https://c.example"]),
    ],
)
def test_web_addresses_in_a_text_are_links_and_nothing_else_is(text: str, links: list[str]) -> None:
    """Only http and https become links, as they stand there; all else of the text is escaped."""
    html = str(linked(text))
    assert re.findall(r'<a href="([^"]*)" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">', html) == links
    assert re.sub(r'<a href="[^"]*" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">|</a>', "", html).count("<") == 0


def test_a_text_full_of_addresses_stays_as_long_as_it_is() -> None:
    """Two hundred addresses of a text become links; what follows is text."""
    assert str(linked("https://a.example/ " * 5_000)).count("<a ") == 200
