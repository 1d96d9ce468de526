"""The page of mails that were set aside: what it shows to whom, and what can be done there."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from sqlalchemy import select

from cs_plugin.mail.glimpse import MOST_BYTES, glimpse_of
from cs_plugin.store import set_aside
from cs_plugin.store.files import Content, FileStore
from cs_plugin.store.models import Attachment, Audit, Blob, Message, SetAsideMail, Thread
from cs_plugin.sync.reading import ENDS_READING
from tests.hosts.mail_in import do_jobs, mail, post, said
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import do, look

PAGE = "/cs-admin/customer-service-set-aside"
HOSTILE = (
    b"From: Evil <evil@example.com>\r\nSubject: <script>alert(1)</script>\r\nContent-Type: text/html\r\n\r\n"
    b"<script>alert(2)</script><img src=x onerror=alert(3)>\r\n"
)


class FullFileSystem(LocalFileSystem):
    """A disk that gives what lies on it, and takes nothing more."""

    protocol = "full"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("full://"))

    def open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        """Open a file to read it."""
        if mode != "rb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().open(path, mode, **more)


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything; Layla views Dubai and may do nothing there; John reads and answers in Paris."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    return store.client(employee=MARIE)


def put(
    store: Store, raw: bytes, *, cause: str = "unread", shop_id: str | None = "1", sender: str = "ida@example.com", subject: str = "A jug"
) -> int:
    """Set a mail aside, as a run does."""
    (original,) = store.desk.files.keep_several([Content("mail.eml", "message/rfc822", raw)])

    def work(bench: Any) -> int:
        return set_aside.set_aside(
            bench.session, original, cause, bench.now, mailbox_id=None, shop_id=shop_id, sender=sender, subject=subject
        ).id

    return do(store, work)


def waiting(store: Store) -> list[int]:
    """Return the ids of what is set aside."""
    return look(store, lambda session: list(session.scalars(select(SetAsideMail.id).order_by(SetAsideMail.id))))


def files_in(store: Store) -> int:
    """Return how many files lie in the store."""
    return len([one for one in Path(store.desk.files.url).rglob("*") if one.is_file()])


# --- What it shows --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.9")
def test_the_list_says_what_was_set_aside_and_why(any_store: Store) -> None:
    """Sender, subject and cause in words, newest first; on every database. The menu counts them."""
    client = any_store.client(employee=MARIE)
    first = put(any_store, mail(), cause="comes_from_a_stranger")
    second = put(any_store, b"\x00\xff", cause="ValueError: not a mail", sender="", subject="")
    page = client.get(f"{PAGE}/").text
    assert re.findall(r'cs-aside-what"><a href="[^"]*?/(\d+)/', page) == [str(second), str(first)]
    for words in ("ida@example.com", "A jug", "It leads to a thread in which its sender has no part.", "ValueError: not a mail", "unknown sender"):
        assert words in page, words
    assert "Set aside&nbsp;<bdi>(2)</bdi>" in page


def test_an_empty_page_says_what_would_stand_here(client: Any) -> None:
    """And the menu has no number."""
    page = client.get(f"{PAGE}/").text
    assert "No mail is set aside" in page
    assert "Set aside&nbsp;" not in page


@pytest.mark.shows("10.9")
def test_nothing_of_a_mail_is_a_page(store: Store, client: Any) -> None:
    """Header lines and text are shown as they came, escaped."""
    mail_id = put(store, HOSTILE, subject="<script>alert(1)</script>", cause="ValueError: <script>alert(4)</script>")
    for address in (f"{PAGE}/", f"{PAGE}/{mail_id}/"):
        page = client.get(address).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt;&lt;img src=x onerror=alert(3)&gt;" in page
    assert "<b>Content-Type:</b> text/html" in page


def test_the_whole_mail_is_a_download_and_nothing_else(store: Store, client: Any) -> None:
    """Byte for byte, with a type that no browser opens, and a policy in case one does."""
    mail_id = put(store, HOSTILE)
    answer = client.get(f"{PAGE}/{mail_id}/download")
    assert answer.data == HOSTILE
    assert answer.mimetype == "message/rfc822"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=mail-{mail_id}.eml"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_a_long_mail_is_cut_and_says_so(store: Store, client: Any) -> None:
    """The rest is in the download."""
    mail_id = put(store, mail(text="word " * 200_000))
    page = client.get(f"{PAGE}/{mail_id}/").text
    assert "There is more of it" in page
    assert len(page) < 200_000


def test_a_mail_whose_bytes_are_gone_says_so(store: Store, client: Any) -> None:
    """The page stands all the same; it can still be discarded."""
    mail_id = put(store, mail())
    key = look(store, lambda session: session.scalar(select(Blob.key)))
    store.desk.files.remove(key)
    assert "The bytes of this mail are not there any more." in client.get(f"{PAGE}/{mail_id}/").text
    assert "not there any more" in said(client, client.get(f"{PAGE}/{mail_id}/download"))
    assert "not there any more" in said(client, post(client, f"{PAGE}/selected", thread=mail_id))
    assert "1 mail was discarded." in said(client, post(client, f"{PAGE}/selected", mail=mail_id, action="discard"))


def test_a_file_store_that_is_away_is_not_said_to_have_lost_a_mail(store: Store, client: Any, tmp_path: Path) -> None:
    """Neither on its page nor as a download: it comes back with the store, and somebody would give the mail up."""
    mail_id = put(store, mail())
    good, store.desk.files = store.desk.files, FileStore(str(tmp_path / "in_the_way"))
    (tmp_path / "in_the_way").write_text("a file where the folder should be")
    told = (client.get(f"{PAGE}/{mail_id}/").text, said(client, client.get(f"{PAGE}/{mail_id}/download")))
    assert [("not there any more" in one, "It could not be read." in one) for one in told] == [(False, True)] * 2
    store.desk.files = good
    assert "It has not come." in client.get(f"{PAGE}/{mail_id}/").text



ODD = [
    (b"", (), ""),
    (b"no header at all", (), "no header at all"),
    (b"Subject: only\r\n", (("Subject", "only"),), ""),
    (b"Subject: a\r\n b\r\n\r\nText", (("Subject", "a b"),), "Text"),
    (b"\x00\xff\xfe", (), "\xff\xfe".encode("latin-1").decode("cp1252")),
    ("Subject: É\n\nЖ".encode(), (("Subject", "É"),), "Ж"),
    (b"X" * 2_000_000, (), "X" * 50_000),
]


@pytest.mark.parametrize(("raw", "headers", "text"), ODD, ids=range(len(ODD)))
def test_something_of_any_bytes_can_be_shown(raw: bytes, headers: tuple[tuple[str, str], ...], text: str) -> None:
    """Bounded, and without what no database holds."""
    seen = glimpse_of(raw)
    assert (seen.headers, seen.text) == (headers, text)
    assert seen.is_cut is (len(raw) > MOST_BYTES)


# --- Who sees and does what -----------------------------------------------------------------------------------------------------------------------


def test_a_mail_of_another_shop_is_not_there(store: Store, client: Any) -> None:
    """Neither in the list nor by its address, nor for any deed."""
    mail_id = put(store, mail())
    layla = store.client(employee=LAYLA)
    assert "A jug" not in layla.get(f"{PAGE}/").text
    for path in ("", "download", "discard/"):
        assert layla.get(f"{PAGE}/{mail_id}/{path}").status_code == 404
    for fields in ({"retry": mail_id}, {"thread": mail_id}, {"mail": mail_id, "action": "discard"}):
        assert "no longer set aside" in said(layla, post(layla, f"{PAGE}/selected", **fields))
    assert waiting(store) == [mail_id]


def test_a_mail_of_no_shop_is_for_those_who_see_every_shop(store: Store, client: Any) -> None:
    """Nobody can tell whose it is."""
    mail_id = put(store, mail(), shop_id=None)
    assert "A jug" in client.get(f"{PAGE}/").text
    assert "A jug" not in client.get(f"{PAGE}/?shop=shop-1").text
    john = store.client(employee=JOHN)
    assert "A jug" not in john.get(f"{PAGE}/").text
    assert john.get(f"{PAGE}/{mail_id}/").status_code == 404


def test_making_a_thread_needs_reply_and_discarding_delete(store: Store, client: Any) -> None:
    """John has no button to discard, and whoever posts it all the same discards nothing."""
    mail_id = put(store, mail())
    john = store.client(employee=JOHN)
    page = john.get(f"{PAGE}/{mail_id}/").text
    assert "Make a thread of it" in page
    assert "Discard" not in page
    said(john, post(john, f"{PAGE}/selected", mail=mail_id, action="discard"))
    assert waiting(store) == [mail_id]
    store.answers.grants[JOHN.id] = {"view": ["1"], "delete": ["1"]}
    assert "Make a thread of it" not in john.get(f"{PAGE}/{mail_id}/").text
    said(john, post(john, f"{PAGE}/selected", thread=mail_id))
    assert waiting(store) == [mail_id]


# --- Trying again, making a thread ----------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.9")
def test_a_mail_that_can_be_read_now_becomes_a_message(any_store: Store) -> None:
    """On every database: it goes the way of all mails, and is no longer set aside."""
    client = any_store.client(employee=MARIE)
    mail_id = put(any_store, mail("Where is my parcel?", text="It has not come."))
    page = said(client, post(client, f"{PAGE}/selected", retry=mail_id))
    assert "It is in thread #1 now." in page
    assert "It has not come." in page
    message = look(any_store, lambda session: session.scalars(select(Message)).one())
    assert message.text == "It has not come."
    assert message.original_blob_id is not None
    assert waiting(any_store) == []
    audit = look(any_store, lambda session: session.scalars(select(Audit)).one())
    assert (audit.action, audit.object_id, audit.actor_id) == ("set_aside_tried_again", str(mail_id), "1")


def test_a_mail_that_still_has_no_place_stays_and_says_why(store: Store, client: Any) -> None:
    """How often it was tried stands there too; nothing was stored."""
    mail_id = put(store, mail(sender="paris@shop.example"))
    page = said(client, post(client, f"{PAGE}/selected", retry=mail_id))
    assert "It stays set aside: It comes from an address of this desk" in page
    assert waiting(store) == [mail_id]
    assert "tried again 1 time" in client.get(f"{PAGE}/").text
    assert look(store, lambda session: session.scalars(select(Thread)).all()) == []


@pytest.mark.shows("10.9")
@pytest.mark.parametrize("button", ["retry", "thread"])
def test_a_full_disk_is_not_said_to_have_lost_a_mail(store: Store, client: Any, button: str) -> None:
    """Somebody would give it up; it says what is wrong, why the mail was set aside stands, and it goes on once there is room."""
    cause = ENDS_READING if button == "retry" else "unread"
    mail_id = put(store, mail(text="<p>Where is it?</p>").replace(b"text/plain", b"text/html"), cause=cause)
    good, store.desk.files = store.desk.files, FileStore(f"full://{store.desk.files.url}")
    fsspec.register_implementation("full", FullFileSystem, clobber=True)
    post(client, f"{PAGE}/selected", **{button: mail_id})
    do_jobs(store)
    page = client.get(f"{PAGE}/{mail_id}/").text
    assert "not there any more" not in page
    assert look(store, lambda session: session.get_one(SetAsideMail, mail_id).cause) == cause
    store.desk.files = good
    post(client, f"{PAGE}/selected", **{button: mail_id})
    do_jobs(store)
    assert waiting(store) == []


@pytest.mark.shows("10.9")
def test_a_thread_is_made_of_a_mail_whatever_it_leads_to(store: Store, client: Any) -> None:
    """Because somebody wants it."""
    mail_id = put(store, mail("Odd", sender="paris@shop.example", text="Words of ours."))
    page = said(client, post(client, f"{PAGE}/selected", thread=mail_id))
    assert "Words of ours." in page
    assert waiting(store) == []


@pytest.mark.shows("10.9")
def test_a_thread_is_made_of_what_cannot_be_read(store: Store, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be seen of it is the message; its original is for whoever may answer, and no file of the message."""

    def breaks(_raw: bytes) -> Any:
        raise RecursionError("too deep")

    mail_id = put(store, mail("Deep", text="Some words."))
    # What no mail that we know of does any more to the parser.
    monkeypatch.setattr("cs_plugin.sync.reading.read_mail", breaks)
    assert "It stays set aside" in said(client, post(client, f"{PAGE}/selected", retry=mail_id))
    page = said(client, post(client, f"{PAGE}/selected", thread=mail_id))
    assert "Some words." in page
    thread = look(store, lambda session: session.scalars(select(Thread)).one())
    message = look(store, lambda session: session.scalars(select(Message)).one())
    assert look(store, lambda session: session.scalars(select(Attachment)).all()) == []
    at = f"/cs-admin/customer-service/{thread.id}/messages/{message.id}/original"
    store.answers.grants[JOHN.id] = {"view": ["1"]}
    assert (client.get(at).status_code, store.client(employee=JOHN).get(at).status_code) == (200, 404)
    assert (thread.address, thread.shop_id) == ("ida@example.com", "1")


