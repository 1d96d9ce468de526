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
    me = here.actor().employee
    values = {
        "customer_name": known.customer_name,
        "customer_email": known.thread.address,
        "order_reference": known.order_reference,
        "thread_number": str(known.thread.id),
        "subject": known.thread.subject,
        "shop_name": known.shop.name,
        "employee_name": name_for_customers(known.options, me, known.shop.name),
    }
    for answer in plugins.collect(here.desk.manager, "cs_reply_variables", thread=known.thread, employee=me):
        if isinstance(answer, Mapping):
            values |= {str(name): str(value) for name, value in answer.items() if value is not None}
    return values


def check(text: str, values: Mapping[str, str]) -> None:
    """Raise InvalidInputError for a text in which a variable has no value."""
    missing = without_value(text, values)
    if missing:
        raise InvalidInputError(
            "text", _("Not sent: nothing is known that stands for %(variables)s. Write it yourself, or take it out."), variables=", ".join(missing)
        )
