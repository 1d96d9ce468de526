"""Orders: how a row of the store's becomes an Order, and how orders are found."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from cs_plugin.adapters.attributes import GUESS, Guess, Model, Named, Reader, amount, flag, moment, text
from cs_plugin.adapters.keys import Key, exactly, first, value_of
from cs_plugin.adapters.people import Directory
from cs_plugin.rules.orders import Order, OrderStep, Product

# The names under which an attribute is looked for that the store does not name, in this order.
USUAL: Mapping[str, tuple[str, ...]] = {
    "reference": ("reference", "number", "order_number", "code"),
    "email": ("email", "customer_email", "guest_email", "contact_email", "email_address"),
    "customer": ("customer_id", "user_id", "buyer_id", "account_id"),
    "shop_id": ("shop_id", "store_id"),
    "placed_at": ("placed_at", "ordered_at", "created_at", "created_on", "created", "date"),
    "total": ("total", "total_amount", "total_price", "grand_total", "total_paid", "amount"),
    "currency": ("currency", "currency_code"),
    "status": ("status", "state"),
    "valid": ("is_valid", "valid"),
    "language": ("language", "locale", "lang"),
    "lines": ("lines", "items", "order_lines", "order_items", "products"),
    "product_id": ("product_id", "product.id"),
    "product_name": ("product_name", "name", "title", "product.name", "product.title"),
    "step_at": ("at", "created_at", "changed_at", "date"),
    "step_status": ("status", "state", "name"),
}

_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Orders:
    """A model of orders, and what its attributes are called; what is not named is looked for under the usual names.

    Each is the name of an attribute ("number", "customer.email"), a function of the row, or None for what the store does not have. `customer` is the
    column with the customer's key. `token` is the column by which a guest's order is opened, and is never guessed. `currency` may be a code
    ("EUR"). `statuses` gives statuses the names that people read. `lines` are the bought products, and `product_id` and `product_name` are read from
    a line. `history` are the statuses that an order has had, and `step_at` and `step_status` are read from one of them. `lower_case_emails` says that
    all addresses are kept in lower case, so that an index on the column finds them.
    """

    model: type[Any]
    reference: Named = GUESS
    email: Named = GUESS
    customer: Named = GUESS
    token: str | None = None
    shop_id: Named = GUESS
    placed_at: Named = GUESS
    total: Named = GUESS
    currency: Named = GUESS
    status: Named = GUESS
    statuses: Mapping[str, Any] = field(default_factory=dict)
    valid: Named = GUESS
    language: Named = GUESS
    lines: Named = GUESS
    product_id: Named = GUESS
    product_name: Named = GUESS
    history: str | None = None
    step_at: Named = GUESS
    step_status: Named = GUESS
    lower_case_emails: bool = False


@dataclass(frozen=True, slots=True)
class _Parts:
    """The rows that a relationship of an order leads to, and the two things that are read from each."""

    rows: Reader
    first: Reader
    second: Reader

    def of(self, order: Any) -> list[tuple[Any, Any]]:
        return [(self.first(one), self.second(one)) for one in self.rows(order) or ()]

    def readers(self) -> Iterator[Reader]:
        """Return the paths, from the order, of what is read."""
        yield self.rows
        yield from (Reader(f"{self.rows.path}.{one.path}") for one in (self.first, self.second) if one.path)


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The orders of one model, as the desk asks for them."""

    model: Model
    key: Key
    reference: Reader | None
    email: Reader | None
    customers_email: Reader | None
    customer: Reader | None
    customer_key: Key | None
    token: Reader | None
    shop_id: Reader | None
    only_shop: str
    placed_at: Reader
    total: Reader
    currency: Callable[[Any], Any]
    status: Reader | None
    statuses: Mapping[str, Any]
    valid: Reader | None
    language: Reader | None
    products: _Parts | Callable[[Any], Sequence[Product]] | None
    history: _Parts | None
    lower_case_emails: bool

    @classmethod
    def of(cls, orders: Orders | type[Any], customers: Directory | None, shops: Sequence[str] | None) -> OrderBook:
        """Find out what a model's attributes are called. Raise ConfigurationError for what cannot be found.

        `shops` holds the ids of the shops that are known at the start, none where a function tells them later; it is None where the store tells of
        no shops at all.
        """
        orders = orders if isinstance(orders, Orders) else Orders(orders)
        model = Model.of(orders.model, f"order=Orders({getattr(orders.model, '__name__', orders.model)}, {{}})")
        customer = _customer(model, orders, customers)
        customers_email = _customers_email(model, customers) if orders.email is not None else None
        placed_at = model.need("placed_at", orders.placed_at, USUAL["placed_at"])
        _searched(model, "placed_at", placed_at)
        email = model.find("email", orders.email, USUAL["email"])
        # An order of a customer is known by the customer; one that nobody with an account made is known by its address alone.
        if email is None and customer is None and orders.email is not None:
            raise model.lacks("email", USUAL["email"])
        return cls(
            model=model,
            key=Key.of(model),
            reference=model.find("reference", orders.reference, USUAL["reference"]),
            email=email,
            customers_email=customers_email,
            customer=customer,
            customer_key=customers.key if customers else None,
            token=_searched(model, "token", model.find("token", orders.token)),
            shop_id=_shop(model, orders, shops),
            only_shop=shops[0] if shops else "1",
            placed_at=placed_at,
            total=model.need("total", orders.total, USUAL["total"]),
            currency=_currency(model, orders.currency),
            status=model.find("status", orders.status, USUAL["status"]),
            statuses=orders.statuses,
            valid=model.find_flag("valid", orders.valid, USUAL["valid"]),
            language=model.find("language", orders.language, USUAL["language"]),
            products=_products(model, orders),
            history=_history(model, orders),
            lower_case_emails=orders.lower_case_emails,
        )

    def by_id(self, session: Session, identity: str, shop_id: str | None) -> Any:
        """Return the order of that id, else of that reference; None where there is none, or it is another shop's."""
        identity = identity.strip()
        row = self.key.find(session, identity, self._brought_along())
        if row is None and self.reference is not None:
            row = self._by_reference(session, self.reference, identity)
        return row if row is not None and shop_id in (None, self._shop_of(row)) else None

    def _by_reference(self, session: Session, reference: Reader, typed: str) -> Any:
        column = self.model.expression(reference)
        if column is None:
            return None
        values = [value for one in (typed, typed.upper()) if (value := value_of(column.type, one)) is not None]
        return first(session, self._query().where(column.in_(values)).order_by(self.key.column)) if values else None

    def by_token(self, session: Session, token: str, shop_id: str | None) -> Any:
        """Return the order that a guest's token opens; None where it opens none, or another shop's."""
        if self.token is None:
            return None
        column, reader = self.model.column("token", self.token), self.token
        value = value_of(column.type, token)
        row = exactly(session, self._query().where(column == value), lambda one: str(reader(one)), token) if value is not None else None
        return row if row is not None and shop_id in (None, self._shop_of(row)) else None

    def of_customer(self, session: Session, customer_id: str) -> Sequence[Any]:
        """Return the orders of a customer, newest first."""
        if self.customer is None or self.customer_key is None:
            return ()
        value = value_of(self.customer_key.type, customer_id)
        column = self.model.column("customer", self.customer)
        return self._newest_first(session, column == value) if value is not None else ()

    def of_address(self, session: Session, address: str) -> Sequence[Any]:
        """Return the orders that guests made with an address, newest first: what is said of them goes to that address only."""
        lower = address.strip().lower()
        expression = self.model.expression(self.email) if self.email is not None else None
        if expression is None or not lower or not lower.isprintable():
            return ()
        same = expression == lower if self.lower_case_emails else sa.func.lower(expression) == lower
        guests = [self.model.column("customer", self.customer).is_(None)] if self.customer is not None else []
        # Some databases hold "é" for "e", which is somebody else's.
        return [row for row in self._newest_first(session, sa.and_(same, *guests)) if _read(self.email, row).lower() == lower]

    def _newest_first(self, session: Session, condition: sa.ColumnElement[bool]) -> Sequence[Any]:
        placed_at = self.model.column("placed_at", self.placed_at)
        return session.scalars(self._query().where(condition).order_by(placed_at.desc(), self.key.column.desc())).all()

    def _query(self) -> sa.Select[Any]:
        return sa.select(self.model.mapped).options(*self._brought_along())

    def _brought_along(self) -> list[ORMOption]:
        """Return what lets a list of orders be read with a fixed number of queries."""
        parts = self.products.readers() if isinstance(self.products, _Parts) else ()
        currency = self.currency if isinstance(self.currency, Reader) else None
        return self.model.load(self.email, self.customers_email, self.language, self.status, self.total, self.shop_id, currency, *parts)

    def _shop_of(self, row: Any) -> str:
        return _read(self.shop_id, row) or self.only_shop

    def order(self, row: Any) -> Order:
        """Return a row as the desk knows orders."""
        identity = self.key.of_row(row)
        return Order(
            id=identity,
            reference=_read(self.reference, row) or identity,
            email=_read(self.email, row) or _read(self.customers_email, row),
            shop_id=self._shop_of(row),
            placed_at=moment(self.placed_at(row)) or _NEVER,
            total=amount(self.total(row)),
            currency=text(self.currency(row)),
            status=self._status(self.status(row)) if self.status else "",
            customer_id=_read(self.customer, row) or None,
            valid=self.valid is None or flag(self.valid(row), f"{self.model.name}.{self.valid.path or 'valid'}"),
            language=_read(self.language, row) or None,
            products=self._products_of(row),
        )

    def _products_of(self, row: Any) -> tuple[Product, ...]:
        if isinstance(self.products, _Parts):
            return tuple(Product(text(identity), text(name)) for identity, name in self.products.of(row))
        return tuple(self.products(row)) if self.products is not None else ()

    def steps(self, row: Any) -> Sequence[OrderStep]:
        """Return the statuses that an order has had, oldest first."""
        found = [(moment(at), status) for at, status in self.history.of(row)] if self.history else []
        return sorted((OrderStep(at, self._status(status)) for at, status in found if at is not None), key=lambda step: step.at)

    def _status(self, value: Any) -> str:
        raw = text(value)
        return str(self.statuses.get(raw, raw))


