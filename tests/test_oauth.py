"""Authorisations in the place of passwords: given in the admin, renewed by one process at a time, and over when their provider says so."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from cs_plugin import health
from cs_plugin.errors import ConfigurationError
from cs_plugin.mail.oauth import PROVIDERS, AuthorisationError, OAuthClient, provider_at
from cs_plugin.store import sealed
from cs_plugin.store.models import Mailbox, Message, OAuthToken
from cs_plugin.sync.authorisation import NoAccessError, access_token_of
from cs_plugin.web import authorising
from tests.hosts.mail_in import FORM, PAGE, PASSWORD, do_jobs, leads_to, made, mail, on_server, post, row_of, said
from tests.hosts.store import JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import do, look
from tests.servers import dovecot
from tests.servers.dovecot import DovecotServer
from tests.servers.oauth import CLIENT_ID, CLIENT_SECRET, OAuthServer
from tests.servers.run import Run
from tests.servers.tokens import TokenServer

SERVER = "imap.example.com"


@pytest.fixture
def provider() -> Iterator[OAuthServer]:
    """A provider on loopback."""
    with OAuthServer() as server:
        yield server


def set_up(database: str, folder: Path, provider: OAuthServer) -> Store:
    """Make a store that the provider knows in the place of Google."""
    return make_store(
        database, folder, CS_OAUTH_GOOGLE_CLIENT_ID=CLIENT_ID, CS_OAUTH_GOOGLE_CLIENT_SECRET=CLIENT_SECRET,
        CS_OAUTH_ENDPOINTS={"google": provider.endpoints},
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, provider: OAuthServer) -> Store:
    """A store that the provider knows."""
    return set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider)


@pytest.fixture
def client(shop: Store) -> Any:
    """Marie, who may do everything."""
    return shop.client(employee=MARIE)


def waiting(shop: Store, client: Any, **changes: Any) -> int:
    """Make a mailbox that waits for its authorisation."""
    return made(shop, client, **{"sign_in": "google", "password": "", **changes})


def sent_away(client: Any, mailbox_id: int) -> str:
    """Begin an authorisation, and return where the browser is sent."""
    answer = post(client, f"{PAGE}/{mailbox_id}/authorise")
    return leads_to(answer)


def authorised(shop: Store, client: Any, provider: OAuthServer, mailbox_id: int | None = None) -> int:
    """Authorise a mailbox as its owner does, and return its id."""
    mailbox_id = mailbox_id or waiting(shop, client)
    page = said(client, client.get(provider.agree(sent_away(client, mailbox_id))))
    assert "The mailbox is authorised." in page
    return mailbox_id


def token_of(shop: Store, mailbox_id: int) -> OAuthToken:
    """Return the row of a mailbox's authorisation."""
    row = row_of(shop, mailbox_id)
    assert row is not None
    return look(shop, lambda session: session.get_one(OAuthToken, row.oauth_token_id))


def access(shop: Store, mailbox_id: int, **more: Any) -> str:
    """Ask for what signs in, as a run does."""
    return access_token_of(shop.desk.tokens, token_of(shop, mailbox_id).id, SERVER, **more)


# --- Giving it ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
def test_an_authorisation_stands_in_the_place_of_a_password(shop: Store, client: Any, provider: OAuthServer) -> None:
    """A mailbox is filled without one; whoever owns it agrees at the provider, and a run then has a token to sign in with."""
    mailbox_id = authorised(shop, client, provider)
    row = row_of(shop, mailbox_id)
    assert row is not None
    assert row.password == ""
    assert access(shop, mailbox_id).startswith("access-1-")
    assert "This mailbox is signed in to with an authorisation of Google." in client.get(f"{PAGE}/{mailbox_id}/").text


