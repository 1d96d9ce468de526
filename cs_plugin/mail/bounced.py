"""Mails that say that a mail of ours was not delivered: reports as the standard has them (RFC 3464), and what servers write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email import message_from_bytes
from email.utils import getaddresses

from cs_plugin.mail.header_lines import clean_address, decode_words, raw_text, read_ids, read_mailboxes
from cs_plugin.mail.machines import by_a_mail_server
from cs_plugin.mail.splitting import Node
from cs_plugin.mail.transfer import undo
from cs_plugin.mail.undelivered import is_of_a_failure, only_one_written_to, read_words
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
_STATUS = re.compile(r"(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_SMTP_CODE = re.compile(r"(?<![\d.:-])([45]\d\d)[ -](?=[A-Za-z#\d<])")
_COPIED_ID = re.compile(r"(?im)^[> \t]*message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,998}>)")
_ADDRESS = re.compile(r"[^\s<>()\[\]\";:,]{1,64}@[A-Za-z0-9.-]{1,190}")
_SENT_BACK = frozenset(("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"))
_MOST_COPIES = 5
_PREFIX = re.compile(r"(?i)^\s*(?:[a-z0-9-]{1,20}\s*;\s*){1,3}")
_GOOD_NEWS = frozenset(("delivered", "relayed", "expanded", "deliverable"))
# What a report says of one recipient, and what some say instead; of "delivered", "relayed" and "expanded" nobody needs to be told.
_ACTIONS = {"failed": True, "failure": True, "fail": True, "expired": True, "undeliverable": True, "delayed": False, "deferred": False}


def read_bounce(raw: bytes, root: Node, nodes: list[Node], text: str, subject: str) -> Bounce | None:
    """Return what a mail says of one of ours that was not delivered, or None.

    A report is believed as it stands. What else a mail server seems to have written is read by its words (`mail/undelivered.py`), and
    then by the patterns of Mailman (flufl.bounce).
    """
    reports = [one for one in nodes if one.kind in ("message/delivery-status", "message/global-delivery-status")]
    if root.kind == "multipart/report" and root.parameter("report-type").lower() == "feedback-report":
        return None   # a mail that somebody calls spam has arrived (RFC 5965)
    found = _worst(_reported(_contents(raw, reports)))
    if found is None and reports and root.kind == "multipart/report" and _only_good_news(raw, reports):
        return None
    is_server = True if found else by_a_mail_server(root, of_a_failure=is_of_a_failure(subject))
    if is_server is False:
        return None
    copies = _copies(raw, nodes, text)
    message_id = _copied_id(copies)
    found = found or _worst(_reported([text[:_MOST_REPORT].encode()]))
    if found is None:
        found = _without_report(raw, root, nodes, text, subject, copies)
        # An automatic answer may speak of a parcel that could not be delivered.
        found = None if found and not (is_server or found.words or message_id) else found
    elif not found.recipient or not found.words:
        said = _by_words(root, text, subject, copies)
        found = _completed(found, said[0]) if said else found
    return replace(found, message_id=message_id) if found else None


def _completed(report: Bounce, said: Bounce) -> Bounce:
    """Return a report with what it leaves out and the words beside it say."""
    words = report.words or (said.words if report.permanent is said.permanent else "")
    return replace(report, recipient=report.recipient or said.recipient, status=_more_exact(report.status, words), words=words)


def _without_report(raw: bytes, root: Node, nodes: list[Node], text: str, subject: str, copies: list[str]) -> Bounce | None:
    said = _by_words(root, text, subject, copies)
    if said and said[1]:
        return said[0]
    return _by_pattern(raw, nodes, text) or (said[0] if said else None)


def _worst(found: Iterable[Bounce]) -> Bounce | None:
    return next(iter(sorted(found, key=lambda one: not one.permanent)), None)


def _content(raw: bytes, node: Node, most: int) -> bytes:
    end = min(node.end, node.start + most) if node.raw(b"content-transfer-encoding").strip().lower() != b"base64" else node.end
    return undo(raw, node.start, end, node.raw(b"content-transfer-encoding"), is_text=True)[0][:most]


def _contents(raw: bytes, reports: Iterable[Node]) -> Iterator[bytes]:
    return (_content(raw, report, _MOST_REPORT) for report in reports)


def _blocks(contents: Iterable[bytes]) -> Iterator[dict[str, str]]:
    for content in contents:
        for block in _BLOCKS.split(content.strip()):
            fields: dict[str, str] = {}
            for name, value in _FIELD.findall(block):
                fields.setdefault(name.decode("ascii").lower(), clean_line(decode_words(raw_text(value)), 2_000))
            if fields:
                yield fields


def _reported(contents: Iterable[bytes]) -> Iterator[Bounce]:
    for fields in _blocks(contents):
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
            yield Bounce(permanent, _recipient(recipient), _more_exact(code, words), words)


def _more_exact(code: str, words: str) -> str:
    """Return the status code of a report; where it says no more than its class (x.0.0), the one of the same class that the words hold."""
    said = _STATUS.search(words) if code.endswith(".0.0") else None
    return said.group(1) if said and said.group(1)[0] == code[0] else code


def _recipient(field: str) -> str:
    # Some name a program that takes mails, or a file.
    address = _PREFIX.sub("", field)
    address = "" if address[:1] in ("|", "/") else clean_address(address)
    return address if "@" in address[1:] else ""


def _only_good_news(raw: bytes, reports: list[Node]) -> bool:
    actions = {fields["action"].split()[0].lower() for fields in _blocks(_contents(raw, reports)) if fields.get("action", "").split()}
    return bool(actions) and actions <= _GOOD_NEWS


def _by_words(root: Node, text: str, subject: str, copies: list[str]) -> tuple[Bounce, bool] | None:
    """Return what a server's words say, and whether they name the recipient as such."""
    own = {one.address.lower() for name in (b"from", b"to", b"reply-to") for value in root.each(name)[:1] for one in read_mailboxes(value, 10)}
    found = read_words(subject, text, own)
    if found is None:
        return None
    named = _failed_recipient(root)
    recipient = named or found.recipient or next(filter(None, (only_one_written_to(one, own) for one in copies)), "")
    if not recipient and _copied_id(copies) is None:
        return None
    status, words = _said(found.words)
    permanent = not status.startswith("4") if found.permanent is None else found.permanent
    return Bounce(permanent, recipient, status, words), bool(named) or found.certain


