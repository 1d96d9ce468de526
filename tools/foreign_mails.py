"""Mails that nobody here wrote: `python -m tools.foreign_mails FOLDER [--json FILE] [--show N]` reads all that stand in a folder of checkouts.

The folder holds, each in a folder of its own, unpacked sources of other mail software (benchmarks/foreign-mails.md names those that were read).
Nothing of it is ever kept here: the mails are others'. What is no mail is passed over; an mbox file is as many mails as it holds.

Printed for each source: how many mails, how many raised, how many have no text, no sender, an oddity, and how many are split otherwise than the
standard library's parser splits them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from cs_plugin.mail.parse import ReadingLimits, read_mail
from cs_plugin.mail.splitting import Node, Splitting
from cs_plugin.mail.transfer import undo
from cs_plugin.rules.incoming import IncomingMail

_LARGEST = 30_000_000
_HEADER = re.compile(rb"(?im)^(from|to|subject|date|received|message-id|mime-version|return-path|content-type|delivered-to|reply-to)[ \t]*:")
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:>?From [^\r\n]*(?:\r\n|\r|\n)|[!-9;-~]+[ \t]*:)")
_MBOX = re.compile(rb"(?m)^From [^\r\n]*\d{2}:\d{2}[^\r\n]*\r?$\n?")
# Sources of programs and pages hold header lines too, and are no mails.
_NO_MAILS = frozenset((
    ".py", ".rb", ".php", ".go", ".rs", ".c", ".h", ".cs", ".java", ".js", ".ts", ".json", ".xml", ".html", ".htm", ".md", ".rst",
    ".txt.in", ".yml", ".yaml", ".toml", ".lock", ".sh", ".pl", ".pm", ".lua", ".po", ".pot", ".csv", ".svg", ".patch", ".diff", ".out",
    ".expected", ".css", ".sql", ".t", ".cfg", ".conf", ".tt", ".el", ".cc", ".hh", ".scm", ".org", ".texi", ".mdwn", ".erb", ".cshtml",
    ".csproj", ".lisp", ".phpt", ".snap", ".robot",
))
_NO_FOLDERS = frozenset((".git", ".done", "node_modules", "po", "docs", "doc"))


@dataclass(slots=True)
class Figures:
    """What came of the mails of a source."""

    source: str
    mails: int = 0
    raised: int = 0
    no_text: int = 0
    no_sender: int = 0
    automatic: int = 0
    bounces: int = 0
    odd: int = 0
    split_otherwise: int = 0
    unclean: int = 0
    oddities: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)


def mails_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the mails of a source: where each stands, and its bytes; the same bytes once."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.suffix.lower() in _NO_MAILS or _NO_FOLDERS & set(within.parts) or path.is_symlink() or not path.is_file():
            continue
        if not 20 <= path.stat().st_size <= _LARGEST:
            continue
        raw = path.read_bytes()
        for number, mail in enumerate(_split_mbox(raw)):
            if mail not in seen and _is_mail(mail):
                seen.add(mail)
                yield f"{within}#{number}", mail


def _is_mail(raw: bytes) -> bool:
    head = raw[:16_384]
    return b"\0" not in head[:200] and bool(_BEGINS.match(head)) and len({name.lower() for name in _HEADER.findall(head)}) >= 2


def _split_mbox(raw: bytes) -> list[bytes]:
    if not raw.startswith(b"From "):
        return [raw]
    starts = [found.start() for found in _MBOX.finditer(raw)]
    return [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)] if len(starts) > 1 else [raw]


def texts_of(mail: IncomingMail) -> Iterator[str]:
    """Yield every text of a mail."""
    yield from (mail.subject, mail.text, mail.quoted, mail.html, mail.return_path or "", mail.message_id or "", mail.automatic)
    yield from (*mail.written_to, *mail.in_reply_to, *mail.references, *mail.oddities)
    for one in (*mail.reply_to, *mail.to, *mail.cc, *((mail.sender,) if mail.sender else ())):
        yield from (one.address, one.name)
    for part in mail.parts:
        yield from (part.name, part.content_type, part.content_id)
    for name, value in mail.headers:
        yield from (name, value)
    if mail.bounce:
        yield from (mail.bounce.recipient, mail.bounce.status, mail.bounce.words, mail.bounce.message_id or "")


_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def is_clean(mail: IncomingMail) -> bool:
    """Tell whether no text of a mail holds what no text may hold."""
    return not any(_UNCLEAN.search(text) for text in texts_of(mail))


def leaves_of_ours(raw: bytes) -> list[tuple[str, bytes]]:
    """Return type and decoded content of each part that is no multipart, as we split a mail."""
    limits = ReadingLimits()
    found: list[tuple[str, bytes]] = []

    def walk(node: Node) -> None:
        if node.children:
            for child in node.children:
                walk(child)
        else:
            encoding = b"" if node.main == "multipart" else node.raw(b"content-transfer-encoding")
            found.append((node.kind, undo(raw, node.start, node.end, encoding, is_text=node.main == "text")[0]))

    walk(Splitting(raw, limits.parts, limits.depth, limits.header_bytes).split())
    return found


def leaves_of_the_standard_library(raw: bytes) -> list[tuple[str, bytes | None]]:
    """Return the same as the standard library's parser splits it; of what we do not look into (a mail within a mail) None."""
    found: list[tuple[str, bytes | None]] = []

    def walk(part: Message) -> None:
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            for one in inner:
                walk(one)
        elif isinstance(inner, list):
            found.append((part.get_content_type(), None))
        else:
            content = part.get_payload(decode=True)
            found.append((part.get_content_type(), content if isinstance(content, bytes) else b""))

    walk(message_from_bytes(raw))
    return found


