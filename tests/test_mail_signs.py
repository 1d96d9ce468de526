"""How a mail was read is told: what was mended or cut, and by what a machine's was known."""

from __future__ import annotations

from typing import Any

import pytest

from cs_plugin.mail.machines import NAMES
from cs_plugin.rules.oddities import ODDITIES, signs_of
from cs_plugin.store.models import SetAsideMail
from cs_plugin.web.mail_words import MACHINES, how_read
from tests.hosts.mail_in import PAGE as MAILBOXES
from tests.hosts.mailing import mail, take
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import do
from tests.test_set_aside import PAGE, put


def test_each_sign_of_a_machine_has_words() -> None:
    """None is shown by its name."""
    assert set(MACHINES) == NAMES
    assert all(how_read(name)[1] for name in (*NAMES, *ODDITIES))


def test_what_is_kept_fits_its_column() -> None:
    """A mail in which all is odd too; nothing is kept of one in which nothing is."""
    assert len(signs_of("auto_submitted", tuple(ODDITIES) * 3) or "") <= 500
    assert signs_of("", ()) is None


@pytest.mark.shows("10.7", "10.8")
def test_a_message_says_how_its_mail_was_read(any_store: Store) -> None:
    """What was cut, what was mended, and why it is held for a machine's, in words; nothing where nothing was seen."""
    plain = take(any_store, mail("Hello."))
    odd = take(any_store, mail("Hello.", automatic="list", oddities=("text_cut", "charset_guessed")))
    client = any_store.client(employee=MARIE)
    pages = [client.get(f"{MAILBOXES.rpartition('/')[0]}/customer-service/{one.thread_id}/").text for one in (plain, odd)]
    for words in ("A part of the mail was cut", "It came by a mailing list.", "The text was too long", "names no character set"):
        assert [words in page for page in pages] == [False, True]


@pytest.mark.shows("10.9")
def test_a_mail_that_was_set_aside_says_it_too(store: Store) -> None:
    """Beside the cause."""
    mail_id = put(store, b"From: ida@example.com\r\n\r\nHello.")

    def work(bench: Any) -> None:
        bench.session.get_one(SetAsideMail, mail_id).signs = "end_missing"

    do(store, work)
    assert "The end of the mail is missing." in store.client(employee=MARIE).get(f"{PAGE}/{mail_id}/").text
