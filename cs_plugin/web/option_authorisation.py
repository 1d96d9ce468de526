"""What the form of the options says of the authorisation in the place of a password: how it stands, whose it is, and where another one is had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cs_plugin.desk.option_authorisations import PASSWORD, authorisation_of, is_valid
from cs_plugin.desk.options import trouble_with_password
from cs_plugin.mail.oauth import PROVIDERS, Provider
from cs_plugin.rules.mailbox_settings import Authorisation
from cs_plugin.rules.shops import Context, name_of
from cs_plugin.store import oauth_tokens
from cs_plugin.web import authorising
from cs_plugin.web.options_form import Place
from cs_plugin.web.reading import Visit


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider at which the store is known: its name and title, why it cannot be asked (empty where it can), and its mail server.

    `again` says that what signs in now was given by it, to this very context.
    """

    name: str
    title: str
    why_not: str
    server: str
    port: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class AuthorisationBlock:
    """How the mailbox of a context signs in without a password.

    `state` is "" where it does not, "asked" while that is waited for, "valid", "ended", or "elsewhere" where it was given for another mailbox.
    `source` is the context that it is inherited from; None where it is this context's own.
    """

    state: str
    title: str
    user: str
    server: str
    source: Context | None
    source_name: str
    offers: Sequence[Offer]


def authorisation_block(here: Visit, place: Place) -> AuthorisationBlock | None:
    """Return the block of a context; None where no provider is set up, and nothing signs in by one. What is kept is shown, and not what was typed."""
    found = authorisation_of(place.resolved)
    offers = [_offer(here, one) for one in PROVIDERS if one.name in here.desk.oauth]
    if found is None:
        return AuthorisationBlock("", "", "", "", None, "", offers) if offers else None
    source = place.kept.origin(place.line, PASSWORD)
    inherited = source if source != place.context else None
    name = name_of(inherited, here.visible_shops) if inherited is not None else ""
    title = next((one.title for one in PROVIDERS if one.name == found.provider), found.provider)
    state = _state(here, place, found)
    given = state in (oauth_tokens.VALID, oauth_tokens.ENDED) and inherited is None
    offers = [replace(one, again=given and one.name == found.provider) for one in offers]
    return AuthorisationBlock(state, title, found.user, found.server, inherited, name, offers)


def _state(here: Visit, place: Place, found: Authorisation) -> str:
    session = here.desk.session()
    row = oauth_tokens.find(session, found.token_id)
    if row is None or row.state == oauth_tokens.ENDED or (row.state == oauth_tokens.VALID and not here.desk.vault.has_key_for(row.refresh_token)):
        return oauth_tokens.ENDED
    if trouble_with_password(here.desk.vault, place.resolved) is not None:
        return "elsewhere"
    return oauth_tokens.VALID if is_valid(here.desk.bench(session), found) else oauth_tokens.ASKED


def _offer(here: Visit, provider: Provider) -> Offer:
    server, port = provider.servers["imap"]
    return Offer(provider.name, provider.title, authorising.why_not(here, provider.name), server, port)