def same_leaves(ours: list[tuple[str, bytes]], theirs: list[tuple[str, bytes | None]]) -> bool:
    """Tell whether two ways of splitting a mail agree."""
    if len(ours) != len(theirs):
        return False
    return all(kind == other and (content is None or content == mine) for (kind, mine), (other, content) in zip(ours, theirs, strict=True))


def read_source(folder: Path, show: int) -> Figures:
    """Read all mails of a source."""
    figures = Figures(folder.name)
    for where, raw in mails_of(folder):
        figures.mails += 1
        try:
            mail = read_mail(raw)
        except Exception:  # noqa: BLE001 - this is what is looked for
            figures.raised += 1
            figures.shown.append(f"RAISED {where}\n{traceback.format_exc()}")
            continue
        figures.no_text += not mail.text.strip()
        figures.no_sender += mail.sender is None
        figures.automatic += bool(mail.automatic)
        figures.bounces += mail.bounce is not None
        figures.odd += bool(mail.oddities)
        figures.unclean += not is_clean(mail)
        figures.oddities.update(mail.oddities)
        if not _split_alike(raw):
            figures.split_otherwise += 1
            if len(figures.shown) < show:
                figures.shown.append(f"otherwise {where}: {', '.join(mail.oddities) or '(no oddity)'}")
    return figures


def _split_alike(raw: bytes) -> bool:
    try:
        return same_leaves(leaves_of_ours(raw), leaves_of_the_standard_library(raw))
    except Exception:  # noqa: BLE001 - the standard library's parser raises on some
        return False


def main() -> int:
    """Read all sources of a folder and print the figures of each."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--json", type=Path)
    asked.add_argument("--show", type=int, default=0, help="so many of each source that are split otherwise")
    given = asked.parse_args()
    began = time.perf_counter()
    rows = [found for folder in sorted(given.folder.iterdir()) if folder.is_dir() and (found := read_source(folder, given.show)).mails]
    columns = ("mails", "raised", "no_text", "no_sender", "automatic", "bounces", "odd", "unclean", "split_otherwise")
    print(f"| source | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for row in rows:
        print(f"| {row.source} | {' | '.join(str(getattr(row, column)) for column in columns)} |")
    print(f"| all | {' | '.join(str(sum(getattr(row, column) for row in rows)) for column in columns)} |")
    print(f"\n{time.perf_counter() - began:.0f} seconds; oddities: {dict(sum((row.oddities for row in rows), Counter()).most_common())}")
    for row in rows:
        for line in row.shown:
            print(f"{row.source}: {line}")
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.raised or row.unclean for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
