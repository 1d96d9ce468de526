"""What we ask of the host, typed: every question of the desk goes through here, and every answer is checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from cs_plugin import plugins
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.rules.inquiry import Inquiry
from cs_plugin.rules.languages import Language
from cs_plugin.rules.orders import Order, OrderStep, Product
from cs_plugin.rules.outgoing import OutgoingMail
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import DEFAULT_GRANTS, NO_GRANTS, Grants, Told, ToldGrants
from cs_plugin.rules.shops import Shop

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)

# The host's own keys; a guest's order has no customer.
_KEYS = frozenset({"id", "shop_id", "customer_id"})
_MAY_LACK = frozenset({"customer_id"})
_LONGEST_KEY = 64
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Host:
    """Ask the store that the desk lives in. `manager` holds the host's answers and the defaults behind them."""

    manager: pluggy.PluginManager

    def current_employee(self) -> Employee | None:
        """Return who uses the admin now; None for nobody. An error in the host's answer is raised: access is never guessed."""
        return _maybe("cs_current_employee", Employee, plugins.ask(self.manager, "cs_current_employee"))

    def grants(self, employee: Employee) -> Grants:
        """Return what an employee may do. Raise BadHostAnswerError where the answer cannot be read."""
        return self._ask_grants(employee).grants

    def told_grants(self, employee: Employee) -> ToldGrants:
        """Return what an employee may do, with what the host said; an answer that cannot be had or read grants nothing, and is told."""
        try:
            return self._ask_grants(employee)
        except Exception as error:
            log.exception("the grants of employee %s could not be had; nothing is granted", employee.id)
            return ToldGrants(NO_GRANTS, Told.NONSENSE, _in_a_line(error))

    def _ask_grants(self, employee: Employee) -> ToldGrants:
        answer = plugins.ask(self.manager, "cs_list_grants", employee=employee)
        if answer is None:
            return ToldGrants(DEFAULT_GRANTS, Told.NOTHING)
        if not isinstance(answer, Mapping):
            raise BadHostAnswerError("cs_list_grants", "a mapping from permission to shops or ALL", answer)
        try:
            return ToldGrants(Grants.of(answer), Told.ANSWER)
        except ValueError as error:
            raise BadHostAnswerError("cs_list_grants", str(error), answer) from error

    def current_customer(self) -> Customer | None:
        """Return who is signed in to the storefront; None for a visitor."""
        return _maybe("cs_current_customer", Customer, plugins.ask(self.manager, "cs_current_customer"))

    def employees(self) -> tuple[Employee, ...]:
        """Return everybody to whom a thread can be assigned."""
        return _several("cs_list_employees", Employee, plugins.ask(self.manager, "cs_list_employees"))

    def find_customer(self, *, customer_id: str | None = None, email: str | None = None, shop_id: str | None = None) -> Customer | None:
        """Return the customer of that id or address."""
        answer = plugins.ask(self.manager, "cs_find_customer", customer_id=customer_id, email=email, shop_id=shop_id)
        return _maybe("cs_find_customer", Customer, answer)

    def find_order(self, *, order_id: str | None = None, token: str | None = None, shop_id: str | None = None) -> Order | None:
        """Return the order of that id, reference or token."""
        return _maybe("cs_find_order", Order, plugins.ask(self.manager, "cs_find_order", order_id=order_id, token=token, shop_id=shop_id))

    def orders(self, *, customer_id: str | None = None, email: str | None = None) -> tuple[Order, ...]:
        """Return the orders of a customer or of a guest's address, newest first."""
        return _several("cs_list_orders", Order, plugins.ask(self.manager, "cs_list_orders", customer_id=customer_id, email=email))

    def order_history(self, order_id: str) -> tuple[OrderStep, ...]:
        """Return the statuses that an order has had, oldest first."""
        return _several("cs_order_history", OrderStep, plugins.ask(self.manager, "cs_order_history", order_id=order_id))

    def shops(self) -> tuple[Shop, ...]:
        """Return the shops, at least one. Raise BadHostAnswerError for two with one id, or for none."""
        shops = _several("cs_list_shops", Shop, plugins.ask(self.manager, "cs_list_shops"))
        if not shops or len({shop.id for shop in shops}) != len(shops):
            raise BadHostAnswerError("cs_list_shops", "at least one Shop, each with an id of its own", shops)
        return shops

    def languages(self) -> tuple[Language, ...]:
        """Return the languages, at least one, the default first."""
        languages = _several("cs_list_languages", Language, plugins.ask(self.manager, "cs_list_languages"))
        if not languages:
            raise BadHostAnswerError("cs_list_languages", "at least one Language", languages)
        return languages

    def captcha_solved(self, form: Mapping[str, str]) -> bool:
        """Say whether the host's captcha was solved: true where there is none, false where it cannot be checked."""
        try:
            return plugins.ask(self.manager, "cs_check_captcha", form=form) is not False
        except Exception:
            log.exception("the captcha could not be checked; the form is refused")
            return False

    def is_spam(self, inquiry: Inquiry) -> bool:
        """Say whether the host holds an inquiry for spam."""
        return plugins.ask(self.manager, "cs_check_spam", inquiry=inquiry) is True

    def scan(self, path: Path, name: str) -> str:
        """Return what the host's scanner found in a file; empty for nothing. A file that cannot be scanned is not clean."""
        try:
            return str(plugins.ask(self.manager, "cs_scan_file", path=path, name=name) or "")
        except Exception:
            log.exception("a file could not be scanned; it is refused")
            return "not scanned"

    def send_mail(self, mail: OutgoingMail) -> bool:
        """Hand a mail to the host's own sending; False where it has none. An error is raised to whoever delivers."""
        return plugins.ask(self.manager, "cs_send_mail", mail=mail) is True

    def url(self, kind: str, identity: str) -> str | None:
        """Return the address of a page of the host's, where it names one."""
        return _maybe("cs_url", str, plugins.ask(self.manager, "cs_url", kind=kind, id=identity))

    def base_template(self) -> str | None:
        """Return the template into which the admin pages go, where the host names one."""
        return _maybe("cs_base_template", str, plugins.ask(self.manager, "cs_base_template"))


