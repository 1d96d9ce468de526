"""Turn the HTML of a mail into text to be read: its paragraphs, lists, links and tables, quotes behind ">", and nothing that is hidden or fetched."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from cs_plugin.mail import html_reading
from cs_plugin.mail.reply_words import STUB_WORDS

# Blocks and the room around them: 1 begins a line, 2 leaves an empty one.
_BLOCKS: Mapping[str, int] = {
    **dict.fromkeys(("address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt", "fieldset"), 1),
    **dict.fromkeys(("figcaption", "figure", "footer", "form", "header", "hr", "legend", "li", "main", "nav", "section", "summary", "tbody"), 1),
    **dict.fromkeys(("tfoot", "thead", "tr"), 1),
    **dict.fromkeys(("blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table"), 2),
    **dict.fromkeys(("menu", "ol", "ul"), 2),
}
# Elements of which nothing is text to read.
_UNREAD = frozenset((
    "applet", "audio", "canvas", "datalist", "embed", "frame", "frameset", "head", "iframe", "map", "math", "noembed", "noframes", "noscript",
    "object", "option", "script", "select", "style", "svg", "template", "textarea", "title", "video",
))
# Styles of what is not to be seen: preheaders, texts for one program only. A font size of 0 is not among them, layouts wrap whole mails in it.
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?:px)?\s*(?:;|!|$)|opacity\s*:\s*0(?:\.0+)?\s*(?:;|!|$)",
    re.IGNORECASE,
)
# Characters without width, by which preheaders are filled up. Joiners are kept, Persian and emoji are written with them.
_NO_WIDTH = str.maketrans("", "", "\u00ad\u034f\u061c\u180e\u200b\u2060\ufeff")
_EMPTY = re.compile(r"[\s\u200c\u200d\u2007]*")
_LINKED = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]{1,2000}", re.IGNORECASE)
_MOST_LINKS = 5_000
_MOST_QUOTES = 10   # a quote's depth that is shown; deeper ones stand at it
_LOOKED_AT = 1_000   # characters of an attribute

# How mail programs mark what they quote, as (attribute, what it ends with, kind). "quote": the element is one; "intro": its first line introduces
# one; "cut": all from here on is the mail that is answered; "signature". Programs put a prefix of their own before names that they received.
MARKS: tuple[tuple[str, str, str], ...] = (
    ("class", "gmail_attr", "intro"),
    ("class", "gmail_quote", "intro"),
    ("class", "gmail_quote_container", "intro"),
    ("class", "moz-cite-prefix", "intro"),
    ("class", "yahoo_quoted", "quote"),
    ("class", "protonmail_quote", "quote"),
    ("class", "tutanota_quote", "quote"),
    ("class", "zmail_extra", "quote"),
    ("class", "wmi-quote", "quote"),
    ("class", "mail_quote", "quote"),
    ("class", "cs-mail", "quote"),   # a mail of ours: templates/cs_plugin/mail/_base.html
    ("id", "divrplyfwdmsg", "cut"),
    ("id", "appendonsend", "cut"),
    ("id", "olk_src_body_section", "cut"),
    ("id", "mail-editor-reference-message-container", "cut"),
    ("id", "ms-outlook-mobile-body-separator-line", "cut"),
    ("id", "stopspelling", "cut"),
    ("id", "isreplycontent", "cut"),
    ("id", "ntes-pcmail-quote", "quote"),
    ("id", "ntes-mailmaster-quote", "quote"),
    ("name", "quote", "quote"),
    ("name", "messagereplysection", "quote"),
    ("class", "gmail_signature_prefix", "signature"),
    ("class", "gmail_signature", "signature"),
    ("class", "moz-signature", "signature"),
    ("class", "protonmail_signature_block", "signature"),
    ("id", "applemailsignature", "signature"),
    ("id", "ms-outlook-mobile-signature", "signature"),
    ("id", "signature", "signature"),
)
_KIND = {(attribute, name): kind for attribute, name, kind in MARKS}
_NAMES = {
    attribute: re.compile("(" + "|".join(sorted((re.escape(name) for at, name in _KIND if at == attribute), key=len, reverse=True)) + r")(?:\s|$)")
    for attribute in ("class", "id", "name")
}
# Outlook and Windows Mail draw a line above the header of the mail that is answered.
_LINE_ABOVE = re.compile(r"border-top:\s*(?:solid\s[^;]{1,40}1\.0pt|1px solid|1\.0pt solid)|border-top-style:\s*solid", re.IGNORECASE)
_PADDED = re.compile(r"padding(?:-top)?:\s*(?:3\.0pt|3pt|5px)", re.IGNORECASE)
_HEADER_LINE = re.compile(r"[^\s:：][^:：]{0,30}[:：]")
# Gmail indents one's own text with a blockquote, without a line beside it.
_INDENTED = re.compile(r"border(?:-left)?:\s*(?:none|0|medium none)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HtmlLines:
    """HTML as lines to read, quotes behind "> ". `marks` tells by a line's number what a mail program said of it: a kind of MARKS but "quote"."""

    lines: list[str]
    marks: Mapping[int, str] = field(default_factory=dict)


