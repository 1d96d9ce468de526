"""Mailboxes that are fetched beside those of the options: what somebody wants of one, whether that goes together, and what becomes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.option_authorisations import Given, GivenUp, give_up_of_mailbox
from cs_plugin.desk.option_mailboxes import DELETE, IMAP, LEAVE, MOVE, POP3, place_of, same_place
from cs_plugin.desk.options import may_configure, of_no_use
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, KeyLostError, NotFoundError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import INBOX
from cs_plugin.mail.oauth import PROVIDERS
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.mailbox_settings import IMAP_FLAGS, INCOMPLETE, SAFE_LINE, Security, place_of_password, security_of, wrong_flags, wrong_line
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.shops import Context, contexts_of
from cs_plugin.store import imported, mailbox_setup, mailboxes, oauth_tokens
from cs_plugin.store.models import Mailbox, Origin
from cs_plugin.store.vault import Vault

NOW, SINCE, ALL = "now", "since", "all"
# What may be ticked: the flags of the options, but for the one that the protocol stands for here.
FLAGS = tuple(name for name in IMAP_FLAGS if name != "imap_pop3")
_LONGEST_NAME, _LONGEST_FOLDER = 128, 255
_MOVED = _("The mailbox was changed meanwhile. Please begin again.")
# The fields of a mailbox that are checked as the options of the same meaning are.
_AS_OPTIONS: Mapping[str, str] = {"server": "imap_url", "port": "imap_port", "username": "imap_user", "password": "imap_password"}


@dataclass(frozen=True, slots=True)
class MailboxDraft:
    """What somebody wants of a mailbox, as forms send it. An empty password keeps the one that there is; `sign_in` is "" for it, else a provider."""

    context: Context
    name: str = ""
    contact_id: int | None = None
    address: str = ""
    protocol: str = IMAP
    server: str = ""
    port: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    sign_in: str = ""
    flags: frozenset[str] = frozenset()
    folder: str = INBOX
    afterwards: str = LEAVE
    move_to: str = ""
    create_threads: bool = False
    takes_plus_tags: bool = False
    active: bool = True

    @property
    def security(self) -> Security:
        """Return what the flags come to."""
        return security_of(lambda name: name in self.flags)


@dataclass(frozen=True, slots=True)
class Beginning:
    """From when on mail is wanted at the first connection; `since` is a day, and counts for SINCE alone."""

    start: str = NOW
    since: dt.date | None = None


# --- What is wrong with a draft -------------------------------------------------------------------------------------------------------------------


def wrong_with_mailbox(bench: Bench, draft: MailboxDraft, kept: Mailbox | None) -> list[InvalidInputError]:
    """Return everything that is wrong with a draft, in the order of the form; fields are called as the draft's."""
    return [error for check in _CHECKS for error in check(bench, draft, kept)]


def _wrong_place(bench: Bench, draft: MailboxDraft, _kept: Mailbox | None) -> Iterator[InvalidInputError]:
    if draft.context not in contexts_of(bench.shops):
        yield InvalidInputError("context", _("Choose for which shops it is fetched."))
        return
    shop_ids = [shop.id for shop in draft.context.shops(bench.shops)]
    if draft.contact_id is not None and not mailbox_setup.contact_is_in(bench.session, draft.contact_id, shop_ids):
        yield InvalidInputError("contact_id", _("This contact is not offered in these shops."))


def _wrong_names(_bench: Bench, draft: MailboxDraft, _kept: Mailbox | None) -> Iterator[InvalidInputError]:
    if len(draft.name) > _LONGEST_NAME:
        yield InvalidInputError("name", _("This field cannot be longer than %(most)s characters"), most=_LONGEST_NAME)
    if draft.address and not is_address(draft.address):
        yield InvalidInputError("address", _("Invalid email address."))


def _wrong_connection(bench: Bench, draft: MailboxDraft, kept: Mailbox | None) -> Iterator[InvalidInputError]:
    bad = set[str]()
    for name, option in _AS_OPTIONS.items():
        try:
            BY_NAME[option].checked(getattr(draft, name))
        except InvalidInputError as error:
            bad.add(name)
            yield InvalidInputError(name, error.message, **error.values)
    if draft.protocol not in (IMAP, POP3):
        yield InvalidInputError("protocol", _("Choose one of these."))
    missing = [name for name in ("server", "port", "username") if not getattr(draft, name).strip()]
    if not draft.sign_in and not draft.password and (kept is None or not kept.password):
        missing.append("password")
    yield from (InvalidInputError(name, INCOMPLETE) for name in missing if name not in bad)
    if not missing and not bad and (trouble := trouble_with_kept(bench.vault, draft, kept)) is not None:
        yield trouble


