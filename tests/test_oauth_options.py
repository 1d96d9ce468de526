"""The mailbox of the options signed in to with an authorisation: asked for and given at the form, inherited as a password is, and over in the end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from cs_plugin import health
from cs_plugin.rules.mailbox_settings import Authorisation
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store import sealed
from cs_plugin.store.mailboxes import mailbox_for
from cs_plugin.store.models import Audit, Message, OAuthToken, Option
from cs_plugin.store.options import read_own_options, set_option
from cs_plugin.sync.authorisation import access_token_of
from tests.hosts.mail_in import PAGE, do_jobs, leads_to, mail, post, said
from tests.hosts.sheet import ADDRESS, Clerk, Sheet
from tests.hosts.store import BERLIN, DUBAI, LAYLA, MARIE, PARIS, Store, make_store
from tests.hosts.syncing import mailboxes, resolve
from tests.hosts.writing import do, look
from tests.servers import dovecot
from tests.servers.dovecot import DovecotServer
from tests.servers.oauth import CLIENT_ID, CLIENT_SECRET, OAuthServer
from tests.servers.run import Run
from tests.servers.tokens import TokenServer

EUROPE, IN_PARIS, IN_DUBAI = Context(Breadth.GROUP, "1"), Context(Breadth.SHOP, PARIS.id), Context(Breadth.SHOP, DUBAI.id)
SERVER, USER = "imap.example.com", "desk@paris.example"
FILLED = {"imap_url": SERVER, "imap_port": "993", "imap_user": USER, "imap_ssl": True}
FOUR = ("imap_url", "imap_port", "imap_user", "imap_ssl")
NOT_SAVED = "Nothing was saved. What you typed is still here."
WAITS = f"Waits for the authorisation of Google for {USER}: nothing is fetched before it is given."
GIVEN = f"Signed in to with an authorisation of Google, given for {USER}."
HAS_ENDED = "The authorisation has ended: authorise again."


@pytest.fixture
def provider() -> Iterator[OAuthServer]:
    """A provider on loopback."""
    with OAuthServer() as server:
        yield server


def set_up(database: str, folder: Path, provider: OAuthServer, **config: Any) -> Store:
    """Make a store that the provider knows in the place of Google and Microsoft. Layla views Paris and Dubai, and configures Dubai."""
    known = {"CS_OAUTH_GOOGLE_CLIENT_ID": CLIENT_ID, "CS_OAUTH_GOOGLE_CLIENT_SECRET": CLIENT_SECRET}
    store = make_store(database, folder, CS_OAUTH_ENDPOINTS=dict.fromkeys(("google", "microsoft"), provider.endpoints), **known, **config)
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store


@pytest.fixture
def shop(tmp_path: Path, provider: OAuthServer) -> Store:
    """A store that the provider knows."""
    return set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider)


@pytest.fixture
def clerk(shop: Store) -> Clerk:
    """Marie, who may do everything, at the options of all shops."""
    return Clerk(shop.client(employee=MARIE))


def press(clerk: Clerk, provider: str = "google", *, own: Sequence[str] | None = None, **changes: Any) -> Any:
    """Press "Authorise with …" with these fields filled in, and return the answer; the page before the clerk stays as it was."""
    sent: dict[str, Any] = {**clerk.sheet.sent(), "action": f"authorise:{provider}"}
    if own is not None:
        sent["own"] = list(own)
    for name, value in changes.items():
        sent.pop(name, None)
        if value is not False:
            sent[name] = "y" if value is True else value
    return clerk.client.post(clerk.sheet.form.has["action"], data=sent, content_type="multipart/form-data")


def sent_away(clerk: Clerk, **filled: Any) -> str:
    """Press the button, and return where the browser is sent."""
    answer = press(clerk, **filled)
    return leads_to(answer)


def come_back(clerk: Clerk, address: str) -> str:
    """Come back from the provider to the page that this leads to, and return what it says at its top."""
    answer = clerk.client.get(address)
    if "Refresh" in answer.headers:
        answer = clerk.client.get(leads_to(answer))
    assert answer.status_code == 303
    clerk.sheet = Sheet(clerk.client.get(answer.location).text)
    return " ".join(node.text for node in clerk.sheet.page.all("div", class_="cs-said"))


def authorise(clerk: Clerk, provider: OAuthServer, **filled: Any) -> str:
    """Authorise as whoever owns the mailbox does, and return what the page then says at its top."""
    return come_back(clerk, provider.agree(sent_away(clerk, **filled)))


def stands(clerk: Clerk) -> str:
    """Return what the form says of the authorisation."""
    return clerk.sheet.form.one(id="cs-option-sign-in").text


def own(store: Store, context: Context = ALL_SHOPS) -> dict[tuple[str, str], Any]:
    """Return what a context has of its own."""
    return look(store, lambda session: dict(read_own_options(session).of(context)))


def kept(store: Store, context: Context = ALL_SHOPS) -> Authorisation | None:
    """Return the authorisation that a context has of its own."""
    return Authorisation.read(own(store, context).get(("imap_password", ""), ""))


def tokens(store: Store) -> list[OAuthToken]:
    """Return every authorisation."""
    return look(store, lambda session: list(session.scalars(select(OAuthToken).order_by(OAuthToken.id))))


# --- Asked for, and given -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.4", "8.5", "10.1")
def test_an_authorisation_stands_in_the_place_of_the_password(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Three fields and a button: the form is saved, the owner agrees, and the mailbox is filled."""
    assert authorise(clerk, provider, **FILLED, default_message_en=False) == "The mailbox is authorised."
    assert GIVEN in stands(clerk)
    assert clerk.sheet.value("imap_url") == SERVER
    found = kept(shop)
    assert found is not None
    assert (found.provider, found.protocol, found.server, found.user) == ("google", "imap", SERVER, USER)
    assert access_token_of(shop.desk.tokens, found.token_id, SERVER).startswith("access-1-")
    resolve(shop)
    (row,) = mailboxes(shop)
    assert (row.active, row.oauth_token_id, row.password) == (True, found.token_id, "")
    assert "Run Sync" in clerk.open("?shop=all").html


