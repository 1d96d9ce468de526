"""How the mailboxes fare that an employee may see, in words: for their page, and for a line on the Customer Service page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cs_plugin.desk.mailboxes import has_begun, name_of_mailbox
from cs_plugin.desk.option_mailboxes import is_resolved, resolve_mailboxes
from cs_plugin.i18n import marked as _
from cs_plugin.rules.mailbox_state import TROUBLES, Fares, MailboxFacts, fares
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Context
from cs_plugin.store import mailbox_setup
from cs_plugin.store.locking import let_go
from cs_plugin.store.mailboxes import shops_of
from cs_plugin.store.models import Mailbox, OAuthToken, Origin
from cs_plugin.store.oauth_tokens import VALID
from cs_plugin.web.reading import Visit

FARES_WORDS: Mapping[Fares, str] = {
    Fares.NEW: _("Waits for its first connection"),
    Fares.OFF: _("Switched off"),
    Fares.UNAUTHORISED: _("Not authorised"),
    Fares.FAILING: _("Fails again and again"),
    Fares.SILENT: _("Not fetched for long"),
    Fares.STUMBLED: _("Failed just now"),
    Fares.BEGINNING: _("Not fetched yet"),
    Fares.WELL: _("Works"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mailbox that somebody has to look at."""

    name: str
    fares: Fares
    error: str


def facts_of(row: Mailbox, token: OAuthToken | None) -> MailboxFacts:
    """Return what a row tells of how its mailbox fares."""
    # Options have no switch: what they describe is off only while its authorisation is waited for.
    waits = row.origin is Origin.OPTIONS and row.oauth_token_id is not None
    return MailboxFacts(
        active=row.active or waits,
        begun=has_begun(row),
        since=row.created_at,
        failures=row.failures,
        last_success_at=row.last_success_at,
        unauthorised=row.oauth_token_id is not None and (token is None or token.state != VALID),
    )


def fares_of(row: Mailbox, token: OAuthToken | None, now: dt.datetime) -> Fares:
    """Return how a mailbox fares."""
    return fares(facts_of(row, token), now)


def in_sight(here: Visit, session: Session, rows: Sequence[Mailbox] | None = None, *, context: Context | None = None) -> list[Mailbox]:
    """Return the mailboxes (of `rows`, else all) that are fetched for a shop of the context in which the employee may configure."""
    in_context = {shop.id for shop in (context or here.context).shops(here.shops)}
    found = mailbox_setup.mailboxes(session) if rows is None else rows
    return [
        one
        for one in found
        if any(shop.id in in_context and here.grants.allow(Permission.CONFIGURE, shop.id) for shop in shops_of(one, here.shops))
    ]


def as_options_describe(here: Visit) -> None:
    """Make the rows of mailboxes be as the options describe them, where somebody has changed those and nobody has looked since."""
    session = here.desk.session()
    bench = here.desk.bench(session)
    bench.ask_host()
    resolved = is_resolved(bench)
    let_go(session)
    if not resolved:
        here.desk.do(resolve_mailboxes)


def troubles(here: Visit, session: Session) -> list[Trouble]:
    """Return the mailboxes in the context that somebody has to look at, for whoever may do so. Two queries at most."""
    if not here.grants.allow_somewhere(Permission.CONFIGURE):
        return []
    seen = in_sight(here, session)
    tokens = mailbox_setup.tokens_of(session, seen)
    told = [(one, fares_of(one, tokens.get(one.oauth_token_id or 0), here.now)) for one in seen]
    return [Trouble(name_of_mailbox(one), how, one.last_error) for one, how in told if how in TROUBLES]


