"""The Mailboxes page: what its form takes and refuses, who may do what there, how a mailbox fares, and what is never shown."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from cs_plugin import health
from cs_plugin.desk.mailboxes import password_of_mailbox
from cs_plugin.desk.option_mailboxes import at_work
from cs_plugin.rules.shops import ALL_SHOPS, Breadth
from cs_plugin.store import mailboxes
from cs_plugin.store.models import Audit, ContactShop, Mailbox
from cs_plugin.store.options import set_option
from tests.hosts.mail_in import FORM, PAGE, PASSWORD, do_jobs, made, mail, on_server, post, row_of, said
from tests.hosts.store import LAYLA, MARIE, Store
from tests.hosts.writing import do, look
from tests.servers.dovecot import DovecotServer


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything. Layla views Paris and Dubai, and configures Dubai; she reads English here."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store.client(employee=MARIE)


@pytest.fixture
def layla(client: Any, store: Store) -> Any:
    """Layla's client."""
    return store.client(employee=LAYLA)


def errors_of(text: str) -> dict[str, str]:
    """Return what is said at the fields of a form, by their names."""
    return dict(re.findall(r'id="cs-([a-z_]+)-error"><svg.*?</svg><span>(.*?)</span>', text))


def change(store: Store, mailbox_id: int, **values: Any) -> None:
    """Write columns of a mailbox, as a run does."""
    do(store, lambda bench: bench.session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(**values)))


def begin(client: Any, mailbox_id: int, start: str = "now", **more: str) -> Any:
    """Say from when on mail is wanted."""
    return post(client, f"{PAGE}/{mailbox_id}/begin", start=start, **more)


# --- The form -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.5")
def test_a_mailbox_is_made_and_waits_for_its_first_connection(any_store: Store) -> None:
    """On every database: what the form says stands in the row, the password sealed, and nothing is fetched yet."""
    client = any_store.client(employee=MARIE)
    mailbox_id = made(any_store, client)
    row = row_of(any_store, mailbox_id)
    assert row is not None
    assert (row.breadth, row.breadth_id, row.server, row.port, row.username) == (Breadth.SHOP, "1", "imap.example.com", 993, "desk@paris.example")
    assert (row.flags, row.folder, row.afterwards, row.create_threads, row.takes_plus_tags) == (["imap_ssl"], "INBOX", "leave", True, False)
    assert row.address == "desk@paris.example"
    assert not row.active
    assert PASSWORD not in row.password
    assert password_of_mailbox(any_store.desk.vault, row) == PASSWORD


def test_a_run_works_with_what_the_form_said(store: Store, client: Any) -> None:
    """The password opens for it, and the mails come for the shop that was chosen."""
    row = row_of(store, made(store, client))
    assert row is not None
    work = do(store, lambda bench: at_work(bench, row))
    assert (work.server.password, work.server.user, work.source.shop_ids) == (PASSWORD, "desk@paris.example", ("1",))


def test_the_password_is_never_sent_back(store: Store, client: Any) -> None:
    """Neither as it is nor sealed, on the form, in the list and after a mistake."""
    mailbox_id = made(store, client)
    row = row_of(store, mailbox_id)
    assert row is not None
    wrong = post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "port": "0"})
    for text in (client.get(f"{PAGE}/{mailbox_id}/").text, client.get(f"{PAGE}/").text, wrong.text):
        assert PASSWORD not in text
        assert row.password not in text


def test_an_empty_password_keeps_the_one_that_there_is(store: Store, client: Any) -> None:
    """And a password that was typed survives a mistake elsewhere in the form."""
    mailbox_id = made(store, client)
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "password": "", "name": "Other"}))
    row = row_of(store, mailbox_id)
    assert row is not None
    assert (row.name, password_of_mailbox(store.desk.vault, row)) == ("Other", PASSWORD)
    wrong = post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "port": "0", "password": "another one"})
    sealed = re.search(r'name="typed_password" value="([^"]+)"', wrong.text)
    assert sealed is not None
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "password": "", "typed_password": sealed[1]}))
    row = row_of(store, mailbox_id)
    assert row is not None
    assert password_of_mailbox(store.desk.vault, row) == "another one"