def _read(reader: Reader | None, row: Any) -> str:
    return text(reader(row)) if reader else ""


def _searched(model: Model, what: str, reader: Reader | None) -> Reader | None:
    """Return what is used in queries too. Raise ConfigurationError where it is no column."""
    if reader is not None:
        model.column(what, reader)
    return reader


def _customer(model: Model, orders: Orders, customers: Directory | None) -> Reader | None:
    if customers is None or orders.customer is None:
        return None
    return _searched(model, "customer", model.need("customer", orders.customer, USUAL["customer"]))


def _customers_email(model: Model, customers: Directory | None) -> Reader | None:
    """Return how the address of an order's customer is read: what counts where the order has none of its own."""
    if customers is None or customers.email is None or not customers.email.path:
        return None
    for name, relationship in model.mapper.relationships.items():
        if not relationship.uselist and issubclass(customers.model.mapped, relationship.mapper.class_):
            return Reader(f"{name}.{customers.email.path}")
    return None


def _shop(model: Model, orders: Orders, shops: Sequence[str] | None) -> Reader | None:
    """Return how an order's shop is read. A store that tells of no shops has one, whatever its orders say."""
    if isinstance(orders.shop_id, Guess) and shops is None:
        return None
    return (model.need if len(shops or ()) > 1 else model.find)("shop_id", orders.shop_id, USUAL["shop_id"])