def _in_a_line(error: Exception) -> str:
    """Return an error as a page shows it. The log has the whole of it: what a database says after the first line is for nobody else."""
    if isinstance(error, BadHostAnswerError):
        return str(error)[:_LONGEST_ERROR]
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}"[:_LONGEST_ERROR]


def _maybe(hook: str, kind: type[Answer], answer: Any) -> Answer | None:
    if answer is not None and not isinstance(answer, kind):
        raise BadHostAnswerError(hook, f"{kind.__name__} or None", answer)
    if isinstance(answer, Customer | Order) and answer.id in (None, ""):
        return None   # a row that was never stored is nobody's account, and no order
    return _in_our_words(hook, answer)


def _several(hook: str, kind: type[Answer], answer: Any) -> tuple[Answer, ...]:
    if answer is None:
        return ()
    if not isinstance(answer, Sequence) or not all(isinstance(one, kind) for one in answer):
        raise BadHostAnswerError(hook, f"a sequence of {kind.__name__}", answer)
    return tuple(_in_our_words(hook, one) for one in answer)


def _in_our_words(hook: str, answer: Answer) -> Answer:
    """Return an answer as the desk keeps it: keys as text, whatever the host counts with, and an empty text where its column is empty.

    Raise BadHostAnswerError for a key that is missing or longer than our columns.
    """
    if not isinstance(answer, Employee | Customer | Order | Product | Shop):
        return answer
    told = {field.name: getattr(answer, field.name) for field in fields(answer)}
    kept = dict(told)
    for field in fields(answer):
        if field.name in _KEYS:
            kept[field.name] = _key(hook, answer, field.name)
        elif field.type == "str" and told[field.name] is None:
            kept[field.name] = ""
        elif field.name == "colour":
            kept[field.name] = told[field.name] if _COLOUR.fullmatch(str(told[field.name])) else ""
        elif field.name == "products":
            kept[field.name] = tuple(_in_our_words(hook, one) for one in told[field.name] or ())
    return answer if kept == told else replace(answer, **kept)


def _key(hook: str, answer: object, name: str) -> str | None:
    value = getattr(answer, name)
    text = None if value is None or value == "" else str(value)
    if (text is None and name not in _MAY_LACK) or (text is not None and len(text) > _LONGEST_KEY):
        raise BadHostAnswerError(hook, f"{name} as text of 1 to {_LONGEST_KEY} characters", answer)
    return text