def text_of(html: str) -> str:
    """Return HTML as text to read. Never raises; nothing is fetched. What is hidden counts only where all is hidden."""
    return "\n".join(lines_of(html).lines)


def lines_of(html: str) -> HtmlLines:
    """Return HTML as lines, with what mail programs said of them. HTML whose elements lie absurdly deep is only freed of its tags."""
    try:
        written = _written(html, hidden=False)
        return written if any(written.lines) else _written(html, hidden=True)
    except html_reading.TooDeepError:
        return HtmlLines(_without_tags(html))


def is_stub(text: str) -> bool:
    """Say whether a text part says nothing but that there is an HTML part: it is empty, only a link, or only words about HTML, in many languages."""
    if len(text) > _LONGEST_STUB:
        return not text.strip() if text[:_LONGEST_STUB].isspace() else False
    words = re.sub(r"[\s<>()\[\]*_=~–—-]+", " ", re.sub(r"(?:https?://|www\.)\S+", " ", text)).strip(" .:;,")
    if not any(one.isalnum() for one in words):
        return True
    return len(words) <= _LONGEST_SAYING and STUB_WORDS.search(words.casefold()) is not None


_LONGEST_STUB = 4_000
_LONGEST_SAYING = 350


def _written(html: str, *, hidden: bool) -> HtmlLines:
    writer = _Writer(hidden=hidden)
    whole = html_reading.read(html, writer)
    writer.finish()
    if not whole:
        writer.lines.append("…")
    return HtmlLines(writer.lines, writer.marks)


def _without_tags(html: str) -> list[str]:
    """Return the lines of a text whose tags are taken out without understanding them; each "<" is looked at once."""
    pieces = []
    for number, piece in enumerate(html[: html_reading.MOST_READ].split("<")):
        _, closed, text = piece.partition(">")
        pieces.append(text if number and closed else piece)
    lines = (" ".join(entities.unescape(line).split()) for line in "\n".join(pieces).splitlines())
    return [line for line in lines if line]


