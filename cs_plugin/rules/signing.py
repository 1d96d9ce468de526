"""Signed tags and thread links: short, lower-case, safe in an address, and worthless to whoever guesses.

The first key signs, all keys verify, because tags live in mail for years. What is signed holds the thread's nonce, so that a new nonce revokes
every tag.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cs_plugin.errors import ConfigurationError

_MIN_KEY = 16
_MAC_BYTES = 15   # 120 bits are 24 letters of base32, without padding
_MOST_THREADS = 2**63 - 1   # what a database can hold
# Bounded, so that no subject takes long to look through.
_IN_SUBJECT = re.compile(r"\[#([A-Za-z2-7]{26}-[0-9]{1,19})\]")
# Whatever stands before it: a gateway writes a link anew as "…%2Fthread%2F" and the tag.
_ANYWHERE = re.compile(r"[a-z2-7]{26}-[0-9]{1,19}", re.IGNORECASE)
_LETTERS = re.compile(r"(?P<kid>[a-z2-7]{2})(?P<mac>[a-z2-7]{24})-(?P<thread>[1-9][0-9]{0,18})")


class TagKind(StrEnum):
    """What a tag opens: a link opens the conversation, an address or subject tag only says where a mail belongs.

    A question tag lets its holder say how one answer has served them: it holds the number of that message in the place of the thread's.
    An employee tag lets one employee answer by mail in one thread (`nonce_of_employee`).
    """

    LINK = "link"
    ADDRESS = "address"
    SUBJECT = "subject"
    QUESTION = "question"
    EMPLOYEE = "employee"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as it was written, before it is verified."""

    key_id: str
    mac: str
    thread_id: int


@dataclass(frozen=True, slots=True)
class Signer:
    """Sign and verify tags with `keys`, each of at least 16 characters."""

    keys: Sequence[str]

    def __post_init__(self) -> None:
        if not self.keys or any(len(key) < _MIN_KEY for key in self.keys):
            raise ConfigurationError(f"CS_SIGNING_KEYS must hold at least one key, each of at least {_MIN_KEY} characters")

    def sign(self, kind: TagKind, thread_id: int, nonce: str) -> str:
        """Return the tag of a thread: 27 characters and the thread's number."""
        return f"{_key_id(self.keys[0])}{_mac(self.keys[0], kind, thread_id, nonce)}-{thread_id}"

    def verify(self, kind: TagKind, tag: Tag, nonce: str) -> bool:
        """Say whether a tag was signed by one of the keys for this thread's present nonce, in a time that tells nothing."""
        good = False
        for key in self.keys:
            same_key = hmac.compare_digest(_key_id(key), tag.key_id)
            same_mac = hmac.compare_digest(_mac(key, kind, tag.thread_id, nonce), tag.mac)
            good |= same_key and same_mac
        return good


def nonce_of_employee(nonce: str, employee_id: str) -> str:
    """Return what stands for a thread's nonce in the tag of one employee: nobody else's tag is good for them, and a new nonce revokes it."""
    return f"{nonce}:{employee_id}"


def tags_in_addresses(addresses: Iterable[str]) -> tuple[Tag, ...]:
    """Return the tags that stand behind a plus in addresses ("box+tag@shop.example"), in their order, each once."""
    tags = (read_tag(address.rpartition("@")[0].rpartition("+")[2]) for address in addresses)
    return tuple(dict.fromkeys(tag for tag in tags if tag is not None))


def tags_in_subject(subject: str) -> tuple[Tag, ...]:
    """Return the tags that stand in a subject as "[#tag]", in their order, each once."""
    tags = (read_tag(found[1]) for found in _IN_SUBJECT.finditer(subject))
    return tuple(dict.fromkeys(tag for tag in tags if tag is not None))


def tags_in_message_ids(message_ids: Iterable[str]) -> tuple[Tag, ...]:
    """Return the tags with which Message-IDs begin ("<tag.words@shop.example>"), in their order, each once."""
    tags = (read_tag(one.lstrip("<").partition("@")[0].partition(".")[0]) for one in message_ids)
    return tuple(dict.fromkeys(tag for tag in tags if tag is not None))


def without_tags(text: str) -> str:
    """Return text without the tags in it, each of which is somebody's key: whoever reads it here must not be able to write in their name."""
    return _ANYWHERE.sub("…", _IN_SUBJECT.sub("", text))


def read_tag(text: str | None) -> Tag | None:
    """Read a tag as it stands in an address or a link; None for what is none. Nothing is verified here."""
    found = _LETTERS.fullmatch((text or "").lower())
    if found is None or int(found["thread"]) > _MOST_THREADS:
        return None
    return Tag(found["kid"], found["mac"], int(found["thread"]))


def _key_id(key: str) -> str:
    return _base32(hashlib.sha256(b"cs_plugin key id" + key.encode()).digest())[:2]


def _mac(key: str, kind: TagKind, thread_id: int, nonce: str) -> str:
    return _base32(hmac.digest(key.encode(), f"{kind}:{thread_id}:{nonce}".encode(), "sha256")[:_MAC_BYTES])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
