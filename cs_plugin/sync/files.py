"""Mails that come out of files, as another tool or a mail program has kept them: they go the same way as those of a mailbox."""

from __future__ import annotations

import codecs
import datetime as dt
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from cs_plugin.desk.option_mailboxes import LEAVE, MailboxAtWork
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import Finding
from cs_plugin.rules.incoming import Outcome
from cs_plugin.store import imported, mailboxes
from cs_plugin.store.imported import Place
from cs_plugin.store.locking import committed
from cs_plugin.store.mailboxes import Turn
from cs_plugin.sync.fetching import keep_turn
from cs_plugin.sync.holding import held
from cs_plugin.sync.in_hand import Hand, key_of_bytes
from cs_plugin.sync.reading import TOO_LARGE, Came
from cs_plugin.sync.run import findings_of, mailbox_row, opened_up
from cs_plugin.sync.surroundings import Asked, Report, Surroundings
from cs_plugin.sync.taking import Taking

MBOX, MAILDIR, EML = "mbox", "maildir", "eml"
KINDS = (MBOX, MAILDIR, EML)
_FOLDER = "files"
_HEAD = 64 << 10
# RFC 4155, appendix A: "From ", a word for the sender, and a date. Programs write the year at the end or before the time, and some a zone. What
# somebody writes ("From now on please …") ends otherwise.
_LONGEST_BEGINNING = 1_000
_BEGINNING = re.compile(
    rb"From [^ \t\r\n]++[ \t](?:[^\r\n]*[ \t])?(?:\d\d?:\d\d(?::\d\d)?[ \t]+(?:[A-Z+-][A-Za-z0-9]{1,5}[ \t]+)?[12]\d{3}"
    rb"|[12]\d{3}[ \t]+\d\d?:\d\d(?::\d\d)?)(?:[ \t]+(?:[+-]\d{4}|[A-Z]{1,5}))?[ \t]*\r?\n?"
)
_NOT_FOUND = _("There is no %(kind)s at %(path)s.")
# A line of a header (RFC 5322, section 2.2), of those that anybody writes: whatever has none is no mail.
_FIELD = re.compile(rb"^[A-Za-z][A-Za-z0-9_.-]+[ \t]*:", re.MULTILINE)
# Why a file was left out, for whoever runs the command; what the system says beside these is English as well.
_EMPTY, _NO_MAIL, _NO_FILE = "It is empty.", "It is no mail.", "It is no file."
_BEFORE_FIRST = "What stands before its first mail is none."
Missed = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A mail in a file. Of one that is longer than what is asked for `raw` is the beginning alone, and `size` the whole."""

    raw: bytes
    size: int


def _never_mind(_path: Path, _why: str) -> None:
    """Tell nobody."""


def mails_in(kind: str, path: Path, largest: int, missed: Missed = _never_mind) -> Iterator[Found]:
    """Yield the mails at a path, in their order, one at a time: `kind` is one of KINDS. Raise InvalidInputError where there are none to be read.

    An mbox is a file; a maildir a folder with `cur` and `new`, and folders of that kind within it whose names begin with a dot (Maildir++); an eml is
    one file, or a folder in which such files lie, however deep. `missed` is told of each file or folder that is left out, and why; those behind it
    are read. Whether an mbox is one, and whether a folder holds any such file, shows only as it is read: that raises then.
    """
    try:
        mode = path.stat().st_mode
        is_maildir = kind == MAILDIR and (path / "cur").is_dir()
    except (FileNotFoundError, NotADirectoryError):
        raise _not_found(kind, path) from None
    except OSError as error:
        missed(path, _words(error))
        return iter(())
    if kind == MBOX and stat.S_ISREG(mode):
        return _of_mbox(path, largest, missed)
    if is_maildir:
        return _of_files(_in_maildir(path, missed), largest, missed)
    if kind == EML and stat.S_ISREG(mode):
        return _of_files(iter([path]), largest, missed)
    if kind == EML and stat.S_ISDIR(mode):
        return _of_files(_below(path, missed), largest, missed)
    raise _not_found(kind, path)


def _not_found(kind: str, path: Path) -> InvalidInputError:
    return InvalidInputError("path", _NOT_FOUND, kind=kind, path=str(path))


def _words(error: OSError) -> str:
    return error.strerror or str(error)


def _below(folder: Path, missed: Missed) -> Iterator[Path]:
    is_there = False
    for where, folders, names in os.walk(folder, onerror=lambda error: missed(Path(error.filename), _words(error))):
        folders.sort()
        for name in sorted(names):
            # A Mac writes a file "._x.eml" beside "x.eml", with what is no mail.
            if name.lower().endswith((".eml", ".msg", ".mail", ".txt")) and not name.startswith("._"):
                is_there = True
                yield Path(where) / name
    if not is_there:
        raise _not_found(EML, folder)


def _in_maildir(path: Path, missed: Missed) -> Iterator[Path]:
    within = (path / name for name in _names(path, missed) if name.startswith("."))
    for folder in (path, *(one for one in within if (one / "cur").is_dir())):
        for part in ("cur", "new"):
            # No mail's name begins with a dot (maildir(5)): an index or the like does.
            yield from (folder / part / name for name in _names(folder / part, missed) if not name.startswith("."))


def _names(folder: Path, missed: Missed) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        missed(folder, _words(error))
        return []


def _of_files(paths: Iterator[Path], largest: int, missed: Missed) -> Iterator[Found]:
    for path in paths:
        try:
            found = _of_file(path, largest)
        except OSError as error:
            # One that is gone meanwhile, or that may not be read, keeps none of the others out.
            missed(path, _words(error))
            continue
        if found is None:
            continue
        if _has_a_header(found.raw):
            yield found
        else:
            missed(path, _NO_MAIL if found.raw else _EMPTY)


def _has_a_header(raw: bytes) -> bool:
    header = re.split(rb"\r?\n\r?\n", raw[:_HEAD].lstrip(), maxsplit=1)[0]
    return _FIELD.search(header) is not None


def _of_file(path: Path, largest: int) -> Found | None:
    """Return the mail in a file; None for a folder. Raise OSError, also for a pipe or the like, which could be waited at for ever."""
    kept = path.stat()
    if stat.S_ISDIR(kept.st_mode):
        return None
    if not stat.S_ISREG(kept.st_mode):
        raise OSError(_NO_FILE)
    with path.open("rb") as reading:
        return Found(reading.read() if kept.st_size <= largest else reading.read(_HEAD), kept.st_size)


def _of_mbox(path: Path, largest: int, missed: Missed) -> Iterator[Found]:
    """Split an mbox at its lines of RFC 4155's shape that stand after an empty line; a line that was quoted for that has one ">" less."""
    try:
        with path.open("rb") as reading:
            yield from _split(reading, largest, path, missed)
    except OSError as error:
        missed(path, _words(error))


