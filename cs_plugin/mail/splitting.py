"""A mail taken apart into its parts, in one pass over its bytes: nothing is copied, and no mail costs more than its length.

The standard library's parser asks of every line whether any open multipart ends there, holds each line as an object of its own, and goes
down as many calls as parts are nested; a mail can be made for each of these. What is read here is what it reads (tests compare the two),
and of some broken mails more: docs/decisions/0024-mails-are-split-by-ourselves.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cs_plugin.mail.header_lines import without_comments
from cs_plugin.mail.parameters import read_parameters

# RFC 5322, section 3.6.8: a name is printable ASCII without the colon. Continued lines begin with a blank (section 2.2.3).
_HEADER = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\r\n]*+(?:(?:\r\n|\r|\n)[ \t][^\r\n]*+)*+)(?:\r\n|\r|\n|\Z)")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
# From the first of some blanks on, and not from each of them.
_FOLDED = re.compile(rb"(?:(?<![ \t])[ \t]++)?(?:\r\n|\r|\n)[ \t]+")
_BLANK_LINES = re.compile(rb"(?:[ \t]*(?:\r\n|\r|\n))*+")
_EMPTY_LINE = re.compile(rb"(?:\r\n|\r|\n)[ \t]*(?:\r\n|\r|\n)")
_AFTER_CR = re.compile(rb"(?<=[\r\n])--")
_KIND = re.compile(r"([A-Za-z0-9!#$&^_.+-]{1,63})/([A-Za-z0-9!#$&^_.+-]{1,63})")
# A line of rubbish between headers is passed over where one of these follows; otherwise the text begins with it.
_SURELY_HEADER = re.compile(
    rb"(?i)(?:received|return-path|from|to|cc|subject|date|message-id|mime-version|content-(?:type|transfer-encoding|disposition)"
    rb"|reply-to|x-[!-9;-~]+)[ \t]*:"
)
_MBOX_LINE = re.compile(rb">?From [^\r\n]*")
# So many lines of rubbish in a row, before a mail says who wrote it, as its header must: some servers lose the blanks by which lines are continued.
_MOST_RUBBISH = 20
# "---- Original message ----", as stands above what was copied from a page or another mail.
_RULE = re.compile(rb"-{2,10}[^\r\n]{0,100}?-{2,10}[ \t]*(?:\r\n|\r|\n)")
_FIRST_BOUNDARY = re.compile(rb"\s*+--([^\r\n]{1,200}?)[ \t]*(?:\r\n|\r|\n)")
_OTHER_BOUNDARY = re.compile(rb"(?im)^--([!-~](?:[ -~]{0,198}[!-~])?)[ \t]*\r?\ncontent-(?:type|transfer-encoding|disposition|description)[ \t]*:")
_LONGEST_BOUNDARY = 1_000


@dataclass(slots=True)
class Node:
    """A part of a mail, the mail itself being the first: its header lines, and where its body stands in the mail's bytes."""

    headers: list[tuple[bytes, bytes]]
    start: int
    end: int = -1
    main: str = "text"
    sub: str = "plain"
    parameters: dict[str, tuple[str, bool]] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    named: dict[bytes, list[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the header lines by their names, in lower case: they are asked for dozens of times."""
        self.named = {}
        for key, value in self.headers:
            self.named.setdefault(key.lower(), []).append(value)

    @property
    def kind(self) -> str:
        """Return the content type, such as "text/plain"."""
        return f"{self.main}/{self.sub}"

    def raw(self, name: bytes) -> bytes:
        """Return the first header of a name (in lower case) that says something, or nothing."""
        for value in self.named.get(name, ()):
            if value:
                return value
        return b""

    def each(self, name: bytes) -> list[bytes]:
        """Return the values of all headers of a name (in lower case)."""
        return self.named.get(name, [])

    def parameter(self, name: str) -> str:
        """Return a parameter of the content type, or an empty text."""
        return self.parameters.get(name, ("", False))[0]


@dataclass(slots=True)
class _Open:
    """A multipart that has begun and not yet ended."""

    node: Node
    delimiter: bytes
    ended: bool = False


@dataclass(slots=True)
class Splitting:
    """One mail being taken apart: what it may cost, and what was odd about it."""

    raw: bytes
    most_parts: int
    most_depth: int
    most_header: int
    oddities: dict[str, None] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _level: dict[bytes, int] = field(default_factory=dict)
    _leaf: Node | None = None
    _parts: int = 1

    def split(self) -> Node:
        """Return the mail as its first part, with all others beneath it."""
        root = self._part(_beginning(self.raw, self.oddities), len(self.raw), "")
        self._split_below(root)
        if root.main == "multipart" and not root.children and (other := _OTHER_BOUNDARY.search(self.raw, root.start)):
            # The boundary that is said never comes, and another does.
            self.oddities.pop("boundary_missing", None)
            self.oddities["boundary_guessed"] = None
            self._begin(root, other.group(1))
            self._split_below(root)
        return root

    def _split_below(self, root: Node) -> None:
        if self._open:
            self._walk(root.start)
        self._close(0, len(self.raw))

    def _walk(self, position: int) -> None:
        for at in _dashes(self.raw, position):
            if at < position:
                continue   # within a head that has been read
            line = _LINE.match(self.raw, at, at + _LONGEST_BOUNDARY)
            text = line.group().rstrip() if line else b""
            level = self._level.get(text)
            ending = level is None and text.endswith(b"--")
            if ending:
                level = self._level.get(text[:-2])
            if level is None or line is None:
                continue
            self._close(level + 1, _before_line_end(self.raw, at))
            if ending:
                self._open[level].ended = True
            elif not self._next(level, line.end()):
                return
            position = self._after if not ending else line.end()

    _after: int = 0

    def _next(self, level: int, start: int) -> bool:
        """Begin a part of the multipart at a level; say whether there may be more."""
        opened = self._open[level]
        if opened.ended:
            self.oddities["parts_after_the_end"] = None
            opened.ended = False
        if self._parts >= self.most_parts:
            self.oddities["too_many_parts"] = None
            self._open.clear()
            self._level.clear()
            return False
        self._parts += 1
        part = self._part(start, len(self.raw), opened.node.sub)
        opened.node.children.append(part)
        return True

    def _part(self, start: int, limit: int, within: str) -> Node:
        headers, body = self._head(start, limit)
        node = Node(headers, body)
        self._after = body
        self._read_kind(node, within)
        if node.main != "multipart":
            self._leaf = node
            return node
        boundary = node.parameter("boundary").rstrip() or self._guessed(body)
        if len(self._open) >= self.most_depth:
            self.oddities["nested_too_deep"] = None
            self._leaf = node
        elif not boundary:
            self.oddities["boundary_missing"] = None
            self._leaf = node
        else:
            self._begin(node, boundary.encode("latin-1", "replace"))
        return node

    def _begin(self, node: Node, boundary: bytes) -> None:
        """Begin a multipart."""
        delimiter = b"--" + boundary
        self._level.setdefault(delimiter, len(self._open))
        self._open.append(_Open(node, delimiter))
        self._leaf = None

    def _guessed(self, body: int) -> str:
        """Return the boundary that a multipart which names none begins with."""
        first = _FIRST_BOUNDARY.match(self.raw, body, body + _LONGEST_BOUNDARY)
        if first is None:
            return ""
        self.oddities["boundary_guessed"] = None
        return first.group(1).decode("latin-1")

    def _close(self, level: int, end: int) -> None:
        """End the part that is being read, and all multiparts from a level on."""
        if self._leaf is not None:
            self._leaf.end = max(end, self._leaf.start)
            self._leaf = None
        while len(self._open) > level:
            opened = self._open.pop()
            opened.node.end = max(end, opened.node.start)
            if self._level.get(opened.delimiter) == len(self._open):
                del self._level[opened.delimiter]
            if not opened.node.children:
                self.oddities["boundary_missing"] = None
            elif not opened.ended:
                self.oddities["end_missing"] = None

    def _head(self, start: int, limit: int) -> tuple[list[tuple[bytes, bytes]], int]:
        """Return the header lines that begin somewhere, unfolded, and where the body begins."""
        raw, at, most = self.raw, start, min(limit, start + self.most_header)
        headers: list[tuple[bytes, bytes]] = []
        nobody_wrote = self._parts == 1   # of a part nobody expects it to say so
        while at < most:
            found = None if raw.startswith(b"--", at) and self._ends_a_part(at) else _HEADER.match(raw, at, limit)
            if found is None:
                after = self._no_header(at, limit, begun=bool(headers), most=_MOST_RUBBISH if headers and nobody_wrote else 1)
                if after is None:
                    return headers, self._body(at, limit)
                at = after
                continue
            name, value = found.groups()
            if b"\n" in value or b"\r" in value:
                value = _FOLDED.sub(b" ", value)
            headers.append((name, value.rstrip(b" \t")))
            nobody_wrote = nobody_wrote and name.lower() != b"from"
            at = found.end()
        if at < limit:
            self.oddities["headers_cut"] = None
            empty = _EMPTY_LINE.search(raw, max(start, at - 2), limit)
            at = empty.end() if empty else limit
        return headers, at

    def _ends_a_part(self, at: int) -> bool:
        line = _LINE.match(self.raw, at, at + _LONGEST_BOUNDARY)
        text = line.group().rstrip() if line else b""
        return text in self._level or text.removesuffix(b"--") in self._level

    def _no_header(self, at: int, limit: int, *, begun: bool, most: int) -> int | None:
        """Return where to read on behind a line that is no header, or behind `most` of them; None where the body begins."""
        raw = self.raw
        line = _LINE.match(raw, at, limit)
        if line is None or not line.group().strip(b"\r\n"):
            return None
        if raw.startswith(b"--", at):
            return None   # rather a boundary than rubbish: a blank may stand in the line that should be empty
        is_of_mbox = not begun and _MBOX_LINE.match(raw, at) is not None
        after = line.end() if is_of_mbox else _next_header(raw, line.end(), limit, most)
        if after is not None:
            self.oddities["header_broken"] = None
        return after

    def _body(self, at: int, limit: int) -> int:
        """Return where the body begins: behind an empty line, or at once where it is missing."""
        line = _LINE.match(self.raw, at, min(limit, at + 2))
        if line is not None and line.group() in (b"\r\n", b"\n", b"\r"):
            return line.end()
        if at < limit and not (self.raw.startswith(b"--", at) and self._ends_a_part(at)):
            self.oddities["header_broken"] = None
        return at

    def _read_kind(self, node: Node, within: str) -> None:
        # RFC 2046, section 5.1.5: within a digest, what says nothing is a mail.
        node.main, node.sub = ("message", "rfc822") if within == "digest" else ("text", "plain")
        raw = node.raw(b"content-type")
        if not raw:
            return
        said, node.parameters = read_parameters(raw)
        found = _KIND.match(said) or _KIND.match(without_comments(said).replace(" ", ""))
        if found:
            node.main, node.sub = found.group(1).lower(), found.group(2).lower()
        elif said.lower() != "text":
            self.oddities["type_unreadable"] = None
            if "boundary" in node.parameters or said.lower().startswith("multipart"):
                node.main, node.sub = "multipart", "mixed"   # "multipart/*", and "multipart" alone
                return
            node.main, node.sub = ("text", "plain") if within != "digest" and "name" not in node.parameters else ("application", "octet-stream")


def _next_header(raw: bytes, at: int, limit: int, most: int) -> int | None:
    """Return where the first line stands that is surely one of a header, looking at so many; None where an empty one, a boundary or none comes."""
    for _ in range(most):
        if at >= limit or raw.startswith(b"--", at):
            return None
        if _SURELY_HEADER.match(raw, at, limit):
            return at
        line = _LINE.match(raw, at, limit)
        if line is None or not line.group().strip():
            return None
        at = line.end()
    return None


def _beginning(raw: bytes, oddities: dict[str, None]) -> int:
    """Return where the first header begins: some servers put a mark, empty lines or the line of an mbox file before it."""
    at = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    blank = _BLANK_LINES.match(raw, at)
    after = blank.end() if blank else at
    mbox = _MBOX_LINE.match(raw, after)
    if mbox:
        line = _LINE.match(raw, mbox.end())
        return line.end() if line else mbox.end()
    if after > at and _HEADER.match(raw, after):
        at = after
    rule = _RULE.match(raw, after)
    if rule and _SURELY_HEADER.match(raw, rule.end()):
        at = rule.end()
    if at:
        oddities["began_with_rubbish"] = None
    return at


def _dashes(raw: bytes, start: int) -> Iterator[int]:
    """Yield where lines begin with two dashes."""
    if raw.startswith(b"--", start) and (start == 0 or raw[start - 1] in b"\r\n"):
        yield start
    if raw.count(b"\r") != raw.count(b"\r\n"):
        yield from (found.start() for found in _AFTER_CR.finditer(raw, start + 1))
        return
    at = raw.find(b"\n--", start)
    while at >= 0:
        yield at + 1
        at = raw.find(b"\n--", at + 2)


def _before_line_end(raw: bytes, at: int) -> int:
    """Return where a line ends that ends before a position: its line end belongs to the boundary (RFC 2046, section 5.1.1)."""
    if at >= 2 and raw[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if at >= 1 and raw[at - 1] in b"\r\n" else at
