"""Clean the HTML of a mail for the page that shows it as it was sent: what may run, fetch, send or lie over something else is out.

Twice: it is first written anew from what libxml2 reads, each element closed where it ends, and then cleaned by nh3 as a browser would read it. nh3
alone decides what stays. The first pass bounds its work: HTML that is not nested as it seems makes a browser's parser, and nh3's, write far more than
it was given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import nh3

from cs_plugin.mail import html_reading
from cs_plugin.mail.html_text import text_of
from cs_plugin.rules.signing import without_tags

# Elements that stay; of others the content does, but of those below.
_TAGS = frozenset((
    "a", "abbr", "acronym", "address", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd",
    "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li",
    "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr", "tt", "u", "ul", "var", "wbr",
))
# Elements that go with all that they hold.
_WITH_CONTENT = frozenset((
    "applet", "audio", "canvas", "embed", "frame", "frameset", "head", "iframe", "math", "noembed", "noframes", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "title", "video", "xml",
))
_VOID = frozenset(("br", "col", "hr", "img", "wbr"))
# Attributes that stay. No id, class or name: a page's own style and scripts go by these. No background, srcset, ping or action: they fetch or send.
_EVERYWHERE = frozenset(("align", "dir", "lang", "style", "title", "valign"))
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "*": _EVERYWHERE,
    "a": frozenset(("href",)),
    "col": frozenset(("span", "width")),
    "font": frozenset(("color", "face", "size")),
    "hr": frozenset(("color", "size", "width")),
    "img": frozenset(("alt", "border", "height", "src", "width")),
    "li": frozenset(("value",)),
    "ol": frozenset(("start", "type")),
    "table": frozenset(("bgcolor", "border", "cellpadding", "cellspacing", "height", "width")),
    "td": frozenset(("bgcolor", "colspan", "height", "rowspan", "width")),
    "th": frozenset(("bgcolor", "colspan", "height", "rowspan", "width")),
    "tr": frozenset(("bgcolor", "height")),
    "ul": frozenset(("type",)),
}
# Properties of a style attribute that stay: colours, letters, room and lines. Nothing that takes an element out of its place.
_PROPERTIES = frozenset((
    "background", "background-color", "border-collapse", "border-radius", "border-spacing", "clear", "color", "direction", "display", "float", "font",
    "font-family", "font-size", "font-style", "font-variant", "font-weight", "height", "letter-spacing", "line-height", "list-style-type",
    "max-height", "max-width", "min-height", "min-width", "overflow-wrap", "table-layout", "text-align", "text-decoration", "text-indent",
    "text-transform",
    "unicode-bidi", "vertical-align", "white-space", "width", "word-break", "word-spacing", "word-wrap",
))
_PROPERTY_FAMILIES = ("border-", "border", "margin-", "margin", "padding-", "padding")
# What a value may be made of: words, numbers and colours. No function but those of colours, so nothing is fetched or calculated; no backslash,
# comment or bracket, by which a value is written so that a browser alone understands it.
_VALUE = re.compile(r"(?:[\w\s#%.,+'\"!/-]|(?:rgb|rgba|hsl|hsla)\([\d\s.,%/]{1,60}\))+", re.IGNORECASE | re.ASCII)
_NEGATIVE = re.compile(r"(?:^|[\s,])-\s*[\d.]")   # a margin of less than nothing lies over something else
_LONGEST_STYLE = 4_000

_LINK = re.compile(r"https?://[^/\\\s]|mailto:|tel:", re.IGNORECASE)
_REMOTE = re.compile(r"https?://[^/\\\s]", re.IGNORECASE)
# A picture in the attribute itself, of a kind that holds no script: SVG is none of them.
_CARRIED = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp);base64,[a-z0-9+/=\s]+", re.IGNORECASE)
# nh3 looks at the scheme as it was sent; what becomes of the value says _Filter.
_SCHEMES = frozenset(("http", "https", "mailto", "tel", "cid", "data"))
_LONGEST_URL = 4_000
# What is cleaned at most, as written anew; a longer mail is shown as text.
_MOST_CLEANED = 3_000_000

NO_IMAGES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A fragment that is safe to show, on a page of its own. `left_out` says that pictures elsewhere are not in it."""

    html: str
    left_out: bool


def clean(html: str, *, images: Mapping[str, str] = NO_IMAGES, remote: bool = False) -> str:
    """Return what `cleaned` returns of the HTML of a mail, as it stands."""
    return cleaned(html, images=images, remote=remote).html


def cleaned(html: str, *, images: Mapping[str, str] = NO_IMAGES, remote: bool = False, keys: bool = True) -> Cleaned:
    """Return the HTML of a mail as a fragment that is safe to show, on a page of its own.

    `images` holds the address of each picture of the mail by its Content-ID, without angle brackets. Of pictures elsewhere only what is told instead
    of them is there, unless `remote`; they are then fetched by https alone. Without `keys` nothing is left by which the customer's conversation could
    be opened: no tag of ours, and no link at all, since a gateway on the way may have put an address of its own in the place of ours. Never raises:
    what is nested absurdly deep, or longer than is ever sent, comes as text.
    """
    judge = _Filter(images, remote=remote, links=keys)
    return Cleaned(_clean(html, judge, keys=keys), judge.left_out)


