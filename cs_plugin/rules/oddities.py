"""What can be odd about a mail, and was mended or cut while it was read: names as they are kept, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _(text: str) -> str:
    return text


# Each name that reading a mail may leave, with a sentence for people.
ODDITIES: Mapping[str, str] = MappingProxyType({
    "began_with_rubbish": _("Something stood before the first header line."),
    "header_broken": _("A header line was broken, or the empty line behind the header was missing."),
    "headers_cut": _("The header was too long; the rest of it was passed over."),
    "header_repeated": _("A header line that may stand once stood there several times; the first was taken."),
    "sender_missing": _("The mail has no usable sender in From."),
    "date_unreadable": _("The date could not be read."),
    "type_unreadable": _("The type of a part could not be read."),
    "boundary_missing": _("The parts of the mail could not be told apart."),
    "boundary_guessed": _("What divides the parts of the mail was not said, and was guessed."),
    "end_missing": _("The end of the mail is missing."),
    "parts_after_the_end": _("Further parts stood behind the end of the mail."),
    "too_many_parts": _("The mail has too many parts; only the first were read."),
    "nested_too_deep": _("The parts of the mail are nested too deep; the innermost are kept as a file."),
    "encoding_wrong": _("A text was not encoded as the mail said."),
    "base64_damaged": _("A part of the mail is damaged or cut off."),
    "charset_unknown": _("The mail names a character set that nobody knows."),
    "charset_wrong": _("A text was not in the character set that the mail named."),
    "charset_guessed": _("The mail names no character set; it was guessed."),
    "charset_damaged": _("Some letters of a text were damaged."),
    "text_cut": _("The text was too long; the whole of it is kept as a file."),
    "uuencoded": _("A file stood in the midst of the text."),
})  # fmt: skip

# Those after which something of a mail is not shown; the whole is kept. Of the others all is, mended.
CUT = frozenset(("headers_cut", "too_many_parts", "nested_too_deep", "text_cut", "base64_damaged", "end_missing"))
_MOST = 500


def signs_of(automatic: str, oddities: tuple[str, ...]) -> str | None:
    """Return what is kept of how a mail was read: the sign of a machine and the oddities, apart by blanks; None where there is nothing."""
    kept = ""
    for name in filter(None, (automatic, *oddities)):
        if len(kept) + len(name) < _MOST:
            kept = f"{kept} {name}".strip()
    return kept or None
