"""Whether two mails are the same one: by what they say, and not by the way that each has come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

# Header fields that those add who carry or keep a mail: the same mail has others of them when it comes again, by another way or out of an archive.
_TRACES = frozenset(
    {
        *(b"received", b"return-path", b"delivered-to", b"x-original-to", b"envelope-to", b"x-envelope-to", b"x-envelope-from", b"x-received"),
        *(b"received-spf", b"authentication-results", b"x-delivered-to", b"x-forwarded-to", b"x-forwarded-for", b"x-apparently-to"),
        *(b"status", b"x-status", b"x-keywords", b"x-uid", b"x-uidl", b"x-imap", b"x-imapbase", b"x-gmail-labels", b"x-gm-thrid", b"content-length"),
        *(b"lines", b"x-evolution-source", b"dkim-filter", b"delivery-date", b"x-getmail-retrieved-from-mailbox", b"x-tuid"),
    }
)
_TRACES_BEGIN = (b"arc-", b"x-spam", b"x-virus", b"x-mozilla-", b"x-antivirus", b"x-rspamd", b"x-amavis", b"x-ms-exchange-", b"x-microsoft-antispam")
_CHUNK = 1 << 20
# Longer headers are compared byte by byte, traces included: nothing but an attack is.
_MOST_HEADER = 1 << 20


def content_key(raw: bytes) -> bytes:
    """Return the SHA-256 of a mail without what was added on its way, its line ends made alike and those at its end left out."""
    end = len(raw)
    while end and raw[end - 1] in b"\r\n":
        end -= 1
    begin = _end_of_header(raw, end)
    whole = hashlib.sha256()
    for line in _lasting(raw[:begin]):
        whole.update(line)
    whole.update(b"\n")
    while begin < end:
        until = min(begin + _CHUNK, end)
        if until < end and raw[until - 1 : until] == b"\r":
            until += 1
        whole.update(raw[begin:until].replace(b"\r\n", b"\n"))
        begin = until
    return whole.digest()


def _end_of_header(raw: bytes, end: int) -> int:
    ends = [at for at in (raw.find(b"\n\n", 0, min(end, _MOST_HEADER)), raw.find(b"\n\r\n", 0, min(end, _MOST_HEADER))) if at >= 0]
    return min(ends) + 1 if ends else min(end, _MOST_HEADER)


def _lasting(header: bytes) -> Iterator[bytes]:
    """Yield the lines of a header that stay the same, those that go on in the next line with them."""
    keeps = True
    for line in header.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].strip().lower()
            # The line before the header with which an mbox file begins each mail.
            keeps = name not in _TRACES and not name.startswith(_TRACES_BEGIN) and not line.startswith((b"From ", b">From "))
        if keeps:
            yield line + b"\n"
