"""Ready answers for the usual store: real Flask-Login applications with models of several shapes, and not one hook written."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, g, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as LiteSQLAlchemy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, scoped_session, sessionmaker

from cs_plugin import (
    ALL,
    Customer,
    CustomerService,
    Employee,
    Language,
    Order,
    Orders,
    OrderStep,
    People,
    Permission,
    Product,
    Shop,
    StoreAnswers,
    by_role,
)
from cs_plugin.errors import ConfigurationError

PAGE = "/cs-admin/customer-service/"
PLACED = dt.datetime(2026, 11, 16, 20, 37)  # noqa: DTZ001 - the usual store keeps naive times


class Base(DeclarativeBase):
    """The tables of a store that keeps staff and customers in one."""


class Paid(Enum):
    """What has become of an order."""

    YES = "Paid"
    NO = "Waiting"


class User(UserMixin, Base):
    """Anybody with an account; a flag makes staff of them."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200), index=True)
    first_name: Mapped[str] = mapped_column(sa.String(50), default="")
    last_name: Mapped[str] = mapped_column(sa.String(50), default="")
    active: Mapped[bool] = mapped_column(default=True)
    is_admin: Mapped[bool | None]
    role: Mapped[str] = mapped_column(sa.String(20), default="customer")
    locale: Mapped[str | None] = mapped_column(sa.String(8))
    created_at: Mapped[dt.datetime] = mapped_column(default=lambda: dt.datetime(2024, 3, 14, 23, 30))  # noqa: DTZ001 - as above

    @hybrid_property
    def works_here(self) -> bool:
        """Say whether they are staff, to Python and to SQL."""
        return self.role != "customer"

    def may_enter(self) -> bool:
        """Say whether they are staff, to whoever calls."""
        return self.role == "admin"


class Bought(Base):
    """An order of a user, or of a guest."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(20), unique=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    email: Mapped[str | None] = mapped_column(sa.String(200))
    secret: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[dt.datetime]
    total: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2))
    status: Mapped[Paid] = mapped_column(sa.Enum(Paid), default=Paid.YES)
    shop_id: Mapped[int] = mapped_column(default=1)
    user: Mapped[User | None] = relationship()
    items: Mapped[list[Item]] = relationship()
    steps: Mapped[list[Step]] = relationship()


class Article(Base):
    """Something to buy."""

    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))


class Item(Base):
    """A line of an order, which does not say itself what it is called."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"))
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("articles.id"))
    product: Mapped[Article] = relationship()


class Step(Base):
    """A status that an order has had."""

    __tablename__ = "steps"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"))
    at: Mapped[dt.datetime]
    status: Mapped[str] = mapped_column(sa.String(20))


class Apart(DeclarativeBase):
    """The tables of a store that keeps staff and customers apart, under keys of other kinds."""


class Agent(UserMixin, Apart):
    """Somebody who works here, under a UUID; one field for the name."""

    __tablename__ = "agents"
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    mail: Mapped[str] = mapped_column(sa.String(200))
    full_name: Mapped[str] = mapped_column(sa.String(100))
    role: Mapped[str] = mapped_column(sa.String(20), default="agent")
    timezone: Mapped[str] = mapped_column(sa.String(40), default="Europe/Paris")

    def get_id(self) -> str:
        """Return the id of the session, which tells staff from customers."""
        return f"s:{self.id}"


class Buyer(UserMixin, Apart):
    """A customer under a key that the store makes up."""

    __tablename__ = "buyers"
    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200))
    name: Mapped[str | None] = mapped_column(sa.String(100))

    def get_id(self) -> str:
        """Return the id of the session, which tells staff from customers."""
        return f"c:{self.code}"


class Cart(Apart):
    """An order under a UUID that is kept as text, with the address in its buyer only."""

    __tablename__ = "carts"
    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    buyer_code: Mapped[str | None] = mapped_column(sa.ForeignKey("buyers.code"))
    paid_on: Mapped[dt.date]
    cents: Mapped[int]
    buyer: Mapped[Buyer | None] = relationship()


MARIE = uuid.UUID("7d44a1de-62a1-4f4c-8a5c-0a4d2f5a8a01")
CART = "0f3b2f34-88f4-4f6c-b7a4-3f0f5b0a9c11"
ANSWERS: dict[str, Any] = {"is_staff": "is_admin", "customer": User, "order": Orders(Bought, token="secret", currency="EUR", history="steps")}


