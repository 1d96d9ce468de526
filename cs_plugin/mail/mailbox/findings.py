"""What is found on the way to a mailbox, in plain words."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from cs_plugin.errors import CustomerServiceError
from cs_plugin.rules.inquiry import clean_line

_MAX_WORDS = 200
# What stands before the words of a refusal: a tag or none, the verdict, and a response code (RFC 9051, section 7.1; RFC 2449, section 8).
_VERDICT = re.compile(r"^(?:-ERR|\S+ (?:OK|NO|BAD|BYE|PREAUTH))\b\s*(?:\[(?P<code>[^\]]*)\])?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `message` is an untranslated message id, and `values` fill its placeholders."""

    good: bool
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


def good(message: str, /, **values: object) -> Finding:
    """Return that a step worked."""
    return Finding(True, message, {name: str(value) for name, value in values.items()})


def bad(message: str, /, **values: object) -> Finding:
    """Return that a step did not work, or what can be done about it."""
    return Finding(False, message, {name: str(value) for name, value in values.items()})


class Riddle(Enum):
    """What is worth a second look from outside, where a server does not say what it is."""

    SILENT = auto()  # it says nothing: it may wait for TLS, or for a browser
    NOT_TLS = auto()  # it does not take TLS from the first byte: what does it speak?


class MailboxError(CustomerServiceError):
    """Say why a mailbox was not reached: a finding, what can be done, and what is still to be found out."""

    def __init__(self, finding: Finding, *advice: Finding, riddle: Riddle | None = None) -> None:
        super().__init__(finding.message % finding.values if finding.values else finding.message)
        self.finding = finding
        self.advice = advice
        self.riddle = riddle


class TokenRefusedError(MailboxError):
    """Say that the access token signs in to nothing: it may have been taken back before its time, and another one may do."""


@dataclass(frozen=True, slots=True)
class Quoting:
    """Quote a server in words that can be shown: on one line, cut, and without the secret that it may have repeated."""

    user: str
    secret: str = field(repr=False)

    def words(self, line: bytes | str) -> str:
        """Return what a reply says, without its verdict and code; "--" where it says nothing."""
        return self.text(_VERDICT.sub("", _decoded(line), count=1)) or "--"

    def text(self, text: bytes | str, limit: int = _MAX_WORDS) -> str:
        """Return any text of a server's."""
        text = _decoded(text)
        for form in self._forms():
            text = text.replace(form, "…")
        return clean_line(text, limit)

    def _forms(self) -> list[str]:
        """Return how a secret may come back: as it is, quoted, and as it was encoded to sign in; the longest first."""
        if not self.secret:
            return []
        plain = (self.secret, self.secret.replace("\\", "\\\\").replace('"', '\\"'))
        sent = (self.secret, f"\0{self.user}\0{self.secret}", xoauth2(self.user, self.secret))
        encoded = (base64.b64encode(text.encode()).decode() for text in sent)
        return sorted({*plain, *encoded}, key=len, reverse=True)


def xoauth2(user: str, token: str) -> str:
    """Return what signs in with an access token: Google's and Microsoft's SASL XOAUTH2."""
    return f"user={user}\1auth=Bearer {token}\1\1"


def code_of(line: bytes) -> str:
    """Return the response code of a reply, such as "AUTHENTICATIONFAILED"; empty where it has none."""
    found = _VERDICT.match(_decoded(line))
    return (found["code"] or "").upper() if found else ""


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
