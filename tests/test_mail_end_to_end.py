"""From the bytes of a mail to the thread and back: what a mail program sends is read, received, answered, and its answer finds the way."""

from __future__ import annotations

import pytest

from cs_plugin.mail.parse import read_mail
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.status import Status
from tests.hosts.mailing import BOX, take
from tests.hosts.store import JAN, Store
from tests.hosts.writing import messages_of, thread_of
from tests.test_receiving_mail import answer, fetch, id_of, sent

FIRST = f"""\
From: =?utf-8?q?Jan_Kowalski?= <{JAN.email}>
To: {BOX}
Subject: My parcel
Message-ID: <1@mail.example>
Date: Sat, 21 Nov 2026 17:00:00 +0000
Content-Type: text/plain; charset=utf-8

Where is it?
"""


@pytest.mark.shows("10.3", "10.4")
def test_a_conversation_by_mail_from_its_bytes(any_store: Store) -> None:
    """On every database: a mail begins a thread, is answered, and the customer's answer comes back into it and opens it again."""
    fetch(any_store)
    began = take(any_store, read_mail(FIRST.replace("\n", "\r\n").encode()))
    number = began.thread_id or 0
    answer(any_store, number)
    ours = sent(any_store, to=JAN.email)
    head = f"From: {JAN.email}", f"To: {BOX}", "Subject: Re: parcel", "Message-ID: <2@mail.example>", f"In-Reply-To: {id_of(ours)}"
    landed = take(any_store, read_mail("\r\n".join((*head, "", "Thank you.", "")).encode()))
    assert (landed.outcome, landed.reason, landed.thread_id) == (Outcome.MESSAGE, "answers_a_known_mail", number)
    assert [one.text.strip() for one in messages_of(any_store, number)] == ["Where is it?", "It is on its way.", "Thank you."]
    assert thread_of(any_store, number).status is Status.OPEN