def _by_pattern(raw: bytes, nodes: list[Node], text: str) -> Bounce | None:
    if len(nodes) > _MOST_PARTS_FOR_PATTERNS:
        return None
    temporary, final = _asked(raw[:_MOST_FOR_PATTERNS])
    addresses = sorted(final) or sorted(temporary)
    if not addresses:
        return None
    status, words = _said(text)
    return Bounce(bool(final) and not status.startswith("4"), addresses[0], status, words)


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
        found = next((one for one in pattern.finditer(beginning) if one.group(1)[0] != "2"), None)
        if found is not None:
            start, end = beginning.rfind("\n", 0, found.start()) + 1, beginning.find("\n", found.end())
            line = beginning[start : end if end >= 0 else len(beginning)]
            return (found.group(1) if pattern is _STATUS else "", clean_line(line, MAX_WORDS))
    return "", ""


def _copies(raw: bytes, nodes: list[Node], text: str) -> list[str]:
    """Return what may hold the header of the mail that came back, the likeliest first."""
    sent_back = [one for one in nodes[1:] if one.kind in _SENT_BACK]
    others = [one for one in nodes[1:] if one.main == "text" and one.sub != "html" and one not in sent_back]
    return [
        *(raw_text(_content(raw, one, _MOST_REPORT)) for one in sent_back[:_MOST_COPIES]),
        text[:_MOST_COPY],
        *(raw_text(_content(raw, one, _MOST_REPORT)) for one in others[:_MOST_COPIES]),
    ]


def _copied_id(copies: Iterable[str]) -> str | None:
    """Return the Message-ID of the mail that came back, from what is sent back of it."""
    found = next(filter(None, map(_COPIED_ID.search, copies)), None)
    return _first_id(found.group(1)) if found else None


def _first_id(text: str) -> str | None:
    return next(iter(read_ids(text.encode("utf-8", "replace"), 1)), None)
