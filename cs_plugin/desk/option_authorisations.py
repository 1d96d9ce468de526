"""Authorisations in the place of the password that options hold: waited for, given, of use or not, and given up once nothing points to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.mailbox_settings import Authorisation, security_of, wrong_line
from cs_plugin.rules.permissions import Actor
from cs_plugin.rules.shops import Context
from cs_plugin.store import oauth_tokens
from cs_plugin.store.oauth_tokens import Tokens
from cs_plugin.store.options import Key, Options, OwnOptions

PASSWORD = "imap_password"  # noqa: S105 - the name of an option


@dataclass(frozen=True, slots=True)
class Awaited:
    """Say in a draft, in the place of a password, that an authorisation of this provider is on its way; what signs in now stays until it is there.

    `at_once` asks what would be wrong if it were there: nobody is sent away for one that could not be taken.
    """

    provider: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """Say in a draft, in the place of a password, that an authorisation was just given, and what it holds."""

    authorisation: Authorisation
    tokens: Tokens = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An authorisation that nothing points to any more, to be given back to its provider; `sealed` is what renews it, sealed for `place`."""

    provider: str
    place: str
    sealed: str = field(repr=False)


def authorisation_of(options: Options) -> Authorisation | None:
    """Return the authorisation that stands in the place of a password in resolved options; None where a password does, or nothing."""
    return Authorisation.read(options[PASSWORD])


def trouble_with_authorisation(options: Options) -> InvalidInputError | None:
    """Return why the authorisation of resolved options may not sign in there; None where it may, or where there is none."""
    found = authorisation_of(options)
    if found is None:
        return None
    if not found.is_for(options.__getitem__):
        given_for = f"{found.user} ({found.server}, {found.protocol.upper()})"
        return InvalidInputError(
            PASSWORD, _("The authorisation was given for %(mailbox)s. Authorise this mailbox, or enter its password."), mailbox=given_for
        )
    return wrong_line(security_of(options.__getitem__))


def is_valid(bench: Bench, found: Authorisation) -> bool:
    """Say whether an authorisation has been given, and has not ended."""
    row = oauth_tokens.find(bench.session, found.token_id)
    return row is not None and row.state == oauth_tokens.VALID


def with_rows(bench: Bench, actor: Actor, context: Context, own: Mapping[Key, Any], given: Given | None) -> Mapping[Key, Any]:
    """Return a context's own values with a row behind an authorisation that has none yet: with what was given, else with nothing in it."""
    found = Authorisation.read(own.get((PASSWORD, ""), ""))
    if found is None or found.token_id:
        return own
    if given is None:
        row = oauth_tokens.await_leave(bench.session, found.provider, found.user, bench.now)
    else:
        row = oauth_tokens.keep(bench.session, bench.vault, found.provider, found.server, found.user, given.tokens, bench.now)
        told = {"server": found.server, "username": found.user, "context": str(context), "provider": found.provider}
        bench.write_down(actor, "options_authorised", "options", str(context)[:64], **told)
    made = Authorisation(row.id, found.provider, found.protocol, found.server, found.user)
    return {**own, (PASSWORD, ""): made.kept}


def give_up(bench: Bench, before: OwnOptions, after: OwnOptions) -> tuple[GivenUp, ...]:
    """Forget the authorisations that options pointed to and no longer do; return those that nobody else's mailbox may need."""
    there = {one.token_id for one in _authorisations(after)}
    gone = [one for one in _authorisations(before) if one.token_id not in there]
    return tuple(found for one in gone for found in give_up_of_mailbox(bench, one.token_id, one.server))


def give_up_of_mailbox(bench: Bench, token_id: int | None, server: str) -> tuple[GivenUp, ...]:
    """Forget the authorisation of a mailbox on a server; return it, unless it holds nothing or another mailbox of that account needs it."""
    row = oauth_tokens.find(bench.session, token_id) if token_id is not None else None
    if row is None:
        return ()
    gone = GivenUp(row.provider, oauth_tokens.place_of(row.provider, server), row.refresh_token)
    account = row.account
    oauth_tokens.forget(bench.session, row.id)
    needed = not gone.sealed or oauth_tokens.is_known(bench.session, gone.provider, account)
    return () if needed else (gone,)


def _authorisations(own: OwnOptions) -> Iterable[Authorisation]:
    kept = (Authorisation.read(values.get((PASSWORD, ""), "")) for values in own.by_context.values())
    return [one for one in kept if one is not None]