def _wrong_security(_bench: Bench, draft: MailboxDraft, _kept: Mailbox | None) -> Iterator[InvalidInputError]:
    yield from wrong_flags(lambda name: name in draft.flags)
    if draft.sign_in and draft.sign_in not in {one.name for one in PROVIDERS}:
        yield InvalidInputError("sign_in", _("Choose one of these."))
    elif draft.sign_in and (trouble := wrong_line(draft.security)) is not None:
        yield trouble


def _wrong_folders(_bench: Bench, draft: MailboxDraft, _kept: Mailbox | None) -> Iterator[InvalidInputError]:
    for name, wanted in (("folder", draft.folder), ("move_to", draft.move_to)):
        if len(wanted) > _LONGEST_FOLDER or not wanted.isprintable():
            yield InvalidInputError(name, _("This is no folder's name."))
    if draft.protocol == POP3 and draft.folder.upper() not in ("", INBOX):
        yield InvalidInputError("folder", _("POP3 knows no folder but the inbox."))
    if draft.afterwards not in (LEAVE, DELETE, MOVE):
        yield InvalidInputError("afterwards", _("Choose one of these."))
    elif draft.afterwards == MOVE:
        yield from _wrong_move(draft)


def _wrong_move(draft: MailboxDraft) -> Iterator[InvalidInputError]:
    if draft.protocol == POP3:
        yield InvalidInputError("afterwards", _("POP3 knows no folder but the inbox."))
    elif not draft.move_to.strip():
        yield InvalidInputError("move_to", _("Name the folder that mails are moved to."))
    elif draft.move_to.strip() == draft.folder.strip():
        yield InvalidInputError("move_to", _("Mails cannot be moved to the folder that they come from."))


def _wrong_twin(bench: Bench, draft: MailboxDraft, kept: Mailbox | None) -> Iterator[InvalidInputError]:
    """Refuse to lay a mailbox where another one is: each mail would come twice. One that lies there already may stay."""
    place = place_of(draft.server, draft.username, draft.folder)
    if not (place[0] and place[1]) or (kept is not None and same_place(kept) == place):
        return
    if any(same_place(row) == place for row in mailbox_setup.mailboxes(bench.session) if kept is None or row.id != kept.id):
        yield InvalidInputError("username", _("This mailbox is fetched already."))


_Check = Callable[[Bench, MailboxDraft, Mailbox | None], Iterator[InvalidInputError]]
_CHECKS: tuple[_Check, ...] = (_wrong_place, _wrong_names, _wrong_connection, _wrong_security, _wrong_folders, _wrong_twin)


# --- The password ---------------------------------------------------------------------------------------------------------------------------------


def password_of_mailbox(vault: Vault, mailbox: Mailbox) -> str:
    """Return the password of a mailbox; empty where none is kept. Raise KeyLostError, SealedElsewhereError."""
    return _opened(vault, mailbox.password, mailbox.server, security_of(lambda name: name in mailbox.flags))


def trouble_with_kept(vault: Vault, draft: MailboxDraft, kept: Mailbox | None) -> InvalidInputError | None:
    """Return why the kept password is of no use for what a draft describes; None where it is, or where another one is typed or none needed."""
    if kept is None or not kept.password or draft.password or draft.sign_in:
        return None
    try:
        _opened(vault, kept.password, draft.server.strip(), draft.security)
    except (KeyLostError, SealedElsewhereError) as error:
        return of_no_use(error, draft.server.strip(), "password")
    return None


def _opened(vault: Vault, sealed: str, server: str, security: Security) -> str:
    """Open what was sealed for this line. What was given for a worse one to the same server is of use for a better one, never the other way round."""
    if not sealed:
        return ""
    place = place_of_password(server, security)
    try:
        return vault.open(sealed, place)
    except SealedElsewhereError as error:
        if error.place == place_of_password(server, Security(verify=False)):
            return vault.open(sealed, error.place)
        raise


# --- What becomes of it ---------------------------------------------------------------------------------------------------------------------------


def save_mailbox(bench: Bench, actor: Actor, mailbox_id: int | None, draft: MailboxDraft) -> tuple[Mailbox, tuple[GivenUp, ...]]:
    """Write what a draft wants of a mailbox, or of a new one; return it, and the authorisation that it does without now, as `delete_mailbox` does.

    One that is new, or that now lies elsewhere, waits to be begun with. Raise InvalidInputError for the first field that is wrong, NotFoundError,
    NotPermittedError where the employee may not configure every shop that it was or would be fetched for.
    """
    kept = _locked(bench, actor, mailbox_id) if mailbox_id is not None else None
    for error in wrong_with_mailbox(bench, draft, kept):
        raise error
    _require(bench, actor, draft.context)
    row = kept or Mailbox(origin=Origin.OWN, created_at=bench.now)
    moved = kept is not None and _place(kept) != _place_of_draft(draft)
    given_up = _write(bench, row, draft)
    if kept is None or moved:
        _begin_anew(row)
    elif has_begun(row):
        row.active = draft.active
    bench.session.add(row)
    bench.session.flush()
    _write_down(bench, actor, row, "mailbox_changed" if kept is not None else "mailbox_made")
    return row, given_up