def fetches(html: str) -> bool:
    """Say whether a mail has pictures elsewhere, which `clean` leaves out until they are asked for."""
    return cleaned(html).left_out


def _clean(html: str, judge: _Filter, *, keys: bool) -> str:
    again = _Again(keys=keys)
    try:
        whole = html_reading.read(html, again, carried=len(html) <= html_reading.MOST_READ)
    except html_reading.TooDeepError:
        whole = False
    written = again.whole()
    if not whole or len(written) > _MOST_CLEANED:
        text = text_of(html)
        return f"<pre>{escape(text if keys else without_tags(text))}</pre>"
    return nh3.clean(
        written,
        tags=set(_TAGS),
        clean_content_tags=set(_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=judge.decide,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"loading": "lazy", "referrerpolicy": "no-referrer"}},
        url_schemes=set(_SCHEMES),
    )


class _Again:
    """Write HTML anew while it is read: only elements and attributes that may stay, each closed, each text escaped; tags of ours only with `keys`."""

    def __init__(self, *, keys: bool) -> None:
        self._written: list[str] = []
        self._text: list[str] = []   # one text comes in several pieces, which a tag of ours may be parted by
        self._skipped = 0
        self._keys = keys

    def whole(self) -> str:
        """Return all that was written."""
        self._end_text()
        return "".join(self._written)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or tag in _WITH_CONTENT:
            self._skipped += 1
        elif tag in _TAGS:
            self._end_text()
            allowed = _ATTRIBUTES.get(tag, frozenset())
            if tag == "a":
                # Whatever a link says of itself, its tooltip tells where it leads.
                attributes = {**attributes, "title": _target(attributes.get("href", ""))}
            kept = "".join(f' {name}="{escape(self._told(value))}"' for name, value in attributes.items() if name in allowed or name in _EVERYWHERE)
            self._written.append(f"<{tag}{kept}>")

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag in _TAGS and tag not in _VOID:
            self._end_text()
            self._written.append(f"</{tag}>")

    def data(self, text: str) -> None:
        if not self._skipped:
            self._text.append(text)

    def _end_text(self) -> None:
        if self._text:
            self._written.append(escape(self._told("".join(self._text))))
            self._text.clear()

    def _told(self, text: str) -> str:
        # A picture carried in the attribute may be large, and its letters hold no dash, which every tag has.
        return text if self._keys or text[:5].lower() == "data:" else without_tags(text)


class _Filter:
    """Decide about each attribute that may stay."""

    def __init__(self, images: Mapping[str, str], *, remote: bool, links: bool) -> None:
        self._images = images
        self._remote = remote
        self._links = links
        self.left_out = False   # whether a picture elsewhere was not let through

    def decide(self, tag: str, attribute: str, value: str) -> str | None:
        """Return the value as it stays, or None."""
        if tag == "a" and attribute in ("href", "title") and not (self._links and value):
            return None
        if attribute == "style":
            return clean_style(value) or None
        if attribute == "href":
            value = value.strip()
            return value if len(value) <= _LONGEST_URL and _LINK.match(value) else None
        if attribute == "src":
            return self._picture(value.strip())
        return value

    def _picture(self, source: str) -> str | None:
        if source[:4].lower() == "cid:":
            name = unquote(source[4:]).strip().strip("<>")
            return self._images.get(name) or self._images.get(name.lower())
        if _CARRIED.fullmatch(source):
            return source
        if len(source) > _LONGEST_URL or not _REMOTE.match(source):
            return None
        self.left_out = self.left_out or not self._remote
        return f"https:{source.partition(':')[2]}" if self._remote else None


def _target(href: str) -> str:
    """Return where a link leads as its tooltip tells it, the host in the letters that a server is asked for; empty where it leads nowhere."""
    href = href.strip()
    if len(href) > _LONGEST_URL or not _LINK.match(href):
        return ""
    try:
        host = urlsplit(href).hostname or ""
        return href if host.isascii() else href.replace(host, host.encode("idna").decode("ascii"), 1)
    except ValueError:
        return href


def clean_style(style: str) -> str:
    """Return the declarations of a style attribute that may stay (CSS Style Attributes, section 3)."""
    return ";".join(f"{name}:{value}" for name, value in _declarations(style[:_LONGEST_STYLE]) if _may_stay(name, value))


def _declarations(style: str) -> list[tuple[str, str]]:
    parted = (one.partition(":") for one in style.split(";"))
    return [(name.strip().lower(), value.strip()) for name, _, value in parted]


def _may_stay(name: str, value: str) -> bool:
    known = name in _PROPERTIES or (name.startswith(_PROPERTY_FAMILIES) and re.fullmatch(r"[a-z-]{1,30}", name) is not None and "image" not in name)
    # A quotation mark that is not closed would take what follows into it.
    paired = value.count('"') % 2 == 0 and value.count("'") % 2 == 0
    return known and paired and _VALUE.fullmatch(value) is not None and not ("margin" in name and _NEGATIVE.search(value)) and "//" not in value
