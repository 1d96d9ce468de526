"""Authorising a mailbox with its provider: the way there, and the way back, bound to the session, the employee and the mailbox."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import session, url_for

from cs_plugin.desk.mailboxes import authorise, context_of
from cs_plugin.desk.options import may_configure
from cs_plugin.errors import CustomerServiceError, InvalidInputError, KeyLostError, NotFoundError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.oauth import NOT_INSTALLED, PROVIDERS, AuthorisationError, OAuthClient, is_installed
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.store import mailbox_setup
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Mailbox, OAuthToken
from cs_plugin.store.oauth_tokens import place_of
from cs_plugin.sync.authorisation import tokens_of
from cs_plugin.web.reading import Visit

_KEPT = "cs_oauth"
# How many seconds somebody may take to agree.
_LASTS = 15 * 60
_NOT_OURS = _("This authorisation was not begun here, or was begun too long ago. Please begin again.")
_REFUSED = _("The authorisation was not given: %(words)s")
_FAILED = _("The provider did not take the authorisation: %(words)s")
_NO_RENEWAL = _("The provider gave an authorisation that cannot be renewed. Take away the access of this store in the account, and begin again.")
_GIVEN = _("The mailbox is authorised.")


@dataclass(frozen=True, slots=True)
class CameBack:
    """What became of somebody who came back: what to say, and the mailbox that it is about, if that is known."""

    message: str
    good: bool = False
    mailbox_id: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)


def why_not(here: Visit, provider: str) -> str:
    """Return why nobody can authorise with a provider here; empty where they can."""
    if not is_installed():
        return NOT_INSTALLED
    if provider not in here.desk.oauth:
        return _("Not set up on this server: the configuration names no client ID for it.")
    return ""


def begin(here: Visit, client: OAuthClient, row: Mailbox) -> str:
    """Return where whoever owns a mailbox is sent, and remember in the session who asked, for which mailbox."""
    begun = client.begin(_redirect(here), protocol=row.protocol, account=row.username)
    session[_KEPT] = {
        "state": begun.state,
        "verifier": here.desk.vault.seal(begun.verifier, _place(here)),
        "mailbox": row.id,
        "provider": client.provider.name,
        "employee": here.actor().employee.id,
        "at": here.now.timestamp(),
    }
    return begun.url


def come_back(here: Visit, args: Mapping[str, str]) -> CameBack:
    """Take what somebody brings back from a provider, once. The provider is asked while no transaction is open."""
    kept = session.pop(_KEPT, None)
    found = _kept(here, kept, args.get("state", ""))
    if found is None:
        return CameBack(_NOT_OURS)
    mailbox_id, client, verifier = found
    if args.get("error") or not args.get("code"):
        words = clean_line(args.get("error_description") or args.get("error") or "--", 200)
        return CameBack(_REFUSED, mailbox_id=mailbox_id, values={"words": words})
    row = mailbox_setup.find_mailbox(here.desk.session(), mailbox_id)
    if row is None or not may_configure(here.grants, context_of(row), here.shops):
        return CameBack(_NOT_OURS)
    let_go(here.desk.session())
    try:
        leave = client.finish(_redirect(here), args["code"][:4_096], verifier)
    except AuthorisationError as error:
        return CameBack(_NO_RENEWAL if error.words == "no refresh_token" else _FAILED, mailbox_id=mailbox_id, values={"words": error.words})
    new = tokens_of(leave, here.desk.clock())
    try:
        here.desk.do(lambda bench: authorise(bench, here.actor(), mailbox_id, client.provider.name, new))
    except InvalidInputError as error:
        return CameBack(error.message, mailbox_id=mailbox_id, values=error.values)
    except (NotFoundError, NotPermittedError):
        return CameBack(_NOT_OURS)
    return CameBack(_GIVEN, good=True, mailbox_id=mailbox_id)


def to_give_back(here: Visit, row: Mailbox, token: OAuthToken | None) -> Callable[[], object]:
    """Return what gives an authorisation back to its provider once the mailbox is gone; it is read now, and nobody is asked yet."""
    client = here.desk.oauth.get(token.provider) if token is not None else None
    if token is None or client is None or not token.refresh_token:
        return lambda: None
    try:
        secret = here.desk.vault.open(token.refresh_token, place_of(token.provider, row.server))
    except (KeyLostError, SealedElsewhereError):
        return lambda: None

    def give_back() -> None:
        let_go(here.desk.session())
        client.revoke(secret)

    return give_back


def _redirect(here: Visit) -> str:
    """Return the address to come back to, which the provider knows: one that a request makes up is refused there."""
    public = here.desk.app.config["CS_ADMIN_PUBLIC_URL"]
    path = url_for("cs_mailboxes.authorised")
    return f"{public.rstrip('/')}{path}" if public else url_for("cs_mailboxes.authorised", _external=True)


def _kept(here: Visit, kept: Any, state: str) -> tuple[int, OAuthClient, str] | None:
    """Return what was begun, where the session holds it, for this employee, not too long ago, under this state; None otherwise."""
    try:
        good = (
            hmac.compare_digest(str(kept["state"]).encode(), state.encode())
            and kept["employee"] == here.actor().employee.id
            and 0 <= here.now.timestamp() - float(kept["at"]) <= _LASTS
            and kept["provider"] in {one.name for one in PROVIDERS}
        )
        if not good:
            return None
        return int(kept["mailbox"]), here.desk.oauth[kept["provider"]], here.desk.vault.open(kept["verifier"], _place(here))
    except (CustomerServiceError, KeyError, TypeError, ValueError):
        return None


def _place(here: Visit) -> str:
    return f"authorising {here.actor().employee.id}"
