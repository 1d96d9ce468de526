"""The variables of an answer and what stands for them; the host and its plugins add theirs (`cs_reply_variables`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cs_plugin import plugins
from cs_plugin.desk.answering import name_for_customers
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.facts import ThreadFacts
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.variables import without_value
from cs_plugin.store.options import Options
from cs_plugin.web.reading import Visit


@dataclass(frozen=True, slots=True)
class Known:
    """What of a thread stands for variables besides the thread itself."""

    thread: ThreadFacts
    customer_name: str
    order_reference: str
    shop: Shop
    options: Options


def values_of(here: Visit, known: Known) -> Mapping[str, str]:
    """Return the value of each variable, empty where there is none. The host is asked: nothing may be locked."""
    thread, me = known.thread, here.actor().employee
    values = values_beforehand(
        here,
        known.shop,
        known.options,
        customer_name=known.customer_name,
        customer_email=thread.address,
        order_reference=known.order_reference,
        subject=thread.subject,
    )
    values = {**values, "thread_number": str(thread.id)}
    for answer in plugins.collect(here.desk.manager, "cs_reply_variables", thread=thread, employee=me):
        if isinstance(answer, Mapping):
            values |= {str(name): str(value) for name, value in answer.items() if value is not None}
    return values


def values_beforehand(here: Visit, shop: Shop, options: Options, **known: str) -> Mapping[str, str]:
    """Return the values of a message that may begin a thread: there is none yet that a plugin could be asked about.

    `known` may hold `customer_name`, `customer_email`, `order_reference` and `subject`.
    """
    return {**known, "shop_name": shop.name, "employee_name": name_for_customers(options, here.actor().employee, shop.name)}


def check(text: str, values: Mapping[str, str]) -> None:
    """Raise InvalidInputError for a text in which a variable has no value."""
    missing = without_value(text, values)
    if missing:
        raise InvalidInputError(
            "text", _("Not sent: nothing is known that stands for %(variables)s. Write it yourself, or take it out."), variables=", ".join(missing)
        )