class Shopkeeper:
    """A store for a test: the application, its database and who signs in."""

    def __init__(self, folder: Path, database: str, tables: type[Any] = Base, **config: Any) -> None:
        """Make the application, and the tables with nothing in them."""
        self.app = Flask("store", instance_path=str(folder))
        self.app.config.update(SECRET_KEY="a secret of the store, long enough", SQLALCHEMY_DATABASE_URI=database, TESTING=True)
        self.app.config.update(CS_MAIL_URL="memory:", CS_MAIL_FROM="desk@shop.example", CS_BACKGROUND=False, CS_ENTRY_POINTS=False, **config)
        self.db = SQLAlchemy(self.app)
        with self.app.app_context():
            tables.metadata.create_all(self.db.engine)

    def let_in(self, load: Callable[[str], Any]) -> None:
        """Let Flask-Login sign in whoever `load` finds, by a page of the store's."""
        LoginManager(self.app).user_loader(load)
        self.app.add_url_rule("/sign-in/<identity>", "sign_in", lambda identity: str(login_user(load(identity), force=True)))

    def keep(self, *rows: Any) -> None:
        """Keep rows in the database."""
        with self.app.app_context():
            self.db.session.add_all(rows)
            self.db.session.commit()

    def mount(self, answers: StoreAnswers, db: Any = None) -> None:
        """Put the desk on the application and make its tables."""
        CustomerService(self.app, db=db or self.db, plugins=[answers])
        made = self.app.test_cli_runner().invoke(args=["cs", "upgrade"])
        assert made.exit_code == 0, made.output

    def client(self, identity: str) -> Any:
        """A browser in which somebody has signed in; nobody where the identity is empty."""
        client = self.app.test_client()
        assert not identity or client.get(f"/sign-in/{identity}").text == "True"
        return client


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Shopkeeper]:
    """A store with one table for everybody, on SQLite: Marie of the staff, Jan, and Eva whose account was closed."""
    made = Shopkeeper(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")
    made.let_in(lambda identity: made.db.session.get(User, int(identity)))
    made.keep(
        User(id=1, email="marie@shop.example", first_name="Marie", last_name="Dubois", is_admin=True, role="admin", locale="fr"),
        User(id=2, email="Jan@Example.com", first_name="Jan", last_name="Kowalski"),
        User(id=3, email="eva@example.com", is_admin=True, active=False),
        Article(id=4, name="Stoneware jug, indigo"),
    )
    made.keep(*(an_order(number, user_id=2) for number in (15, 16)), an_order(17, email="Ida@Example.com", secret="aBc-secret"))
    yield made
    with made.app.app_context():
        made.db.engine.dispose()


def an_order(number: int, **values: Any) -> Bought:
    """An order with one product, a status of the past, and a day later than that of the number before."""
    at = PLACED + dt.timedelta(days=number - 15)
    return Bought(
        id=number,
        number=f"NO-{number}",
        created_at=at,
        total=Decimal("68.00"),
        items=[Item(product_id=4)],
        steps=[Step(at=at, status="paid")],
        **values,
    )


@contextmanager
def statements(db: Any) -> Iterator[list[str]]:
    """Collect the statements that are sent to the database."""
    sent: list[str] = []
    listener = lambda *values: sent.append(values[2])  # noqa: E731 - to be taken away again
    sa.event.listen(db.engine, "before_cursor_execute", listener)
    yield sent
    sa.event.remove(db.engine, "before_cursor_execute", listener)


# --- Who is there


@pytest.mark.parametrize(
    "is_staff",
    ["is_admin", "works_here", "may_enter", User.role == "admin", User.role.in_(["admin"]), lambda user: user.role == "admin"],
    ids=["column", "hybrid", "method", "condition", "list of roles", "function"],
)
def test_only_who_the_store_calls_staff_gets_in(keeper: Shopkeeper, is_staff: Any) -> None:
    """However the store says it: the flag lets in, its absence does not, and nobody signed in is nobody."""
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff=is_staff))
    assert [keeper.client(identity).get(PAGE).status_code for identity in ("1", "2", "")] == [200, 403, 403]


def test_whose_account_is_closed_does_not_get_in(keeper: Shopkeeper) -> None:
    """Flask-Login keeps a session that was opened before; the desk looks at the account each time."""
    keeper.mount(StoreAnswers(keeper.db, user=User, customer=User, is_staff="is_admin"))
    closed = keeper.client("3")
    assert closed.get(PAGE).status_code == 403
    assert "eva@example.com" not in closed.get("/customer-service/contact").text
    assert "Jan@Example.com" in keeper.client("2").get("/customer-service/contact").text


def test_whose_flag_is_taken_away_is_out_at_the_next_request(keeper: Shopkeeper) -> None:
    """Nothing of an employee is remembered."""
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff="is_admin"))
    marie = keeper.client("1")
    assert marie.get(PAGE).status_code == 200
    with keeper.app.app_context():
        keeper.db.session.execute(sa.update(User).values(is_admin=False))
        keeper.db.session.commit()
    assert marie.get(PAGE).status_code == 403


def test_a_flag_that_is_no_flag_lets_nobody_in(keeper: Shopkeeper) -> None:
    """A function that answers a role would let every customer in; its text is an error of the page."""
    keeper.app.config["PROPAGATE_EXCEPTIONS"] = False
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff=lambda user: user.role))
    assert [keeper.client(identity).get(PAGE).status_code for identity in ("1", "2", "")] == [500, 500, 403]


def test_a_store_without_flask_login_says_itself_who_is_signed_in(keeper: Shopkeeper) -> None:
    """A function that answers the row, or None, takes Flask-Login's place."""
    keeper.app.before_request(lambda: setattr(g, "who", keeper.db.session.get(User, int(request.headers["X-User"]))))
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff="is_admin", signed_in=lambda: g.who))
    client = keeper.app.test_client()
    assert [client.get(PAGE, headers={"X-User": identity}).status_code for identity in ("1", "2", "3", "9")] == [200, 403, 403, 403]


