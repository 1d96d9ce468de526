"""Which thread an inquiry belongs to: matchers, read from top to bottom; the first that finds one decides, and its name is kept as the reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cs_plugin.rules.inquiry import Channel, Inquiry
from cs_plugin.rules.status import Folder, Status

# The choice of the option "Reopen closed threads" that sets an end to it.
_WITHIN = "within"


class Threads(Protocol):
    """What the matchers may look up. Threads in the bin are not found."""

    def by_link(self, token: str) -> int | None:
        """Return the thread that a verified link token opens."""

    def newest_of_order(self, order_id: str, *, customer_id: str | None, address: str) -> int | None:
        """Return the newest thread about an order that this very customer wrote, verified: by account, else by a guest's address."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A thread that is there (`thread_id`) or a new one (None), and why."""

    thread_id: int | None
    reason: str


def carries_a_thread_link(inquiry: Inquiry, threads: Threads) -> int | None:
    """Match somebody who came by the link in our mail: it was sent to them alone."""
    return threads.by_link(inquiry.thread_token) if inquiry.thread_token else None


def is_about_an_order_that_has_a_thread(inquiry: Inquiry, threads: Threads) -> int | None:
    """Match a verified customer who writes again about the same order. A typed address proves nothing."""
    if inquiry.order_id is None or not inquiry.sender.verified or inquiry.channel not in (Channel.FORM, Channel.ORDER_PAGE):
        return None
    return threads.newest_of_order(inquiry.order_id, customer_id=inquiry.sender.customer_id, address=inquiry.sender.address)


Matcher = Callable[[Inquiry, Threads], int | None]

# First match wins.
MATCHERS: tuple[Matcher, ...] = (
    carries_a_thread_link,
    is_about_an_order_that_has_a_thread,
)


def decide(inquiry: Inquiry, threads: Threads) -> Decision:
    """Return where an inquiry goes."""
    for matcher in MATCHERS:
        thread_id = matcher(inquiry, threads)
        if thread_id is not None:
            return Decision(thread_id, matcher.__name__)
    return Decision(None, "begins_a_thread")


# --- A thread that has been closed for long ---------------------------------------------------------------------------------------------------------


def reopened_for(choice: str, days: int) -> dt.timedelta | None:
    """Return for how long after its last message a closed thread is reopened, as the options say; None where it always is."""
    return dt.timedelta(days=days) if choice == _WITHIN else None


def has_come_to_rest(status: Status, folder: Folder, quiet_for: dt.timedelta, *, reopened: dt.timedelta | None) -> bool:
    """Say whether a customer's message begins a new thread that refers to this one, instead of reopening it.

    `quiet_for` is how long ago its last public message was. What lies in spam stays there: nobody writes their way out of it.
    """
    return reopened is not None and status is Status.CLOSED and folder is Folder.LIST and quiet_for > reopened
