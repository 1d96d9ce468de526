"""A small store: the smallest Flask application that the desk is mounted on, with answers that a test can change."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import update

from cs_plugin import ALL, Customer, CustomerService, Employee, Language, Order, OrderStep, Product, Shop, desk, hookimpl
from cs_plugin.rules.permissions import EVERY_GRANT, Actor, Grants
from cs_plugin.store.models import Contact
from cs_plugin.web.mounted import Mounted
from tests.hosts.tables import lay_file, make_tables

MARIE = Employee("1", "Marie", "Dubois", "marie@desk.example")
JOHN = Employee("2", "John", "Doe", "john@desk.example")
LAYLA = Employee("3", "Layla", "Haddad", "layla@desk.example", language="ar", timezone="Asia/Dubai")
JAN = Customer("7", "jan@example.com", "Jan", "Kowalski", since=dt.date(2024, 3, 14))
EVA = Customer("8", "eva@example.com", "Eva", "Novak")

PARIS = Shop("1", "Paris", "https://paris.example", "#2b7fb8", "1", "Europe", "en", "paris@shop.example")
BERLIN = Shop("2", "Berlin", "https://berlin.example", "#b0568f", "1", "Europe", "en", "berlin@shop.example")
DUBAI = Shop("3", "Dubai", "https://dubai.example", "#5b8c3a", "2", "Gulf", "ar", "dubai@shop.example")

# Set to anything, it gives the desk's tables of every store of this process a database of their own: the one that the test names.
OWN_BIND = "CS_TESTS_OWN_BIND"

EVERYTHING: Mapping[str, object] = dict.fromkeys(("view", "reply", "delete", "export", "configure", "privacy", "sql"), ALL)


@dataclass
class Answers:
    """The host's answers. Who is signed in comes with each request, in the headers X-Employee and X-Customer."""

    employees: dict[str, Employee] = field(default_factory=lambda: {one.id: one for one in (MARIE, JOHN, LAYLA)})
    customers: dict[str, Customer] = field(default_factory=lambda: {one.id: one for one in (JAN, EVA)})
    grants: dict[str, Mapping[str, object]] = field(default_factory=lambda: {"1": EVERYTHING})
    shops: Sequence[Shop] = (PARIS, BERLIN, DUBAI)
    languages: Sequence[Language] = (Language("en", "English"), Language("fr", "Français"), Language("ar", "العربية"))
    orders: list[Order] = field(
        default_factory=lambda: [
            Order(
                "15",
                "XKBKNABJK",
                JAN.email,
                "1",
                dt.datetime(2026, 11, 16, 20, 37, tzinfo=dt.UTC),
                Decimal("68.00"),
                "EUR",
                "Shipped",
                JAN.id,
                products=(Product("4", "Stoneware jug, indigo"),),
            )
        ]
    )
    urls: dict[str, str] = field(default_factory=dict)

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        return self.employees.get(request.headers.get("X-Employee", ""))

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        return self.customers.get(request.headers.get("X-Customer", "")) if request else None

    @hookimpl
    def cs_list_employees(self) -> Sequence[Employee]:
        return list(self.employees.values())

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object] | None:
        return self.grants.get(employee.id)

    @hookimpl
    def cs_find_customer(self, customer_id: str | None, email: str | None) -> Customer | None:
        return next((one for one in self.customers.values() if customer_id == one.id or (email and email == one.email)), None)

    @hookimpl
    def cs_find_order(self, order_id: str | None, token: str | None) -> Order | None:
        return next((one for one in self.orders if order_id in (one.id, one.reference) or (token and token == f"token-{one.id}")), None)

    @hookimpl
    def cs_list_orders(self, customer_id: str | None, email: str | None) -> Sequence[Order]:
        return [one for one in self.orders if (customer_id and one.customer_id == customer_id) or (email and one.email == email)]

    @hookimpl
    def cs_order_history(self, order_id: str) -> Sequence[OrderStep]:
        return [OrderStep(order.placed_at, "Payment accepted") for order in self.orders if order.id == order_id]

    @hookimpl
    def cs_list_shops(self) -> Sequence[Shop]:
        return self.shops

    @hookimpl
    def cs_list_languages(self) -> Sequence[Language]:
        return self.languages

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        return self.urls[kind].format(id=id) if kind in self.urls else None


@dataclass
class Clock:
    """A clock that a test can move."""

    now: dt.datetime = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **span: float) -> dt.datetime:
        """Move the clock, by `datetime.timedelta`'s arguments, and return the new moment."""
        self.now += dt.timedelta(**span)
        return self.now


@dataclass
class Store:
    """A store with the desk mounted on it and its tables made."""

    app: Flask
    db: Any
    customer_service: CustomerService
    answers: Answers
    clock: Clock

    @property
    def desk(self) -> Mounted:
        """Return the mounted desk."""
        mounted: Mounted = self.app.extensions["cs_plugin"]
        return mounted

    def client(self, *, employee: Employee | None = None, customer: Customer | None = None) -> Any:
        """Return a test client that is signed in as whom it says."""
        client = self.app.test_client()
        if employee is not None:
            client.environ_base["HTTP_X_EMPLOYEE"] = employee.id
        if customer is not None:
            client.environ_base["HTTP_X_CUSTOMER"] = customer.id
        return client

    def actor(self, employee: Employee = MARIE) -> Actor:
        """Return an employee with the grants that this store gives them."""
        grants = self.answers.grants.get(employee.id)
        return Actor(employee, Grants.of(grants) if grants is not None else EVERY_GRANT)


def make_store(database: str, folder: Path, *, plugins: Sequence[object] = (), mount: bool = True, **config: Any) -> Store:
    """Make a store on a database URL. Its files lie in `folder`, its mails stay in memory, nothing works in the background."""
    app = Flask("store", instance_path=str(folder))
    app.config.update(
        SECRET_KEY="a secret of the store, long enough",
        SQLALCHEMY_DATABASE_URI=database,
        CS_MAIL_URL="memory:",
        CS_MAIL_FROM="desk@shop.example",
        CS_BACKGROUND=False,
        CS_ENTRY_POINTS=False,
        # Where undo is not what a test is about, a reply leaves at once.
        CS_UNDO_SECONDS=0,
        TESTING=True,
    )
    if os.environ.get(OWN_BIND):
        app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/host.sqlite", SQLALCHEMY_BINDS={"desk": database}, CS_BIND_KEY="desk")
    app.config.update(config)
    db = SQLAlchemy(app)
    answers, clock = Answers(), Clock()
    customer_service = CustomerService(plugins=[answers, *plugins])

    store = Store(app, db, customer_service, answers, clock)
    if mount:
        laid = lay_file(database)
        customer_service.init_app(app, db=db)
        store.desk.clock = clock
        with app.app_context():
            if not laid:
                make_tables(store.desk.engine)
            with store.desk.sessions() as session:
                desk.make_first_contacts(store.desk.bench(session))
                session.execute(update(Contact).values(email=PARIS.email))
                session.commit()
    return store
