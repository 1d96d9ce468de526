"""Whoever has no part in a thread gets nothing into it, whatever they have seen, kept or guessed; and nothing in it is marked by what they send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from cs_plugin import desk
from cs_plugin.mail.transport import SentMail
from cs_plugin.rules.incoming import Bounce, IncomingMail, Outcome
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.models import OutboxItem, OutboxState, Thread, ThreadEvent
from tests.hosts.mailing import BOX, mail, take
from tests.hosts.store import JAN, Store
from tests.hosts.writing import look, messages_of, thread_of
from tests.test_receiving_mail import answering, conversation, fetch, id_of, sent

REPAIR = "joe@repair.example"
MALLORY = "mallory@stranger.example"


@dataclass(frozen=True)
class _Scene:
    """A thread of Jan's that was answered, and forwarded to a repair shop that has answered as well."""

    store: Store
    thread_id: int
    ours: SentMail
    forward: SentMail
    of_jan: str
    of_joe: str

    def tag(self, kind: TagKind, nonce: str | None = None) -> str:
        return self.store.desk.signer.sign(kind, self.thread_id, nonce or thread_of(self.store, self.thread_id).token_nonce)


def scene(store: Store) -> _Scene:
    """Set it."""
    fetch(store, takes_plus_tags=True)
    number, ours = conversation(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.forward(bench, store.actor(), number, desk.Target(address=REPAIR), "Can you mend it?"))
    forward = sent(store, to=REPAIR)
    joes = answering(forward, "We can.", by=REPAIR)
    assert take(store, joes).outcome is Outcome.NOTE
    jans = next(one.message_id for one in messages_of(store, number) if one.author_address == JAN.email)
    return _Scene(store, number, ours, forward, jans or "", joes.message_id or "")


def _box(tag: str) -> dict[str, Any]:
    return {"written_to": (BOX.replace("@", f"+{tag}@"),)}


OLD = "0" * 32
# What somebody may have: seen in a mail that went on to them, kept from before, or guessed.
KEYS: dict[str, Callable[[_Scene], dict[str, Any]]] = {
    "our Message-ID": lambda one: {"in_reply_to": (id_of(one.ours),)},
    "the customer's Message-ID": lambda one: {"references": (one.of_jan,)},
    "the Message-ID of what was forwarded": lambda one: {"in_reply_to": (id_of(one.forward),)},
    "an outsider's Message-ID": lambda one: {"in_reply_to": (one.of_joe,), "references": (one.of_joe,)},
    "the address tag": lambda one: _box(one.tag(TagKind.ADDRESS)),
    "the subject tag": lambda one: {"subject": f"Re: [#{one.tag(TagKind.SUBJECT)}]"},
    "a revoked address tag": lambda one: _box(one.tag(TagKind.ADDRESS, OLD)),
    "a revoked subject tag": lambda one: {"subject": f"Re: [#{one.tag(TagKind.SUBJECT, OLD)}]"},
    "the link's tag in the address": lambda one: _box(one.tag(TagKind.LINK)),
    "the link's tag in the subject": lambda one: {"subject": f"Re: [#{one.tag(TagKind.LINK)}]"},
    "a guessed Message-ID": lambda one: {"in_reply_to": (f"<{one.tag(TagKind.EMPLOYEE)}.1@shop.example>",)},
}
# What a mail server is told by the mail that it sends back: that one may say it, and whoever has it has got our mail or a copy.
TELLS_A_SERVER = frozenset(("our Message-ID", "the Message-ID of what was forwarded", "the address tag"))
FORGED = Bounce(True, JAN.email, "5.1.1", "550 No such user here")
KINDS: dict[str, dict[str, Any]] = {
    "a person's": {},
    "a machine's": {"automatic": "auto_submitted"},
    "a bounce": {"automatic": "delivery_report", "bounce": FORGED, "return_path": ""},
}


