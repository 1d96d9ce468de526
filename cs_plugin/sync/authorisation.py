"""A token to sign in to a mailbox with: the one that is kept while it is good, else a new one, fetched by one process alone."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from cs_plugin.errors import KeyLostError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.oauth import AuthorisationError, Leave, OAuthClient
from cs_plugin.store import oauth_tokens
from cs_plugin.store.locking import committed, only_reads
from cs_plugin.store.models import OAuthToken
from cs_plugin.store.oauth_tokens import ASKED, ENDED, Tokens
from cs_plugin.store.vault import Vault
from cs_plugin.store.workers import this_process

HAS_ENDED = _("The authorisation has ended: authorise again.")
_NOT_YET = _("It has not been authorised yet.")
_NOT_CONFIGURED = _("Signing in with this provider is not set up on this server any more.")
_BUSY = _("The authorisation is being renewed by somebody else, and that takes too long.")
_NOT_RENEWED = _("The authorisation could not be renewed: %(words)s")
# A token that ends so soon might do so while it is on its way.
_MARGIN = dt.timedelta(seconds=60)
# Longer than both steps of a renewal take with the longest time-out that is sensible.
_LEASE = dt.timedelta(minutes=3)
# How long the renewal of another process is waited for, and how often it is looked at, in seconds.
_PATIENCE, _PAUSE = 30.0, 0.2
Result = TypeVar("Result")


class NoAccessError(AuthorisationError):
    """Say in words why there is no token to sign in with; `message` is an untranslated sentence, which `values` fill after translation."""

    def __init__(self, message: str, *, ended: bool = False, **values: object) -> None:
        super().__init__(message % values if values else message, ended=ended)
        self.message = message
        self.values = values


@dataclass(frozen=True, slots=True)
class TokenDesk:
    """What tokens are had with: sessions of our own, the vault, and the providers at which the store is known, by their names."""

    sessions: Callable[[], Session]
    vault: Vault
    clients: Mapping[str, OAuthClient]
    clock: Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class _Opened:
    row: OAuthToken
    tokens: Tokens
    client: OAuthClient


def access_token_of(tokens: TokenDesk, token_id: int, server: str, *, refused: str = "") -> str:
    """Return a token that signs in to a mailbox on `server`, renewed over the network if need be: no transaction is open meanwhile.

    `refused` is one that the mail server has just refused, though it should still be good: it is not returned again. Raise NoAccessError.
    """
    owner, waited = f"{this_process()}/{secrets.token_hex(8)}", 0.0
    while True:
        opened = _opened(tokens, token_id, server)
        if _is_good(opened, tokens.clock(), refused):
            return opened.tokens.access_token
        if _in_own(tokens, lambda session: oauth_tokens.claim_renewal(session, token_id, owner, tokens.clock(), _LEASE)):
            return _renewed(tokens, token_id, server, owner, refused)
        if waited >= _PATIENCE:
            raise NoAccessError(_BUSY)
        time.sleep(_PAUSE)
        waited += _PAUSE


def _opened(tokens: TokenDesk, token_id: int, server: str) -> _Opened:
    with tokens.sessions() as session:
        row = oauth_tokens.find(only_reads(session), token_id)
    if row is not None and row.state == ASKED:
        raise NoAccessError(_NOT_YET, ended=True)
    if row is None or row.state == ENDED or row.expires_at is None:
        raise NoAccessError(HAS_ENDED, ended=True)
    client = tokens.clients.get(row.provider)
    if client is None:
        raise NoAccessError(_NOT_CONFIGURED)
    place = oauth_tokens.place_of(row.provider, server)
    try:
        access_token, refresh_token = tokens.vault.open(row.access_token, place), tokens.vault.open(row.refresh_token, place)
    except (KeyLostError, SealedElsewhereError) as error:
        raise NoAccessError(HAS_ENDED, ended=True) from error
    return _Opened(row, Tokens(access_token, refresh_token, row.expires_at), client)


def _renewed(tokens: TokenDesk, token_id: int, server: str, owner: str, refused: str) -> str:
    """Renew a leave that we have claimed; whatever comes of it, the claim ends."""
    try:
        # Somebody may have renewed it between our look and our claim, and what renews it may be good for one time only.
        opened = _opened(tokens, token_id, server)
        if _is_good(opened, tokens.clock(), refused):
            return opened.tokens.access_token
        leave = opened.client.refresh(opened.tokens.refresh_token)
        new = tokens_of(leave, tokens.clock())
        _in_own(tokens, lambda session: oauth_tokens.write_renewed(session, tokens.vault, opened.row, server, new, owner))
    except NoAccessError:
        raise
    except AuthorisationError as error:
        if error.ended:
            _in_own(tokens, lambda session: oauth_tokens.write_ended(session, token_id, owner))
            raise NoAccessError(HAS_ENDED, ended=True) from error
        raise NoAccessError(_NOT_RENEWED, words=error.words) from error
    finally:
        _in_own(tokens, lambda session: oauth_tokens.let_go_of(session, token_id, owner))
    return leave.access_token


def _is_good(opened: _Opened, now: dt.datetime, refused: str) -> bool:
    return opened.tokens.expires_at - _MARGIN > now and opened.tokens.access_token != refused


def tokens_of(leave: Leave, now: dt.datetime) -> Tokens:
    """Return what a provider gave as it is kept."""
    return Tokens(leave.access_token, leave.refresh_token, now + dt.timedelta(seconds=leave.lasts), leave.scopes)


def _in_own(tokens: TokenDesk, work: Callable[[Session], Result]) -> Result:
    with tokens.sessions() as session:
        return committed(session, lambda: work(session))