@pytest.mark.shows("8.5")
def test_it_is_kept_on_every_database(database_url: str, tmp_path: Path, provider: OAuthServer) -> None:
    """Given, renewed, and taken the place of by a password."""
    store = set_up(database_url, tmp_path, provider)
    clerk = Clerk(store.client(employee=MARIE))
    authorise(clerk, provider, **FILLED)
    (token,) = tokens(store)
    store.clock.forward(hours=2)
    assert access_token_of(store.desk.tokens, token.id, SERVER)
    assert clerk.post(imap_password="correct horse").status_code == 303
    assert tokens(store) == []
    assert store.desk.vault.open(own(store)["imap_password", ""], SERVER) == "correct horse"


def test_what_the_owner_is_asked_for_is_that_mailbox(clerk: Clerk) -> None:
    """The account, the scope and the one way back that the provider knows."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent_away(clerk, **FILLED)).query).items()}
    assert asked["redirect_uri"] == "http://localhost/cs-admin/customer-service-mailboxes/authorised"
    assert (asked["scope"], asked["login_hint"]) == ("https://mail.google.com/", USER)


def test_the_way_back_is_that_of_the_public_address(tmp_path: Path, provider: OAuthServer) -> None:
    """Behind a proxy, whatever name a request comes with."""
    store = set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider, CS_ADMIN_PUBLIC_URL="https://desk.example/")
    clerk = Clerk(store.client(employee=MARIE))
    clerk.client.environ_base["HTTP_HOST"] = "evil.example"
    clerk.open("?shop=all")
    asked = parse_qs(urlsplit(sent_away(clerk, **FILLED)).query)
    assert asked["redirect_uri"] == ["https://desk.example/cs-admin/customer-service-mailboxes/authorised"]


def test_the_way_back_names_the_path_of_a_mounted_store_once(tmp_path: Path, provider: OAuthServer) -> None:
    """The public address has it, and so does every request."""
    store = set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider, CS_ADMIN_PUBLIC_URL="https://desk.example/shop")
    client = store.client(employee=MARIE)
    # Werkzeug takes the path of an application off the front of an address by itself.
    client.environ_base["SCRIPT_NAME"] = "/shop"
    page = Sheet(client.get(f"{ADDRESS}?shop=all").text)
    fields = {**page.sent(), **FILLED, "imap_ssl": "y", "action": "authorise:google"}
    answer = client.post(f"{ADDRESS}?shop=all", data=fields, content_type="multipart/form-data")
    asked = parse_qs(urlsplit(leads_to(answer)).query)
    assert asked["redirect_uri"] == ["https://desk.example/shop/cs-admin/customer-service-mailboxes/authorised"]


@pytest.mark.shows("8.4")
def test_only_the_password_may_be_missing(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """With another field empty nobody is sent away: nothing is saved, what was typed stays, and the password is not among what is missing."""
    answer = press(clerk, **{**FILLED, "imap_port": ""})
    sheet = Sheet(answer.text)
    assert answer.status_code == 422
    assert sheet.summary() == [NOT_SAVED, "IMAP port: IMAP configuration is not correct"]
    assert (sheet.value("imap_url"), sheet.value("imap_user")) == (SERVER, USER)
    assert own(shop) == {}
    assert (tokens(shop), provider.asked) == ([], [])


@pytest.mark.shows("8.4")
def test_with_an_authorisation_the_empty_password_is_no_missing_field(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The form is saved like any other, and the authorisation stays."""
    authorise(clerk, provider, **FILLED)
    assert clerk.post(delete_messages=True, imap_port="143").status_code == 303
    assert GIVEN in stands(clerk)
    assert (own(shop)["imap_port", ""], own(shop)["delete_messages", ""]) == (143, True)
    assert len(tokens(shop)) == 1


