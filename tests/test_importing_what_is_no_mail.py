"""`flask cs import` of what is no mail, or cannot be read: it is left out and named, and whatever else is there comes."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cs_plugin.store import mailboxes
from cs_plugin.store.locking import committed
from cs_plugin.sync import Asked, import_mails, mails_in
from cs_plugin.web.sync_job import surroundings_of
from tests.hosts.store import Store
from tests.hosts.syncing import mail, mailbox, subjects
from tests.test_mail_in_commands import cs, mbox

pytestmark = pytest.mark.shows("10.9")
_NOBODY = 65_534


def imported(store: Store, kind: str, path: Path) -> Any:
    """Import what lies at a path for the first shop."""
    return cs(store, "import", kind, str(path), "--shop", "1")


NO_MBOX = {"noise": bytes(range(256)) * 50, "gz": b"\x1f\x8b\x08\x00\x00", "cr": b"From somebody\r" * 500, "eml": mail(1)}


@pytest.mark.parametrize("content", NO_MBOX.values(), ids=NO_MBOX)
def test_a_file_that_is_no_mbox_is_not_said_to_hold_nothing_new(store: Store, tmp_path: Path, content: bytes) -> None:
    """Somebody would throw it away, and the mails in it."""
    path = tmp_path / "old.mbox"
    path.write_bytes(content)
    result = imported(store, "mbox", path)
    assert (result.exit_code, subjects(store)) == (1, [])
    assert f"There is no mbox at {path}." in result.output
    assert "Nothing new" not in result.output


def test_an_mbox_of_an_empty_folder_is_one(store: Store, tmp_path: Path) -> None:
    """Programs write a file without a byte for it."""
    path = mbox(tmp_path)
    result = imported(store, "mbox", path)
    assert (result.exit_code, "Nothing new." in result.output) == (0, True)


def test_the_first_mail_of_an_mbox_comes_behind_a_byte_order_mark(store: Store, tmp_path: Path) -> None:
    """An editor has written it that an mbox was looked at with."""
    path = mbox(tmp_path, mail(1), mail(2))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert imported(store, "mbox", path).exit_code == 0
    assert subjects(store) == ["Parcel 1", "Parcel 2"]


def test_what_stands_before_the_first_mail_of_an_mbox_is_told(store: Store, tmp_path: Path) -> None:
    """It may be the end of one, where the file was cut."""
    path = mbox(tmp_path, mail(1))
    path.write_bytes(b"the end of another one\n\n" + path.read_bytes())
    result = imported(store, "mbox", path)
    assert (result.exit_code, subjects(store)) == (1, ["Parcel 1"])
    assert f"Left out: {path}: What stands before its first mail is none." in result.output


def test_a_file_that_cannot_be_read_keeps_none_of_the_others_out(store: Store, tmp_path: Path) -> None:
    """It is named, with the system's own words, and the command fails."""
    (tmp_path / "a.eml").symlink_to(tmp_path / "gone")
    (tmp_path / "b.eml").write_bytes(mail(1))
    result = imported(store, "eml", tmp_path)
    assert (result.exit_code, subjects(store)) == (1, ["Parcel 1"])
    assert f"Left out: {tmp_path / 'a.eml'}: No such file or directory" in result.output
    assert "could not be kept" not in result.output


def test_nobody_waits_at_a_pipe_that_lies_among_mails(store: Store, tmp_path: Path) -> None:
    """It could be for ever; here it would be for a while, and end as an empty file does."""
    os.mkfifo(tmp_path / "a.eml")
    writing = os.open(tmp_path / "a.eml", os.O_RDWR)
    ending = threading.Timer(10, os.close, [writing])
    ending.start()
    (tmp_path / "b.eml").write_bytes(mail(1))
    result = imported(store, "eml", tmp_path)
    assert (result.exit_code, subjects(store)) == (1, ["Parcel 1"])
    assert f"Left out: {tmp_path / 'a.eml'}: It is no file." in result.output
    assert ending.is_alive()
    ending.cancel()
    os.close(writing)


@pytest.mark.parametrize(("content", "why"), [(b"", "It is empty."), (b"milk\nbread\n", "It is no mail."), (b"\0" * 3000, "It is no mail.")])
def test_a_file_without_a_header_becomes_no_message(store: Store, tmp_path: Path, content: bytes, why: str) -> None:
    """Neither one that a full disk has left empty, nor somebody's list: it is named."""
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    result = imported(store, "eml", path)
    assert (result.exit_code, subjects(store)) == (1, [])
    assert f"Left out: {path}: {why}" in result.output


