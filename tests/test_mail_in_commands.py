"""The commands of mail that comes in: `flask cs sync` and `flask cs import`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin.store.models import Message, OutboxItem
from cs_plugin.sync.files import mails_in
from tests.hosts.store import Store
from tests.hosts.syncing import begun, counts, describe, mail, mailbox, number_of, on_server, outcomes, run, subjects
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import free_port


def cs(store: Store, *arguments: str) -> Any:
    """Run a command of the desk, and return its exit code and output."""
    return store.app.test_cli_runner().invoke(args=["cs", *arguments])


def mbox(folder: Path, *mails: bytes) -> Path:
    """Write an mbox file."""
    path = folder / "old.mbox"
    path.write_bytes(b"".join(b"From somebody Sat Nov 21 10:00:00 2026\n" + one.replace(b"\r\n", b"\n") + b"\n\n" for one in mails))
    return path


@pytest.mark.shows("10.2")
def test_sync_tells_what_came_of_the_mails(store: Store, dovecot_server: DovecotServer) -> None:
    """A table of outcomes for each mailbox."""
    begun(store, dovecot_server, "", mail(1), mail(2))
    result = cs(store, "sync")
    assert result.exit_code == 0, result.output
    assert "2  customers' messages" in result.output
    assert "Nothing new." in cs(store, "sync", "--mailbox", str(mailbox(store).id)).output


@pytest.mark.shows("10.1")
def test_sync_can_be_tried_dry(store: Store, dovecot_server: DovecotServer) -> None:
    """It says how many there are, and they stay where they are."""
    user = begun(store, dovecot_server, "", mail(1), mail(2), delete_messages=True)
    result = cs(store, "sync", "--dry-run")
    assert "2  would be fetched" in result.output
    assert (subjects(store), len(on_server(dovecot_server, user))) == ([], 2)


def test_sync_fails_where_a_mailbox_does(store: Store, dovecot_server: DovecotServer) -> None:
    """By its exit code, and in words; the others are fetched all the same."""
    begun(store, dovecot_server, "")
    describe(store, dovecot_server, mailbox(store).username, imap_port=free_port())
    result = cs(store, "sync")
    assert result.exit_code == 1
    assert "Nothing listens at port" in result.output


def test_sync_names_no_mailbox_that_there_is_not(store: Store) -> None:
    """Neither one of that name, nor any."""
    assert "No mailbox is set up." in cs(store, "sync").output
    assert "There is no such mailbox." in cs(store, "sync", "--mailbox", "nobody").output


@pytest.mark.shows("10.6")
@pytest.mark.parametrize("kind", ["mbox", "maildir", "eml"])
def test_files_are_imported_once_however_often(store: Store, tmp_path: Path, kind: str) -> None:
    """From each kind; the second time all of them are known."""
    mails = [mail(1, ">From the beginning\nof it"), mail(2), mail(3)]
    path = tmp_path / "kept"
    if kind == "mbox":
        path = mbox(tmp_path, *mails)
    else:
        folder = path / "cur" if kind == "maildir" else path / "2026"
        folder.mkdir(parents=True)
        for number, one in enumerate(mails):
            (folder / f"{number}.eml").write_bytes(one)
    assert "3  customers' messages" in cs(store, "import", kind, str(path), "--shop", "1").output
    assert "3  known already" in cs(store, "import", kind, str(path), "--shop", "1").output
    assert subjects(store) == ["Parcel 1", "Parcel 2", "Parcel 3"]


def test_imported_mails_stand_at_their_own_time_and_nobody_is_told(store: Store, tmp_path: Path) -> None:
    """They were sent long ago: no notice leaves for them."""
    result = cs(store, "import", "mbox", str(mbox(tmp_path, mail(1, Date="Fri, 20 Nov 2026 10:00:00 +0000"))), "--shop", "1")
    assert result.exit_code == 0, result.output
    with store.desk.sessions() as session:
        assert session.scalars(select(Message.created_at)).one() == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert number_of(store, OutboxItem) == 0


# How programs write the line above each mail of an mbox.
BEGINNINGS = (
    "From jan@example.com Mon Jan  1 10:00:00 2024",
    "From - Mon Jan 01 10:00:00 2024",
    "From 1787@xxx Mon Jan 01 10:00:00 +0000 2024",
    "From jan@example.com Mon Jan  1 10:00:00 2024 +0100",
    "From jan@example.com Mon Jan  1 10:00 CET 2024",
    "From Jan Kowalski Mon, 1 Jan 2024 10:00:00 +0100",
)


@pytest.mark.shows("10.6")
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_line_that_somebody_has_written_divides_no_mail_of_an_mbox(tmp_path: Path, beginning: str) -> None:
    """What begins with "From" behind an empty line is the beginning of a mail only with a date at its end (RFC 4155)."""
    text = "I moved.\n\nFrom now on please deliver to Berlin.\n\nFrom 10:00 on I am at home.\n\nFrom July 2027 to Rome\n"
    path = tmp_path / "old.mbox"
    path.write_text(f"{beginning}\nSubject: 1\n\n{text}\n{beginning}\nSubject: 2\n\nHi\n")
    assert [one.raw.decode() for one in mails_in("mbox", path, 10_000)] == [f"Subject: 1\n\n{text}\n", "Subject: 2\n\nHi\n"]


@pytest.mark.shows("10.6")
def test_what_was_imported_for_a_mailbox_is_known_when_it_is_fetched(store: Store, dovecot_server: DovecotServer, tmp_path: Path) -> None:
    """Nothing comes twice by the two ways."""
    begun(store, dovecot_server, "", mail(1), mail(2))
    cs(store, "import", "mbox", str(mbox(tmp_path, mail(1))), "--mailbox", str(mailbox(store).id))
    assert dict(run(store).counts) == counts(message=1, repeated=1)
    assert outcomes(store) == counts(message=2, repeated=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mbox", "nowhere.mbox", "--shop", "1"], "There is no mbox at nowhere.mbox."),
        (["mbox", "nowhere.mbox", "--shop", "99"], "There is no shop 99."),
        (["mbox", "nowhere.mbox", "--mailbox", "99"], "There is no such mailbox."),
        (["mbox", "nowhere.mbox"], "Either --shop or --mailbox."),
    ],
)
def test_an_import_that_cannot_be_says_why(store: Store, arguments: list[str], words: str) -> None:
    """And its exit code does too."""
    result = cs(store, "import", *arguments)
    assert result.exit_code != 0
    assert words in result.output