def test_everything_that_was_typed_is_saved_on_the_way(clerk: Clerk, shop: Store) -> None:
    """Also what has nothing to do with the mailbox."""
    sent_away(clerk, **FILLED, reopen_days="14")
    assert own(shop)["reopen_days", ""] == 14


# --- Not given ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.5", "8.6")
def test_one_that_nobody_came_back_from_is_waited_for(clerk: Clerk, shop: Store) -> None:
    """The form says so, and has all that was typed; nothing is fetched, no answer is told to go there, and the check and the list tell of it."""
    sent_away(clerk, **FILLED)
    clerk.open("?shop=all")
    assert WAITS in stands(clerk)
    assert clerk.sheet.value("imap_user") == USER
    assert "Run Sync" not in clerk.sheet.html
    resolve(shop)
    (row,) = mailboxes(shop)
    assert not row.active
    assert look(shop, lambda session: mailbox_for(session, PARIS, None)) is None
    assert "Not authorised" in clerk.client.get(f"{PAGE}/").text
    with shop.app.app_context():
        told = [one for one in health.check(shop.desk) if "has not been given yet" in one.what]
    assert told[0].lines == ("authorise it, on the page Options",)


def test_who_does_not_agree_is_told_in_the_providers_words(clerk: Clerk, shop: Store) -> None:
    """Escaped, on the page of the options, where all that was typed is kept."""
    state = parse_qs(urlsplit(sent_away(clerk, **FILLED)).query)["state"][0]
    answer = clerk.client.get(f"{PAGE}/authorised", query_string={"state": state, "error": "access_denied", "error_description": "<b>No</b>"})
    page = said(clerk.client, answer)
    assert "The authorisation was not given: &lt;b&gt;No&lt;/b&gt;" in page
    assert WAITS in Sheet(page).form.text
    assert kept(shop) is not None


