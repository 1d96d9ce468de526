"""How often is too often: what an allowance is, and which addresses share one."""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass

# Where dots in the local part mean nothing, and two domains are one.
_WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many times within any span of that length."""

    most: int
    within: dt.timedelta


def mailbox_of(address: str) -> str:
    """Return the mailbox that an address most likely leads to, for counting alone: nobody gets a new allowance by a "+tag", another case or a dot.

    Two people who share an allowance by it are rare and lose little; mail is sent to the address as it was given.
    """
    local, _at, domain = unicodedata.normalize("NFC", address.strip()).lower().rpartition("@")
    # What is quoted may hold a plus of its own.
    if not local.startswith('"'):
        local = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
