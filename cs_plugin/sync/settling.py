"""Mails that were set aside, taken once more on the way of all mails: tried again, or made a thread of whatever they are."""

from __future__ import annotations

import email.utils
import logging
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cs_plugin.desk import Bench
from cs_plugin.desk.option_mailboxes import at_work
from cs_plugin.desk.receiving_mail import make_thread_of, receive_mail, vet_mail
from cs_plugin.desk.set_aside import may_settle, set_aside_in_sight, write_down
from cs_plugin.errors import CustomerServiceError, InvalidInputError
from cs_plugin.mail.glimpse import glimpse_of, without_keys
from cs_plugin.rules.incoming import ArrivedMail, ComingFrom, Correspondent, IncomingMail, Landed, Outcome
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_SUBJECT, MAX_TEXT, StoredFile, clean_line
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store import mailboxes
from cs_plugin.store.files import Content
from cs_plugin.store.locking import committed, only_reads, passing
from cs_plugin.store.models import ImportedMail
from cs_plugin.store.set_aside_settling import KeptMail, forget_file, note_try, take_away
from cs_plugin.sync.reading import ENDS_READING, HTML, Came, Read, read, words_of
from cs_plugin.sync.surroundings import Surroundings

log = logging.getLogger(__name__)
# What leaves a mail where it is: nothing of it was stored.
_STAYS = frozenset({Outcome.SET_ASIDE, Outcome.LEFT})
_UNSYNCHRONIZED = {"synchronize_session": False}
GONE = "gone"   # the bytes of a mail are not there any more


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a mail that was taken once more: where it landed, or else the cause for which it stays set aside."""

    landed: Landed | None
    cause: str = ""


class _StaysError(CustomerServiceError):
    """Roll back what was written of a mail that stays set aside."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def settle(around: Surroundings, actor: Actor, mail_id: int, *, as_thread: bool = False) -> Settled | None:
    """Take a mail once more, `as_thread` as the beginning of a thread in any case. None where it is no longer set aside, or not theirs to settle.

    It is read, and the host asked, while no transaction is open. Whatever is wrong with the mail, or with the file store, is told in `cause`. Raise
    what the database raises where it takes nothing.
    """
    with around.sessions() as session:
        bench = around.bench(session)
        bench.ask_host()
        mail = next(iter(set_aside_in_sight(replace(bench, session=only_reads(session)), actor, [mail_id])), None)
        source = _source(bench, mail) if mail is not None else None
        ours = bench.addresses
        session.rollback()
        if mail is None or source is None or not may_settle(actor, mail, Permission.REPLY):
            return None
        try:
            one, arrived = _arrived(around, mail, source, as_thread=as_thread)
            vetted = vet_mail(bench.host, arrived, bench.employees, ours=ours)
            landed = committed(session, lambda: _written(session, bench.at(around.clock()), actor, mail, one, vetted, as_thread=as_thread))
        except (FileNotFoundError, _StaysError) as error:
            return _stays(around, mail, GONE if isinstance(error, FileNotFoundError) else error.cause)
        except OSError as error:
            # The file store takes or gives nothing for now: the mail is whole, and why it is here stands.
            log.exception("mail %s stays set aside", mail.id)
            return Settled(None, words_of(error))
        except Exception as error:  # whatever is wrong with a mail, it stays where it was
            if isinstance(error, DBAPIError) and passing(error):
                raise
            log.exception("mail %s stays set aside", mail.id)
            session.rollback()
            return _stays(around, mail, words_of(error))
    if landed is None:
        return None
    if landed.message_id is None:
        _forget(around, mail)
    return Settled(landed)


def _source(bench: Bench, mail: KeptMail) -> ComingFrom | None:
    """Return where a mail came from: its mailbox as it is now, else its shop, else all shops; threads are begun for it in any case."""
    row = mailboxes.find(bench.session, mail.mailbox_id) if mail.mailbox_id is not None else None
    shop_ids = tuple(shop.id for shop in bench.shops)
    source = ComingFrom(mail.mailbox_id, shop_ids)
    if row is not None:
        try:
            source = at_work(bench, row, with_password=False).source
        except InvalidInputError:
            # The options name it no longer; its mails are the shops' all the same.
            source = replace(source, address=row.address, contact_id=row.contact_id)
    chosen = (mail.shop_id,) if mail.shop_id is not None else source.shop_ids or shop_ids
    return replace(source, shop_ids=chosen, create_threads=True) if chosen else None