WRONG = [
    ({"server": ""}, "server", "IMAP configuration is not correct"),
    ({"server": "https://imap.example.com/"}, "server", "host name or an address only"),
    ({"port": "70000"}, "port", "whole number from 1 to 65535"),
    ({"username": " "}, "username", "IMAP configuration is not correct"),
    ({"password": ""}, "password", "IMAP configuration is not correct"),
    ({"password": "two\r\nlines"}, "password", "cannot be kept"),
    ({"flags": ["imap_ssl", "imap_tls"]}, "imap_tls", "cannot be used together with /ssl"),
    ({"flags": ["imap_validate_cert", "imap_novalidate_cert"]}, "imap_validate_cert", "cannot be used together"),
    ({"context": "shop-99"}, "context", "Choose for which shops"),
    ({"contact_id": "9999"}, "contact_id", "not offered in these shops"),
    ({"address": "nobody"}, "address", "Invalid email address."),
    ({"protocol": "smtp"}, "protocol", "Choose one of these."),
    ({"protocol": "pop3", "folder": "Archive"}, "folder", "POP3 knows no folder but the inbox."),
    ({"afterwards": "move"}, "move_to", "Name the folder"),
    ({"afterwards": "move", "move_to": "INBOX", "folder": "INBOX"}, "move_to", "folder that they come from"),
    ({"afterwards": "burn"}, "afterwards", "Choose one of these."),
    ({"sign_in": "google", "flags": ["imap_notls"]}, "imap_notls", "has to be encrypted"),
    ({"sign_in": "aol"}, "sign_in", "Choose one of these."),
    ({"name": "x" * 200}, "name", "cannot be longer than 128"),
]


@pytest.mark.parametrize(("changes", "field", "words"), WRONG, ids=[f"{field}-{number}" for number, (_changes, field, _words) in enumerate(WRONG)])
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(store: Store, client: Any, changes: dict[str, Any], field: str, words: str) -> None:
    """And what was typed stays, but for the password."""
    answer = post(client, f"{PAGE}/new/", **{**FORM, **changes})
    assert answer.status_code == 422
    assert words in errors_of(answer.text)[field]
    assert "Nothing was saved. What you typed is still here." in answer.text
    assert look(store, lambda session: session.scalars(select(Mailbox)).all()) == []


def test_a_kept_password_goes_to_no_other_server(store: Store, client: Any) -> None:
    """Whoever may change the server is asked for the password, also for a line that others can read."""
    mailbox_id = made(store, client)
    other = post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "server": "evil.example.com", "password": ""})
    assert "is the one for imap.example.com" in errors_of(other.text)["password"]
    weaker = post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "flags": ["imap_notls"], "password": ""})
    assert "safer connection" in errors_of(weaker.text)["password"]


def test_another_folder_waits_for_its_first_connection_again(store: Store, client: Any) -> None:
    """What was read in one says nothing about the other; a new name changes nothing of it."""
    mailbox_id = made(store, client)
    begin(client, mailbox_id)
    change(store, mailbox_id, uidvalidity=7, last_uid=9, began_at=store.clock())
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "name": "Other", "switches": ["create_threads", "active"]}))
    row = row_of(store, mailbox_id)
    assert row is not None
    assert (row.active, row.last_uid) == (True, 9)
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "folder": "Orders", "switches": ["create_threads", "active"]}))
    row = row_of(store, mailbox_id)
    assert row is not None
    assert (row.active, row.uidvalidity, row.last_uid, row.began_at) == (False, None, None, None)


def test_a_contact_of_the_shop_may_be_chosen(store: Store, client: Any) -> None:
    """New threads are then of its type."""
    contact_id = look(store, lambda session: session.scalar(select(ContactShop.contact_id).where(ContactShop.shop_id == "1")))
    row = row_of(store, made(store, client, contact_id=str(contact_id)))
    assert row is not None
    assert row.contact_id == contact_id