def test_a_missing_flask_login_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, or what to write instead; orders alone, which nobody signs in to, need it for nothing."""
    monkeypatch.setitem(sys.modules, "flask_login", None)
    with pytest.raises(ConfigurationError, match=r"pip install flask-login, or name a function of your own: StoreAnswers\(db, signed_in=…\)"):
        StoreAnswers(None, user=User, is_staff="is_admin")
    StoreAnswers(None, user=User, is_staff="is_admin", signed_in=lambda: None)
    StoreAnswers(None, order=Orders(Bought, currency="EUR"))


def test_a_flask_login_that_is_not_set_up_is_named(tmp_path: Path) -> None:
    """Nobody gets in, and the log says which line is missing."""
    keeper = Shopkeeper(tmp_path, "sqlite://")
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff="is_admin"))
    with pytest.raises(ConfigurationError, match=r"it is not set up: LoginManager\(app\)"):
        keeper.app.test_client().get(PAGE)


# --- What they may do


ROLES = {"owner": ALL, "admin": {"view": ALL, "reply": ["1"]}}


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        (ALL, dict.fromkeys(Permission, ALL)),
        ({"view": ALL}, {"view": ALL}),
        (by_role("role", ROLES), ROLES["admin"]),
        (by_role(lambda user: "owner", ROLES), dict.fromkeys(Permission, ALL)),
        (by_role("role", {"owner": ALL}), {}),
        (lambda user: {"view": [user.id]}, {"view": [1]}),
        (lambda user: None, None),
    ],
    ids=["all", "mapping", "role", "role by a function", "a role without grants", "function", "nothing said"],
)
def test_grants_come_from_the_store(keeper: Shopkeeper, grants: Any, expected: Any) -> None:
    """For everybody, by role, or by a function of the row."""
    answers = StoreAnswers(keeper.db, user=User, is_staff="is_admin", grants=grants)
    with keeper.app.app_context():
        marie = next(one for one in answers.cs_list_employees() or () if one.id == "1")
        assert answers.cs_list_grants(marie) == expected


def test_nothing_is_granted_to_who_is_no_employee(keeper: Shopkeeper) -> None:
    """An employee whose flag is gone, or whose row is, has no grants left, whatever the function would say."""
    answers = StoreAnswers(keeper.db, user=User, is_staff="is_admin", customer=User, grants=ALL)
    with keeper.app.app_context():
        keeper.db.session.get(User, 1).is_admin = None
        eva = next(one for one in answers.cs_list_employees() or () if one.id == "3")
        assert not eva.active
        assert answers.cs_list_grants(type(eva)("1")) == answers.cs_list_grants(type(eva)("99")) == {}


# --- Customers


def test_staff_are_listed_with_what_the_store_knows(keeper: Shopkeeper) -> None:
    """Names, address and language; those who have left are listed as such; customers of the same table are not."""
    answers = StoreAnswers(keeper.db, user=User, is_staff="is_admin")
    with keeper.app.app_context():
        listed = answers.cs_list_employees() or ()
    assert [(one.id, one.name, one.email, one.language, one.active) for one in listed] == [
        ("1", "Marie Dubois", "marie@shop.example", "fr", True),
        ("3", "eva@example.com", "eva@example.com", None, False),
    ]


def test_a_table_of_customers_is_not_read_to_find_the_staff(keeper: Shopkeeper) -> None:
    """Where only Python knows who is staff, the question is left to the desk, which offers those whom it has seen."""
    answers = StoreAnswers(keeper.db, user=User, is_staff="may_enter")
    assert answers.cs_list_employees is None
    keeper.mount(answers)
    with keeper.app.test_request_context():
        assert keeper.app.extensions["cs_plugin"].host.employees() == ()


@pytest.mark.parametrize("typed", ["jan@example.com", "Jan@Example.com", " JAN@EXAMPLE.COM "])
def test_a_customer_is_found_by_address_in_any_case(database_url: str, tmp_path: Path, typed: str) -> None:
    """Customers write their address as they like, on every database."""
    keeper = Shopkeeper(tmp_path, database_url)
    keeper.keep(User(id=2, email="Jan@Example.com", first_name="Jan", last_name="Kowalski"), User(id=5, email="janet@example.com"))
    answers = StoreAnswers(keeper.db, customer=User)
    with keeper.app.app_context():
        found = answers.cs_find_customer(customer_id=None, email=typed)
        keeper.db.engine.dispose()
    assert found == Customer("2", "Jan@Example.com", "Jan", "Kowalski", since=dt.date(2024, 3, 14))


def test_an_address_as_it_was_typed_goes_before_one_in_another_case(keeper: Shopkeeper) -> None:
    """Two accounts whose addresses differ by case only are two accounts."""
    keeper.keep(User(id=8, email="jan@example.com"))
    answers = StoreAnswers(keeper.db, customer=User)
    with keeper.app.app_context():
        found = [answers.cs_find_customer(None, typed) for typed in ("Jan@Example.com", "jan@example.com", "")]
    assert [one and one.id for one in found] == ["2", "8", None]


def test_an_address_with_another_letter_is_somebody_elses(database_url: str, tmp_path: Path) -> None:
    """Some databases hold "é" for "e": nobody is taken for somebody else by that, neither as a customer nor as the guest of an order."""
    keeper = Shopkeeper(tmp_path, database_url)
    keeper.keep(User(id=6, email="rene@example.com"), Article(id=4, name="Jug"))
    keeper.keep(an_order(18, email="rene@example.com"))
    answers = StoreAnswers(keeper.db, **ANSWERS)
    with keeper.app.app_context():
        assert [answers.cs_find_customer(None, one) for one in ("rené@example.com", "RENÉ@example.com")] == [None, None]
        assert [answers.cs_list_orders(None, one) for one in ("rené@example.com", "RENÉ@example.com")] == [[], []]
        assert answers.cs_find_customer(None, "Rene@example.com") is not None
    keeper.keep(User(id=7, email="René@example.com"))
    with keeper.app.app_context():
        found = [answers.cs_find_customer(None, one) for one in ("rene@example.com", "rené@example.com")]
        keeper.db.engine.dispose()
    assert [one and one.id for one in found] == ["6", "7"]


def test_addresses_in_lower_case_are_found_by_their_index_alone(keeper: Shopkeeper) -> None:
    """A store that says so is asked one query, by the column itself; any other is asked by `lower` where that finds nothing."""
    for lower_case, expected in ((True, 1), (False, 2)):
        answers = StoreAnswers(keeper.db, customer=People(User, lower_case_emails=lower_case))
        with keeper.app.app_context(), statements(keeper.db) as sent:
            assert answers.cs_find_customer(None, "nobody@example.com") is None
        assert len(sent) == expected
        assert "lower(" not in sent[0]


def test_who_is_a_customer_may_be_said_too(keeper: Shopkeeper) -> None:
    """In one table for everybody, a store may keep its staff out of its customers."""
    answers = StoreAnswers(keeper.db, user=User, is_staff="is_admin", customer=User, is_customer=User.role == "customer")
    keeper.mount(answers)
    with keeper.app.app_context():
        assert [one and one.id for one in (answers.cs_find_customer(identity, None) for identity in "123")] == [None, "2", "3"]
        assert answers.cs_find_customer(None, "marie@shop.example") is None
    assert "marie@shop.example" not in keeper.client("1").get("/customer-service/contact").text


def test_two_tables_are_told_apart_by_who_is_signed_in(tmp_path: Path) -> None:
    """Staff under UUIDs and customers under texts, one field for the name: a customer never is an employee, and the reverse."""
    keeper = Shopkeeper(tmp_path, f"sqlite:///{tmp_path}/store.sqlite", Apart)
    keeper.let_in(lambda one: keeper.db.session.get(*((Agent, uuid.UUID(one[2:])) if one[0] == "s" else (Buyer, one[2:]))))
    keeper.keep(Agent(id=MARIE, mail="marie@shop.example", full_name="Marie Anne Dubois"), Buyer(code="K-7", email="jan@example.com", name="Jan"))
    answers = StoreAnswers(keeper.db, user=Agent, is_staff=True, customer=Buyer)
    keeper.mount(answers)
    assert [keeper.client(identity).get(PAGE).status_code for identity in (f"s:{MARIE}", "c:K-7", "")] == [200, 403, 403]
    assert "jan@example.com" in keeper.client("c:K-7").get("/customer-service/contact").text
    assert "marie@shop.example" not in keeper.client(f"s:{MARIE}").get("/customer-service/contact").text
    with keeper.app.app_context():
        (marie,) = answers.cs_list_employees() or ()
        assert marie == Employee(str(MARIE), "Marie", "Anne Dubois", "marie@shop.example", timezone="Europe/Paris")
        assert answers.cs_find_customer("K-7", None) == Customer("K-7", "jan@example.com", "Jan")


# --- Keys


NO_KEYS = ("abc", "", " ", "007", "-1", "1.0", "٢", "9" * 19, "9" * 400, "\0", "2\0", "\ud800", "NO-15\0", "' OR 1=1 --", "None", "NULL")


def test_a_text_that_is_no_key_finds_nothing(database_url: str, tmp_path: Path) -> None:
    """Whatever stands in an address of a page: no row, on every database, and no error."""
    keeper = Shopkeeper(tmp_path, database_url)
    keeper.keep(User(id=2, email="jan@example.com"), Article(id=4, name="Jug"))
    keeper.keep(an_order(15, user_id=2, secret="aBc"))
    answers = StoreAnswers(keeper.db, **ANSWERS)
    with keeper.app.app_context():
        for text in NO_KEYS:
            assert answers.cs_find_customer(text, None) is answers.cs_find_customer(None, text) is None, text
            assert answers.cs_find_order(text, None, None) is answers.cs_find_order(None, text, None) is None, text
            assert list(answers.cs_list_orders(text, None) or ()) == list(answers.cs_list_orders(None, text) or ()) == [], text
            assert not answers.cs_order_history(text), text
        keeper.db.engine.dispose()


def test_keys_of_other_kinds_find_their_rows_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    """UUIDs, UUIDs kept as text, and texts in exactly their own case, on every database; whatever is none of them finds nothing."""
    keeper = Shopkeeper(tmp_path, database_url, Apart)
    keeper.keep(Agent(id=MARIE, mail="marie@shop.example", full_name="Marie"), Buyer(code="K-7", email="jan@example.com"))
    keeper.keep(Cart(id=CART, buyer_code="K-7", paid_on=dt.date(2026, 11, 16), cents=6800))
    carts = Orders(Cart, customer="buyer_code", placed_at="paid_on", total=lambda cart: Decimal(cart.cents) / 100, currency="EUR")
    answers = StoreAnswers(keeper.db, user=People(Agent, email="mail"), is_staff=True, grants=ALL, customer=Buyer, order=carts)
    with keeper.app.app_context():
        (marie,) = answers.cs_list_employees() or ()
        assert answers.cs_list_grants(marie) == dict.fromkeys(Permission, ALL)
        assert answers.cs_find_order(CART, None, None) == Order(
            CART, CART, "jan@example.com", "1", dt.datetime(2026, 11, 16, tzinfo=dt.UTC), Decimal(68), "EUR", "", "K-7"
        )
        assert [one.id for one in answers.cs_list_orders("K-7", None) or ()] == [CART]
        for text in (*NO_KEYS, "k-7", "K-7 "):
            assert answers.cs_find_customer(text, None) is answers.cs_find_order(text, None, None) is None, text
            assert answers.cs_list_grants(type(marie)(text)) == {}, text
        keeper.db.engine.dispose()


class Hexadecimal(sa.TypeDecorator[uuid.UUID]):
    """A column type of the store's own, which raises for what it cannot keep."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Take UUIDs and what is written like one."""
        return None if value is None else uuid.UUID(str(value)).hex

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> uuid.UUID | None:
        """Return a UUID."""
        return None if value is None else uuid.UUID(value)