def begin_with(bench: Bench, actor: Actor, mailbox_id: int, beginning: Beginning) -> Mailbox:
    """Say from when on mail is wanted, and switch a mailbox on that waited for that.

    One that has been read before is looked through again from there: what is known is known again. It may be one that options describe. Raise as
    `save_mailbox` does.
    """
    row = _locked(bench, actor, mailbox_id, (Origin.OWN, Origin.OPTIONS))
    if beginning.start not in (NOW, SINCE, ALL):
        raise InvalidInputError("start", _("Choose one of these."))
    if beginning.start == SINCE and beginning.since is None:
        raise InvalidInputError("since", _("Enter a day as year-month-day."))
    if beginning.start == NOW and awaits_choice(row):
        # It has begun like that already: what came since its first connection is wanted, and would be missed if it began once more.
        mailboxes.keep_start(bench.session, row.id, NOW)
    else:
        _look_through(bench, row, beginning)
    bench.session.refresh(row)
    row.active, row.next_run_at = True, bench.now
    bench.session.flush()
    _write_down(bench, actor, row, "mailbox_begun", start=beginning.start)
    return row


def switch_mailbox(bench: Bench, actor: Actor, mailbox_id: int, *, on: bool) -> Mailbox:
    """Switch a mailbox on or off; one that is not begun with stays off. Raise NotFoundError, NotPermittedError."""
    row = _locked(bench, actor, mailbox_id)
    if has_begun(row):
        row.active = on
        row.next_run_at = bench.now if on else row.next_run_at
        bench.session.flush()
        _write_down(bench, actor, row, "mailbox_switched", on=on)
    return row


def delete_mailbox(bench: Bench, actor: Actor, mailbox_id: int) -> tuple[GivenUp, ...]:
    """Take a mailbox away with all that signs in to it. Its messages stay, and nothing is touched on its server.

    Return its authorisation, to be given back after the commit, unless another mailbox of that account needs it. Raise NotFoundError,
    NotPermittedError.
    """
    row = _locked(bench, actor, mailbox_id)
    given_up = give_up_of_mailbox(bench, row.oauth_token_id, row.server)
    _write_down(bench, actor, row, "mailbox_deleted")
    bench.session.delete(row)
    bench.session.flush()
    return given_up


def authorise(bench: Bench, actor: Actor, mailbox_id: int, given: Given) -> tuple[GivenUp, ...]:
    """Let a mailbox be signed in to with an authorisation that was just given; a password is not needed any more, and goes.

    Return the one before as `delete_mailbox` does. Raise NotFoundError, NotPermittedError, InvalidInputError where its line is not one that a token
    may go over, and where it lies elsewhere now: whoever has changed the server meanwhile would get the token.
    """
    row = _locked(bench, actor, mailbox_id)
    wanted = given.authorisation
    if (row.protocol, row.server, row.username) != (wanted.protocol, wanted.server, wanted.user):
        raise InvalidInputError("sign_in", _MOVED)
    if security_of(lambda name: name in row.flags).is_weakened:
        raise InvalidInputError("sign_in", SAFE_LINE)
    before = row.oauth_token_id
    row.oauth_token_id = oauth_tokens.keep(bench.session, bench.vault, wanted.provider, row.server, row.username, given.tokens, bench.now).id
    given_up = give_up_of_mailbox(bench, before, row.server)
    row.password, row.failures, row.last_error = "", 0, ""
    if row.active:
        row.next_run_at = bench.now
    bench.session.flush()
    _write_down(bench, actor, row, "mailbox_authorised", provider=wanted.provider)
    return given_up


def awaits_choice(mailbox: Mailbox) -> bool:
    """Say whether a mailbox is fetched from its first connection on because nobody has said yet from when on its mail is wanted."""
    return mailbox.start == mailboxes.UNCHOSEN


def has_begun(mailbox: Mailbox) -> bool:
    """Say whether somebody has said from when on its mail is wanted."""
    return mailbox.active or mailbox.began_at is not None


def name_of_mailbox(mailbox: Mailbox) -> str:
    """Return what a mailbox is called: its name, else its address, else the user and the server."""
    return mailbox.name or mailbox.address or f"{mailbox.username} ({mailbox.server})"


