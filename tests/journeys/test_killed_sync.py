"""Syncs that are killed amid a thousand mails, with "Delete messages" on: each mail is one message, and what leaves the server is here."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.store.models import Blob, ImportedMail, Message
from cs_plugin.store.options import set_option
from cs_plugin.web.mounted import utc_now
from tests.hosts.served import FACTORY, environment, process
from tests.hosts.store import Store, make_store
from tests.hosts.syncing import begun, mail, number_of, on_server, outcomes, set_aside, subjects
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import wait_until

MAILS, SEED = 1_000, 20261128
LARGE = 30 << 20
# How often it is killed, and on which databases.
KILLS = (
    pytest.param(5, "sqlite"),
    pytest.param(5, "postgresql"),
    pytest.param(5, "mariadb", marks=pytest.mark.long),
    pytest.param(50, "sqlite", marks=pytest.mark.long),
    pytest.param(50, "postgresql", marks=pytest.mark.long),
)
SYNC = ("flask", "--app", FACTORY, "cs", "sync")


def mails() -> list[bytes]:
    """Return a thousand mails; among them one that is too large, and one by which a stranger answers to the first, which is to be set aside."""
    made = [mail(number, "Where is my parcel?\n" * (1 + number % 40)) for number in range(MAILS)]
    made.insert(MAILS // 2, mail(5_000, ("x" * 75 + "\n") * (LARGE // 76)))
    made.insert(MAILS // 3, mail(6_000, In_Reply_To="<0@mail.example>", References="<0@mail.example>"))
    return made


@pytest.mark.shows("10.2", "10.5")
@pytest.mark.parametrize(("kills", "database"), KILLS)
def test_a_sync_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing(
    kills: int, database: str, request: pytest.FixtureRequest, tmp_path: Path, dovecot_server: DovecotServer
) -> None:
    """In the end a thousand messages, the too-large mail still on the server and nothing else, the set-aside one whole here."""
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else str(request.getfixturevalue(f"{database}_database"))
    store = make_store(url, tmp_path)
    with store.app.app_context(), store.desk.sessions() as session:
        set_option(session, "unknown_sender", "set_aside", store.clock(), context=ALL_SHOPS)
        session.commit()
    store.desk.clock = utc_now
    put = mails()
    user = begun(store, dovecot_server, "", *put, delete_messages=True)
    settings, chance, log = environment(tmp_path, url, "memory:"), random.Random(SEED), tmp_path / "sync.log"
    for _ in range(kills):
        known = number_of(store, ImportedMail)
        until = known + chance.randint(1, MAILS // kills)
        with process(*SYNC, log=log, env=settings) as running:
            wait_until(lambda running=running, until=until: _is_far(store, until) or running.poll() is not None, seconds=600, what="more mails")
            running.send_signal(signal.SIGKILL)
            running.wait(timeout=60)
    with process(*SYNC, log=log, env=settings) as running:
        assert running.wait(timeout=900) == 0, log.read_text()[-4_000:]
    assert Counter(subjects(store)) == Counter(f"Parcel {number}" for number in range(MAILS))
    assert on_server(dovecot_server, user) == ["Parcel 5000"]
    assert outcomes(store) == {Outcome.MESSAGE: MAILS, Outcome.TOO_LARGE: 1, Outcome.SET_ASIDE: 1}
    (aside,) = set_aside(store)
    with store.desk.sessions() as session:
        assert store.desk.files.read(session.get_one(Blob, aside.blob_id).key) == put[MAILS // 3]
    assert number_of(store, Message) == MAILS


def _is_far(store: Store, until: int) -> bool:
    return number_of(store, ImportedMail) >= until