class _Writer:
    """Write lines while HTML is read. `hidden` says that what is hidden is written as well."""

    def __init__(self, *, hidden: bool) -> None:
        self.lines: list[str] = []
        self.marks: dict[int, str] = {}
        self._hidden = hidden
        self._skipped = 0                     # how deep the reading is within what is not read
        self._ends: list[str] = []            # what the end of each open element does: the letters of _END
        self._line: list[str] = []            # the pieces of the line that is being written
        self._space = self._gap = self._cell = self._touched = False   # what comes before the next word: a blank, an empty line, a cell's border
        self._quotes = 0
        self._before = 0                      # how deep the last line was quoted
        self._kept = 0                        # how many elements with kept blanks are open
        self._lists: list[int] = []           # for each open list the number of its next point, or 0
        self._bullet = ""
        self._mark = ""
        self._signed = 0
        self._links: list[tuple[str, int, int]] = []   # for each open link: where to, the line and the piece at which its text begins
        self._linked = 0

    # --- what is read -------------------------------------------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        style = attributes.get("style", "")[:_LOOKED_AT] if attributes else ""
        if self._skipped or tag in _UNREAD or (not self._hidden and attributes and ("hidden" in attributes or (style and _HIDING.search(style)))):
            self._skipped += 1
            return
        does = ""
        block = _BLOCKS.get(tag, 0)
        if block:
            self._break(1 if tag == "p" and "MsoNormal" in attributes.get("class", "") else block)
            does = "p" if block == 2 else "b"
        kind = self._kind(tag, attributes, style) if attributes or tag == "blockquote" else ""
        if kind == "quote":
            self._break(1)
            self._quotes += 1
            does += "q"
        elif kind == "signature":
            self._break(1)
            self._signed += 1
            does += "s"
        elif kind and not (kind == "cut" and self._mark == "line above"):
            self._mark = kind
        self._ends.append(does + self._special(tag, attributes))

    def end(self, tag: str) -> None:  # noqa: ARG002  (a reader is told it)
        if self._skipped:
            self._skipped -= 1
            return
        for letter in self._ends.pop():
            self._END[letter](self)

    def data(self, text: str) -> None:
        if self._skipped:
            return
        if self._kept:
            for number, line in enumerate(text.split("\n")):
                if number:
                    self._new_line()
                if line:
                    self._put(line.rstrip("\r").replace("\t", "    "))
            return
        words = " ".join(text.translate(_NO_WIDTH).split())
        if not words or _EMPTY.fullmatch(words):
            self._space = self._space or bool(text)
            self._touched = self._touched or "\xa0" in text
            return
        self._space = self._space or text[0].isspace()
        self._put(words)
        self._space = text[-1].isspace()

    def finish(self) -> None:
        self._break(1)

    # --- what is written ----------------------------------------------------------------------------------------------------------------------

    def _special(self, tag: str, attributes: Mapping[str, str]) -> str:
        """Do what one kind of element asks for, and return the letter of what its end does."""
        match tag:
            case "br":
                self._new_line()
            case "a":
                self._links.append((attributes.get("href", "").strip(), len(self.lines), len(self._line)))
                return "a"
            case "td" | "th":
                self._cell = bool(self._line)
                return "c"
            case "ul" | "menu":
                self._lists.append(0)
                return "l"
            case "ol":
                begin = attributes.get("start", "1")
                self._lists.append(int(begin) if begin.isdecimal() and len(begin) < 6 else 1)
                return "l"
            case "li":
                self._begin_point()
            case "pre" | "listing" | "xmp":
                self._kept += 1
                return "k"
            case "hr":
                self._put("-" * 20)
                self._break(1)
            case "img":
                self._picture(attributes)
        return ""

    def _put(self, words: str) -> None:
        if not self._line:
            self._open_line()
        elif self._cell:
            self._line.append(" " if self._line[-1].endswith((":", "：")) else " | ")
        elif self._space:
            self._line.append(" ")
        self._cell = self._space = False
        self._line.append(words)

    def _open_line(self) -> None:
        if self._gap and self.lines:
            self.lines.append(("> " * min(self._quotes, self._before, _MOST_QUOTES)).rstrip())
        self._gap = self._touched = False
        if self._mark or self._signed:
            mark = self._mark or "signature"
            self._mark = ""
            self.marks[len(self.lines)] = mark
        self._line.append("> " * min(self._quotes, _MOST_QUOTES) + "  " * min(max(len(self._lists) - 1, 0), 10) + self._bullet)
        self._bullet = ""

    def _break(self, room: int) -> None:
        """End the line that is being written; leave an empty one where `room` is 2 or a paragraph was empty on purpose."""
        if self._line:
            line = "".join(self._line).rstrip()
            number = len(self.lines)
            if self.marks.get(number) == "line above":
                if _HEADER_LINE.match(line):
                    self.marks[number] = "cut"
                else:
                    del self.marks[number]
            self.lines.append(line)
            self._line.clear()
            self._before = self._quotes
        elif self._touched:
            self._gap = True
        self._gap = self._gap or room > 1
        self._space = self._cell = self._touched = False

    def _new_line(self) -> None:
        if self._line:
            self._break(1)
        else:
            self._gap = True

    def _begin_point(self) -> None:
        number = self._lists[-1] if self._lists else 0
        self._bullet = f"{number}. " if number else "- "
        if number:
            self._lists[-1] += 1

    def _end_link(self) -> None:
        target, number, piece = self._links.pop()
        found = _LINKED.fullmatch(target)
        if not found or self._linked >= _MOST_LINKS:
            return
        if len(self.lines) == number:
            shown = "".join(self._line[piece:] if piece else self._line[1:]).strip().removeprefix("| ").strip()
        else:   # a link around blocks: a button
            shown = "" if self._line else self.lines[-1]
        address = re.sub(r"^(?:mailto|tel):", "", target, flags=re.IGNORECASE)
        if target.lower().startswith("mailto:"):
            address = address.partition("?")[0]
        if not shown or not address or _bare(address) in _bare(shown) or (found[0][:4].lower() == "tel:" and any(one.isdigit() for one in shown)):
            return
        self._linked += 1
        if self._line:
            self._line.append(f" ({address})")
        else:
            self.lines[-1] += f" ({address})"

    def _picture(self, attributes: Mapping[str, str]) -> None:
        """Write what stands for a picture, unless it is one of those that are there to be counted."""
        alt = " ".join(attributes.get("alt", "").translate(_NO_WIDTH).split())[:200]
        if alt and attributes.get("width") not in ("0", "1") and attributes.get("height") not in ("0", "1"):
            self._put(f"[{alt}]")

    def _kind(self, tag: str, attributes: Mapping[str, str], style: str) -> str:
        for attribute, names in _NAMES.items():
            value = attributes.get(attribute)
            found = names.search(value[:_LOOKED_AT].lower()) if value else None
            if found:
                kind = _KIND[attribute, found[1]]
                return "quote" if tag == "blockquote" and kind == "intro" else kind
        if tag == "blockquote":
            return "" if attributes.get("type") != "cite" and _INDENTED.search(style) else "quote"
        return "line above" if tag == "div" and style and _LINE_ABOVE.search(style) and _PADDED.search(style) else ""

    def _end_quote(self) -> None:
        self._break(1)
        self._quotes -= 1

    def _end_signature(self) -> None:
        self._break(1)
        self._signed -= 1

    def _end_list(self) -> None:
        self._lists.pop()
        self._bullet = ""

    def _end_kept(self) -> None:
        self._kept -= 1

    def _end_cell(self) -> None:
        self._cell = bool(self._line)

    def _end_block(self) -> None:
        self._break(1)

    def _end_paragraph(self) -> None:
        self._break(2)

    # The line of a block ends before the quote or list that it belongs to: the letters are in the order in which they were given.
    _END: ClassVar[Mapping[str, Callable[[_Writer], None]]] = {
        "b": _end_block,
        "p": _end_paragraph,
        "q": _end_quote,
        "s": _end_signature,
        "a": _end_link,
        "c": _end_cell,
        "l": _end_list,
        "k": _end_kept,
    }


def _bare(address: str) -> str:
    return re.sub(r"^https?://(?:www\.)?", "", address.strip().lower()).rstrip("/")