def test_what_is_asked_for_is_bound_to_this_store(shop: Store, client: Any) -> None:
    """State, proof key, scope, the way back, and the account whose mailbox it is."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent_away(client, waiting(shop, client))).query).items()}
    assert asked["redirect_uri"] == "http://localhost/cs-admin/customer-service-mailboxes/authorised"
    assert asked["scope"] == "https://mail.google.com/"
    assert (asked["access_type"], asked["prompt"], asked["login_hint"]) == ("offline", "consent", "desk@paris.example")
    assert len(asked["state"]) >= 24
    assert len(asked["code_challenge"]) == 43


def test_tokens_are_kept_sealed_and_sealed_anew(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Nothing of them is readable in the row, and the commands for keys know of them."""
    mailbox_id = authorised(shop, client, provider)
    token, plain = token_of(shop, mailbox_id), access(shop, mailbox_id)
    assert plain not in token.access_token + token.refresh_token
    names = look(shop, lambda session: [one.name for one in sealed.secrets(session)])
    assert names == [f"authorisation {token.id} google"] * 2


def test_a_token_goes_to_no_other_server(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Whoever may change the server of a mailbox has to be authorised for it anew."""
    mailbox_id = authorised(shop, client, provider)
    with pytest.raises(NoAccessError) as caught:
        access_token_of(shop.desk.tokens, token_of(shop, mailbox_id).id, "evil.example.com")
    assert caught.value.ended
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "sign_in": "google", "password": "", "server": "evil.example.com"}))
    assert token_of(shop, mailbox_id).state == "asked"


REFUSED = [
    ("a state that nobody made", lambda url: re.sub(r"state=[^&]+", "state=made-up", url)),
    ("no state", lambda url: re.sub(r"&state=[^&]+", "", url)),
]


@pytest.mark.parametrize("change", [change for _name, change in REFUSED], ids=[name for name, _change in REFUSED])
def test_who_comes_back_with_another_state_is_refused(shop: Store, client: Any, provider: OAuthServer, change: Any) -> None:
    """And the code goes nowhere."""
    mailbox_id = waiting(shop, client)
    back = change(provider.agree(sent_away(client, mailbox_id)))
    assert "was not begun here" in said(client, client.get(back))
    assert provider.asked == []
    assert token_of(shop, mailbox_id).state == "asked"


def test_a_state_is_good_once_for_its_session_and_employee(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Somebody else's browser, another employee in this one, and the same address again are refused."""
    shop.answers.grants[JOHN.id] = shop.answers.grants["1"]
    mailbox_id = waiting(shop, client)
    back = provider.agree(sent_away(client, mailbox_id))
    stranger = shop.client(employee=JOHN)
    assert "was not begun here" in said(stranger, stranger.get(back))
    client.environ_base["HTTP_X_EMPLOYEE"] = JOHN.id
    assert "was not begun here" in said(client, client.get(back))
    client.environ_base["HTTP_X_EMPLOYEE"] = MARIE.id
    back = provider.agree(sent_away(client, mailbox_id))
    assert "The mailbox is authorised." in said(client, client.get(back))
    assert "was not begun here" in said(client, client.get(back))


def test_an_authorisation_that_took_too_long_is_begun_again(shop: Store, client: Any, provider: OAuthServer) -> None:
    """A quarter of an hour is enough to agree."""
    back = provider.agree(sent_away(client, waiting(shop, client)))
    shop.clock.forward(minutes=16)
    assert "was begun too long ago" in said(client, client.get(back))


@pytest.mark.parametrize("employee", [MARIE, None], ids=["signed in all the same", "signed out"])
def test_who_comes_back_without_their_session_comes_again_once(shop: Store, client: Any, provider: OAuthServer, employee: Any) -> None:
    """The cookie of a session may be `Strict`: it comes along with what a page of ours begins. Who really has none is told, or signs in."""
    back = provider.agree(sent_away(client, waiting(shop, client)))
    stranger = shop.client(employee=employee)
    again = leads_to(stranger.get(back))
    assert parse_qs(urlsplit(again).query) == {**parse_qs(urlsplit(back).query), "again": ["1"]}
    assert "The mailbox is authorised." in said(client, client.get(again))
    answer = stranger.get(again)
    if employee is None:
        assert answer.status_code == 403
    else:
        assert "This authorisation was not begun here" in said(stranger, answer)


def test_nobody_else_is_led_on(shop: Store) -> None:
    """Who brings nothing from a provider, and is not signed in, is answered as on any page."""
    assert shop.client().get(f"{PAGE}/authorised").status_code == 403
    assert shop.client().get(f"{PAGE}/?state=x").status_code == 403


def test_who_does_not_agree_is_told(shop: Store, client: Any) -> None:
    """In the provider's words, escaped."""
    mailbox_id = waiting(shop, client)
    state = parse_qs(urlsplit(sent_away(client, mailbox_id)).query)["state"][0]
    page = said(client, client.get(f"{PAGE}/authorised", query_string={"state": state, "error": "access_denied", "error_description": "<b>No</b>"}))
    assert "The authorisation was not given: &lt;b&gt;No&lt;/b&gt;" in page


def test_only_who_may_configure_authorises(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Also where the permission has gone while somebody was away."""
    shop.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    mailbox_id = waiting(shop, client)
    assert post(shop.client(employee=LAYLA), f"{PAGE}/{mailbox_id}/authorise").status_code == 404
    back = provider.agree(sent_away(client, mailbox_id))
    shop.answers.grants["1"] = {"view": ["1", "3"], "configure": ["3"]}
    client.get(back)
    assert token_of(shop, mailbox_id).state == "asked"


def test_a_mailbox_whose_line_others_can_read_is_not_authorised(shop: Store, client: Any, provider: OAuthServer) -> None:
    """A token is as good as a password there."""
    mailbox_id = waiting(shop, client)
    back = provider.agree(sent_away(client, mailbox_id))
    do(shop, lambda bench: bench.session.execute(update(Mailbox).values(flags=["imap_notls"])))
    assert "the line has to be encrypted" in said(client, client.get(back))
    assert token_of(shop, mailbox_id).state == "asked"


def test_a_mailbox_that_is_moved_meanwhile_gets_no_token(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Whoever changes its server while its owner agrees would have the token sent to one of their own; it is given back."""
    mailbox_id = waiting(shop, client)
    back = provider.agree(sent_away(client, mailbox_id))
    do(shop, lambda bench: bench.session.execute(update(Mailbox).values(server="evil.example.com")))
    assert "The mailbox was changed meanwhile. Please begin again." in said(client, client.get(back))
    assert token_of(shop, mailbox_id).state == "asked"
    assert len(provider.revoked) == 1


@pytest.mark.parametrize("changed", [{"username": "other@paris.example"}, {"protocol": "pop3", "port": "995"}], ids=["user", "protocol"])
def test_another_user_or_protocol_is_authorised_anew(shop: Store, client: Any, provider: OAuthServer, changed: dict[str, str]) -> None:
    """What was given for one account, or for IMAP, is of no use for another, or for POP3."""
    mailbox_id = authorised(shop, client, provider)
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "sign_in": "google", "password": "", **changed}))
    assert token_of(shop, mailbox_id).state == "asked"
    assert len(provider.revoked) == 1


