"""Several mails in one transaction: their threads are locked first, in one order, and each lands as it would alone."""

from __future__ import annotations

import pytest

from cs_plugin import desk
from cs_plugin.rules.incoming import Landed, Outcome
from cs_plugin.store.locking import committed
from tests.hosts.mailing import arrived, mail, take
from tests.hosts.store import Store
from tests.hosts.writing import messages_of


@pytest.mark.shows("10.3")
def test_mails_that_lead_to_several_threads_land_in_one_transaction(any_store: Store) -> None:
    """Also one that answers another of the same batch."""
    firsts = [mail(f"{number}.") for number in range(3)]
    threads = [take(any_store, one).thread_id or 0 for one in firsts]
    answers = [mail("And?", in_reply_to=(one.message_id or "",)) for one in reversed(firsts)]
    begun = mail("A new one")
    batch = [*answers, begun, mail("And that?", in_reply_to=(begun.message_id or "",))]
    vetted = [desk.vet_mail(any_store.desk.host, arrived(one, any_store), any_store.desk.host.employees()) for one in batch]
    with any_store.app.app_context(), any_store.desk.sessions() as session:

        def work() -> list[Landed]:
            bench = any_store.desk.bench(session)
            desk.expect_mails(bench, vetted)
            return [desk.receive_mail(bench, one) for one in vetted]

        landed = committed(session, work)
    assert [one.outcome for one in landed] == [Outcome.MESSAGE] * 5
    assert [one.thread_id for one in landed] == [*reversed(threads), landed[3].thread_id, landed[3].thread_id]
    assert [len(messages_of(any_store, number)) for number in threads] == [2, 2, 2]
