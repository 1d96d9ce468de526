"""What a mail that comes in must neither lose nor give away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cs_plugin.rules.incoming import Correspondent, Outcome
from cs_plugin.rules.signing import TagKind
from tests.hosts.mailing import kept, mail, take
from tests.hosts.store import JOHN, LAYLA, Store
from tests.test_receiving_mail import message
from tests.test_set_aside import PAGE, put


@pytest.mark.shows("10.6")
def test_the_same_words_under_one_message_id_from_somebody_else_are_another_mail(any_store: Store) -> None:
    """Devices and forms give every mail one Message-ID: who writes is part of what came."""
    one = mail("")
    take(any_store, one)
    landed = take(any_store, replace(one, sender=Correspondent("ida@example.com", "Ida")))
    assert (landed.outcome, message(any_store, landed).same_id_other_text) == (Outcome.MESSAGE, True)


@pytest.mark.shows("10.6")
def test_another_file_under_the_same_message_id_is_another_mail(any_store: Store) -> None:
    """A scanner sends the same empty text each time, and only the file differs; the same file once more is the same mail."""
    one, first, second = mail(""), kept(b"first", "scan.pdf", "application/pdf"), kept(b"second", "scan.pdf", "application/pdf")
    take(any_store, one, files=((first, ""),))
    assert take(any_store, one, files=((second, ""),)).outcome is Outcome.MESSAGE
    again = kept(b"second", "scan.pdf", "application/pdf")
    assert take(any_store, one, files=((again, ""),)).outcome is Outcome.REPEATED


def test_who_may_only_view_gets_no_key_from_a_mail_set_aside(store: Store) -> None:
    """A tag in header lines, in the subject or in the text is the customer's: whoever may not answer sees the mail without it, and not its bytes."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    tag = str(store.desk.signer.sign(TagKind.ADDRESS, 7, "nonce"))
    broken = f"{tag[:9]}=\r\n{tag[9:]}"
    raw = f"From: ida@example.com\r\nTo: box+{tag}@shop.example\r\nSubject: A jug\r\n\r\nhttps://shop.example/t/{tag}\r\n{broken}\r\nHello\r\n".encode()
    mail_id = put(store, raw, subject="A jug")
    viewer: Any = store.client(employee=LAYLA)
    page = viewer.get(f"{PAGE}/{mail_id}/").text
    assert "Hello" in page
    assert tag not in page
    assert tag[9:] not in page
    assert viewer.get(f"{PAGE}/{mail_id}/download").status_code == 404
    assert tag.encode() in store.client(employee=JOHN).get(f"{PAGE}/{mail_id}/download").data