class Odd(DeclarativeBase):
    """Models that a desk cannot be set up with, or only just."""


class Hexed(Odd):
    """A customer under a key of that type."""

    __tablename__ = "hexed"
    id: Mapped[uuid.UUID] = mapped_column(Hexadecimal, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200))


def test_a_column_type_that_refuses_a_key_finds_nothing(tmp_path: Path) -> None:
    """What a type of the store's own raises is no error of the page, and the session can be used afterwards."""
    keeper = Shopkeeper(tmp_path, f"sqlite:///{tmp_path}/store.sqlite", Odd)
    keeper.keep(Hexed(id=MARIE, email="marie@example.com"))
    answers = StoreAnswers(keeper.db, customer=Hexed)
    with keeper.app.app_context():
        assert answers.cs_find_customer("abc", None) is None
        found = answers.cs_find_customer(str(MARIE), None)
        assert found is not None
        assert found.email == "marie@example.com"


# --- Orders


def test_an_order_is_told_whole(keeper: Shopkeeper) -> None:
    """By its id or its reference, in whatever case: with its customer's address, aware times, what was bought and its statuses."""
    answers = StoreAnswers(keeper.db, **ANSWERS)
    expected = Order(
        "15", "NO-15", "Jan@Example.com", "1", PLACED.replace(tzinfo=dt.UTC), Decimal("68.00"), "EUR", "Paid", "2",
        products=(Product("4", "Stoneware jug, indigo"),),
    )
    with keeper.app.app_context():
        assert [answers.cs_find_order(one, None, None) for one in ("15", "NO-15", "no-15", " 15 ")] == [expected] * 4
        assert answers.cs_order_history("15") == [OrderStep(PLACED.replace(tzinfo=dt.UTC), "paid")]


