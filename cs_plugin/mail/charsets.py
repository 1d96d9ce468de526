"""The ladder of charsets: bytes of a mail become text, whatever the mail says of them, and whether or not that is true."""

from __future__ import annotations

import encodings
import re
from encodings.aliases import aliases
from functools import lru_cache

from cs_plugin.mail.likely_charsets import likely_charset

# What mails call by a narrower name than they use. The wider one reads all of the narrower, as the WHATWG's Encoding Standard has it.
_TABLE = """
gb18030: gb2312 gb_2312 gb_2312_80 gbk x_gbk cp936 ms936 euc_cn cn_gb gb2312_1980 csgb2312 chinesesimplified x_mac_chinesesimp
cp949: ks_c_5601 ks_c_5601_1987 ks_c_5601_1989 ksc5601 ksc_5601 euc_kr euckr korean x_windows_949 windows_949 windows949
cp949: x_mac_korean
cp932: shift_jis shiftjis sjis s_jis x_sjis windows_31j cswindows31j ms_kanji x_ms_cp932 x_mac_japanese
shift_jis_2004: shift_jis_2004
euc_jp: x_euc_jp eucjp x_euc
cp950: big5 big5_tw csbig5 x_x_big5 cn_big5 x_big5 x_mac_chinesetrad
cp1252: iso_8859_1 iso8859_1 latin_1 latin1 latin l1 iso88591 iso_8859_1_windows_3.1_latin_1 ansi_x3.110_1983 x_ansi ansi
cp1252: windows1252 x_cp1252 csisolatin1
cp1254: iso_8859_9 iso8859_9 latin5 l5
cp874: iso_8859_11 iso8859_11 tis_620 tis620 windows_874 x_windows_874 thai
cp1255: iso_8859_8_i iso_8859_8_e logical
iso8859_8: visual
utf_7: unicode_1_1_utf_7 x_unicode_2_0_utf_7
utf_8: unicode_1_1_utf_8 utf8mb4 utf_8_mac utf_8_bom utf x_utf_8
utf_16: unicode ucs_2
utf_16_le: utf_16le
utf_16_be: utf_16be
mac_roman: x_mac_roman macintosh mac
mac_cyrillic: x_mac_cyrillic
mac_greek: x_mac_greek
mac_latin2: x_mac_ce x_mac_centraleurroman
mac_turkish: x_mac_turkish
mac_iceland: x_mac_icelandic
koi8_r: koi8 x_koi8_r
koi8_u: koi8_ru
cp1251: x_cp1251 win_1251
cp1250: x_cp1250
cp862: dos_862
cp720: dos_720
iso2022_jp: csiso2022jp
"""
_WIDER = {name: row.split(":")[0] for row in _TABLE.strip().splitlines() for name in row.split(":")[1].split()}
# Codecs of Python that no alias names.
_UNNAMED = frozenset((
    "cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_r", "koi8_t", "koi8_u", "mac_arabic", "mac_croatian", "mac_farsi",
    "mac_romanian", "utf_8_sig", "gb18030", "utf_8", "utf_7", "utf_16", "utf_32", "cp932", "cp949", "cp950",
))
# What is no charset, or unsafe or slow to decode: punycode takes the square of its length.
_NEVER = frozenset((
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs", "oem", "undefined",
    "unicode_escape", "raw_unicode_escape", "idna", "punycode",
))
# Only names that are known are ever looked up: Python keeps each that it does not find, for as long as the process lives.
_KNOWN = {
    **{alias: codec for alias, codec in aliases.items() if codec not in _NEVER},
    **{codec: codec for codec in aliases.values() if codec not in _NEVER},
    **{codec: codec for codec in _UNNAMED},
    **_WIDER,
}
_LONGEST_NAME = 80
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,39}")
# In a text in several bytes a letter, so many wrong ones in a thousand are damage; more are another charset.
_DAMAGE = 20
_STRANGE = bytes(range(0x80, 0x100))
_WIDTHS = {"utf_16": 2, "utf_32": 4}
_MARKS = (
    (b"\xef\xbb\xbf", "utf_8"),
    (b"\xff\xfe\x00\x00", "utf_32"),
    (b"\x00\x00\xfe\xff", "utf_32"),
    (b"\xff\xfe", "utf_16"),
    (b"\xfe\xff", "utf_16"),
)
_SEVERAL_BYTES = frozenset((
    "utf_8", "gb18030", "cp949", "cp932", "euc_jp", "euc_kr", "cp950", "big5", "big5hkscs", "shift_jis_2004", "johab", "hz",
))


def codec_of(declared: str) -> str:
    """Return the name of Python's codec for a charset as a mail names it, or an empty text for none that is known."""
    return _codec_of(declared) if declared and len(declared) <= _LONGEST_NAME else ""


# Long names, which somebody may make up, are not kept.
@lru_cache(maxsize=256)
def _codec_of(declared: str) -> str:
    name = declared.partition(" (")[0].strip().strip("\"'").lower()   # without a comment (RFC 2045, section 5.1)
    if not _NAME.fullmatch(name):
        return ""
    plain = name.replace("-", "_")
    if plain not in _KNOWN:
        plain = encodings.normalize_encoding(name)
    found = _KNOWN.get(plain) or _KNOWN.get(plain.replace("windows_", "cp")) or _KNOWN.get(plain.replace("_", ""))
    return _WIDER.get(found, found) if found else ""