def context_of(mailbox: Mailbox) -> Context:
    """Return the shops that a mailbox is fetched for."""
    return Context(mailbox.breadth, mailbox.breadth_id)


def _look_through(bench: Bench, row: Mailbox, beginning: Beginning) -> None:
    mailboxes.choose_start(bench.session, row.id, beginning.start, beginning.since if beginning.start == SINCE else None)
    imported.forget_start(bench.session, row.id)


def _locked(bench: Bench, actor: Actor, mailbox_id: int, origins: tuple[Origin, ...] = (Origin.OWN,)) -> Mailbox:
    row = mailbox_setup.lock_mailbox(bench.session, mailbox_id)
    shops = mailboxes.shops_of(row, bench.shops) if row is not None and row.origin in origins else ()
    if row is None or not any(actor.grants.allow(Permission.CONFIGURE, shop.id) for shop in shops):
        raise NotFoundError("mailbox", mailbox_id)
    if row.origin is Origin.OWN:
        _require(bench, actor, context_of(row))
    elif not all(actor.grants.allow(Permission.CONFIGURE, shop.id) for shop in shops):
        raise NotPermittedError(Permission.CONFIGURE)
    return row


def _require(bench: Bench, actor: Actor, context: Context) -> None:
    if not may_configure(actor.grants, context, bench.shops):
        raise NotPermittedError(Permission.CONFIGURE)


def _place(row: Mailbox) -> tuple[str, str, str, str]:
    return row.protocol, row.server.lower(), row.username, row.folder


def _place_of_draft(draft: MailboxDraft) -> tuple[str, str, str, str]:
    checked = BY_NAME["imap_url"].checked(draft.server), BY_NAME["imap_user"].checked(draft.username)
    return draft.protocol, checked[0].lower(), checked[1], _folder(draft)


def _folder(draft: MailboxDraft) -> str:
    return draft.folder.strip() or INBOX


def _write(bench: Bench, row: Mailbox, draft: MailboxDraft) -> tuple[GivenUp, ...]:
    before, server = _place(row) if row.server else ("", "", "", ""), row.server
    row.name, row.contact_id = clean_line(draft.name, _LONGEST_NAME), draft.contact_id
    row.breadth, row.breadth_id = draft.context.breadth, draft.context.id
    row.protocol, row.server = draft.protocol, BY_NAME["imap_url"].checked(draft.server)
    row.port, row.username = BY_NAME["imap_port"].checked(draft.port), BY_NAME["imap_user"].checked(draft.username)
    row.address = draft.address.strip() or (row.username if is_address(row.username) else "")
    row.flags, row.folder = [name for name in FLAGS if name in draft.flags], _folder(draft)
    row.afterwards, row.move_to = draft.afterwards, draft.move_to.strip() if draft.afterwards == MOVE else ""
    row.create_threads, row.takes_plus_tags = draft.create_threads, draft.takes_plus_tags
    if draft.sign_in:
        row.password = ""
    elif draft.password:
        row.password = bench.vault.seal(draft.password, place_of_password(row.server, draft.security))
    if _is_still_good(bench, row, draft.sign_in, before):
        return ()
    given_up = give_up_of_mailbox(bench, row.oauth_token_id, server)
    row.oauth_token_id = oauth_tokens.await_leave(bench.session, draft.sign_in, row.username, bench.now).id if draft.sign_in else None
    return given_up


def _is_still_good(bench: Bench, row: Mailbox, provider: str, before: tuple[str, str, str, str]) -> bool:
    """Say whether the authorisation that there is, is this provider's and was given for this mailbox.

    The protocol counts: what Microsoft gives for IMAP is of no use for POP3.
    """
    kept = oauth_tokens.find(bench.session, row.oauth_token_id) if row.oauth_token_id is not None else None
    return kept is not None and kept.provider == provider and before[:3] == _place(row)[:3]


def _begin_anew(row: Mailbox) -> None:
    """Let a mailbox wait for somebody to say from when on its mail is wanted: what was read elsewhere says nothing about what lies here."""
    row.active, row.start, row.start_on = False, NOW, None
    row.uidvalidity = row.last_uid = row.began_at = row.last_success_at = row.next_run_at = None
    row.failures, row.last_error = 0, ""


def is_address(text: str) -> bool:
    """Say whether a text is an e-mail address and nothing besides."""
    try:
        checked_address(text)
    except InvalidInputError:
        return False
    return True


def _write_down(bench: Bench, actor: Actor, row: Mailbox, action: str, **details: Any) -> None:
    its = {"server": row.server, "username": row.username, "context": str(context_of(row))}
    bench.write_down(actor, action, "mailbox", row.id, **its, **details)