def test_statuses_are_shown_under_the_names_that_people_read(keeper: Shopkeeper) -> None:
    """The store's own words for them; one without stays as it is."""
    orders = Orders(Bought, currency="EUR", history="steps", statuses={"paid": "Payment accepted"}, status=lambda order: "on its way")
    answers = StoreAnswers(keeper.db, customer=User, order=orders)
    with keeper.app.app_context():
        found = answers.cs_find_order("15", None, None)
        assert found is not None
        assert found.status == "on its way"
        assert [step.status for step in answers.cs_order_history("15") or ()] == ["Payment accepted"]


def test_a_guests_token_opens_their_order_and_only_in_its_own_letters(database_url: str, tmp_path: Path) -> None:
    """On every database, also on those that hold two cases of a letter for one; without a token's column nothing opens."""
    keeper = Shopkeeper(tmp_path, database_url)
    keeper.keep(Article(id=4, name="Jug"))
    keeper.keep(an_order(17, email="ida@example.com", secret="aBc-secret"), an_order(18, email="ida@example.com"))
    answers, without = StoreAnswers(keeper.db, **ANSWERS), StoreAnswers(keeper.db, order=Orders(Bought, currency="EUR"))
    with keeper.app.app_context():
        opened = answers.cs_find_order(None, "aBc-secret", None)
        assert opened is not None
        assert (opened.id, opened.customer_id, opened.email) == ("17", None, "ida@example.com")
        assert [answers.cs_find_order(None, one, None) for one in ("abc-secret", "aBc-secret ", "aBc", "17", "")] == [None] * 5
        assert without.cs_find_order(None, "aBc-secret", None) is None
        keeper.db.engine.dispose()


def test_orders_are_listed_newest_first_each_to_whom_it_belongs(keeper: Shopkeeper) -> None:
    """A customer's to the customer; to an address only what a guest ordered with it, however it is written."""
    keeper.keep(an_order(18, user_id=2, email="ida@example.com"))
    answers = StoreAnswers(keeper.db, **ANSWERS)
    with keeper.app.app_context():
        assert [one.id for one in answers.cs_list_orders("2", None) or ()] == ["18", "16", "15"]
        assert [one.id for one in answers.cs_list_orders(None, "ida@example.com") or ()] == ["17"]
        assert [one.id for one in answers.cs_list_orders(None, "jan@example.com") or ()] == []


