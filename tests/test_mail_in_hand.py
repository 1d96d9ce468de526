"""A mail that ends the process that reads it: it is found, kept whole and unread, and those behind it come."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cs_plugin.mail.mailbox import ListedMail
from cs_plugin.store.imported import Place
from cs_plugin.store.models import Blob, Job
from cs_plugin.sync import Asked, Found, import_mails
from cs_plugin.sync.in_hand import key_of, key_of_bytes
from cs_plugin.web.mounted import utc_now
from cs_plugin.web.sync_job import surroundings_of
from tests.hosts import dying
from tests.hosts.mail_in import post
from tests.hosts.served import environment, process
from tests.hosts.store import MARIE, Store, make_store
from tests.hosts.syncing import begun, change, counts, mail, mailbox, number_of, on_server, run, set_aside, subjects
from tests.servers.dovecot import DovecotServer

PAGE = "/cs-admin/customer-service-set-aside"
SYNC = ("flask", "--app", dying.FACTORY, "cs", "sync")


def _ends_of(store: Store, folder: Path, url: str, times: int, *command: str) -> list[int]:
    """Run a command in processes of its own, one after the other, and return how each has ended."""
    store.desk.clock = utc_now
    ended, log = list[int](), folder / "sync.log"
    for _ in range(times):
        with process(*command, log=log, env=environment(folder, url, "memory:")) as running:
            ended.append(running.wait(timeout=120))
    return ended


@pytest.mark.shows("10.9")
def test_a_mail_that_kills_whoever_reads_it_is_set_aside_whole_and_blocks_none_behind_it(tmp_path: Path, dovecot_server: DovecotServer) -> None:
    """It ends three processes: the first cannot tell which mail it was, two know; the fourth keeps it unread and goes on."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store, deadly = make_store(url, tmp_path), mail(2, dying.DEADLY)
    user = begun(store, dovecot_server, "", mail(1), deadly, mail(3), delete_messages=True)
    assert _ends_of(store, tmp_path, url, 4, *SYNC) == [-signal.SIGKILL] * 3 + [0]
    assert subjects(store) == ["Parcel 1", "Parcel 3"]
    (aside,) = set_aside(store)
    assert (aside.cause, aside.subject) == ("reading_it_ends_the_process", "Parcel 2")
    with store.desk.sessions() as session:
        assert store.desk.files.read(session.get_one(Blob, aside.blob_id).key) == deadly
    assert on_server(dovecot_server, user) == []
    assert (mailbox(store).careful, mailbox(store).in_hand) == (False, None)


@pytest.mark.shows("10.9")
def test_a_mail_that_was_kept_unread_is_read_in_no_request(store: Store, dovecot_server: DovecotServer) -> None:
    """Trying it again is a job; a thread is made of what can be seen of it, and nobody reads it for that."""
    begun(store, dovecot_server, "", mail(1))
    _hold(store, 3)
    run(store)
    (aside,) = set_aside(store)
    client = store.client(employee=MARIE)
    assert "the program ended in the midst of it" in client.get(f"{PAGE}/{aside.id}/").text
    post(client, f"{PAGE}/selected", retry=str(aside.id))
    assert (len(set_aside(store)), number_of(store, Job)) == (1, 1)
    post(client, f"{PAGE}/selected", thread=str(aside.id))
    assert (subjects(store), set_aside(store)) == (["Parcel 1"], [])


@pytest.mark.shows("10.9")
def test_a_mail_that_was_in_hand_when_one_careful_run_ended_is_read_by_the_next(store: Store, dovecot_server: DovecotServer) -> None:
    """A machine that is switched off at the wrong moment is no fault of the mail's."""
    begun(store, dovecot_server, "", mail(1))
    _hold(store, 1)
    run(store)
    assert (subjects(store), set_aside(store)) == (["Parcel 1"], [])


@pytest.mark.shows("10.9")
def test_a_mail_that_ends_even_the_process_that_fetches_it_is_left_for_good(store: Store, dovecot_server: DovecotServer) -> None:
    """After four runs that ended with it in hand nobody asks the server for it any more; those behind it come."""
    user = begun(store, dovecot_server, "", mail(1), mail(2), delete_messages=True)
    _hold(store, 4)
    assert dict(run(store).counts) == counts(left=1, message=1)
    assert dict(run(store).counts) == {}
    assert (subjects(store), on_server(dovecot_server, user)) == (["Parcel 2"], ["Parcel 1"])


@pytest.mark.shows("10.9")
def test_an_import_of_files_that_a_mail_has_ended_goes_on_behind_it(store: Store) -> None:
    """Files are read from their beginning each time, and the deadly mail may be any of them: each is written down first."""
    _imported(store, mail(1))
    change(store, careful=True, in_hand={key_of_bytes(mail(2)): 2})
    _imported(store, mail(1), mail(2), mail(3))
    assert (subjects(store), [one.subject for one in set_aside(store)]) == (["Parcel 1", "Parcel 3"], ["Parcel 2"])
    assert (mailbox(store).careful, mailbox(store).in_hand) == (False, None)


def _imported(store: Store, *mails: bytes) -> None:
    with store.app.app_context():
        import_mails(surroundings_of(store.desk), (Found(one, len(one)) for one in mails), Asked("test"), shop_id="1")


def _hold(store: Store, times: int) -> None:
    """Let the first mail have been in hand when so many runs ended with their process."""
    row = mailbox(store)
    change(store, careful=True, in_hand={key_of(Place(row.id, "INBOX", row.uidvalidity), ListedMail(size=1, uid=1)): times})