def test_a_provider_that_is_away_leaves_it_waiting(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The code came to nothing; the button is still there."""
    back = provider.agree(sent_away(clerk, **FILLED))
    provider.broken = True
    assert "The provider did not take the authorisation: HTTP 503" in come_back(clerk, back)
    assert WAITS in stands(clerk)
    provider.broken = False
    assert authorise(clerk, provider) == "The mailbox is authorised."
    assert [one.state for one in tokens(shop)] == ["valid"]


def test_a_password_signs_in_until_the_authorisation_is_there(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Whoever breaks off has lost nothing; once it is given the password goes."""
    clerk.post(**FILLED, imap_password="correct horse")
    back = provider.agree(sent_away(clerk))
    assert shop.desk.vault.open(own(shop)["imap_password", ""], SERVER) == "correct horse"
    assert tokens(shop) == []
    come_back(clerk, back)
    assert kept(shop) is not None


def test_a_password_that_was_typed_beside_the_button_is_kept_until_then(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """It is what signs in, should nobody come back."""
    back = provider.agree(sent_away(clerk, **FILLED, imap_password="correct horse"))
    assert shop.desk.vault.open(own(shop)["imap_password", ""], SERVER) == "correct horse"
    come_back(clerk, back)
    assert kept(shop) is not None


def test_an_authorisation_that_works_stays_until_the_next_is_there(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Then the new one takes its place, and is not taken back with the old one, which is of the same account."""
    authorise(clerk, provider, **FILLED)
    (first,) = tokens(shop)
    back = provider.agree(sent_away(clerk))
    assert [one.id for one in tokens(shop)] == [first.id]
    come_back(clerk, back)
    (second,) = tokens(shop)
    assert second.refresh_token != first.refresh_token
    assert kept(shop) == replace(kept(shop), token_id=second.id)  # type: ignore[type-var]  # it is there, as the next line says
    assert provider.revoked == []
    assert GIVEN in stands(clerk)


# --- Inherited as a password is -------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.5", "8.7")
def test_shops_inherit_it_and_are_one_mailbox(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """A shop's form is saved without a password, and says whose authorisation signs in; the mailbox is fetched once."""
    authorise(clerk, provider, **FILLED)
    clerk.open("?shop=shop-1")
    assert f"{GIVEN} Inherited from all shops." in stands(clerk)
    assert clerk.post(own=["delete_messages"], delete_messages=True).status_code == 303
    assert ("imap_password", "") not in own(shop, IN_PARIS)
    resolve(shop)
    (row,) = mailboxes(shop)
    assert (row.shop_ids, row.oauth_token_id) == ([PARIS.id, BERLIN.id, DUBAI.id], tokens(shop)[0].id)


@pytest.mark.shows("8.5", "8.7")
def test_a_group_and_a_shop_have_one_of_their_own(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Shop before group before all; the page of each names its account, and the drop-down says who has one."""
    authorise(clerk, provider, **FILLED)
    for context, user in ((EUROPE, "europe@shop.example"), (IN_PARIS, "paris@shop.example")):
        clerk.open(f"?shop={context}")
        assert authorise(clerk, provider, own=["imap_user"], imap_user=user) == "The mailbox is authorised."
        assert f"given for {user}. " in stands(clerk)
    resolve(shop)
    found = {tuple(row.shop_ids or ()): row.username for row in mailboxes(shop) if row.active}
    assert found == {(DUBAI.id,): USER, (BERLIN.id,): "europe@shop.example", (PARIS.id,): "paris@shop.example"}
    clerk.open("?shop=shop-2")
    assert "given for europe@shop.example. Inherited from the group Europe." in stands(clerk)
    assert ("Group: Europe", "Customized", "group-1") in clerk.open("?shop=all").elsewhere("imap_password")
    assert clerk.open("?shop=shop-1").boxes()["imap_password"]


@pytest.mark.shows("8.7")
def test_unchecking_the_box_returns_to_the_inherited_one(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The shop's own goes, and is given back to its provider: nothing points to it any more."""
    authorise(clerk, provider, **FILLED)
    clerk.open("?shop=shop-1")
    authorise(clerk, provider, own=["imap_user"], imap_user="paris@shop.example")
    assert len(tokens(shop)) == 2
    assert clerk.post(own=[]).status_code == 303
    assert f"{GIVEN} Inherited from all shops." in stands(clerk)
    assert [one.account for one in tokens(shop)] == [USER]
    assert len(provider.revoked) == 1


@pytest.mark.shows("8.7")
def test_a_shop_with_one_of_its_own_for_the_same_mailbox_has_the_same_one(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The mails are the same, and come once; where the one for all shops ends, that of the shop goes on signing in."""
    authorise(clerk, provider, **FILLED)
    clerk.open("?shop=shop-2")
    authorise(clerk, provider)
    first, second = tokens(shop)
    resolve(shop)
    (row,) = mailboxes(shop)
    assert row.oauth_token_id == first.id
    do(shop, lambda bench: bench.session.execute(update(OAuthToken).where(OAuthToken.id == first.id).values(state="ended")))
    resolve(shop)
    (row,) = mailboxes(shop)
    assert (row.oauth_token_id, row.active) == (second.id, True)


def test_where_one_shop_is_left_it_keeps_its_own(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """What the shop had is that of all shops from the next save on, with its tokens; what nothing points to goes."""
    authorise(clerk, provider, **FILLED)
    clerk.open("?shop=shop-1")
    authorise(clerk, provider, own=["imap_user"], imap_user="paris@shop.example")
    shop.answers.shops = (PARIS,)
    clerk.open("")
    assert "given for paris@shop.example." in stands(clerk)
    assert clerk.post(reopen_days="9").status_code == 303
    assert [one.account for one in tokens(shop)] == ["paris@shop.example"]
    found = kept(shop)
    assert found is not None
    assert found.user == "paris@shop.example"


# --- For this mailbox and no other ----------------------------------------------------------------------------------------------------------------


MOVED = [
    ({"imap_user": "other@paris.example"}, "other@paris.example"),
    ({"imap_url": "evil.example.com"}, USER),
    ({"imap_pop3": True}, USER),
]


@pytest.mark.shows("8.5")
@pytest.mark.parametrize(("changed", "user"), MOVED, ids=["user", "server", "protocol"])
def test_it_signs_in_to_no_other_mailbox(clerk: Clerk, shop: Store, provider: OAuthServer, changed: dict[str, Any], user: str) -> None:
    """Saving says for which one it was given, and keeps what was typed; with the button the new one is saved and authorised, and the old one goes."""
    authorise(clerk, provider, **FILLED)
    answer = clerk.post(**changed)
    assert answer.status_code == 422
    words = f"The authorisation was given for {USER} ({SERVER}, IMAP). Authorise this mailbox, or enter its password."
    assert clerk.sheet.errors()["imap_password"] == words
    assert own(shop)["imap_user", ""] == USER
    assert authorise(clerk, provider) == "The mailbox is authorised."
    (token,) = tokens(shop)
    found = kept(shop)
    assert found is not None
    assert (found.token_id, found.user) == (token.id, user)
    assert clerk.post(**{name: False for name in changed if name == "imap_pop3"}).status_code in (303, 422)


def test_an_inherited_one_goes_to_no_server_of_a_shops_own(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Whoever configures one shop cannot have the token sent to them: not by saving, and not by a test."""
    authorise(clerk, provider, **FILLED)
    layla = Clerk(shop.client(employee=LAYLA), "?shop=shop-3")
    for action in ("", "test"):
        answer = layla.post(own=["imap_url"], imap_url="evil.example.com", action=action)
        assert answer.status_code == 422
        assert "The authorisation was given for" in layla.sheet.errors()["imap_password"]
    assert own(shop, IN_DUBAI) == {}


def test_a_line_that_others_can_read_is_refused_before_anybody_is_sent_away(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """At its flag, also where a password is kept that may go over it; and later on, once it is authorised."""
    weak = {**FILLED, "imap_ssl": False, "imap_notls": True}
    clerk.post(**weak, imap_password="correct horse")
    answer = press(clerk)
    assert answer.status_code == 422
    assert "the line has to be encrypted" in Sheet(answer.text).errors()["imap_notls"]
    authorise(clerk, provider, imap_notls=False, imap_ssl=True)
    assert clerk.post(imap_novalidate_cert=True).status_code == 422
    assert "the line has to be encrypted" in clerk.sheet.errors()["imap_novalidate_cert"]
    assert ("imap_novalidate_cert", "") not in own(shop)


def test_what_a_shop_has_of_its_own_is_looked_at_before_anybody_is_sent_away(clerk: Clerk, shop: Store) -> None:
    """A shop with a user of its own and the password of all would be left without anything that signs in."""
    clerk.post(**FILLED, imap_password="correct horse")
    do(shop, lambda bench: set_option(bench.session, "imap_user", "paris@shop.example", bench.now, context=IN_PARIS))
    answer = press(clerk)
    assert answer.status_code == 422
    assert Sheet(answer.text).errors()["imap_password"] == "This does not go together with what Paris has of its own."


def test_a_password_that_is_typed_takes_its_place(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The authorisation is forgotten, and given back."""
    authorise(clerk, provider, **FILLED)
    assert clerk.post(imap_password="correct horse").status_code == 303
    assert kept(shop) is None
    assert (tokens(shop), len(provider.revoked)) == ([], 1)
    assert GIVEN not in stands(clerk)


def test_a_mailbox_that_is_emptied_takes_it_along(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """All four empty is valid."""
    authorise(clerk, provider, **FILLED)
    assert clerk.post(imap_url="", imap_port="", imap_user="", imap_ssl=False).status_code == 303
    assert (tokens(shop), len(provider.revoked)) == ([], 1)
    assert own(shop) == {}


def test_it_is_not_given_back_while_another_mailbox_of_the_account_needs_it(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """A provider would take back all that the account has given to this store."""
    authorise(clerk, provider, **FILLED)
    clerk.open("?shop=shop-2")
    authorise(clerk, provider)
    clerk.post(own=[])
    assert [one.state for one in tokens(shop)] == ["valid"]
    assert provider.revoked == []


# --- Who may, and what is bound to whom -----------------------------------------------------------------------------------------------------------


def test_only_who_may_configure_the_whole_context_authorises_it(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Layla may for Dubai; for all shops she is sent nowhere, and nothing is saved."""
    layla = shop.client(employee=LAYLA)
    token = re.search(r'name="csrf_token" value="([^"]+)"', layla.get(f"{ADDRESS}?shop=shop-3").text)
    assert token is not None
    fields = {"csrf_token": token[1], "context": "all", "action": "authorise:google", **FILLED, "imap_ssl": "y"}
    assert layla.post(f"{ADDRESS}?shop=all", data=fields).status_code == 403
    assert (own(shop), tokens(shop)) == ({}, [])
    at_dubai = Clerk(layla, "?shop=shop-3")
    assert authorise(at_dubai, provider, own=FOUR, **FILLED) == "The mailbox is authorised."
    assert kept(shop, IN_DUBAI) is not None
    assert own(shop) == {}


def test_a_permission_that_has_gone_meanwhile_is_gone(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Nobody is asked for a token then."""
    back = provider.agree(sent_away(clerk, **FILLED))
    shop.answers.grants["1"] = {"view": ["1", "3"], "configure": ["3"]}
    clerk.client.get(back)
    assert provider.asked == []
    assert [one.state for one in tokens(shop)] == ["asked"]


def test_the_way_back_is_good_once_for_its_employee_and_session(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Another browser, another state and the same address again are refused, and say so."""
    back = provider.agree(sent_away(clerk, **FILLED))
    shop.answers.grants[LAYLA.id] = shop.answers.grants["1"]
    stranger = shop.client(employee=LAYLA)
    assert "was not begun here" in said(stranger, stranger.get(back))
    assert come_back(clerk, back) == "The mailbox is authorised."
    assert "was not begun here" in said(clerk.client, clerk.client.get(back))
    assert len(provider.asked) == 1


def test_a_state_is_good_for_the_context_that_it_was_made_for(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Whatever context the address names, and whichever the employee looks at meanwhile."""
    clerk.open("?shop=shop-3")
    back = provider.agree(sent_away(clerk, own=FOUR, **FILLED))
    clerk.client.get(f"{ADDRESS}?shop=all")
    come_back(clerk, f"{back}&shop=all&context=all")
    assert kept(shop, IN_DUBAI) is not None
    assert own(shop) == {}


@pytest.mark.parametrize("name", ["imap_url", "imap_user"])
def test_a_mailbox_that_somebody_moves_meanwhile_gets_no_token(clerk: Clerk, shop: Store, provider: OAuthServer, name: str) -> None:
    """Whoever changes the server while its owner agrees would have the token sent to one of their own; it is given back."""
    back = provider.agree(sent_away(clerk, **FILLED))
    do(shop, lambda bench: set_option(bench.session, name, "evil.example.com", bench.now))
    assert "The authorisation was given for" in come_back(clerk, back)
    assert [one.state for one in tokens(shop)] == ["asked"]
    assert len(provider.revoked) == 1


def test_a_form_without_its_token_sends_nobody_away(clerk: Clerk, shop: Store) -> None:
    """Another site cannot begin it."""
    answer = press(clerk, **FILLED, csrf_token="made up")
    assert answer.status_code == 422
    assert own(shop) == {}


def test_it_is_written_down_who_authorised_what(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Without anything secret."""
    authorise(clerk, provider, **FILLED)
    (row,) = look(shop, lambda session: list(session.scalars(select(Audit).where(Audit.action == "options_authorised"))))
    assert (row.actor_name, row.object_id) == ("Marie Dubois", "all")
    assert row.details == {"server": SERVER, "username": USER, "context": "all", "provider": "google"}


# --- Where it is not to be had --------------------------------------------------------------------------------------------------------------------


def test_where_no_provider_is_set_up_nothing_is_offered(store: Store) -> None:
    """The form is as it was; a button that is posted all the same leads nowhere, and says why."""
    clerk = Clerk(store.client(employee=MARIE))
    assert "cs-option-sign-in" not in clerk.sheet.html
    for name in ("google", "made-up"):
        answer = press(clerk, name, **FILLED)
        assert answer.status_code == 422
        assert "Not set up on this server" in Sheet(answer.text).summary()[0]
        assert Sheet(answer.text).value("imap_user") == USER


def test_without_the_library_the_button_sleeps_and_says_what_to_install(clerk: Clerk, shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(__import__("sys").modules, "authlib.integrations.requests_client", None)
    clerk.open("?shop=all")
    assert "disabled" in clerk.sheet.form.one("button", value="authorise:google").has
    assert "install cs-plugin[oauth]" in stands(clerk)
    assert press(clerk, **FILLED).status_code == 422
    assert own(shop) == {}


def test_every_provider_that_is_set_up_has_a_button(tmp_path: Path, provider: OAuthServer) -> None:
    """Google and Microsoft, each with its mail server."""
    known = {"CS_OAUTH_MICROSOFT_CLIENT_ID": CLIENT_ID, "CS_OAUTH_MICROSOFT_CLIENT_SECRET": CLIENT_SECRET}
    store = set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider, **known)
    clerk = Clerk(store.client(employee=MARIE))
    assert "Authorise with Google… Authorise with Microsoft…" in re.sub("…(?=A)", "… ", stands(clerk))
    assert "outlook.office365.com, 993, /ssl." in stands(clerk)
    assert come_back(clerk, provider.agree(sent_away(clerk, provider="microsoft", **FILLED))) == "The mailbox is authorised."
    assert "an authorisation of Microsoft" in stands(clerk)


def test_the_options_below_the_list_have_it_too(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """The same form, on the Customer Service page."""
    clerk.sheet = Sheet(clerk.client.get("/cs-admin/customer-service/?shop=all&options=open").text)
    assert authorise(clerk, provider, **FILLED) == "The mailbox is authorised."
    assert GIVEN in Sheet(clerk.client.get("/cs-admin/customer-service/?shop=all&options=open").text).form.text


# --- Commands -------------------------------------------------------------------------------------------------------------------------------------


def cs(store: Store, *words: str, typed: str | None = None) -> Any:
    """Run a command of the desk."""
    return store.app.test_cli_runner().invoke(args=["cs", *words], input=typed)


def test_commands_tell_of_it_without_a_secret(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """As a list, as JSON, and with where it comes from."""
    authorise(clerk, provider, **FILLED)
    (token,) = tokens(shop)
    plain = access_token_of(shop.desk.tokens, token.id, SERVER)
    assert cs(shop, "options", "get", "imap_password", "--shop", "1").output == "(authorisation of google)\ninherited from all shops\n"
    for told in (cs(shop, "options", "list").output, cs(shop, "options", "list", "--json").output):
        assert "(authorisation of google)" in told
        assert not any(secret in told for secret in (plain, token.access_token, token.refresh_token))


def test_commands_take_its_place_and_take_it_away(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """A password that is set, and an option that is inherited again; it is given back both times."""
    authorise(clerk, provider, **FILLED)
    assert cs(shop, "options", "set", "imap_password", "-", typed="correct horse\n").exit_code == 0
    assert (tokens(shop), len(provider.revoked)) == ([], 1)
    clerk.open("?shop=all")
    authorise(clerk, provider)
    assert cs(shop, "options", "set", "imap_user=other").exit_code == 1
    assert cs(shop, "options", "unset", "imap_password", "imap_url", "imap_port", "imap_user").exit_code == 0
    assert (tokens(shop), len(provider.revoked)) == ([], 2)


def test_a_new_key_seals_it_anew(clerk: Clerk, shop: Store, provider: OAuthServer) -> None:
    """Both tokens are among what is sealed, and the option that points to them is not."""
    authorise(clerk, provider, **FILLED)
    (token,) = tokens(shop)
    names = look(shop, lambda session: [one.name for one in sealed.secrets(session)])
    assert names == [f"authorisation {token.id} google"] * 2
    assert not look(shop, lambda session: session.scalars(select(Option.encrypted).where(Option.name == "imap_password")).one())
    assert "No key opens" not in cs(shop, "reencrypt").output


# --- The whole way --------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mail_tokens() -> Iterator[TokenServer]:
    """What tells the mail server whose a token is."""
    with TokenServer() as server:
        yield server


@pytest.fixture(scope="module")
def mail_server(mail_tokens: TokenServer, server_run: Run) -> DovecotServer:
    """A real Dovecot that takes tokens; named for its token server, since another test has another one."""
    name = f"dovecot-{re.sub(r'[^0-9]+', '-', mail_tokens.url)}-authorised"
    return DovecotServer(server_run.server(name, dovecot.starting_with(token_url=mail_tokens.url)))


class Issued:
    """The tokens that the provider gives for the mailbox of `user`, as the mail server knows them."""

    def __init__(self, provider: OAuthServer, mail_tokens: TokenServer, user: str) -> None:
        """Let the provider give them."""
        self.user, self.given, self._tokens = user, list[str](), mail_tokens
        provider.issue = self._issue

    def _issue(self) -> str:
        self.given.append(self._tokens.issue(self.user))
        return self.given[-1]

    def end(self) -> None:
        """Let the newest count no more."""
        self._tokens.end(self.given[-1])


def on_server(server: DovecotServer, user: str, **changes: Any) -> dict[str, Any]:
    """Return what the form says of a user's mailbox on the test's server."""
    return {"imap_url": server.host, "imap_port": str(server.imap_port), "imap_user": user, "create_new_threads": True, **changes}


def press_sync(store: Store, client: Any, mailbox_id: int) -> str:
    """Press "Run Sync", let the worker do it, and return the page of the options."""
    answer = post(client, f"{PAGE}/{mailbox_id}/sync", place="options")
    do_jobs(store)
    return str(client.get(answer.location).text)


def number_of_messages(store: Store) -> int:
    """Return how many messages there are."""
    return len(look(store, lambda session: session.scalars(select(Message.id)).all()))


# How a command is told a context.
CHOSEN = {"all": (), "group": ("--group", EUROPE.id), "shop": ("--shop", PARIS.id)}


@pytest.mark.shows("8.5", "8.6", "10.1", "11.3")
@pytest.mark.parametrize("context", [ALL_SHOPS, EUROPE, IN_PARIS], ids=["all", "group", "shop"])
def test_it_is_fetched_renewed_and_over_in_every_context(
    clerk: Clerk, shop: Store, provider: OAuthServer, mail_server: DovecotServer, mail_tokens: TokenServer, context: Context
) -> None:
    """Authorised, tried, asked from when on, fetched, fetched again with a new token, and then told on the page, in the check and at the list."""
    # One that is an address, so that answers are told to go there.
    user = f"{mail_server.new_user()}@shop.example"
    issued = Issued(provider, mail_tokens, user)
    clerk.open(f"?shop={context}")
    filled = on_server(mail_server, user)
    assert authorise(clerk, provider, own=[*filled] if context != ALL_SHOPS else None, **filled) == "The mailbox is authorised."

    clerk.post(action="test")
    do_jobs(shop)
    clerk.post(action="answer")
    assert "It works. Messages in INBOX: 0" in clerk.sheet.html

    clerk.open(f"?shop={context}")
    (row,) = mailboxes(shop)
    do_jobs(shop)
    assert "First connection" in clerk.open(f"?shop={context}").html
    post(clerk.client, f"{PAGE}/{row.id}/begin", start="all", place="options")
    for number in (1, 2):
        mail_server.put(user, mail(f"Mail {number}", number=number))
        press_sync(shop, clerk.client, row.id)
        assert number_of_messages(shop) == number
        issued.end()
        shop.clock.forward(hours=2)
    shops = [one.id for one in context.shops(shop.answers.shops)]
    assert look(shop, lambda session: [one.id for one in shop.answers.shops if mailbox_for(session, one, None)]) == shops

    provider.end_all()
    page = press_sync(shop, clerk.client, row.id)
    assert HAS_ENDED in Sheet(page).form.one(id="cs-option-sign-in").text
    assert "Not authorised" in clerk.client.get(f"{PAGE}/").text
    with shop.app.app_context():
        told = next(one for one in health.check(shop.desk) if "the authorisation has ended" in one.what)
    assert told.lines == ("authorise it again, on the page Options",)
    assert HAS_ENDED in cs(shop, "options", "get", "imap_password", *CHOSEN[context.breadth]).stderr
    assert [(one.state, one.access_token, one.refresh_token) for one in tokens(shop)] == [("ended", "", "")]

    assert authorise(clerk, provider) == "The mailbox is authorised."
    mail_server.put(user, mail("Mail 3", number=3))
    press_sync(shop, clerk.client, row.id)
    assert number_of_messages(shop) == 3


@pytest.mark.shows("10.1")
def test_a_token_that_was_taken_back_before_its_time_is_told_at_once(
    clerk: Clerk, shop: Store, provider: OAuthServer, mail_server: DovecotServer, mail_tokens: TokenServer
) -> None:
    """The mail server refuses it: the provider is asked for another one, and where it says that all is over, so does the page."""
    user = mail_server.new_user()
    issued = Issued(provider, mail_tokens, user)
    authorise(clerk, provider, **on_server(mail_server, user))
    resolve(shop)
    (row,) = mailboxes(shop)
    press_sync(shop, clerk.client, row.id)
    issued.end()
    mail_server.put(user, mail("Mail 1", number=1))
    press_sync(shop, clerk.client, row.id)
    assert number_of_messages(shop) == 1
    issued.end()
    provider.end_all()
    assert HAS_ENDED in press_sync(shop, clerk.client, row.id)
    assert [one.state for one in tokens(shop)] == ["ended"]


def test_the_command_fetches_it(clerk: Clerk, shop: Store, provider: OAuthServer, mail_server: DovecotServer, mail_tokens: TokenServer) -> None:
    """`flask cs sync`; one that waits for its authorisation is not among those that it fetches."""
    user = mail_server.new_user()
    Issued(provider, mail_tokens, user)
    mail_server.put(user, mail("Mail 1", number=1))
    back = provider.agree(sent_away(clerk, **on_server(mail_server, user)))
    assert "No mailbox is set up." in cs(shop, "sync").output
    come_back(clerk, back)
    told = cs(shop, "sync", "--from", "all")
    assert (told.exit_code, number_of_messages(shop)) == (0, 1), told.output


def test_nothing_is_tried_before_it_is_authorised(clerk: Clerk, shop: Store) -> None:
    """“Test connection” says what is missing."""
    sent_away(clerk, **FILLED)
    clerk.open("?shop=all")
    assert clerk.post(action="test").status_code == 422
    assert clerk.sheet.errors()["imap_password"] == "Authorise this mailbox first, or enter its password."


def test_no_token_and_no_code_reaches_the_log(
    clerk: Clerk, shop: Store, provider: OAuthServer, mail_server: DovecotServer, mail_tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    """At the level of debugging, of whatever library, from the way there to the end."""
    caplog.set_level("DEBUG")
    user = mail_server.new_user()
    issued = Issued(provider, mail_tokens, user)
    back = provider.agree(sent_away(clerk, **on_server(mail_server, user)))
    come_back(clerk, back)
    resolve(shop)
    (row,) = mailboxes(shop)
    press_sync(shop, clerk.client, row.id)
    shop.clock.forward(hours=2)
    press_sync(shop, clerk.client, row.id)
    renewing = [form["refresh_token"] for form in provider.asked if "refresh_token" in form]
    secrets = [*issued.given, *renewing, CLIENT_SECRET, parse_qs(urlsplit(back).query)["code"][0]]
    assert len(issued.given) == 2
    assert not [one for one in caplog.messages if any(secret in one for secret in secrets)]