def test_of_two_who_make_a_thread_of_it_at_once_one_does(store: Store, client: Any) -> None:
    """The second is told that it is no longer set aside."""
    mail_id = put(store, mail())
    said(client, post(client, f"{PAGE}/selected", thread=mail_id))
    assert "no longer set aside" in said(client, post(client, f"{PAGE}/selected", thread=mail_id))
    assert len(look(store, lambda session: session.scalars(select(Thread)).all())) == 1


def test_several_are_tried_again_in_the_background(store: Store, client: Any) -> None:
    """The page says how far that is, and then what came of it."""
    ids = [put(store, mail(f"Mail {number}", number=number)) for number in range(3)]
    ids.append(put(store, mail(sender="paris@shop.example", number=9)))
    page = said(client, post(client, f"{PAGE}/selected", mail=ids, action="retry"))
    assert "The mails will be tried again in a moment." in page
    do_jobs(store)
    page = client.get(f"{PAGE}/").text
    assert "3 mails are settled. 1 stays set aside." in page
    assert waiting(store) == ids[3:]


# --- Discarding -----------------------------------------------------------------------------------------------------------------------------------


def test_discarding_asks_and_then_leaves_nothing(any_store: Store) -> None:
    """Neither the row nor the bytes; who did it is written down, and not what stood in it."""
    client = any_store.client(employee=MARIE)
    mail_id = put(any_store, mail())
    before = files_in(any_store)
    assert "Discard 1 mail?" in client.get(f"{PAGE}/{mail_id}/discard/").text
    assert "Discard 1 mail?" in post(client, f"{PAGE}/selected", mail=mail_id, action="ask").text
    assert waiting(any_store) == [mail_id]
    assert "1 mail was discarded." in said(client, post(client, f"{PAGE}/selected", mail=mail_id, action="discard"))
    assert waiting(any_store) == []
    assert files_in(any_store) == before - 1
    audit = look(any_store, lambda session: session.scalars(select(Audit)).one())
    assert (audit.action, audit.details) == ("set_aside_discarded", {"shop_id": "1"})