def _split(reading: BinaryIO, largest: int, path: Path, missed: Missed) -> Iterator[Found]:
    lines, size, begun, after_empty, before = list[bytes](), 0, False, True, False
    if reading.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        reading.seek(0)
    for line in reading:
        if after_empty and line.startswith(b"From ") and (_begins_a_mail(line) if begun else len(line) <= _LONGEST_BEGINNING):
            if begun:
                yield _joined(lines, size)
            lines, size, begun = [], 0, True
        elif begun:
            plain = line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
            size += len(plain)
            # Of one that is too large the beginning is enough; what follows is only counted.
            if size <= largest or size <= _HEAD:
                lines.append(plain)
        else:
            before = before or not line.isspace()
        after_empty = line in (b"\n", b"\r\n")
    if begun:
        yield _joined(lines, size)
    elif before:
        raise _not_found(MBOX, path)
    if before:
        missed(path, _BEFORE_FIRST)


def _begins_a_mail(line: bytes) -> bool:
    return len(line) <= _LONGEST_BEGINNING and _BEGINNING.fullmatch(line) is not None


def _joined(lines: list[bytes], size: int) -> Found:
    raw = b"".join(lines)
    return Found(raw if len(raw) == size else raw[:_HEAD], size)


# --- Into the desk --------------------------------------------------------------------------------------------------------------------------------


def import_mails(around: Surroundings, found: Iterator[Found], asked: Asked, *, mailbox_id: int | None = None, shop_id: str = "") -> Report:
    """Take mails out of files for a mailbox, or for a shop: each once, however often it is imported or fetched there.

    Threads are begun for those that belong to none. They stand at the time at which they were sent, and nobody is told of them by mail. Raise nothing
    for what goes wrong: it is told in the report.
    """
    with around.sessions() as session:
        row_id = mailbox_id or committed(session, lambda: mailboxes.for_files(session, shop_id, around.clock()).id)
        turn = committed(session, lambda: mailboxes.take_turn(session, row_id, around.clock()))
        if turn is None:
            return Report(row_id, busy=True)
        run_id = committed(session, lambda: imported.begin_run(session, row_id, asked.started_by, around.clock()).id)
    findings, taking, hand = tuple[Finding, ...](), None, None
    try:
        taking = Taking(around, _mailbox(around, row_id), turn, run_id, Place(row_id, _FOLDER), of_the_past=True)
        hand = Hand.of(mailbox_row(around, row_id), partial(keep_turn, around, turn))
        with held(around, turn):
            _take(taking, hand, found, asked)
    except Exception as error:
        findings = findings_of(error)
        if not findings:
            raise
    finally:
        counts = dict(taking.counts) if taking is not None else {}
        report = Report(row_id, run_id=run_id, counts=counts, findings=findings)
        with around.sessions() as session:
            let_go = hand.at_end(went_well=not findings) if hand is not None else {}
            committed(session, lambda: _end(session, turn, report, around.clock(), let_go))
    return report


def _end(session: Session, turn: Turn, report: Report, now: dt.datetime, let_go: Mapping[str, object]) -> None:
    mailboxes.end_turn(session, turn, **let_go)
    if report.run_id is not None:
        imported.tell_run(session, report.run_id, counts=dict(report.counts), error=report.error[:500], finished_at=now)


def _alone(came: Came) -> Sequence[Came]:
    return [came]


def _mailbox(around: Surroundings, row_id: int) -> MailboxAtWork:
    mailbox = opened_up(around, mailbox_row(around, row_id), with_password=False)
    # Nothing lies on a server, and nobody would look at what is left.
    return replace(mailbox, afterwards=LEAVE, source=replace(mailbox.source, create_threads=True))


def _take(taking: Taking, hand: Hand, found: Iterator[Found], asked: Asked) -> None:
    limits, batch, size, done = taking.around.limits, list[Came](), 0, 0

    def take() -> None:
        nonlocal batch, size, done
        taking.take(batch)
        done += len(batch)
        batch, size = [], 0
        # How many there are shows only at their end.
        asked.tell(done, 0)

    for one in found:
        too_large = one.size > limits.largest
        # Files are read from their beginning each time: the one that ended the run before may be any of them.
        if batch and (hand.careful or len(batch) >= limits.mails or size + len(one.raw) > limits.bytes):
            take()
        came = Came(None, one.raw, None, Outcome.TOO_LARGE if too_large else None, TOO_LARGE if too_large else "")
        batch += hand.take(key_of_bytes(came.raw), partial(_alone, came), came) if hand.careful else [came]
        size += len(one.raw)
        if asked.stopping():
            break
    take()