def _arrived(around: Surroundings, mail: KeptMail, source: ComingFrom, *, as_thread: bool) -> tuple[Read, ArrivedMail]:
    """Read a mail and keep its parts. Where a thread is made of one that cannot be read, it is what can be seen of it, with its original."""
    with around.files.open(mail.original.key) as opened:
        raw = opened.read()
    # What has ended a process is read for nobody who wants a thread of it alone.
    one = read(Came(None, raw, unread=as_thread and mail.cause == ENDS_READING))
    if one.cause or one.mail is None:
        if not as_thread:
            raise _StaysError(one.cause)
        # No file of the message: the customer's key can stand in it, and files are for whoever may view.
        return one, ArrivedMail(_seen(mail, raw), source, mail.since, mail.original)
    html = [Content("mail.html", HTML, one.mail.html.encode("utf-8", "replace"))] if one.mail.html else []
    stored = around.files.keep_several([*html, *(Content(part.name, part.content_type, part.content) for part in one.mail.parts)])
    parts = tuple((replace(kept, name=part.name), part.content_id) for kept, part in zip(stored[len(html) :], one.mail.parts, strict=True))
    return one, ArrivedMail(one.mail, source, mail.since, mail.original, stored[0] if html else None, parts)


def _seen(mail: KeptMail, raw: bytes) -> IncomingMail:
    glimpse = without_keys(glimpse_of(raw))
    said = next((value for name, value in glimpse.headers if name.lower() == "from"), mail.sender)
    try:
        name, address = email.utils.parseaddr(said)
    except Exception:  # noqa: BLE001 - it raises what it pleases for a header that is broken enough
        name, address = "", ""
    sender = Correspondent(clean_line(address, MAX_ADDRESS), clean_line(name, 200)) if "@" in address else None
    subject = mail.subject or next((value for name, value in glimpse.headers if name.lower() == "subject"), "")
    return IncomingMail(sender, clean_line(subject, MAX_SUBJECT), glimpse.text[:MAX_TEXT], headers=glimpse.headers)


def _written(session: Session, bench: Bench, actor: Actor, mail: KeptMail, one: Read, vetted: Any, *, as_thread: bool) -> Landed | None:
    if not take_away(session, mail.id):
        return None
    landed = make_thread_of(bench, vetted) if as_thread else receive_mail(bench, vetted)
    if landed.outcome in _STAYS:
        raise _StaysError(landed.reason)
    if mail.mailbox_id is not None:
        told = ImportedMail.mailbox_id == mail.mailbox_id, ImportedMail.content_hash == one.content_hash, ImportedMail.outcome == Outcome.SET_ASIDE
        new = {"outcome": landed.outcome.value, "reason": landed.reason[:255], "message_id": landed.message_id}
        session.execute(update(ImportedMail).where(*told).values(**new), execution_options=_UNSYNCHRONIZED)
    write_down(bench, actor, mail, "set_aside_made_a_thread" if as_thread else "set_aside_tried_again", outcome=landed.outcome.value)
    return landed


def _stays(around: Surroundings, mail: KeptMail, cause: str) -> Settled | None:
    with around.sessions() as session:
        there = committed(session, lambda: note_try(session, mail.id, cause))
    return Settled(None, cause) if there else None


def _forget(around: Surroundings, mail: KeptMail) -> None:
    """Remove the bytes of a mail of which nothing was stored."""
    original: StoredFile = mail.original
    with around.sessions() as session:
        if not committed(session, lambda: forget_file(session, original.key)):
            return
    try:
        around.files.remove(original.key)
    except OSError:
        log.exception("file %s could not be removed", original.key)