def test_a_folder_without_a_mail_file_is_refused(store: Store, tmp_path: Path) -> None:
    """The names of mails may end otherwise there: that is worth knowing."""
    (tmp_path / "1").write_bytes(mail(1))
    result = imported(store, "eml", tmp_path)
    assert (result.exit_code, f"There is no eml at {tmp_path}." in result.output) == (1, True)


def test_what_a_computer_puts_beside_mails_is_none(store: Store, tmp_path: Path) -> None:
    """In a maildir no mail's name begins with a dot; a Mac writes "._x.eml" beside a file, and folders lie between."""
    for name in ("cur", "new/sub", ".Sent/cur"):
        (tmp_path / name).mkdir(parents=True)
    for name, content in {"cur/.DS_Store": mail(7), "cur/1": mail(1), ".Sent/cur/.index": mail(8), ".Sent/cur/2": mail(2)}.items():
        (tmp_path / name).write_bytes(content)
    assert imported(store, "maildir", tmp_path).exit_code == 0
    folder = tmp_path / "eml"
    folder.mkdir()
    (folder / "3.eml").write_bytes(mail(3))
    (folder / "._3.eml").write_bytes(mail(9))
    assert imported(store, "eml", folder).exit_code == 0
    assert subjects(store) == ["Parcel 1", "Parcel 2", "Parcel 3"]


@pytest.mark.parametrize("kind", ["mbox", "maildir", "eml"])
def test_a_path_that_cannot_even_be_looked_at_is_told_in_one_line(store: Store, kind: str) -> None:
    """As one behind a folder that may not be entered."""
    result = imported(store, kind, Path("x" * 300))
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "File name too long" in result.output


@pytest.mark.parametrize("kind", ["eml", "maildir"])
def test_a_folder_that_may_not_be_read_is_named(kind: str) -> None:
    """The mails in it are missing, and somebody has to know."""
    with tempfile.TemporaryDirectory() as made, somebody_else(Path(made)) as folder:
        closed = folder / ("closed" if kind == "eml" else "cur")
        closed.mkdir(mode=0)
        (folder / "new").mkdir()
        (folder / ("1.eml" if kind == "eml" else "new/1")).write_bytes(mail(1))
        missed = list[tuple[Path, str]]()
        found = list(mails_in(kind, folder, 10_000, lambda *one: missed.append(one)))
        closed.chmod(0o700)
    assert ([one.raw for one in found], missed) == ([mail(1)], [(closed, "Permission denied")])


@contextmanager
def somebody_else(folder: Path) -> Iterator[Path]:
    """Work in a folder as whoever may not do everything: nothing is out of reach for root."""
    if os.geteuid() != 0:
        yield folder
        return
    os.chown(folder, _NOBODY, _NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(0)


def test_many_files_that_are_left_out_fit_a_screen(store: Store, tmp_path: Path) -> None:
    """Some are named, and the others counted."""
    for number in range(30):
        (tmp_path / f"{number:02}.eml").touch()
    result = imported(store, "eml", tmp_path)
    assert ("19.eml: It is empty." in result.output, "20.eml" in result.output, "Left out: 10 more." in result.output) == (True, False, True)


def test_the_name_of_a_file_that_is_left_out_drives_no_terminal(store: Store, tmp_path: Path) -> None:
    """It comes from wherever the mails do, and need not be text."""
    (tmp_path / os.fsdecode(b"\x1b[31mred\xff.eml")).touch()
    assert f"Left out: {tmp_path}/\\x1b[31mred\\udcff.eml: It is empty." in imported(store, "eml", tmp_path).output


def test_an_import_does_not_say_how_far_it_is_where_it_cannot_know(store: Store, tmp_path: Path) -> None:
    """How many mails an mbox holds shows only at its end."""
    told = list[tuple[int, int]]()
    with store.app.app_context():
        found = mails_in("mbox", mbox(tmp_path, mail(1), mail(2)), 10_000)
        import_mails(surroundings_of(store.desk), found, Asked("test", tell=lambda *one: told.append(one)), shop_id="1")
    assert told == [(2, 0)]


def test_an_import_that_somebody_else_keeps_from_being_done_has_failed(store: Store, tmp_path: Path) -> None:
    """The files are to be imported still: nobody else does that, as it is with what is fetched."""
    path = mbox(tmp_path, mail(1))
    imported(store, "mbox", mbox(tmp_path))
    with store.desk.sessions() as session:
        row_id = mailbox(store).id
        committed(session, lambda: mailboxes.take_turn(session, row_id, store.desk.clock()))
    result = imported(store, "mbox", path)
    assert (result.exit_code, subjects(store)) == (1, [])
    assert "nothing was done" in result.output
