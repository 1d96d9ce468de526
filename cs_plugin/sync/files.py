"""Mails that come out of files, as another tool or a mail program has kept them: they go the same way as those of a mailbox."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Found:
    """A mail in a file. Of one that is longer than what is asked for `raw` is the beginning alone, and `size` the whole."""

    raw: bytes
    size: int


def mails_in(kind: str, path: Path, largest: int) -> Iterator[Found]:
    """Yield the mails at a path, in their order, one at a time: `kind` is one of KINDS. Raise InvalidInputError where there are none to be read.

    An mbox is a file; a maildir a folder with `cur` and `new`, and folders of that kind within it whose names begin with a dot (Maildir++); an eml is
    one file, or a folder in which such files lie, however deep.
    """
    if kind == MBOX and path.is_file():
        return _of_mbox(path, largest)
    if kind == MAILDIR and (path / "cur").is_dir():
        return _of_files(_in_maildir(path), largest)
    if kind == EML and path.exists():
        return _of_files(iter([path]) if path.is_file() else _below(path), largest)
    raise InvalidInputError("path", _NOT_FOUND, kind=kind, path=str(path))


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(where) / name for name in sorted(names) if name.lower().endswith((".eml", ".msg", ".mail", ".txt")))


def _in_maildir(path: Path) -> Iterator[Path]:
    for folder in (path, *sorted(one for one in path.glob(".*") if (one / "cur").is_dir())):
        for part in ("cur", "new"):
            yield from sorted(one for one in (folder / part).glob("*") if one.is_file())


def _of_files(paths: Iterator[Path], largest: int) -> Iterator[Found]:
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as reading:
            yield Found(reading.read() if size <= largest else reading.read(_HEAD), size)


def _of_mbox(path: Path, largest: int) -> Iterator[Found]:
    """Split an mbox at its lines of RFC 4155's shape that stand after an empty line; a line that was quoted for that has one ">" less."""
    with path.open("rb") as reading:
        yield from _split(reading, largest)


def _split(reading: BinaryIO, largest: int) -> Iterator[Found]:
    lines, size, begun, after_empty = list[bytes](), 0, False, True
    for line in reading:
        if after_empty and line.startswith(b"From ") and (not begun or _begins_a_mail(line)):
            if begun:
                yield _joined(lines, size)
            lines, size, begun = [], 0, True
        elif begun:
            plain = line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
            size += len(plain)
            # Of one that is too large the beginning is enough; what follows is only counted.
            if size <= largest or size <= _HEAD:
                lines.append(plain)
        after_empty = line in (b"\n", b"\r\n")
    if begun:
        yield _joined(lines, size)


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
        asked.tell(done, done)

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
