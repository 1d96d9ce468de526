"""Orders as the host tells of them: enough to name one, to list what was bought, and to say where it stands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """One product of an order, as a customer may choose it beside a message."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `customer_id` is None for a guest's; `valid` says whether it counts as validated; `placed_at` is aware."""

    id: str
    reference: str
    email: str
    shop_id: str
    placed_at: dt.datetime
    total: Decimal
    currency: str
    status: str
    customer_id: str | None = None
    valid: bool = True
    language: str | None = None
    products: tuple[Product, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One change of an order's status: when (aware), and its name in the employee's language."""

    at: dt.datetime
    status: str
