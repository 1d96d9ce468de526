"""Customers who have written before, found by their name: a host is asked by address or id, and employees remember names."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.matches import matching_ids
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import Scope

_LOOKED_AT = 200   # the newest threads with the name


def customers_named(session: Session, scope: Scope, name: str, *, most: int) -> list[str]:
    """Return the accounts of verified customers whose threads of the scope carry a name, the newest thread first."""
    ids = matching_ids(session, scope, ThreadFilter(customer=name), descending=True)[:_LOOKED_AT]
    theirs = (Thread.id.in_(ids), Thread.customer_verified, Thread.customer_id.is_not(None), scope.covers(Thread.shop_id))
    found = session.scalars(select(Thread.customer_id).where(*theirs).order_by(Thread.id.desc()))
    return list(dict.fromkeys(one for one in found if one is not None))[:most]
