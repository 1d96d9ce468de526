"""Leave to read mailboxes, as rows: both tokens sealed for one mail server, and renewed by one process at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.store.models import OAuthToken
from cs_plugin.store.vault import Vault

ASKED, VALID, ENDED = "asked", "valid", "ended"   # not given yet, given, over
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Tokens:
    """What signs in, what renews it, until when the first is good, and the scopes that were granted."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: dt.datetime
    scopes: str = ""


def place_of(provider: str, server: str) -> str:
    """Return the place that tokens are sealed for: whoever may change the server of a mailbox would have them sent to one of their own."""
    return f"oauth {provider} {server.lower()}"


def keep(session: Session, vault: Vault, provider: str, server: str, account: str, tokens: Tokens, now: dt.datetime) -> OAuthToken:
    """Write down a leave that was just given for a mailbox on this server."""
    place = place_of(provider, server)
    row = OAuthToken(
        provider=provider,
        account=account[:254],
        access_token=vault.seal(tokens.access_token, place),
        refresh_token=vault.seal(tokens.refresh_token, place),
        scopes=tokens.scopes,
        state=VALID,
        expires_at=tokens.expires_at,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def await_leave(session: Session, provider: str, account: str, now: dt.datetime) -> OAuthToken:
    """Write down that a leave is waited for."""
    row = OAuthToken(provider=provider, account=account[:254], state=ASKED, created_at=now)
    session.add(row)
    session.flush()
    return row


def find(session: Session, token_id: int) -> OAuthToken | None:
    """Return a leave as it stands now."""
    return session.get(OAuthToken, token_id, populate_existing=True)


def states(session: Session) -> Mapping[int, str]:
    """Return how every leave stands, by its id."""
    return {row.id: row.state for row in session.execute(select(OAuthToken.id, OAuthToken.state))}


def is_known(session: Session, provider: str, account: str) -> bool:
    """Say whether any leave of an account is kept: providers take all of a store's leaves of an account back at once, whichever is given back."""
    query = select(OAuthToken.id).where(OAuthToken.provider == provider, func.lower(OAuthToken.account) == account.lower(), OAuthToken.state == VALID)
    return session.scalar(query.limit(1)) is not None


def claim_renewal(session: Session, token_id: int, owner: str, now: dt.datetime, lasts: dt.timedelta) -> bool:
    """Take it on to renew a leave; False where somebody else does, or where it has ended."""
    free = or_(OAuthToken.lease_until.is_(None), OAuthToken.lease_until < now)
    return _changed(session, and_(OAuthToken.id == token_id, OAuthToken.state == VALID, free), lease_owner=owner, lease_until=now + lasts)


def write_renewed(session: Session, vault: Vault, row: OAuthToken, server: str, tokens: Tokens, owner: str) -> bool:
    """Write down what a renewal gave; a refresh token of "" stays as it was. False where the claim is no longer ours."""
    place = place_of(row.provider, server)
    values: dict[str, Any] = {"access_token": vault.seal(tokens.access_token, place), "expires_at": tokens.expires_at}
    if tokens.refresh_token:
        values["refresh_token"] = vault.seal(tokens.refresh_token, place)
    if tokens.scopes:
        values["scopes"] = tokens.scopes
    return _changed(session, _mine(row.id, owner), lease_owner=None, lease_until=None, **values)


def write_ended(session: Session, token_id: int, owner: str) -> bool:
    """Write down that a leave is over; what it held is of no use to anybody and goes."""
    gone = {"access_token": "", "refresh_token": "", "expires_at": None}
    return _changed(session, _mine(token_id, owner), state=ENDED, lease_owner=None, lease_until=None, **gone)


def let_go_of(session: Session, token_id: int, owner: str) -> None:
    """Let somebody else try to renew it."""
    _changed(session, _mine(token_id, owner), lease_owner=None, lease_until=None)


def forget(session: Session, token_id: int) -> None:
    """Take a leave away, whoever may be renewing it."""
    session.execute(delete(OAuthToken).where(OAuthToken.id == token_id), execution_options=_UNSYNCHRONIZED)


def _mine(token_id: int, owner: str) -> ColumnElement[bool]:
    return and_(OAuthToken.id == token_id, OAuthToken.lease_owner == owner)


def _changed(session: Session, which: ColumnElement[bool], **values: Any) -> bool:
    result: Any = session.execute(update(OAuthToken).where(which).values(**values), execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)
