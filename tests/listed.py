"""Many threads in a store's list, written at once: what is listed, exported and changed in bulk does not depend on how they came to be."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import threads
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Ranks, Sort
from tests.hosts.store import Store

_ADDRESS = "crowd@example.com"


def crowd(store: Store, number: int, **changes: Any) -> None:
    """Write so many open threads of Paris, or of what `changes` say."""
    row: dict[str, Any] = {
        "shop_id": "1",
        "language": "en",
        "contact_id": 1,
        "folder": Folder.LIST,
        "status": Status.OPEN,
        "address": _ADDRESS,
        "address_hash": address_key(_ADDRESS),
        "address_sort": _ADDRESS,
        "customer_name": "Ann Crowd",
        "customer_sort": "ann crowd",
        "customer_verified": True,
        "last_customer_text": "Where is my parcel?",
        "token_nonce": "n",
        "created_at": store.clock.now - dt.timedelta(days=1),
        **changes,
    }
    with store.desk.sessions() as session:
        for begun in range(0, number, 5_000):
            session.execute(insert(Thread), [row] * min(5_000, number - begun))
            session.commit()


def total_of(session: Session, scope: Scope, wanted: ThreadFilter) -> tuple[int, bool]:
    """The number that a list tells, and whether that is a bound."""
    page = threads.list_page(session, scope, wanted, sort=Sort(), number=1, size=20, ranks=Ranks())
    return page.total, page.more