def test_an_authorisation_without_mail_is_told(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Whoever agrees may have left that out; the next try goes on from there."""
    mailbox_id = waiting(shop, client)
    provider.allowed = "openid https://www.googleapis.com/auth/userinfo.email"
    page = said(client, client.get(provider.agree(sent_away(client, mailbox_id))))
    assert "does not let mail be read. Begin again, and allow everything that is asked for." in page
    assert token_of(shop, mailbox_id).state == "asked"
    provider.allowed = "openid https://mail.google.com/"
    authorised(shop, client, provider, mailbox_id)


def test_where_it_is_not_set_up_the_choice_says_why(store: Store) -> None:
    """It is there, disabled, with the reason; a form that is posted all the same leads nowhere."""
    client = store.client(employee=MARIE)
    page = client.get(f"{PAGE}/new/").text
    assert page.count("Not set up on this server: the configuration names no client ID for it.") == 2
    assert re.search(r'<option value="google"[^>]* disabled>Authorisation of Google</option>', page)
    mailbox_id = made(store, client, sign_in="google", password="")
    assert "Not set up on this server" in said(client, post(client, f"{PAGE}/{mailbox_id}/authorise"))


def test_without_the_library_the_choice_says_what_to_install(shop: Store, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(__import__("sys").modules, "authlib.integrations.requests_client", None)
    assert "install cs-plugin[oauth]" in client.get(f"{PAGE}/new/").text
    with shop.app.test_request_context(headers={"X-Employee": "1"}), pytest.raises(AuthorisationError):
        shop.desk.oauth["google"].refresh("anything")
    assert authorising.is_installed() is False


# --- Renewing it ----------------------------------------------------------------------------------------------------------------------------------


def test_a_good_token_is_not_fetched_again(shop: Store, client: Any, provider: OAuthServer) -> None:
    """The provider hears nothing while it lasts."""
    mailbox_id = authorised(shop, client, provider)
    assert access(shop, mailbox_id) == access(shop, mailbox_id)
    assert len(provider.asked) == 1


@pytest.mark.shows("10.1")
def test_a_token_that_expires_is_renewed(database_url: str, tmp_path: Path, provider: OAuthServer) -> None:
    """On every database, also before it ends on its way; what renews it stays, where the provider gives no other."""
    shop = set_up(database_url, tmp_path, provider)
    client = shop.client(employee=MARIE)
    mailbox_id = authorised(shop, client, provider)
    first, before = access(shop, mailbox_id), token_of(shop, mailbox_id)
    shop.clock.forward(seconds=3600 - 30)
    second = access(shop, mailbox_id)
    assert second != first
    assert access(shop, mailbox_id) == second
    assert token_of(shop, mailbox_id).refresh_token == before.refresh_token
    assert token_of(shop, mailbox_id).lease_owner is None
    assert [form["grant_type"] for form in provider.asked] == ["authorization_code", "refresh_token"]


def test_what_renews_a_token_may_change_each_time(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Then the old one is worthless, and the new one is kept."""
    provider.rotates = True
    mailbox_id = authorised(shop, client, provider)
    for _ in range(3):
        shop.clock.forward(hours=2)
        access(shop, mailbox_id)
    assert len({form.get("refresh_token") for form in provider.asked}) == 4


def test_two_who_need_a_token_at_once_renew_it_once(shop: Store, client: Any, provider: OAuthServer) -> None:
    """The second waits for the first: where the provider changes what renews it, the second would end the authorisation."""
    provider.rotates = True
    mailbox_id = authorised(shop, client, provider)
    shop.clock.forward(hours=2)
    got: list[str] = []

    def ask() -> None:
        with shop.app.app_context():
            got.append(access(shop, mailbox_id))

    provider.hold()
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    provider.wait_for_somebody()
    provider.go_on()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert len(got) == 3
    assert len(provider.asked) == 2


def test_a_token_that_the_mail_server_refuses_is_not_given_again(shop: Store, client: Any, provider: OAuthServer) -> None:
    """It may have been revoked before its time."""
    mailbox_id = authorised(shop, client, provider)
    first = access(shop, mailbox_id)
    assert access(shop, mailbox_id, refused=first) != first


def test_a_renewal_that_was_cut_off_is_taken_over(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Once its lease has ended."""
    mailbox_id = authorised(shop, client, provider)
    shop.clock.forward(hours=2)
    lapsed = {"lease_owner": "dead:1", "lease_until": shop.clock()}
    do(shop, lambda bench: bench.session.execute(update(OAuthToken).values(**lapsed)))
    shop.clock.forward(minutes=5)
    assert access(shop, mailbox_id)


def test_a_provider_that_is_away_ends_nothing(shop: Store, client: Any, provider: OAuthServer) -> None:
    """It is told, and tried again later."""
    mailbox_id = authorised(shop, client, provider)
    shop.clock.forward(hours=2)
    provider.broken = True
    with pytest.raises(NoAccessError) as caught:
        access(shop, mailbox_id)
    assert not caught.value.ended
    assert token_of(shop, mailbox_id).state == "valid"
    provider.broken = False
    assert access(shop, mailbox_id)


@pytest.mark.shows("10.1")
def test_an_authorisation_that_was_revoked_says_so_on_its_mailbox(shop: Store, client: Any, provider: OAuthServer) -> None:
    """What it held is gone, the check tells of it, and a new one puts it right."""
    mailbox_id = authorised(shop, client, provider)
    shop.clock.forward(hours=2)
    provider.end_all()
    with pytest.raises(NoAccessError, match="The authorisation has ended: authorise again"):
        access(shop, mailbox_id)
    token = token_of(shop, mailbox_id)
    assert (token.state, token.access_token, token.refresh_token) == ("ended", "", "")
    assert "The authorisation has ended: authorise again." in client.get(f"{PAGE}/{mailbox_id}/").text
    assert "Not authorised" in client.get(f"{PAGE}/").text
    with shop.app.app_context():
        assert any("the authorisation has ended" in one.what for one in health.check(shop.desk))
    authorised(shop, client, provider, mailbox_id)
    assert access(shop, mailbox_id)


def test_deleting_a_mailbox_gives_its_authorisation_back(shop: Store, client: Any, provider: OAuthServer) -> None:
    """Nobody can sign in with it any more, wherever a copy of it lies."""
    mailbox_id = authorised(shop, client, provider)
    said(client, post(client, f"{PAGE}/{mailbox_id}/delete/"))
    assert len(provider.revoked) == 1
    assert look(shop, lambda session: session.scalars(select(OAuthToken)).all()) == []


def test_deleting_a_mailbox_leaves_that_of_another_of_the_same_account(shop: Store, client: Any, provider: OAuthServer) -> None:
    """A provider would take back all that the account has given to this store."""
    mailbox_id = authorised(shop, client, provider)
    authorised(shop, client, provider, waiting(shop, client, folder="Orders"))
    said(client, post(client, f"{PAGE}/{mailbox_id}/delete/"))
    assert provider.revoked == []
    assert len(look(shop, lambda session: session.scalars(select(OAuthToken)).all())) == 1


def test_a_password_in_its_place_gives_the_authorisation_back(shop: Store, client: Any, provider: OAuthServer) -> None:
    """One of the two signs in."""
    mailbox_id = authorised(shop, client, provider)
    said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "sign_in": "", "password": PASSWORD}))
    row = row_of(shop, mailbox_id)
    assert row is not None
    assert row.oauth_token_id is None
    assert len(provider.revoked) == 1
    assert look(shop, lambda session: session.scalars(select(OAuthToken)).all()) == []


@pytest.mark.parametrize("deed", ["a password", "authorised anew"])
def test_what_another_mailbox_of_the_account_signs_in_with_is_not_given_back(
    shop: Store, client: Any, provider: OAuthServer, deed: str
) -> None:
    """A provider would take that back too; nor is what was given in the place of an older one for the same mailbox."""
    mailbox_id = authorised(shop, client, provider)
    if deed == "a password":
        authorised(shop, client, provider, waiting(shop, client, folder="Orders"))
        said(client, post(client, f"{PAGE}/{mailbox_id}/", **{**FORM, "sign_in": "", "password": PASSWORD}))
    else:
        authorised(shop, client, provider, mailbox_id)
    assert provider.revoked == []
    assert len(look(shop, lambda session: session.scalars(select(OAuthToken)).all())) == 1


# --- The whole way --------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail_tokens() -> Iterator[TokenServer]:
    """What tells the mail server whose a token is."""
    with TokenServer() as server:
        yield server


@pytest.mark.shows("10.1")
def test_a_mailbox_is_fetched_by_an_authorisation_until_that_is_revoked(
    shop: Store, client: Any, provider: OAuthServer, mail_tokens: TokenServer, server_run: Run
) -> None:
    """Against a real Dovecot: authorised, fetched, fetched again with a new token when the first has expired, and then told that it is over."""
    # Named for its token server: another test has another one.
    name = f"dovecot-{re.sub(r'[^0-9]+', '-', mail_tokens.url)}-authorised"
    mail_server = DovecotServer(server_run.server(name, dovecot.starting_with(token_url=mail_tokens.url)))
    user, issued = mail_server.new_user(), list[str]()

    def issue() -> str:
        issued.append(mail_tokens.issue(user))
        return issued[-1]

    provider.issue = issue
    mailbox_id = waiting(shop, client, **{**on_server(mail_server, user, password=""), "sign_in": "google"})
    authorised(shop, client, provider, mailbox_id)
    said(client, post(client, f"{PAGE}/{mailbox_id}/begin", start="all"))
    for number in (1, 2):
        mail_server.put(user, mail(f"Mail {number}", number=number))
        post(client, f"{PAGE}/{mailbox_id}/sync")
        do_jobs(shop)
        assert len(look(shop, lambda session: session.scalars(select(Message)).all())) == number
        mail_tokens.end(issued[-1])
        shop.clock.forward(hours=2)
    provider.end_all()
    post(client, f"{PAGE}/{mailbox_id}/sync")
    do_jobs(shop)
    row = row_of(shop, mailbox_id)
    assert row is not None
    assert row.last_error == "The authorisation has ended: authorise again."
    assert "The authorisation has ended: authorise again." in client.get(f"{PAGE}/").text


# --- Providers ------------------------------------------------------------------------------------------------------------------------------------


def test_the_providers_are_asked_for_mail_alone() -> None:
    """With what renews the token: Google by a parameter, Microsoft by a scope."""
    google, microsoft = PROVIDERS
    assert google.scopes == {"imap": "https://mail.google.com/", "pop3": "https://mail.google.com/"}
    assert microsoft.scopes["imap"] == "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
    assert microsoft.scopes["pop3"] == "https://outlook.office.com/POP.AccessAsUser.All offline_access"


def test_a_tenant_stands_in_the_addresses_of_microsoft() -> None:
    """Of all accounts unless one is named."""
    assert "/contoso.example/" in provider_at("microsoft", tenant="contoso.example", endpoints={}).token


def test_no_secret_follows_a_redirect(provider: OAuthServer) -> None:
    """A token server that answers with another address is not followed there; and nothing of the secret stands in what is told."""
    client = OAuthClient(provider_at("google", tenant="common", endpoints={"google": {"token": f"{provider.url}/nowhere"}}), CLIENT_ID, CLIENT_SECRET)
    assert CLIENT_SECRET not in repr(client)
    with pytest.raises(AuthorisationError) as caught:
        client.refresh("unknown")
    assert CLIENT_SECRET not in caught.value.words


@pytest.mark.parametrize("wrong", ["https://x", {"google": "https://x"}, {"google": {"start": "https://x"}}, {"google": {"token": "http://x"}}])
def test_wrong_addresses_stop_the_start(tmp_path: Path, wrong: object) -> None:
    """And name their key."""
    with pytest.raises(ConfigurationError, match="CS_OAUTH_ENDPOINTS"):
        make_store("sqlite://", tmp_path, CS_OAUTH_ENDPOINTS=wrong)
