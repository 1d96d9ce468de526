"""Mails that say that a mail of ours was not delivered: reports as the standard has them (RFC 3464), and what servers write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.utils import getaddresses

from cs_plugin.mail.header_lines import clean_address, decode_words, raw_text, read_ids
from cs_plugin.mail.splitting import Node
from cs_plugin.mail.transfer import undo
from cs_plugin.rules.incoming import Bounce
from cs_plugin.rules.inquiry import clean_line

MAX_WORDS = 500
_MOST_REPORT = 65_536
_MOST_COPY = 262_144
# What of a mail is given to the patterns: some of them read a text for each of its lines.
_MOST_FOR_PATTERNS = 65_536
_MOST_PARTS_FOR_PATTERNS = 30
# Some of its patterns take the square of a line's length, or worse.
_LONG_LINE = re.compile(rb"([^\r\n]{300})[^\r\n]++")
_ASCII = bytes(byte if byte < 0x80 else 0x3F for byte in range(256))
_FIELD = re.compile(rb"(?m)^([A-Za-z-]{1,60})[ \t]*:[ \t]*([^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+)")
_BLOCKS = re.compile(rb"(?:\r?\n[ \t]*){2,}")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SMTP_CODE = re.compile(r"(?<![\d.:-])([45]\d\d)[ -](?=[A-Za-z#\d<])")
_COPIED_ID = re.compile(r"(?im)^[> \t]*message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,998}>)")
_ADDRESS = re.compile(r"[^\s<>()\[\]\";:,]{1,64}@[A-Za-z0-9.-]{1,190}")
_PREFIX = re.compile(r"(?i)^\s*[a-z0-9-]{1,20}\s*;\s*")
# Fields of a report about one recipient; of "delivered", "relayed" and "expanded" nobody needs to be told.
_ACTIONS = {"failed": True, "delayed": False}


def read_bounce(raw: bytes, root: Node, nodes: list[Node], text: str, *, is_report: bool, suspected: bool) -> Bounce | None:
    """Return what a mail says of one of ours that was not delivered, or None.

    A report is believed as it stands; the patterns of Mailman (flufl.bounce) are asked only of what a mail server seems to have
    written (`suspected`).
    """
    reports = [one for one in nodes if one.kind in ("message/delivery-status", "message/global-delivery-status")]
    found = next(iter(sorted(_reported(raw, reports), key=lambda one: not one.permanent)), None)
    if found is None and reports and is_report and _only_good_news(raw, reports):
        return None
    if found is None and suspected:
        found = _by_pattern(raw, root, nodes, text)
    if found is None:
        return None
    return Bounce(found.permanent, found.recipient, found.status, found.words, _id_of_ours(raw, nodes, text))


def _content(raw: bytes, node: Node, most: int) -> bytes:
    end = min(node.end, node.start + most) if node.raw(b"content-transfer-encoding").strip().lower() != b"base64" else node.end
    return undo(raw, node.start, end, node.raw(b"content-transfer-encoding"), is_text=True)[0][:most]


def _blocks(raw: bytes, reports: Iterable[Node]) -> Iterator[dict[str, str]]:
    for report in reports:
        for block in _BLOCKS.split(_content(raw, report, _MOST_REPORT).strip()):
            fields: dict[str, str] = {}
            for name, value in _FIELD.findall(block):
                fields.setdefault(name.decode("ascii").lower(), clean_line(decode_words(raw_text(value)), 2_000))
            if fields:
                yield fields


def _reported(raw: bytes, reports: list[Node]) -> Iterator[Bounce]:
    for fields in _blocks(raw, reports):
        recipient = fields.get("original-recipient") or fields.get("final-recipient") or ""
        action = re.split(r"[\s;(]", fields.get("action", "").strip().lower(), maxsplit=1)[0]
        status = _STATUS.search(fields.get("status", ""))
        code = status.group(1) if status else ""
        if not recipient and action not in _ACTIONS:
            continue
        permanent = _ACTIONS.get(action)
        if permanent is None and not action:
            permanent = {"5": True, "4": False}.get(code[:1])
        if permanent is not None:
            words = _PREFIX.sub("", fields.get("diagnostic-code", ""))[:MAX_WORDS]
            yield Bounce(permanent, _recipient(recipient), code, words)


def _recipient(field: str) -> str:
    address = clean_address(_PREFIX.sub("", field))
    return address if "@" in address else ""


def _only_good_news(raw: bytes, reports: list[Node]) -> bool:
    actions = {fields["action"].split()[0].lower() for fields in _blocks(raw, reports) if fields.get("action", "").split()}
    return bool(actions) and actions <= {"delivered", "relayed", "expanded"}


def _by_pattern(raw: bytes, root: Node, nodes: list[Node], text: str) -> Bounce | None:
    if len(nodes) > _MOST_PARTS_FOR_PATTERNS:
        return None
    permanent, recipient = True, _failed_recipient(root)
    if not recipient:
        temporary, final = _asked(raw[:_MOST_FOR_PATTERNS])
        addresses = sorted(final) or sorted(temporary)
        if not addresses:
            return None
        permanent, recipient = bool(final), addresses[0]
    status, words = _said(text)
    if status.startswith("4"):
        permanent = False
    return Bounce(permanent, recipient, status, words)


def _failed_recipient(root: Node) -> str:
    found = _ADDRESS.search(raw_text(root.raw(b"x-failed-recipients")[:1_000]))
    return clean_address(found.group()) if found else ""


def _asked(raw: bytes) -> tuple[set[str], set[str]]:
    from flufl.bounce import all_failures  # few mails need it

    try:
        # It asks every mail for the address of its sender, and for text where Python gives none that is not ASCII.
        message = message_from_bytes(_LONG_LINE.sub(rb"\1", raw.translate(_ASCII)))
        if not any(address for _name, address in getaddresses([str(message.get("from", ""))])):
            del message["from"]
            message["from"] = "nobody@invalid"
        temporary, final = all_failures(message)
    except Exception:  # noqa: BLE001 - a net of patterns, written for mails that are not hostile
        return set(), set()
    return _cleaned(temporary), _cleaned(final)


def _cleaned(addresses: Iterable[bytes]) -> set[str]:
    cleaned = (clean_address(address.decode("utf-8", "replace")) for address in addresses)
    return {one for one in cleaned if "@" in one}


def _said(text: str) -> tuple[str, str]:
    """Return the status code that a server's words hold, and the line that holds it."""
    beginning = text[:_MOST_REPORT]
    for pattern in (_STATUS, _SMTP_CODE):
        found = pattern.search(beginning)
        if found is not None:
            start, end = beginning.rfind("\n", 0, found.start()) + 1, beginning.find("\n", found.end())
            line = beginning[start : end if end >= 0 else len(beginning)]
            return (found.group(1) if pattern is _STATUS else "", clean_line(line, MAX_WORDS))
    return "", ""


def _id_of_ours(raw: bytes, nodes: list[Node], text: str) -> str | None:
    """Return the Message-ID of the mail that came back, from what is sent back of it."""
    for node in nodes[1:]:
        if node.kind in ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
            found = _COPIED_ID.search(raw_text(_content(raw, node, _MOST_REPORT)))
            if found:
                return _first_id(found.group(1))
    found = _COPIED_ID.search(text[:_MOST_COPY])
    return _first_id(found.group(1)) if found else None


def _first_id(text: str) -> str | None:
    return next(iter(read_ids(text.encode("utf-8", "replace"), 1)), None)