def test_a_list_of_orders_costs_the_same_however_long_it_is(keeper: Shopkeeper) -> None:
    """Addresses, lines and products are brought along: one query for each of them, not one for each order."""
    keeper.keep(*(an_order(number, user_id=2) for number in range(20, 60)))
    answers, counts = StoreAnswers(keeper.db, **ANSWERS), []
    for customer in ("2", "3"):
        keeper.keep(an_order(100 + int(customer), user_id=int(customer)))
        with keeper.app.app_context(), statements(keeper.db) as sent:
            listed = answers.cs_list_orders(customer, None) or ()
        counts.append((len(listed), len(sent)))
    assert counts == [(43, 4), (1, 4)]


def test_orders_belong_to_shops_where_the_store_tells_of_any(keeper: Shopkeeper) -> None:
    """An order of another shop is not found; without shops of its own, a store is one shop."""
    keeper.keep(an_order(30, user_id=2, shop_id=2, secret="of shop two"))
    shops = [Shop("1", "Paris"), Shop("2", "Berlin")]
    with keeper.app.app_context():
        for told in (shops, lambda: shops):
            answers = StoreAnswers(keeper.db, **ANSWERS, shops=told)
            assert answers.cs_list_shops() == shops
            assert [answers.cs_find_order("30", None, one) is not None for one in ("1", "2", None)] == [False, True, True]
            assert [answers.cs_find_order(None, "of shop two", one) is not None for one in ("1", "2", None)] == [False, True, True]
        single = StoreAnswers(keeper.db, **ANSWERS).cs_find_order("30", None, "1")
        assert single is not None
        assert single.shop_id == "1"


# --- Languages, pages, and what a subclass says otherwise


SPOKEN = {"fr": "Français", "en": "English"}


@pytest.mark.parametrize("languages", [SPOKEN, [Language(*one) for one in SPOKEN.items()], lambda: SPOKEN], ids=["mapping", "list", "function"])
def test_languages_are_told_in_the_stores_order(keeper: Shopkeeper, languages: Any) -> None:
    """As a mapping, as a list, or by a function; the first is the default."""
    assert StoreAnswers(keeper.db, **ANSWERS, languages=languages).cs_list_languages() == [Language("fr", "Français"), Language("en", "English")]


def test_pages_of_the_store_are_found_by_themselves(keeper: Shopkeeper) -> None:
    """Rows that stand in Flask-Admin are linked to, and Flask-Login's sign-in page brings employees back to where they were going."""
    admin = Admin(keeper.app)
    admin.add_view(ModelView(User, keeper.db, endpoint="people"))
    admin.add_view(type("Sold", (ModelView,), {"can_view_details": True})(Bought, keeper.db, endpoint="sold"))
    keeper.app.login_manager.login_view = "sign_in_page"  # type: ignore[attr-defined]
    keeper.app.add_url_rule("/sign-in", "sign_in_page", lambda: "")
    answers = StoreAnswers(keeper.db, **ANSWERS)
    with keeper.app.test_request_context():
        assert answers.cs_url("customer", "2") == "/admin/people/edit/?id=2"
        assert answers.cs_url("order", "15") == "/admin/sold/details/?id=15"
        assert answers.cs_url("admin_sign_in", "/admin/customer-service/7") == "/sign-in?next=%2Fadmin%2Fcustomer-service%2F7"
        assert answers.cs_url("product", "4") is None
    keeper.mount(StoreAnswers(keeper.db, user=User, **ANSWERS))
    assert keeper.app.test_client().get("/admin/customer-service/").headers["Location"] == "/sign-in?next=%2Fadmin%2Fcustomer-service%2F"


def test_who_is_signed_in_and_may_not_enter_is_not_sent_to_sign_in(keeper: Shopkeeper) -> None:
    """A customer is told so: many a sign-in page sends them back at once, and they would go round in circles."""
    keeper.app.login_manager.login_view = "sign_in_page"  # type: ignore[attr-defined]
    keeper.app.add_url_rule("/sign-in", "sign_in_page", lambda: "")
    keeper.mount(StoreAnswers(keeper.db, user=User, **ANSWERS))
    assert [keeper.client(identity).get(PAGE).status_code for identity in ("", "2", "3")] == [302, 403, 403]


def test_pages_are_named_by_their_endpoints(keeper: Shopkeeper) -> None:
    """The id goes where the endpoint wants it; one that the endpoint cannot take has no page, and a function answers for itself."""
    keeper.app.add_url_rule("/my/orders/<int:number>", "my_order", lambda number: "")
    keeper.app.add_url_rule("/backoffice/order", "order", lambda: "")
    keeper.app.add_url_rule("/enter", "enter", lambda: "")
    urls: dict[str, Any] = {"order_page": "my_order", "order": "order", "admin_sign_in": "enter", "customer": "nowhere"}
    answers = StoreAnswers(keeper.db, **ANSWERS, urls={**urls, "product": lambda key: f"/p/{key}"})
    with keeper.app.test_request_context():
        assert answers.cs_url("order_page", "15") == "/my/orders/15"
        assert answers.cs_url("order_page", "abc") is None
        assert answers.cs_url("order", "15") == "/backoffice/order?id=15"
        assert answers.cs_url("admin_sign_in", "/admin/") == "/enter?next=/admin/"
        assert answers.cs_url("product", "4") == "/p/4"
        with pytest.raises(ConfigurationError, match="urls names the endpoint 'nowhere' for 'customer', and the application has none of that name"):
            answers.cs_url("customer", "2")