def stands(store: Store, thread_id: int) -> object:
    """Return what could be changed in a thread from outside."""
    said = [(one.id, one.delivery, one.delivery_text) for one in messages_of(store, thread_id)]
    thread = thread_of(store, thread_id)
    states = look(store, lambda session: [(one.id, one.state) for one in session.query(OutboxItem).filter_by(thread_id=thread_id)])
    failed = look(store, lambda session: session.query(ThreadEvent).filter_by(thread_id=thread_id, kind="delivery_failed").count())
    return said, thread.status, thread.waiting_since, thread.newest_note_id, states, failed


@pytest.mark.shows("10.3")
@pytest.mark.parametrize(("key", "kind"), [(key, kind) for key in KEYS for kind in KINDS if kind != "a bounce" or key not in TELLS_A_SERVER])
def test_a_stranger_gets_nothing_into_a_thread(store: Store, key: str, kind: str) -> None:
    """Neither words, nor a note, nor a machine's mail, nor a bounce that marks what was sent: it is a thread of its own, or none."""
    there = scene(store)
    before = stands(store, there.thread_id)
    landed = take(store, mail("Send it to me instead.", by=MALLORY, name="Mallory", **KEYS[key](there), **KINDS[kind]))
    assert landed.thread_id != there.thread_id
    assert stands(store, there.thread_id) == before


@pytest.mark.shows("10.3", "5.6")
def test_an_outsiders_key_is_good_for_those_that_the_thread_was_forwarded_to_alone(any_store: Store) -> None:
    """The second whom it was forwarded to may answer the first one's mail; whoever works beside them is a stranger."""
    there = scene(any_store)
    with any_store.app.app_context():
        any_store.desk.do(lambda bench: desk.forward(bench, any_store.actor(), there.thread_id, desk.Target(address="ann@carrier.example")))
    by_ann = take(any_store, mail("It is here.", by="ANN@carrier.example", in_reply_to=(there.of_joe,)))
    by_bob = take(any_store, mail("It is not.", by="bob@carrier.example", in_reply_to=(there.of_joe,)))
    assert (by_ann.outcome, by_ann.thread_id) == (Outcome.NOTE, there.thread_id)
    assert (by_bob.reason, by_bob.thread_id != there.thread_id) == ("comes_from_a_stranger", True)


@pytest.mark.shows("10.3")
def test_a_bounce_marks_the_mail_that_it_names_and_no_other(store: Store) -> None:
    """Who got a forwarded mail knows its Message-ID, and can say of that one that it did not come; of the customer's they cannot."""
    there = scene(store)
    told = {"return_path": "", "automatic": "delivery_report", "bounce": FORGED, "in_reply_to": (id_of(there.forward),)}
    forged: IncomingMail = mail("Not delivered.", by=REPAIR, **told)
    take(store, forged)
    failed = look(store, lambda session: [one.kind for one in session.query(OutboxItem).filter_by(state=OutboxState.FAILED)])
    assert failed == ["forward"]


@pytest.mark.shows("10.3")
def test_our_message_ids_cannot_be_guessed(store: Store) -> None:
    """128 bits of chance each: neither the thread's number nor the time tells them."""
    made = {store.desk.composer.new_message_id() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one.strip("<>").partition("@")[0]) == 32 for one in made)


@pytest.mark.shows("10.3")
@pytest.mark.parametrize("key", ["the address tag", "the subject tag"])
def test_a_tag_from_before_its_link_was_revoked_is_worth_nothing_to_the_customer_either(store: Store, key: str) -> None:
    """The mail is theirs, and begins a thread of its own."""
    there = scene(store)
    fields = KEYS[key](there)
    with store.desk.sessions() as session:
        session.execute(update(Thread).where(Thread.id == there.thread_id).values(token_nonce="1" * 32))
        session.commit()
    landed = take(store, mail("And?", **fields))
    assert (landed.reason, landed.thread_id != there.thread_id) == ("begins_a_thread", True)
