"""What listeners and places are told of a thread and of a message: plain facts, good after the transaction has ended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.status import Folder, Status


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """A thread as it stood when something happened. Ids of customer, order and employee are the host's own."""

    id: int
    shop_id: str
    status: Status
    folder: Folder
    subject: str
    address: str
    language: str
    contact_id: int | None = None
    customer_id: str | None = None
    order_id: str | None = None
    assignee_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A message as it was stored. `private` is true for notes; `created_at` is aware."""

    id: int
    thread_id: int
    author_kind: AuthorKind
    author_id: str | None
    author_name: str
    private: bool
    channel: Channel
    text: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Received:
    """Where an inquiry went. `thread_id` and `message_id` are None for a contact whose messages are mailed on and not kept.

    `repeated` says that the same post had been taken before, and nothing was stored again.
    """

    thread_id: int | None
    message_id: int | None
    repeated: bool = False
