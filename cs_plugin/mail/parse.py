"""A mail read: bytes in, an `IncomingMail` out, whatever the bytes are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from cs_plugin.mail.bodies import Contents, as_html
from cs_plugin.mail.bounced import read_bounce
from cs_plugin.mail.folding import Folded, fold_html, fold_text
from cs_plugin.mail.header_lines import clean_address, free_text, read_date, read_ids, read_mailboxes
from cs_plugin.mail.html_text import lines_of
from cs_plugin.mail.machines import written_by, written_by_besides_a_list
from cs_plugin.mail.splitting import Node, Splitting
from cs_plugin.rules.incoming import ByList, Correspondent, IncomingMail
from cs_plugin.rules.inquiry import MAX_SUBJECT


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """How much of a mail is read: what is more is passed over and named among the oddities; the original is kept whole elsewhere.

    `header_bytes` holds for each part; `text` and `html` are letters; `headers` are the lines that are shown, `header_letters` of each of them.
    """

    depth: int = 100
    parts: int = 1_000
    header_bytes: int = 1_048_576
    headers: int = 500
    header_letters: int = 2_000
    references: int = 100
    mailboxes: int = 1_000
    text: int = 200_000
    html: int = 2_000_000


# Headers that say where a mail was sent or delivered to; none of them is believed for more than that. Those that tell what was written on the
# envelope stand before those that tell in which mailbox it ended, which an alias has led to.
_WRITTEN_TO = (
    b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"apparently-to", b"x-original-to", b"original-recipient", b"envelope-to", b"x-envelope-to",
    b"x-rcpt-to", b"x-apparently-to", b"x-real-to", b"x-resolved-to", b"x-forwarded-to", b"x-delivered-to", b"delivered-to",
)  # fmt: skip
_ONCE = (b"from", b"subject", b"date", b"message-id", b"to", b"content-type")   # RFC 5322, section 3.6


def read_mail(raw: bytes, *, limits: ReadingLimits | None = None) -> IncomingMail:
    """Return what a mail says. Nothing that the bytes hold makes it raise, and it costs no more than their length.

    What could not be read as it should be is mended or left out, and named in `oddities` (`rules/oddities.py`).
    """
    limits = limits or ReadingLimits()
    splitting = Splitting(raw, limits.parts, limits.depth, limits.header_bytes)
    root = splitting.split()
    oddities = splitting.oddities
    nodes = list(_all(root))
    contents = Contents(raw, oddities, limits.text, limits.html)
    segments = contents.read(root)
    html = as_html(segments)
    subject = free_text(root.raw(b"subject"), MAX_SUBJECT, contents.charset)
    plain = "\n\n".join(one.plain.strip("\n").rstrip() for one in segments if one.plain.strip())
    folded = _folded(root, plain if all(one.is_plain for one in segments) else "", html, subject)
    who = _Correspondence(root, limits.mailboxes, contents.charset)
    automatic = written_by(root, subject)
    _name_oddities(root, who, oddities)
    ids = read_ids(root.raw(b"message-id"), 1)
    return IncomingMail(
        sender=who.sender,
        subject=subject,
        text=folded.shown,
        quoted=folded.quoted,
        html=html,
        reply_to=who.of(b"reply-to"),
        to=who.of(b"to"),
        cc=who.of(b"cc"),
        written_to=who.written_to,
        return_path=who.return_path,
        message_id=ids[0] if ids else None,
        in_reply_to=read_ids(root.raw(b"in-reply-to"), limits.references),
        references=read_ids(b" ".join(root.each(b"references")), limits.references),
        sent_at=_date(root, oddities),
        parts=tuple(part for _node, part in contents.files),
        automatic=automatic,
        by_list=_by_list(root, who, subject) if automatic else None,
        bounce=read_bounce(raw, root, nodes, plain or folded.shown, subject),
        headers=tuple(_shown(root, limits, contents.charset)),
        oddities=tuple(oddities),
    )


def _all(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.children)


def _folded(root: Node, plain: str, html: str, subject: str) -> Folded:
    """Return the text with its quoted history and signature apart; a forwarded mail stays whole, since its sender wants to show all of it.

    So does a report (RFC 6522): it names the mail that it is about by its header lines, and tells beneath them what became of it.
    """
    if root.kind == "multipart/report":
        return Folded(plain if plain or not html else "\n".join(lines_of(html).lines).strip())
    return fold_text(plain, subject=subject) if plain or not html else fold_html(html, subject=subject)


class _Correspondence:
    """Who wrote a mail to whom, as its headers have it."""

    def __init__(self, root: Node, most: int, charset: str) -> None:
        self._root, self._most, self._charset = root, most, charset
        self._read: dict[bytes, list[Correspondent]] = {}
        path = next(iter(root.each(b"return-path")), None)
        self.return_path = None if path is None else _path(path)
        self.sender = self._sender()
        self.written_to = tuple(dict.fromkeys(self._addresses()))[:most]

    def of(self, name: bytes) -> tuple[Correspondent, ...]:
        """Return the mailboxes of all headers of a name."""
        if not self._root.each(name):
            return ()
        if name not in self._read:
            found: list[Correspondent] = []
            for value in self._root.each(name):
                found += read_mailboxes(value, self._most - len(found), self._charset) if len(found) < self._most else []
            self._read[name] = found
        return tuple(one for one in self._read[name] if "@" in one.address)

    def _sender(self) -> Correspondent | None:
        for name in (b"from", b"reply-to"):
            if found := self.of(name):
                return found[0]
        if self.return_path:
            names = self._read.get(b"from")
            return Correspondent(self.return_path, names[0].name if names else "")
        return next(iter(self._read.get(b"from", [])), None)

    def _addresses(self) -> Iterator[str]:
        for name in filter(self._root.named.__contains__, _WRITTEN_TO):
            yield from (one.address.lower() for one in self.of(name))


def _by_list(root: Node, who: _Correspondence, subject: str) -> ByList | None:
    besides = written_by_besides_a_list(root, subject)
    return ByList(next(iter(who.of(b"x-original-from")), None), besides) if besides is not None else None


def _path(raw: bytes) -> str:
    found = read_mailboxes(raw, 1)
    return found[0].address if found and "@" in found[0].address else clean_address(raw.decode("latin-1").strip("<> \t"))


def _date(root: Node, oddities: dict[str, None]) -> dt.datetime | None:
    raw = root.raw(b"date")
    found = read_date(raw) if raw else None
    if raw and found is None:
        oddities["date_unreadable"] = None
    return found


def _name_oddities(root: Node, who: _Correspondence, oddities: dict[str, None]) -> None:
    if not who.of(b"from"):
        oddities["sender_missing"] = None
    if any(len(root.each(name)) > 1 for name in _ONCE):
        oddities["header_repeated"] = None


def _shown(root: Node, limits: ReadingLimits, charset: str) -> Iterator[tuple[str, str]]:
    for name, value in root.headers[: limits.headers]:
        shown = name[:200].decode("ascii")
        if len(value) <= limits.header_letters and value.isascii() and b"=?" not in value and (text := value.decode("ascii")).isprintable():
            yield shown, " ".join(text.split())   # as most are: nothing to decode, nothing to clean
        else:
            yield shown, free_text(value[: 4 * limits.header_letters], limits.header_letters, charset)
