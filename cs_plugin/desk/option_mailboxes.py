"""Mailboxes that options describe: each is one row, whichever shops have the same, and stays the same one when its options are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.option_authorisations import authorisation_of, trouble_with_authorisation
from cs_plugin.desk.options import password_of, signs_in, trouble_with_password
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import INBOX, MailServer
from cs_plugin.rules.incoming import ComingFrom
from cs_plugin.rules.inquiry import MAX_ADDRESS, digest
from cs_plugin.rules.mailbox_settings import IMAP_FLAGS, SAFE_LINE, MailboxSettings, security_of
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, line_of
from cs_plugin.store import mailboxes, oauth_tokens
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.models import Mailbox, Origin
from cs_plugin.store.options import Options, OwnOptions, read_own_options
from cs_plugin.store.vault import Vault

IMAP, POP3 = "imap", "pop3"
LEAVE, DELETE, MOVE = "leave", "delete", "move"
_WAITS = 2
_NO_SHOPS = _("No shop has this mailbox in its options any more.")
_INCOMPLETE = _("IMAP configuration is not correct")


@dataclass(frozen=True, slots=True)
class SignIn:
    """What signs in to a mailbox: the password, with `token_id` None, or an authorisation.

    `rank` is 0 for one that may work, 1 for one that does not, and 2 where an authorisation is still waited for, and nothing is fetched before.
    """

    token_id: int | None = None
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    """A mailbox as the options of `shops` describe it.

    Where their options for one place differ in anything else, mails are deleted only where all of them say so, what signs in is the first that may
    work, and the others are those of the first shop.
    """

    place_hash: bytes
    settings: MailboxSettings
    flags: tuple[str, ...]
    shops: tuple[Shop, ...]
    sign_in: SignIn

    def columns(self) -> dict[str, Any]:
        """Return what the row of this mailbox holds."""
        one, alone = self.settings, self.shops[0].id if len(self.shops) == 1 else ""
        return {
            "name": f"{one.user} ({one.server})"[:128],
            "breadth": Breadth.SHOP if alone else Breadth.ALL,
            "breadth_id": alone,
            "shop_ids": [shop.id for shop in self.shops],
            "address": one.user[:MAX_ADDRESS] if "@" in one.user else "",
            "protocol": POP3 if one.pop3 else IMAP,
            "server": one.server,
            "port": one.port,
            "username": one.user,
            "flags": list(self.flags),
            "afterwards": DELETE if one.delete_messages else LEAVE,
            "create_threads": one.create_threads,
            "oauth_token_id": self.sign_in.token_id,
            "active": self.sign_in.rank != _WAITS,
        }


def _place(settings: MailboxSettings) -> bytes:
    # Not the port: with encryption from the first byte it is another one, and the mailbox the same.
    return digest("mailbox", settings.server.lower(), settings.user, POP3 if settings.pop3 else IMAP)


def place_of(server: str, user: str, folder: str) -> tuple[str, str, str]:
    """Return what is equal for mailboxes in which the same mails lie, whatever the protocol: POP3 has the inbox that IMAP has."""
    name = folder.strip() or INBOX
    return server.strip().lower(), user.strip(), INBOX if name.upper() == INBOX else name


def same_place(row: Mailbox) -> tuple[str, str, str]:
    """Return where the mails of a mailbox lie."""
    return place_of(row.server, row.username, row.folder)


def described(own: OwnOptions, shops: Sequence[Shop], states: Mapping[int, str]) -> tuple[Described, ...]:
    """Return the mailboxes that the options of shops describe, each once; `states` says how authorisations stand, by their ids.

    One with a password that nobody can open is among them, and one whose authorisation has ended or is waited for.
    """
    found: dict[bytes, Described] = {}
    for shop in shops:
        options = own.along(line_of(Context(Breadth.SHOP, shop.id), shops))
        settings = MailboxSettings.of(options.__getitem__, has_password=bool(options["imap_password"]))
        if not settings.is_filled:
            continue
        place = _place(settings)
        flags = tuple(name for name in IMAP_FLAGS if options[name])
        one, before = Described(place, settings, flags, (shop,), _sign_in(options, states)), found.get(place)
        found[place] = one if before is None else _together(before, one)
    return tuple(found.values())


def _sign_in(options: Options, states: Mapping[int, str]) -> SignIn:
    found = authorisation_of(options)
    if found is None:
        return SignIn()
    state = states.get(found.token_id, oauth_tokens.ENDED)
    works = state == oauth_tokens.VALID and trouble_with_authorisation(options) is None
    return SignIn(found.token_id, 0 if works else _WAITS if state == oauth_tokens.ASKED else 1)


def _together(before: Described, one: Described) -> Described:
    settings = one.settings
    first = before.settings
    deletes, creates = first.delete_messages and settings.delete_messages, first.create_threads or settings.create_threads
    both = MailboxSettings(
        first.server, first.port, first.user, first.has_password, first.pop3, first.security, delete_messages=deletes, create_threads=creates
    )
    sign_in = min(before.sign_in, one.sign_in, key=lambda found: found.rank)
    return Described(before.place_hash, both, before.flags, (*before.shops, *one.shops), sign_in)


# --- Rows -----------------------------------------------------------------------------------------------------------------------------------------


def is_resolved(bench: Bench) -> bool:
    """Say whether the rows are as the options describe; the options may have been changed since, by anybody."""
    return not _changes(bench, mailboxes.from_options(bench.session), read_own_options(bench.session))


def resolve_mailboxes(bench: Bench) -> None:
    """Make the rows be as the options describe: new mailboxes, changed ones, and those that no shop has any more, which rest with their cursor."""
    # Two at once would each make a new one.
    wait_for_turn(bench.session)
    rows = mailboxes.from_options(bench.session, to_change=True)
    for row, columns in _changes(bench, rows, read_own_options(bench.session, to_change=True)):
        changed = row
        if changed is None:
            changed = Mailbox(origin=Origin.OPTIONS, folder=INBOX, start=mailboxes.UNCHOSEN, created_at=bench.now)
            bench.session.add(changed)
        for name, value in columns.items():
            setattr(changed, name, value)
    bench.session.flush()


def _changes(bench: Bench, rows: Sequence[Mailbox], own: OwnOptions) -> list[tuple[Mailbox | None, Mapping[str, Any]]]:
    """Return the rows to change, None for one to make, and the columns that are to be different."""
    by_place = {row.place_hash: row for row in rows}
    # A mailbox of its own says more of what is wanted; fetched beside it, each mail would come twice.
    taken = {same_place(row) for row in mailboxes.active(bench.session) if row.origin is Origin.OWN}
    found = described(own, bench.shops, _states(bench, own))
    wanted = {one.place_hash: one for one in found if place_of(one.settings.server, one.settings.user, INBOX) not in taken}
    changes: list[tuple[Mailbox | None, Mapping[str, Any]]] = [
        (row, {"active": False, "oauth_token_id": None})
        for place, row in by_place.items()
        if place not in wanted and (row.active or row.oauth_token_id is not None)
    ]
    for place, one in wanted.items():
        row, columns = by_place.get(place), one.columns()
        if row is None:
            changes.append((None, {**columns, "place_hash": place}))
            continue
        different = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if different:
            # What is changed is tried at once, whatever went wrong before.
            told = {"last_error": ""} if "oauth_token_id" in different else {}
            changes.append((row, {**different, **told, "next_run_at": None, "failures": 0}))
    return changes


def _states(bench: Bench, own: OwnOptions) -> Mapping[int, str]:
    # Most stores have none, and this is looked at on every round.
    there = any(authorisation_of(Options(values)) is not None for values in own.by_context.values())
    return oauth_tokens.states(bench.session) if there else {}


def mailbox_in(bench: Bench, context: Context) -> Mailbox | None:
    """Return the row of the mailbox that the options of a context describe; None where they describe none, or the row is not made yet."""
    own = read_own_options(bench.session)
    options = own.along(line_of(context, bench.shops) if context != ALL_SHOPS else (ALL_SHOPS,))
    settings = MailboxSettings.of(options.__getitem__, has_password=bool(options["imap_password"]))
    place = _place(settings)
    return next((row for row in mailboxes.from_options(bench.session) if row.place_hash == place), None) if settings.is_filled else None


# --- What a run needs -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailboxAtWork:
    """A mailbox as a run works with it: a row, read once. `afterwards` is one of "leave", "delete" and "move"."""

    id: int
    name: str
    source: ComingFrom
    folder: str
    pop3: bool
    afterwards: str
    move_to: str
    oauth_token_id: int | None
    server: MailServer = field(repr=False)

    @property
    def removes(self) -> bool:
        """Say whether mails are taken out of the folder once they are kept here."""
        return self.afterwards in (DELETE, MOVE)


def at_work(bench: Bench, row: Mailbox, *, with_password: bool = True) -> MailboxAtWork:
    """Return what a run needs of a mailbox; its password is opened here and nowhere else. Raise InvalidInputError where there is none of use."""
    shops, token_id = mailboxes.shops_of(row, bench.shops), row.oauth_token_id
    options = _options_of(row) if row.origin is not Origin.OPTIONS else _from_shops(bench, row, shops)
    if row.origin is Origin.OPTIONS:
        # As it is now, and not as it was when the row was last made to be as the options describe.
        token_id = found.token_id if (found := authorisation_of(options)) is not None else None
    source = ComingFrom(row.id, tuple(shop.id for shop in shops), row.address, row.contact_id, row.create_threads)
    security = security_of(options.__getitem__)
    if with_password and token_id is not None and security.is_weakened:
        raise InvalidInputError("imap_password", SAFE_LINE)
    needs_password = with_password and (row.origin is Origin.OPTIONS or token_id is None)
    password = _password(bench.vault, options) if needs_password else ""
    server = MailServer(
        options["imap_url"], options["imap_port"] or 0, options["imap_user"], password, pop3=row.protocol == POP3, security=security,
        folder=row.folder or INBOX,
    )
    return MailboxAtWork(row.id, row.name, source, row.folder or INBOX, row.protocol == POP3, row.afterwards, row.move_to, token_id, server)


def _options_of(row: Mailbox) -> Options:
    """Return a mailbox of its own as options would describe it."""
    named = {"imap_url": row.server, "imap_port": row.port, "imap_user": row.username, "imap_password": row.password}
    return Options({(name, ""): value for name, value in {**named, **dict.fromkeys(row.flags, True)}.items()})


def _from_shops(bench: Bench, row: Mailbox, shops: Sequence[Shop]) -> Options:
    """Return the options of the first shop whose password or authorisation is of use, else of the first. Raise InvalidInputError for none."""
    own = read_own_options(bench.session)
    lines = [own.along(line_of(Context(Breadth.SHOP, shop.id), bench.shops)) for shop in shops]
    fitting = [one for one in lines if _place(MailboxSettings.of(one.__getitem__, has_password=True)) == row.place_hash]
    if not fitting:
        raise InvalidInputError("imap_url", _NO_SHOPS)
    return next((one for one in fitting if signs_in(bench, one)), fitting[0])


def _password(vault: Vault, options: Options) -> str:
    """Return the password to sign in with; empty where an authorisation does. Raise InvalidInputError for what is of no use, or not there."""
    trouble = trouble_with_password(vault, options)
    if trouble is not None:
        raise trouble
    password = password_of(vault, options)
    if not password and authorisation_of(options) is None:
        raise InvalidInputError("imap_password", _INCOMPLETE)
    return password