def test_bytes_that_something_else_refers_to_stay(store: Store, client: Any) -> None:
    """The same original may be a message's."""
    mail_id = put(store, mail())

    def use(bench: Any) -> None:
        blob_id = bench.session.scalar(select(SetAsideMail.blob_id))
        bench.session.add(Attachment(message_id=1, blob_id=blob_id, name="x", content_type="message/rfc822", size=1))

    do(store, use)
    before = files_in(store)
    said(client, post(client, f"{PAGE}/selected", mail=mail_id, action="discard"))
    assert files_in(store) == before


@pytest.mark.parametrize("fields", [{}, {"mail": "x"}, {"mail": str(10**30), "action": "discard"}, {"retry": "9999"}, {"thread": "-1"}])
def test_what_names_no_mail_changes_nothing(store: Store, client: Any, fields: dict[str, str]) -> None:
    """And is told so."""
    mail_id = put(store, mail())
    assert "cs-is-bad" in said(client, post(client, f"{PAGE}/selected", **fields))
    assert waiting(store) == [mail_id]


def test_an_old_form_does_nothing(store: Store, client: Any) -> None:
    """Its token is too old."""
    mail_id = put(store, mail())
    assert client.post(f"{PAGE}/selected", data={"csrf_token": "old", "mail": mail_id, "action": "discard"}).status_code == 303
    assert waiting(store) == [mail_id]
