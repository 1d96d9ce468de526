"""Customers' messages for a store's list: put through the desk as a form would, so that everything that is kept is kept as it would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender
from cs_plugin.rules.status import Status
from tests.hosts.store import MARIE, Store


@dataclass(frozen=True, slots=True)
class Letter:
    """What a customer wrote, and what became of it. `customer_id` makes it that of somebody who was signed in."""

    text: str
    address: str = "somebody@example.com"
    first_name: str = ""
    last_name: str = ""
    customer_id: str | None = None
    shop_id: str = "1"
    language: str = "en"
    contact_id: int = 1
    status: Status = Status.OPEN
    assignee_id: str | None = None
    note: str = ""


MARIA = Letter(
    "Buenas tardes, sigo sin número de seguimiento para mi pedido XKBKNABJK. ¿Podrían comprobarlo?",
    "maria.fdez.ortega@example.es",
    "Maria",
    "Fernández Ortega",
    "101",
    note="Carrier claim opened on 19 Nov, ref. 88-2041",
    assignee_id="1",
)
YUKI = Letter("Hello, can I still change the delivery address? I moved last week.", "yuki.tanaka@example.jp", shop_id="2", contact_id=2)
ZOFIA = Letter("Dzień dobry, ŻÓŁTY kubek", "zofia@example.pl", "Żofia", "Łęcka", "102", language="fr", status=Status.PENDING1, assignee_id="2")
LAYLA_H = Letter("مرحبا، هل يمكنني تغيير مقاس الفستان؟", "layla@example.ae", "ليلى", "حداد", "103", shop_id="3", language="ar", contact_id=2)
SPAMMY = Letter("<b>Partnership</b> proposal 100%_sure", "newsletter@offers.example", status=Status.CLOSED, contact_id=2)
LETTERS = (MARIA, YUKI, ZOFIA, LAYLA_H, SPAMMY)


def fill(store: Store, letters: Sequence[Letter]) -> list[int]:
    """Let these messages come in, 37 minutes apart, and return the ids of their threads."""
    ids: list[int] = []
    with store.app.test_request_context("/"), store.desk.sessions() as session:
        for letter in letters:
            store.clock.forward(minutes=37)
            bench = store.desk.bench(session)
            sender = Sender(letter.address, letter.first_name, letter.last_name, letter.customer_id, verified=letter.customer_id is not None)
            inquiry = Inquiry(Channel.FORM, letter.shop_id, letter.language, sender, letter.text, contact_id=letter.contact_id)
            thread_id = desk.receive(bench, inquiry).thread_id
            assert thread_id is not None
            _handle(bench, store, thread_id, letter)
            ids.append(thread_id)
        session.commit()
    return ids


def _handle(bench: desk.Bench, store: Store, thread_id: int, letter: Letter) -> None:
    actor = store.actor(MARIE)
    if letter.note:
        desk.add_note(bench, actor, thread_id, letter.note)
    if letter.assignee_id:
        desk.assign(bench, actor, thread_id, letter.assignee_id)
    if letter.status is not Status.OPEN:
        desk.set_status(bench, actor, [thread_id], letter.status)


def many(number: int) -> list[Letter]:
    """Return so many messages, each of another sender."""
    return [Letter(f"Message number {n}", f"sender{n:04}@example.com", "Sender", f"No {n:04}", str(1000 + n)) for n in range(1, number + 1)]
