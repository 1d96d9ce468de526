"""Which threads can be made one, what becomes of the one that is kept, and whose a message is that is taken out of a thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Status

# Why a message stands where it does, once somebody has moved it.
MOVED_BY_HAND = "was_moved_by_hand"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a thread is. `address` is a digest, None where it has none; `account` is a customer's who is known to be this one, None otherwise."""

    shop_id: str
    address: bytes | None
    account: str | None


def is_one_customer(one: Owner, other: Owner) -> bool:
    """Say whether two threads are of the same customer: of the same verified account, or of the same address, in the same shop.

    Two accounts that are both verified are two customers, whatever their addresses.
    """
    if one.shop_id != other.shop_id:
        return False
    if one.account is not None and other.account is not None:
        return one.account == other.account
    return one.address is not None and one.address == other.address


def status_kept(kept: Status, merged: Iterable[Status]) -> Status:
    """Return the status of the thread that others were merged into: open if one of them was open, else as it was."""
    return Status.OPEN if Status.OPEN in merged else kept


def status_of_new(before: Status, *, waits: bool) -> Status:
    """Return the status of a thread that messages were split off into: open if a customer waits in it, else as the one that they stood in."""
    return Status.OPEN if waits else before


def status_of_target(before: Status, *, waits: bool) -> Status:
    """Return the status of a thread that a message was moved into: open if the customer waits for an answer to it, else as it was."""
    return Status.OPEN if waits else before


@dataclass(frozen=True, slots=True)
class Written:
    """Who has written a message, as far as the rule below looks at it. `address` is a digest, None where there is none.

    `own` says that it is the thread's customer, by the address or by the account.
    """

    kind: AuthorKind
    private: bool
    address: bytes | None
    own: bool


def is_their_senders(messages: Sequence[Written]) -> bool:
    """Say whether messages that are split off belong to another sender than the thread's customer.

    They do where all that is public among them was written by one person who is not that customer: nobody gets to read what another has written.
    """
    public = [one for one in messages if not one.private]
    if not public or any(one.own or one.kind is not AuthorKind.CUSTOMER for one in public):
        return False
    senders = {one.address for one in public}
    return len(senders) == 1 and None not in senders