def test_a_subclass_gives_one_answer_of_its_own(keeper: Shopkeeper) -> None:
    """A method of the hook's name is enough, marked or not; the other answers stay."""

    class Mine(StoreAnswers):
        def cs_list_languages(self) -> list[Language]:
            """Speak French."""
            return [Language("fr", "Français")]

        def cs_find_customer(self, customer_id: str | None, email: str | None) -> Customer | None:
            """Know Ada besides."""
            return Customer("99", "ada@example.com") if customer_id == "99" else super().cs_find_customer(customer_id, email)

    keeper.mount(Mine(keeper.db, user=User, **ANSWERS))
    host = keeper.app.extensions["cs_plugin"].host
    with keeper.app.app_context():
        assert [one.code for one in host.languages()] == ["fr"]
        found = [host.find_customer(customer_id=key) for key in ("99", "2", "98")]
        assert [one and one.email for one in found] == ["ada@example.com", "Jan@Example.com", None]
        assert len(host.employees()) == 2


def test_what_the_store_does_not_say_is_not_answered(keeper: Shopkeeper) -> None:
    """The desk sees which questions have no answer, as if no hook of that name were there."""
    keeper.mount(StoreAnswers(keeper.db, user=User, is_staff="is_admin"))
    hook = keeper.app.extensions["cs_plugin"].manager.hook
    told = {name: [one.plugin for one in getattr(hook, name).get_hookimpls()] for name in dir(StoreAnswers) if name.startswith("cs_")}
    answered = {name for name, plugins in told.items() if any(isinstance(one, StoreAnswers) for one in plugins)}
    assert answered == {"cs_current_employee", "cs_list_employees", "cs_url"}


# --- Databases as stores have them


@pytest.mark.parametrize("kind", ["lite", "scoped session"])
def test_any_session_of_the_stores_will_do(tmp_path: Path, kind: str) -> None:
    """Flask-SQLAlchemy-Lite, and a scoped session of SQLAlchemy's own; Flask-SQLAlchemy is what the other tests have."""
    # In a thread of its own: Flask-SQLAlchemy-Lite ends its sessions by asyncio, which a browser of an earlier test may occupy in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(find_with_other_session, tmp_path, kind).result()


def find_with_other_session(tmp_path: Path, kind: str) -> None:
    """Let a store with another kind of session answer."""
    database = f"sqlite:///{tmp_path}/store.sqlite"
    keeper = Shopkeeper(tmp_path, database, SQLALCHEMY_ENGINES={"default": database})
    del keeper.app.extensions["sqlalchemy"]
    db: Any = LiteSQLAlchemy(keeper.app) if kind == "lite" else scoped_session(sessionmaker(sa.create_engine(database)))
    session: Callable[[], Session] = (lambda: db.session) if kind == "lite" else db
    keeper.let_in(lambda identity: session().get(User, int(identity)))
    if kind != "lite":
        keeper.app.teardown_appcontext(lambda error: db.remove())
    keeper.keep(User(id=1, email="marie@shop.example", is_admin=True), User(id=2, email="jan@example.com"))
    keeper.mount(StoreAnswers(db, user=User, **ANSWERS), db)
    assert [keeper.client(identity).get(PAGE).status_code for identity in ("1", "2", "")] == [200, 403, 403]
    with keeper.app.app_context():
        found = keeper.app.extensions["cs_plugin"].host.find_customer(email="JAN@example.com")
    assert found is not None
    assert found.id == "2"


# --- What is wrong is told at the start


class Bare(Odd):
    """Somebody of whom next to nothing is known."""

    __tablename__ = "bare"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(sa.String(50))


class Pair(Odd):
    """A row under two columns."""

    __tablename__ = "pair"
    one: Mapped[int] = mapped_column(primary_key=True)
    two: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200))


class State(Odd):
    """A status that stands in a table of its own."""

    __tablename__ = "state"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(50))


class Linked(Odd):
    """An order whose status is a row."""

    __tablename__ = "linked"
    id: Mapped[int] = mapped_column(primary_key=True)
    state_id: Mapped[int] = mapped_column(sa.ForeignKey("state.id"))
    created_at: Mapped[dt.datetime]
    total: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    email: Mapped[str] = mapped_column(sa.String(200))
    status: Mapped[State] = relationship()


def test_a_row_is_shown_only_by_what_the_store_names_of_it(tmp_path: Path) -> None:
    """A relationship called "status" is no text; its label is, once it is named. An order without an amount costs nothing."""
    keeper = Shopkeeper(tmp_path, f"sqlite:///{tmp_path}/store.sqlite", Odd)
    keeper.keep(Linked(id=1, email="ida@example.com", created_at=PLACED, status=State(label="Shipped")))
    with keeper.app.app_context():
        found = [StoreAnswers(keeper.db, order=orders).cs_find_order("1", None, None) for orders in LINKED]
    assert [one and (one.status, one.total) for one in found] == [("", Decimal()), ("Shipped", Decimal())]


