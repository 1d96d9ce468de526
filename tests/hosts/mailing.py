"""What tests of mail write with: a mail as it was read, and the desk that receives it."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import Any

from cs_plugin import desk
from cs_plugin.rules.incoming import ArrivedMail, Bounce, ComingFrom, Correspondent, IncomingMail, Landed
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store.locking import committed
from tests.hosts.store import Store

_numbers = itertools.count(1)

BOX = "box@shop.example"
EVERY_SHOP = ComingFrom(mailbox_id=1, shop_ids=("1", "2"), address=BOX)


def kept(content: bytes = b"", name: str = "mail.eml", content_type: str = "message/rfc822") -> StoredFile:
    """Return a file as the storage keeps it; its key is its own."""
    key = f"{next(_numbers):032x}"
    return StoredFile(name, content_type, len(content), hashlib.sha256(content).digest(), key)


def mail(text: str = "Where is my parcel?", *, by: str = "jan@example.com", name: str = "Jan Kowalski", **changes: Any) -> IncomingMail:
    """Return a mail to the mailbox, as it was read."""
    number = next(_numbers)
    plain = IncomingMail(
        sender=Correspondent(by, name),
        subject="My parcel",
        text=text,
        written_to=(BOX,),
        return_path=by,
        message_id=f"<{number}@mail.example>",
    )
    return replace(plain, **changes)


def bounce_of(message_id: str | None, recipient: str = "jan@example.com", *, permanent: bool = True, **changes: Any) -> IncomingMail:
    """Return what a server writes of a mail of ours that it could not deliver."""
    told = Bounce(permanent, recipient, "5.1.1" if permanent else "4.4.1", "550 No such user here" if permanent else "451 Try later", message_id)
    return mail(
        "Your mail could not be delivered.",
        by="mailer-daemon@mail.example",
        name="Mail Delivery System",
        **{"return_path": "", "automatic": "bounce", "bounce": told, **changes},
    )


def arrived(one: IncomingMail, store: Store, *, source: ComingFrom = EVERY_SHOP, **changes: Any) -> ArrivedMail:
    """Return a mail whose bytes are kept."""
    return ArrivedMail(one, source, store.clock(), changes.pop("original", None) or kept(one.text.encode()), **changes)


def take(store: Store, one: IncomingMail, *, source: ComingFrom = EVERY_SHOP, **changes: Any) -> Landed:
    """Let the desk receive a mail, as a run does: the host is asked first."""
    vetted = desk.vet_mail(store.desk.host, arrived(one, store, source=source, **changes), store.desk.host.employees())
    with store.app.app_context(), store.desk.sessions() as session:
        bench = store.desk.bench(session)
        bench.ask_host()
        return committed(session, lambda: desk.receive_mail(bench, vetted))