def test_an_old_form_saves_nothing(store: Store, client: Any) -> None:
    """It is shown again with what was typed."""
    answer = client.post(f"{PAGE}/new/", data={**FORM, "csrf_token": "wrong"})
    assert answer.status_code == 422
    assert "Paris desk" in answer.text
    assert look(store, lambda session: session.scalars(select(Mailbox)).all()) == []


# --- The first connection -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
def test_the_first_connection_asks_from_when_on_after_telling_how_many_mails_there_are(
    store: Store, client: Any, dovecot_server: DovecotServer
) -> None:
    """The count of a dry run, then three choices of which the first is chosen; nothing is fetched before."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(), mail(number=2))
    answer = post(client, f"{PAGE}/new/", **on_server(dovecot_server, user))
    assert answer.status_code == 303
    do_jobs(store)
    page = client.get(answer.location).text
    assert "2 mails lie in INBOX." in page
    choices = re.findall(r'<input type="radio" name="start" value="(\w+)"( checked)?[^>]*><span>(.*?)</span>', page)
    assert choices == [("now", " checked", "Only mail from now on"), ("since", "", "Mail since a date"), ("all", "", "All mail")]
    assert "The other mails are neither imported nor deleted." in page


@pytest.mark.parametrize(("start", "since", "kept"), [("now", "2026-11-01", None), ("since", "2026-11-01", "2026-11-01"), ("all", "", None)])
@pytest.mark.shows("10.1")
def test_a_mailbox_begins_with_what_was_chosen(store: Store, client: Any, start: str, since: str, kept: str | None) -> None:
    """Then it is fetched."""
    mailbox_id = made(store, client)
    said(client, begin(client, mailbox_id, start, since=since))
    row = row_of(store, mailbox_id)
    assert row is not None
    assert (row.start, str(row.start_on) if row.start_on else None, row.active) == (start, kept, True)


@pytest.mark.parametrize("fields", [{"start": "since"}, {"start": "since", "since": "yesterday"}, {"start": "whenever"}])
def test_what_says_no_beginning_begins_nothing(store: Store, client: Any, fields: dict[str, str]) -> None:
    """And is told."""
    mailbox_id = made(store, client)
    page = said(client, post(client, f"{PAGE}/{mailbox_id}/begin", **fields))
    assert "cs-is-bad" in page
    row = row_of(store, mailbox_id)
    assert row is not None
    assert not row.active


# --- Test connection ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.4")
def test_a_test_connects_and_lists_the_folders(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Without scripts the page waits with the answer; nothing is saved by it."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(), folder="Orders")
    answer = post(client, f"{PAGE}/new/", **on_server(dovecot_server, user), action="test")
    job = re.search(r'name="test" value="(\d+)"', answer.text)
    assert job is not None
    do_jobs(store)
    told = post(client, f"{PAGE}/new/", **on_server(dovecot_server, user), action="answer", test=job[1]).text
    assert "It works. Messages in INBOX: 0" in told
    assert "<bdi dir=\"auto\">Orders</bdi>" in told
    assert look(store, lambda session: session.scalars(select(Mailbox)).all()) == []


def test_a_test_is_answered_to_a_script(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """As words for the page, and folders to choose from; to whoever asked alone."""
    user = dovecot_server.new_user()
    fields = on_server(dovecot_server, user)
    asked = post(client, f"{PAGE}/new/", **fields, action="test", headers={"Accept": "application/json"}).json
    do_jobs(store)
    answer = client.get(asked["answer"]).json
    assert answer["done"]
    assert "INBOX" in answer["folders"]
    assert store.client(employee=LAYLA).get(asked["answer"]).status_code == 404


def test_a_kept_password_is_tried_without_being_typed(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """An empty field means the one that is kept."""
    user = dovecot_server.new_user()
    fields = on_server(dovecot_server, user)
    mailbox_id = made(store, client, **fields)
    asked = post(client, f"{PAGE}/{mailbox_id}/", **{**fields, "password": ""}, action="test", headers={"Accept": "application/json"}).json
    do_jobs(store)
    assert "It works." in client.get(asked["answer"]).json["html"]


# --- How it fares ---------------------------------------------------------------------------------------------------------------------------------


FARING: list[tuple[dict[str, Any], str, bool]] = [
    ({"active": False, "began_at": "now"}, "Switched off", False),
    ({"active": True}, "Not fetched yet", False),
    ({"active": True, "last_success_at": "now"}, "Works", False),
    ({"active": True, "last_success_at": "now", "failures": 1, "last_error": "The line broke."}, "Failed just now", False),
    ({"active": True, "last_success_at": "now", "failures": 3, "last_error": "The line broke."}, "Fails again and again", True),
    ({"active": True, "last_success_at": "long ago"}, "Not fetched for long", True),
]


@pytest.mark.parametrize(("columns", "words", "ails"), FARING, ids=[words for _columns, words, _ails in FARING])
def test_how_a_mailbox_fares_stands_on_the_page(store: Store, client: Any, columns: dict[str, Any], words: str, *, ails: bool) -> None:
    """With the last error in words; what somebody has to look at stands on the Customer Service page too, and in the check."""
    mailbox_id = made(store, client)
    moments = {"now": store.clock(), "long ago": store.clock().replace(year=2025)}
    change(store, mailbox_id, **{name: moments.get(value, value) if isinstance(value, str) else value for name, value in columns.items()})
    page = client.get(f"{PAGE}/").text
    assert f">{words}</span>" in re.sub(r"<svg.*?</svg>", "", page).replace("\n", "") or words in page
    assert ("The line broke." in page) is ("last_error" in columns)
    assert ("mailbox is not fetched:" in client.get("/cs-admin/customer-service/").text) is ails
    with store.app.app_context():
        found = [one for one in health.check(store.desk) if one.subject == "Mailboxes"]
    assert any(one.severity in ("wrong", "warning") and "Paris desk" in one.what for one in found) is ails


def test_a_mailbox_whose_next_turn_was_set_by_a_wrong_clock_is_told_of(store: Store, client: Any) -> None:
    """Nobody fetches it until that moment has come, and how it went last seems to be well; the line that is told lets it be fetched."""
    mailbox_id = made(store, client)
    begin(client, mailbox_id)
    ahead = store.clock() + dt.timedelta(days=400)
    change(store, mailbox_id, last_success_at=ahead, next_run_at=ahead)
    with store.app.app_context():
        (found,) = [one for one in health.check(store.desk) if one.subject == "Mailboxes"]
    assert (found.severity, found.lines) == ("wrong", (f"flask cs sync --mailbox {mailbox_id}",))
    assert f"Paris desk is not fetched before {ahead:%Y-%m-%d %H:%M} UTC: the clock was wrong." in found.what


def test_only_those_who_may_configure_read_of_a_failing_mailbox(store: Store, client: Any) -> None:
    """Others can do nothing about it."""
    mailbox_id = made(store, client)
    change(store, mailbox_id, active=True, failures=5)
    store.answers.grants["2"] = {"view": ["1"], "reply": ["1"]}
    from tests.hosts.store import JOHN

    assert "Paris desk" not in store.client(employee=JOHN).get("/cs-admin/customer-service/").text


# --- Switching off, deleting ----------------------------------------------------------------------------------------------------------------------


def test_a_mailbox_is_switched_off_and_on(store: Store, client: Any) -> None:
    """Where it was read to is remembered."""
    mailbox_id = made(store, client)
    begin(client, mailbox_id)
    change(store, mailbox_id, began_at=store.clock(), last_uid=9)
    said(client, post(client, f"{PAGE}/{mailbox_id}/switch"))
    off = row_of(store, mailbox_id)
    said(client, post(client, f"{PAGE}/{mailbox_id}/switch", on="y"))
    on = row_of(store, mailbox_id)
    assert off is not None
    assert on is not None
    assert (off.active, on.active, on.last_uid) == (False, True, 9)


def test_deleting_asks_and_takes_the_password_along(any_store: Store) -> None:
    """The row goes; who did it is written down, without the password; another click finds nothing."""
    client = any_store.client(employee=MARIE)
    mailbox_id = made(any_store, client)
    assert "Delete this mailbox?" in client.get(f"{PAGE}/{mailbox_id}/delete/").text
    assert row_of(any_store, mailbox_id) is not None
    said(client, post(client, f"{PAGE}/{mailbox_id}/delete/"))
    assert row_of(any_store, mailbox_id) is None
    audits = look(any_store, lambda session: [(one.action, str(one.details)) for one in session.scalars(select(Audit))])
    assert [action for action, _details in audits] == ["mailbox_made", "mailbox_deleted"]
    assert not any(PASSWORD in details for _action, details in audits)
    assert post(client, f"{PAGE}/{mailbox_id}/delete/").status_code == 404


def test_a_mailbox_that_is_deleted_during_a_run_is_gone_for_the_run(store: Store, client: Any) -> None:
    """Whoever has it in hand writes nothing more."""
    mailbox_id = made(store, client)
    begin(client, mailbox_id)
    turn = do(store, lambda bench: mailboxes.take_turn(bench.session, mailbox_id, bench.now))
    assert turn is not None
    said(client, post(client, f"{PAGE}/{mailbox_id}/delete/"))
    assert not do(store, lambda bench: mailboxes.keep_turn(bench.session, turn, bench.now))


# --- Who may do what ------------------------------------------------------------------------------------------------------------------------------


def test_a_mailbox_of_another_shop_is_not_there(store: Store, client: Any, layla: Any) -> None:
    """Whether it is looked at, changed, begun, switched, run or deleted."""
    mailbox_id = made(store, client)
    assert "Paris desk" not in layla.get(f"{PAGE}/").text
    for path in ("", "delete/", "sync/"):
        assert layla.get(f"{PAGE}/{mailbox_id}/{path}").status_code == 404
    for path in ("", "begin", "switch", "delete/", "authorise", "sync"):
        assert post(layla, f"{PAGE}/{mailbox_id}/{path}", **FORM, start="all").status_code == 404
    row = row_of(store, mailbox_id)
    assert row is not None
    assert not row.active


def test_a_mailbox_is_made_only_where_somebody_may_configure(store: Store, client: Any, layla: Any) -> None:
    """Layla configures Dubai alone: neither all shops nor Paris take a mailbox from her."""
    for context in ("all", "shop-1", "group-1"):
        assert post(layla, f"{PAGE}/new/", **{**FORM, "context": context}).status_code in (403, 422)
    made(store, layla, context="shop-3")
    assert look(store, lambda session: [row.breadth_id for row in session.scalars(select(Mailbox))]) == ["3"]


def test_a_mailbox_of_all_shops_can_be_looked_at_by_those_of_one(store: Store, client: Any, layla: Any) -> None:
    """It is theirs too, and not theirs alone: its fields are locked, and a form that is posted all the same is refused."""
    mailbox_id = made(store, client, context="all")
    page = layla.get(f"{PAGE}/{mailbox_id}/").text
    assert "it can only be looked at" in page
    assert post(layla, f"{PAGE}/{mailbox_id}/", **{**FORM, "context": "all", "name": "Mine"}).status_code == 403
    assert post(layla, f"{PAGE}/{mailbox_id}/delete/").status_code == 403


def test_a_mailbox_of_the_options_stands_in_the_list_and_has_no_form(store: Store, client: Any) -> None:
    """A link leads to the options that describe it."""

    def describe(bench: Any) -> None:
        for name, value in {"imap_url": "imap.options.example", "imap_port": 993, "imap_user": "all@shop.example"}.items():
            set_option(bench.session, name, value, bench.now, context=ALL_SHOPS)
        set_option(bench.session, "imap_password", bench.vault.seal("x", "imap.options.example"), bench.now, context=ALL_SHOPS)

    do(store, describe)
    page = client.get(f"{PAGE}/").text
    assert "all@shop.example" in page
    assert "from the options" in page
    assert 'href="/cs-admin/customer-service-options/?shop=all"' in page
    mailbox_id = look(store, lambda session: session.scalar(select(Mailbox.id)))
    assert client.get(f"{PAGE}/{mailbox_id}/").status_code == 404
    assert post(client, f"{PAGE}/{mailbox_id}/delete/").status_code == 404