def decode(raw: bytes, declared: str = "", *, beside: str = "") -> tuple[str, str]:
    """Return bytes as text, and what had to be done for it: "", or "charset_" with "unknown", "wrong", "guessed" or "damaged".

    What is declared comes first; then a mark at the beginning, UTF-8, either of them with some damage, `beside` (a charset that the same mail uses
    elsewhere), what the bytes look like, and cp1252. Unknown, wrong: what is declared; guessed: nothing is declared, and it is not UTF-8.
    """
    codec = codec_of(declared)
    if raw.isascii() and codec not in _SEVEN_BITS:
        return raw.decode("ascii"), ""
    text = _as_declared(raw, codec)
    if text is not None:
        return text.removeprefix("\ufeff"), ""
    unsaid = declared.lower() in ("", "us-ascii", "ascii")
    oddity = "" if unsaid else "charset_wrong" if codec else "charset_unknown"
    text = _by_mark(raw)
    if text is None:
        text = _strictly(raw, "utf_8")
    if text is not None:
        return text.removeprefix("\ufeff"), oddity
    return _with_damage(raw, codec) or (_guessed(raw, beside), oddity or "charset_guessed")


def _with_damage(raw: bytes, codec: str) -> tuple[str, str] | None:
    for one in (codec, "utf_8"):
        text = _damaged(raw, one) if one in _SEVERAL_BYTES else None
        if text is not None:
            return text, "charset_damaged"
    return None


def _guessed(raw: bytes, beside: str) -> str:
    text = _as_declared(raw, codec_of(beside))
    if text is None:
        text = _as_declared(raw, likely_charset(raw))
    if text is None:
        text = _strictly(raw, "cp1252")
    return raw.decode("latin-1") if text is None else text   # which has a letter for each byte


def _as_declared(raw: bytes, codec: str) -> str | None:
    if codec.startswith("iso2022_jp"):
        return _japanese(raw, codec)
    if codec in ("utf_16", "utf_32") and b"\0" not in raw and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return None   # said of what is in fact one byte a letter; Python would make Chinese of it
    if codec in ("", "ascii") or (codec == "utf_7" and not raw.isascii()):
        return None
    return _strictly(raw, codec)


_SEVEN_BITS = frozenset((
    "utf_7", "hz", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr",
    "utf_16", "utf_32", "utf_16_le", "utf_16_be", "utf_32_le", "utf_32_be",
))


def _strictly(raw: bytes, codec: str) -> str | None:
    width = _WIDTHS.get(codec[:6], 1)
    try:
        if width > 1:
            raw = raw[: len(raw) - len(raw) % width]   # a line end of one byte may have been put behind it
        return raw.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None


def _by_mark(raw: bytes) -> str | None:
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return _strictly(raw, codec)
    return None


def _damaged(raw: bytes, codec: str) -> str | None:
    """Return text with some wrong bytes replaced; None where that many are wrong that it is another charset."""
    text = raw.decode(codec, "replace")
    wrong, strange = text.count("\ufffd"), len(raw) - len(raw.translate(None, _STRANGE))
    return text if wrong * 1_000 <= len(text) * _DAMAGE and wrong * 4 <= strange else None


# ISO-2022-JP by hand: what it switches to, and how the bytes that follow are read (RFC 1468, and what is sent in its name).
_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\$\(D|\([BJIH])")


def _japanese(raw: bytes, codec: str) -> str | None:
    """Return ISO-2022-JP as text; signs that only Windows has and bytes that do not belong there are read as far as they can be."""
    text = _strictly(raw, codec)
    if text is not None:
        return text
    if b"\x1b" not in raw:
        for other in ("cp932", "euc_jp"):   # declared so, and never switched
            text = _strictly(raw, other)
            if text is not None:
                return text
        return None
    pieces, now, kind = [], 0, b"\x1b(B"
    for switch in _ESCAPE.finditer(raw):
        pieces.append(_piece(raw[now : switch.start()], kind))
        now, kind = switch.end(), switch.group()
    pieces.append(_piece(raw[now:], kind))
    return "".join(pieces)


def _piece(raw: bytes, kind: bytes) -> str:
    if kind in (b"\x1b$B", b"\x1b$@"):
        # A line ends any switch (RFC 1468), whether or not it is switched back.
        lines = re.split(rb"(\r\n|\r|\n)", raw)
        return "".join(line.decode("ascii") if index % 2 else _double(line) for index, line in enumerate(lines))
    if kind == b"\x1b$(D":
        return b"".join(b"\x8f" + bytes(b | 0x80 for b in raw[at : at + 2]) for at in range(0, len(raw) - 1, 2)).decode("euc_jp", "replace")
    if kind == b"\x1b(I":
        return bytes(b | 0x80 if 0x20 < b < 0x60 else b for b in raw).decode("cp932", "replace")
    return raw.decode("ascii") if raw.isascii() else raw.decode("cp932", "replace")


def _double(raw: bytes) -> str:
    """Return pairs of JIS X 0208, in the rows that Windows added too, by way of Shift_JIS."""
    moved = bytearray()
    for first, second in zip(raw[::2], raw[1::2], strict=False):
        first, second = first & 0x7F, second & 0x7F   # some set the eighth bit
        if not (0x21 <= first <= 0x7E and 0x21 <= second <= 0x7E):
            moved += b"?"
            continue
        low = second + (0x7E if first % 2 == 0 else 0x1F + (second >= 0x60))
        high = (first - 0x21) // 2 + 0x81
        moved += bytes((high + 0x40 if high > 0x9F else high, low))
    return moved.decode("cp932", "replace")
