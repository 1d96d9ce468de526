"""What tests of sync work with: mailboxes of the real Dovecot, mails to put into them, and what has become of them in the desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

from imapclient import IMAPClient
from sqlalchemy import func, select

from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.shops import ALL_SHOPS, Context
from cs_plugin.store.models import ImportedMail, Mailbox, Message, SetAsideMail, SyncRun
from cs_plugin.store.options import set_option
from cs_plugin.sync import Asked, Report, count, sync
from cs_plugin.web.sync_job import bring_up_mailboxes, surroundings_of
from tests.hosts.store import Store
from tests.servers.dovecot import DovecotServer


def mail(number: int = 1, text: str = "Where is my parcel?", *, message_id: str | None = None, **headers: str) -> bytes:
    """Return a customer's mail; the number tells it from others. Header fields are named with an underscore for each dash."""
    written = EmailMessage()
    written["From"] = f"Customer {number} <customer{number}@example.com>"
    written["To"] = "paris@shop.example"
    written["Subject"] = f"Parcel {number}"
    written["Message-ID"] = message_id if message_id is not None else f"<{number}@mail.example>"
    written["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    for name, value in headers.items():
        del written[name.replace("_", "-")]
        written[name.replace("_", "-")] = value
    written.set_content(text)
    return written.as_bytes(policy=written.policy.clone(linesep="\r\n"))


def describe(store: Store, server: DovecotServer, user: str, *, context: Context = ALL_SHOPS, pop3: bool = False, **options: Any) -> None:
    """Let the options of a context describe a user's mailbox; threads are begun unless `options` say otherwise."""
    wanted = {
        "imap_url": server.host,
        "imap_port": server.pop3_port if pop3 else server.imap_port,
        "imap_user": user,
        "imap_password": store.desk.vault.seal(server.password, server.host),
        "imap_pop3": pop3,
        "create_new_threads": True,
        **options,
    }
    with store.app.app_context(), store.desk.sessions() as session:
        for name, value in wanted.items():
            set_option(session, name, value, store.clock(), context=context)
        session.commit()
    resolve(store)


def resolve(store: Store) -> None:
    """Make the rows be as the options describe."""
    with store.app.app_context():
        bring_up_mailboxes(store.desk)


def mailboxes(store: Store) -> Sequence[Mailbox]:
    """Return all mailboxes."""
    with store.desk.sessions() as session:
        return session.scalars(select(Mailbox).order_by(Mailbox.id)).all()


def mailbox(store: Store) -> Mailbox:
    """Return the only mailbox as it is now."""
    (only,) = mailboxes(store)
    return only


def change(store: Store, **values: Any) -> None:
    """Change columns of the only mailbox."""
    with store.desk.sessions() as session:
        row = session.scalars(select(Mailbox)).one()
        for name, value in values.items():
            setattr(row, name, value)
        session.commit()


def run(store: Store, *, mailbox_id: int | None = None, **asked: Any) -> Report:
    """Run over the only mailbox, or over the one that is named."""
    with store.app.app_context():
        return sync(surroundings_of(store.desk), mailbox_id or mailbox(store).id, Asked("test", **asked))


def dry_run(store: Store) -> Report:
    """Count what a run would find."""
    with store.app.app_context():
        return count(surroundings_of(store.desk), mailbox(store).id)


def begun(store: Store, server: DovecotServer, user: str = "", *mails: bytes, **options: Any) -> str:
    """Describe a mailbox, let it begin, and put mails into it: they are new. Return its user."""
    user = user or server.new_user()
    describe(store, server, user, **options)
    assert run(store).findings == ()
    if mails:
        server.put(user, *mails)
    return user


def subjects(store: Store) -> list[str]:
    """Return the subjects of all messages, in their order."""
    with store.desk.sessions() as session:
        return list(session.scalars(select(Message.subject).order_by(Message.id)))


def rows(store: Store) -> Sequence[ImportedMail]:
    """Return what is known of each mail."""
    with store.desk.sessions() as session:
        return session.scalars(select(ImportedMail).order_by(ImportedMail.id)).all()


def outcomes(store: Store) -> Counter[str]:
    """Return how many mails there are of each outcome."""
    return Counter(row.outcome for row in rows(store))


def set_aside(store: Store) -> Sequence[SetAsideMail]:
    """Return what is set aside."""
    with store.desk.sessions() as session:
        return session.scalars(select(SetAsideMail).order_by(SetAsideMail.id)).all()


def runs(store: Store) -> Sequence[SyncRun]:
    """Return all runs."""
    with store.desk.sessions() as session:
        return session.scalars(select(SyncRun).order_by(SyncRun.id)).all()


def number_of(store: Store, what: Any) -> int:
    """Return how many rows a table has."""
    with store.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


def on_server(server: DovecotServer, user: str, folder: str = "INBOX") -> list[str]:
    """Return the subjects of the mails that lie in a folder, in their order; none where there is no such folder."""
    with IMAPClient(server.host, server.imap_port, ssl=False) as client:
        client.login(user, server.password)
        if not client.folder_exists(folder):
            return []
        client.select_folder(folder, readonly=True)
        wanted = "BODY[HEADER.FIELDS (SUBJECT)]"
        found = client.fetch(client.search(), [wanted.replace("BODY", "BODY.PEEK")]) if client.search() else {}
        return [one[wanted.encode()].decode().removeprefix("Subject: ").strip() for _uid, one in sorted(found.items())]


def counts(**numbers: int) -> dict[str, int]:
    """Return counts by outcome."""
    return {Outcome[name.upper()].value: number for name, number in numbers.items()}
