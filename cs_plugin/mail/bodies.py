"""Which parts of a mail are what it says, and which are files that came with it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from cs_plugin.mail.charsets import decode
from cs_plugin.mail.file_names import file_name, kept_apart
from cs_plugin.mail.flowed import joined
from cs_plugin.mail.header_lines import decode_words, raw_text
from cs_plugin.mail.html_text import is_stub
from cs_plugin.mail.parameters import read_parameters
from cs_plugin.mail.splitting import Node
from cs_plugin.mail.transfer import undo, uuencoded
from cs_plugin.rules.incoming import Part
from cs_plugin.rules.inquiry import clean_line, clean_text

# Texts that are files by their nature, wherever they stand.
_FILES = frozenset((
    "text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv", "text/rtf", "text/xml", "text/css", "text/javascript",
    "text/x-patch", "text/x-diff", "text/rfc822-headers",
))
# Further forms of the same text, made for some readers only; nobody misses them.
_LEFT_OUT = frozenset(("text/x-amp-html", "text/watch-html"))
_MOST_BYTES_A_LETTER = 4
_CID = re.compile(r"""(?i)\bcid:([^"'\s>)]{1,500})""")
_ENRICHED = re.compile(r"<(/?)([A-Za-z-]{1,60})>|<<")
_MAX_CONTENT_ID = 255
_MAX_TYPE = 127


@dataclass(slots=True)
class Segment:
    """A stretch of what a mail says, in one form or in both."""

    plain: str = ""
    html: str = ""

    @property
    def is_plain(self) -> bool:
        """Tell whether the plain text is what counts: it is unless empty, or a mere stub beside HTML."""
        return not self.html or (bool(self.plain.strip()) and not is_stub(self.plain))


@dataclass(slots=True)
class Contents:
    """What a mail says, in order, and the files that came with it; `left` letters may still be read of text and of HTML."""

    raw: bytes
    oddities: dict[str, None]
    text_left: int
    html_left: int
    charset: str = ""
    files: list[tuple[Node, Part]] = field(default_factory=list)
    _names: dict[str, None] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def read(self, root: Node) -> list[Segment]:
        """Return the segments of a mail, and gather its files."""
        said = self._part(root)
        shown = {found.casefold() for one in said for found in map(unquote, _CID.findall(one.html))}
        if shown:
            self.files = [(node, _as_shown(part, shown)) for node, part in self.files]
        return [one for one in said if one.plain.strip() or one.html.strip()]

    def _part(self, node: Node) -> list[Segment]:
        # As deep as multiparts may be nested: no deeper than Python can go.
        if node.children:
            return _KINDS.get(node.sub, Contents._each)(self, node)
        if node.kind in _LEFT_OUT:
            return []
        if node.main in ("text", "multipart") and self._is_said(node):
            return [self._text(node)]
        self._keep(node)
        return []

    def _is_said(self, node: Node) -> bool:
        disposition, name = self._disposition(node)
        if node.main == "multipart":
            return disposition != "attachment"   # its boundary never came: what there is, is text
        return disposition != "attachment" and not name and node.kind not in _FILES

    def _each(self, node: Node) -> list[Segment]:
        return [segment for child in node.children for segment in self._part(child)]

    def _alternative(self, node: Node) -> list[Segment]:
        """Return one segment of all forms of the same text: the first plain one, the last HTML."""
        plain, rich = "", ""
        for child in node.children:
            said = self._part(child)
            plain = plain or "\n\n".join(one.plain for one in said if one.plain.strip())
            rich = "\n".join(one.html for one in said if one.html) or rich
        return [Segment(plain, rich)]

    def _related(self, node: Node) -> list[Segment]:
        """Return the root of parts that belong to it (RFC 2387); the others are files that it shows."""
        start = node.parameter("start").strip("<> ")
        root = next((one for one in node.children if start and _content_id(one) == start), node.children[0])
        said = self._part(root)
        for child in node.children:
            if child is not root:
                said += self._part(child) if child.children else self._beside(child)
        return said

    def _beside(self, child: Node) -> list[Segment]:
        if child.main == "text" and not _content_id(child):
            return self._part(child)   # a list's footer, say
        self._keep(child)
        return []

    def _text(self, node: Node) -> Segment:
        content = self._content(node)
        charset = node.parameter("charset")
        self.charset = self.charset or charset
        is_html = node.sub == "html"
        left = self.html_left if is_html else self.text_left
        if not is_html:
            content = self._without_uuencoded(content)
        if len(content) > left * (1 if is_html else _MOST_BYTES_A_LETTER):
            self._cut(node, content)
            content = content[: left * (1 if is_html else _MOST_BYTES_A_LETTER)]
        text, oddity = decode(content, charset)
        if oddity:
            self.oddities[oddity] = None
        if is_html and oddity == "charset_guessed":
            text = self._by_its_own_word(content, text)
        text = clean_text(text)
        if is_html:
            self.html_left -= len(text)
            return Segment(html=text)
        if len(text) > left:
            self._cut(node, content)
            text = text[:left]
        self.text_left -= len(text)
        return Segment(plain=self._plain(node, text))

    def _cut(self, node: Node, content: bytes) -> None:
        """Keep a text whole, as a file, of which only the beginning is shown."""
        if "text_cut" not in self.oddities or self.files[-1][0] is not node:
            self._add(node, file_name("", node.kind), content)
        self.oddities["text_cut"] = None

    def _plain(self, node: Node, text: str) -> str:
        if node.sub in ("enriched", "richtext"):
            return _ENRICHED.sub(lambda found: "" if found.group(2) else "<", text)
        if node.parameter("format").lower() == "flowed":
            return joined(text, delete_space=node.parameter("delsp").lower() == "yes")
        return text

    def _by_its_own_word(self, content: bytes, text: str) -> str:
        """Return HTML in the charset that it names itself, where the mail names none."""
        named = re.search(rb"(?i)<meta[^>]{0,200}charset=[\"']?([a-z0-9_-]{1,40})", content[:4_000])
        if named is None:
            return text
        again, oddity = decode(content, named.group(1).decode("ascii"))
        return text if oddity else again

    def _without_uuencoded(self, content: bytes) -> bytes:
        kept, at = [], 0
        for name, inner, begin, end in uuencoded(content):
            self.oddities["uuencoded"] = None
            said = decode_words(decode(name.encode("latin-1"), self.charset)[0])
            self._add(None, file_name(said, "application/octet-stream"), inner)
            kept.append(content[at:begin])
            at = end
        return b"".join([*kept, content[at:]]) if kept else content

    def _content(self, node: Node) -> bytes:
        # RFC 2045, section 6.4: a multipart is never encoded as a whole.
        encoding = b"" if node.main == "multipart" else node.raw(b"content-transfer-encoding")
        content, oddity = undo(self.raw, node.start, node.end, encoding, is_text=node.main == "text")
        if oddity:
            self.oddities[oddity] = None
        return content

    def _keep(self, node: Node) -> None:
        """Take a part as a file."""
        content = self._content(node)
        name = self._disposition(node)[1]
        if not name and node.kind in ("message/rfc822", "message/global"):
            name = self._subject_of(content)
        self._add(node, file_name(name, node.kind), content, named=bool(name))

    def _add(self, node: Node | None, name: str, content: bytes, *, named: bool = True) -> None:
        name = kept_apart(name, self._names, self._numbers)
        self._names[name.casefold()] = None
        kind = "application/octet-stream" if node is None or node.main == "multipart" else node.kind[:_MAX_TYPE]
        content_id = "" if node is None else _content_id(node)
        part = Part(name, kind, content, content_id, inline=not named)
        self.files.append((node or Node([], 0), part))

    def _subject_of(self, content: bytes) -> str:
        found = re.search(rb"(?im)^subject:[ \t]*([^\r\n]{1,300})", content[:16_384])
        subject = clean_line(decode_words(raw_text(found.group(1))), 100) if found else ""
        return subject.replace("/", "_").replace("\\", "_") + ".eml" if subject else ""

    def _disposition(self, node: Node) -> tuple[str, str]:
        """Return how a part wants to be shown, in lower case, and the name that it says, or an empty text."""
        raw = node.raw(b"content-disposition")
        disposition, parameters = read_parameters(raw) if raw else ("", {})
        # The other two ways are wrong, and are met.
        for said, name in ((parameters, "filename"), (node.parameters, "name"), (node.parameters, "filename"), (parameters, "name")):
            value, is_decoded = said.get(name, ("", True))
            if value:
                return disposition.lower(), value if is_decoded else self._decoded(value)
        return disposition.lower(), ""

    def _decoded(self, value: str) -> str:
        text = value if value.isascii() else decode(value.encode("latin-1"), beside=self.charset)[0]
        return decode_words(text)


# How the parts of a multipart go together; of a kind that is not here each is taken in order.
_KINDS: dict[str, Callable[[Contents, Node], list[Segment]]] = {
    "alternative": Contents._alternative,
    "related": Contents._related,
}


def _as_shown(part: Part, shown: set[str]) -> Part:
    if part.content_id and part.content_id.casefold() in shown:
        return Part(part.name, part.content_type, part.content, part.content_id, inline=True)
    return part


def _content_id(node: Node) -> str:
    raw = node.raw(b"content-id")
    return clean_line(raw_text(raw), 2 * _MAX_CONTENT_ID).strip("<> ")[:_MAX_CONTENT_ID] if raw else ""


def as_html(segments: list[Segment]) -> str:
    """Return the HTML of a mail, its plain stretches in it as they stand; "" where it has no HTML."""
    if not any(one.html for one in segments):
        return ""
    return "\n".join(one.html or f"<pre>{html.escape(one.plain)}</pre>" for one in segments)
