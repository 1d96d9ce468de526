"""Mailboxes that are not fetched, or fail again and again: customers wait for answers to mails that nobody has seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from cs_plugin.desk.mailboxes import name_of_mailbox
from cs_plugin.health.findings import Finding, good, warning, wrong
from cs_plugin.rules.mailbox_state import Fares
from cs_plugin.store import mailbox_setup, mailboxes
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Mailbox, OAuthToken, Origin
from cs_plugin.store.oauth_tokens import ASKED
from cs_plugin.web.mailbox_health import fares_of
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.sync_job import surroundings_of

SUBJECT = "Mailboxes"
_COSTS = "What customers write there becomes no message: they wait, and nobody knows."


def look_at_mailboxes(here: Mounted) -> Iterator[Finding]:
    """Say which mailboxes fail, are silent, or have lost their authorisation."""
    with here.sessions() as session:
        rows = mailbox_setup.mailboxes(only_reads(session))
        tokens = mailbox_setup.tokens_of(session, rows)
        told = [(row, fares_of(row, tokens.get(row.oauth_token_id or 0), here.clock())) for row in rows]
    works, latest = 0, _latest_turn(here)
    for row, how in told:
        name = name_of_mailbox(row)
        if row.active and row.next_run_at is not None and row.next_run_at > latest:
            # Whoever reads how long ago it was fetched would be deceived by the same clock.
            yield wrong(SUBJECT, f"{name} is not fetched before {row.next_run_at:%Y-%m-%d %H:%M} UTC: the clock was wrong.", _COSTS, _again(row.id))
            continue
        if how is Fares.FAILING:
            yield wrong(SUBJECT, f"{name} has failed {row.failures} times in a row: {row.last_error or 'nobody knows why'}", _COSTS, _again(row.id))
        elif how is Fares.UNAUTHORISED:
            yield _unauthorised(row, name, tokens.get(row.oauth_token_id or 0))
        elif how is Fares.SILENT:
            yield warning(SUBJECT, f"{name} has not been fetched for more than an hour.", _COSTS, "flask cs work", _again(row.id))
        elif how is Fares.NEW:
            yield warning(SUBJECT, f"{name} waits for its first connection.", _COSTS, "on the page Mailboxes, say which mails become messages")
        works += how in (Fares.WELL, Fares.BEGINNING, Fares.STUMBLED)
    if works:
        yield good(SUBJECT, f"{works} fetched.")


def _latest_turn(here: Mounted) -> dt.datetime:
    """Return the latest moment at which a mailbox has its next turn, however well or badly it goes."""
    return here.clock() + max(mailboxes.PAUSES[-1], surroundings_of(here).every)


def _unauthorised(row: Mailbox, name: str, token: OAuthToken | None) -> Finding:
    page = "Options" if row.origin is Origin.OPTIONS else "Mailboxes"
    if token is not None and token.state == ASKED:
        return wrong(SUBJECT, f"{name}: the authorisation has not been given yet.", _COSTS, f"authorise it, on the page {page}")
    return wrong(SUBJECT, f"{name}: the authorisation has ended.", _COSTS, f"authorise it again, on the page {page}")


def _again(mailbox_id: int) -> str:
    return f"flask cs sync --mailbox {mailbox_id}"