def _currency(model: Model, named: Named) -> Callable[[Any], Any]:
    if isinstance(named, str) and re.fullmatch("[A-Z]{3}", named):
        return lambda _row: named
    found = model.find("currency", named, USUAL["currency"])
    if found is None:
        raise model.lacks("currency", USUAL["currency"], '"EUR"')
    return found


def _products(model: Model, orders: Orders) -> _Parts | Callable[[Any], Sequence[Product]] | None:
    if callable(orders.lines):
        return orders.lines
    guessed = [Reader(name) for name in USUAL["lines"] if model.target(Reader(name))] if isinstance(orders.lines, Guess) else []
    rows = guessed[0] if guessed else model.find("lines", orders.lines)
    if rows is None:
        return None
    line = _part(model, rows, "lines")
    identity = line.find("product_id", orders.product_id, USUAL["product_id"]) or Reader(Key.of(line).attribute)
    return _Parts(rows, identity, line.need("product_name", orders.product_name, USUAL["product_name"]))


def _history(model: Model, orders: Orders) -> _Parts | None:
    rows = model.find("history", orders.history)
    if rows is None:
        return None
    step = _part(model, rows, "history")
    return _Parts(rows, step.need("step_at", orders.step_at, USUAL["step_at"]), step.need("step_status", orders.step_status, USUAL["step_status"]))


def _part(model: Model, rows: Reader, what: str) -> Model:
    """Return the model that a relationship of an order leads to. Raise ConfigurationError for what is none."""
    target = model.target(rows)
    if target is None:
        raise model.wrong(f"has {rows.path}, which is no relationship to another model", what)
    return Model(target, model.line)
