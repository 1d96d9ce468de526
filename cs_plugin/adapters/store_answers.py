"""The plugin that answers for a store made with Flask-Login and SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from inspect import isfunction
from typing import Any, cast

from sqlalchemy.orm import Session, scoped_session

from cs_plugin.adapters import addresses
from cs_plugin.adapters.addresses import Page
from cs_plugin.adapters.orders import OrderBook, Orders
from cs_plugin.adapters.people import Belongs, Directory, People
from cs_plugin.adapters.signed_in import asked_of
from cs_plugin.errors import ConfigurationError
from cs_plugin.hookspecs import PROJECT, hookimpl
from cs_plugin.rules.languages import Language
from cs_plugin.rules.orders import Order, OrderStep
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import ALL, Permission
from cs_plugin.rules.shops import Shop

# What all employees may do: permissions, ALL, a function of the employee's row that answers one of these, or None for the desk's default.
GrantsSource = Mapping[str, object] | Callable[[Any], Any] | Any


@dataclass(frozen=True, eq=False)
class StoreAnswers:
    """Answer the desk's questions from a store's own models, so that the store writes no hook.

    `db` is the store's Flask-SQLAlchemy, or anything with a `session`, or a `scoped_session`. `user` is the model of the staff, and `is_staff` says
    who of it is one: the name of a boolean column, a condition (`User.role == "admin"`), a function of the row, or True where the table holds
    nobody else; without it nobody is. `customer` is the model of customers, perhaps the same one, and `order` that of orders. Models are given as
    they are, or with the names of their attributes: `People(User, email="mail")`, `Orders(Order, token="secret")`.

    `grants` says what employees may do: None for the desk's default, ALL, a mapping from permission to shops, or a function of the row that answers
    one of these, such as `by_role(…)`. `urls` names endpoints of the store's pages. `signed_in` is a function that answers the row of who is
    signed in, for a store without Flask-Login. `is_customer` says who of the customers' model is one, as `is_staff` does; without it all are.

    A subclass overrides one answer by a method of the hook's name. Raise ConfigurationError for all that does not fit the models.

    ```python
    CustomerService(app, db=db, plugins=[StoreAnswers(db, user=User, is_staff="is_admin", customer=User, order=Order)])
    ```
    """

    db: Any
    _: KW_ONLY
    user: People | type[Any] | None = None
    is_staff: Belongs | None = None
    grants: GrantsSource = None
    customer: People | type[Any] | None = None
    is_customer: Belongs = True
    order: Orders | type[Any] | None = None
    shops: Sequence[Shop] | Callable[[], Sequence[Shop]] | None = None
    languages: Mapping[str, str] | Sequence[Language] | Callable[[], Sequence[Language]] | None = None
    urls: Mapping[str, Page] = field(default_factory=dict)
    signed_in: Callable[[], Any] | None = None

    def __init_subclass__(cls) -> None:
        """Mark the answers that a subclass gives: without the mark they would not be asked, silently. A misspelt name is told at the start."""
        for name, answer in vars(cls).items():
            if name.startswith("cs_") and isfunction(answer) and not hasattr(answer, f"{PROJECT}_impl"):
                hookimpl(answer)

    def __post_init__(self) -> None:
        """Look at everything now: what does not fit stops the start, not the customer."""
        if self.user is None and self.customer is None and self.order is None:
            raise ConfigurationError("StoreAnswers knows no model: StoreAnswers(db, user=User, is_staff=…, customer=…, order=…)")
        addresses.checked(self.urls)
        for answer, can_answer in self._answered().items():
            # Pluggy passes over what is no function: the desk then knows that the store says nothing, and what that costs.
            if not can_answer and getattr(type(self), answer.__name__) is answer:
                object.__setattr__(self, answer.__name__, None)

    def _answered(self) -> Mapping[Callable[..., Any], bool]:
        staff, customers, orders = self._staff, self._customers, self._orders
        if staff is not None or customers is not None:
            asked_of(self.signed_in)
        return {
            StoreAnswers.cs_current_employee: staff is not None,
            StoreAnswers.cs_current_customer: customers is not None,
            StoreAnswers.cs_list_employees: staff is not None and staff.lists_members(),
            StoreAnswers.cs_list_grants: staff is not None and self.grants is not None,
            StoreAnswers.cs_find_customer: customers is not None,
            StoreAnswers.cs_find_order: orders is not None,
            StoreAnswers.cs_list_orders: orders is not None,
            StoreAnswers.cs_order_history: orders is not None and orders.history is not None,
            StoreAnswers.cs_list_shops: self.shops is not None,
            StoreAnswers.cs_list_languages: self.languages is not None,
        }

    @cached_property
    def _staff(self) -> Directory | None:
        if self.user is None:
            return None
        if self.is_staff is None:
            raise ConfigurationError(
                "StoreAnswers: say who of the users is staff, for nobody is unless you do: is_staff=\"is_admin\", is_staff=User.role == \"admin\", "
                "is_staff=lambda user: …, or is_staff=True where the table holds nobody else"
            )
        return Directory.of(self.user, "user", "is_staff", self.is_staff)

    @cached_property
    def _customers(self) -> Directory | None:
        if self.customer is None:
            return None
        found = Directory.of(self.customer, "customer", "is_customer", self.is_customer)
        if found.email is None:
            raise found.model.wrong("is used for customers, and the desk knows them by their addresses", "email")
        found.model.column("email", found.email)
        return found

    @cached_property
    def _orders(self) -> OrderBook | None:
        # Shops that a function tells are not known before the application runs.
        known = () if callable(self.shops) else None if self.shops is None else [shop.id for shop in self.shops]
        return OrderBook.of(self.order, self._customers, known) if self.order is not None else None

    def _session(self) -> Session:
        session = self.db if isinstance(self.db, scoped_session) else self.db.session
        return cast(Session, session() if isinstance(session, scoped_session) else session)

    def _here(self, directory: Directory | None) -> Any:
        """Return the row of who is signed in, if it is one of these people and their account is in use."""
        row = asked_of(self.signed_in)() if directory is not None else None
        if directory is None or not isinstance(row, directory.model.mapped):
            return None
        if not all(_yes(row, name) for name in ("is_authenticated", "is_active")) or not directory.is_active(row):
            return None
        return row if directory.members.holds(self._session(), directory.key, row) else None

    def _somebody_is_signed_in(self) -> bool:
        row = asked_of(self.signed_in)() if self._staff or self._customers else None
        return row is not None and _yes(row, "is_authenticated")

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Answer with who is signed in, if they are staff."""
        row = self._here(self._staff)
        return self._staff.employee(row) if self._staff and row is not None else None

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Answer with who is signed in, if they are a customer."""
        row = self._here(self._customers)
        return self._customers.customer(row) if self._customers and row is not None else None

    @hookimpl
    def cs_list_employees(self) -> Sequence[Employee] | None:
        """Answer with the whole staff."""
        return [self._staff.employee(row) for row in self._staff.all_members(self._session())] if self._staff else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object] | None:
        """Answer with what the store grants to this employee; nothing to who is not staff any more."""
        row = self._staff.member(self._session(), employee.id) if self._staff else None
        if row is None:
            return {}
        granted = self.grants(row) if callable(self.grants) else self.grants
        return dict.fromkeys(Permission, ALL) if granted is ALL else granted

    @hookimpl
    def cs_find_customer(self, customer_id: str | None, email: str | None) -> Customer | None:
        """Answer with the customer of that id, or of that address in whatever case."""
        if self._customers is None:
            return None
        session = self._session()
        row = self._customers.member(session, customer_id) if customer_id is not None else self._customers.member_at(session, email or "")
        return self._customers.customer(row) if row is not None else None

    @hookimpl
    def cs_find_order(self, order_id: str | None, token: str | None, shop_id: str | None) -> Order | None:
        """Answer with the order of that id or reference, or the one that a guest's token opens."""
        if self._orders is None:
            return None
        session = self._session()
        row = self._orders.by_token(session, token, shop_id) if token is not None else self._orders.by_id(session, order_id or "", shop_id)
        return self._orders.order(row) if row is not None else None

    @hookimpl
    def cs_list_orders(self, customer_id: str | None, email: str | None) -> Sequence[Order] | None:
        """Answer with the orders of a customer, or those that guests made with an address."""
        if self._orders is None:
            return None
        session = self._session()
        rows = self._orders.of_customer(session, customer_id) if customer_id is not None else self._orders.of_address(session, email or "")
        return [self._orders.order(row) for row in rows]

    @hookimpl
    def cs_order_history(self, order_id: str) -> Sequence[OrderStep] | None:
        """Answer with the statuses that an order has had."""
        row = self._orders.by_id(self._session(), order_id, None) if self._orders else None
        return self._orders.steps(row) if self._orders and row is not None else None

    @hookimpl
    def cs_list_shops(self) -> Sequence[Shop] | None:
        """Answer with the shops that the store names."""
        return self.shops() if callable(self.shops) else self.shops

    @hookimpl
    def cs_list_languages(self) -> Sequence[Language] | None:
        """Answer with the languages that the store names."""
        named = self.languages() if callable(self.languages) else self.languages
        return [Language(code, name) for code, name in named.items()] if isinstance(named, Mapping) else named

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's argument
        """Answer with the address of a page that the store names, else with that of the row in Flask-Admin, else with Flask-Login's sign-in page."""
        if kind == "admin_sign_in" and self._somebody_is_signed_in():
            # Whoever may not enter is told so: a sign-in page that sends them back would never let them see that.
            return None
        if kind in self.urls:
            return addresses.address_of(self.urls[kind], kind, id)
        models = {"customer": self._customers, "order": self._orders}
        shown = models.get(kind)
        return addresses.usual_address(kind, id, shown.model.mapped if shown else None)


def _yes(row: Any, name: str) -> bool:
    """Read a flag of Flask-Login's; a row that comes from a store's own function need not have it."""
    value = getattr(row, name, True)
    return bool(value() if callable(value) else value)