LINKED = (Orders(Linked, currency="EUR"), Orders(Linked, currency="EUR", status="status.label"))


class Numbered(Odd):
    """Somebody whose flag is a number."""

    __tablename__ = "numbered"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200))
    staff: Mapped[int | None]
    rank: Mapped[int]

    @hybrid_property
    def leads(self) -> bool:
        """Say whether they are staff, to Python and to SQL."""
        return self.rank > 1


@pytest.mark.parametrize("is_staff", ["staff", "leads", Numbered.rank.in_([2, 3])], ids=["number", "hybrid", "condition"])
def test_staff_are_listed_by_any_kind_of_flag_on_every_database(database_url: str, tmp_path: Path, is_staff: Any) -> None:
    """A number is a flag where it is 1; a hybrid property and a condition are what they say."""
    keeper = Shopkeeper(tmp_path, database_url, Odd)
    rows = ((1, 1, 2), (2, 0, 1), (3, None, 0), (4, 7, 1))
    keeper.keep(*(Numbered(id=key, email=f"{key}@shop.example", staff=staff, rank=rank) for key, staff, rank in rows))
    answers = StoreAnswers(keeper.db, user=Numbered, is_staff=is_staff, grants=ALL)
    with keeper.app.app_context():
        assert [one.id for one in answers.cs_list_employees() or ()] == ["1"]
        assert [bool(answers.cs_list_grants(Employee(key))) for key in "1234"] == [True, False, False, False]
        keeper.db.engine.dispose()


class Unfinished(DeclarativeBase):
    """Models of which one points at what nobody has imported."""


class Orphan(Unfinished):
    """A row with a relationship to nowhere."""

    __tablename__ = "orphan"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int]
    parent: Mapped[Any] = relationship("Nobody", primaryjoin="foreign(Orphan.parent_id) == Nobody.id")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "StoreAnswers knows no model: StoreAnswers(db, user=User, is_staff=…, customer=…, order=…)"),
        ({"user": User}, 'say who of the users is staff, for nobody is unless you do: is_staff="is_admin"'),
        ({"user": User, "is_staff": "is_boss"}, "User has no attribute 'is_boss' (it has: id, email, first_name"),
        ({"user": User, "is_staff": "role"}, 'User.role does not say yes or no. Write a condition, such as is_staff=User.role == "…"'),
        ({"user": User, "is_staff": False}, "is_staff is the name of an attribute, a condition or a function, not False"),
        ({"user": dict, "is_staff": True}, "<class 'dict'> is no SQLAlchemy model, in user=People(dict, …)"),
        (
            {"customer": Bare},
            'Bare has none of the attributes email, email_address, mail, e_mail (it has: id, login). Write: customer=People(Bare, email="…")',
        ),
        ({"customer": People(Bare, email="mail")}, "Bare has no attribute 'mail' (it has: id, login). Write: customer=People(Bare, email=\"…\")"),
        ({"customer": People(Bare, email=None)}, "Bare is used for customers, and the desk knows them by their addresses"),
        ({"customer": People(Bare, email=lambda row: row.login)}, "Bare cannot be searched by a function: email must be a column"),
        ({"customer": Pair}, "Pair has the primary key (one, two), where one column of integers, UUIDs or text is needed"),
        ({"customer": Orphan}, "StoreAnswers is made when all models have been imported; Orphan is not whole yet"),
        ({"order": Bought}, 'Bought has none of the attributes currency, currency_code (it has: id, number'),
        ({"order": Bought}, 'Write: order=Orders(Bought, currency="EUR")'),
        ({"order": Orders(Bought, currency="EUR", token="key")}, "Bought has no attribute 'key'"),
        ({"order": Orders(Bought, currency="EUR", history="number")}, "Bought has number, which is no relationship to another model"),
        ({"order": Orders(Bought, currency="EUR", product_name="label")}, "Item has no attribute 'label' (it has: id, order_id, product_id"),
        ({"order": Cart}, "Cart has none of the attributes placed_at, ordered_at, created_at"),
        ({"customer": User, "order": Orders(Step, placed_at="at")}, "Step has none of the attributes customer_id, user_id"),
        ({"order": Orders(Bought, currency="EUR", email="user.mail")}, "Bought has no attribute 'user.mail'"),
        (
            {"order": Orders(Bought, currency="EUR", shop_id="shop"), "shops": [Shop("1", "Paris"), Shop("2", "Berlin")]},
            "Bought has no attribute 'shop' (it has",
        ),
        ({"customer": People(User, active="role")}, "User has role, which does not say yes or no (it has: id"),
        ({"customer": People(User, active="role")}, "Write: customer=People(User, active=lambda row: …)"),
        ({"order": Orders(Bought, currency="EUR", valid="number")}, "Bought has number, which does not say yes or no"),
        ({"customer": User, "urls": {"basket": "basket"}}, "urls has basket; the desk asks for customer, order, admin_sign_in, product, order_page"),
    ],
)
def test_what_does_not_fit_stops_the_start_and_says_which_line_to_write(arguments: dict[str, Any], told: str) -> None:
    """The error names the model, what it has, and the line that puts it right."""
    with pytest.raises(ConfigurationError) as error:
        StoreAnswers(None, **arguments)
    assert told in str(error.value)
