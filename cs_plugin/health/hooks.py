"""The hooks: which questions the host answers, what each missing answer costs, and the lines to add."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pluggy

from cs_plugin import hookspecs
from cs_plugin.health.findings import Finding, advice, good, kept_from_the_log, said, warning, wrong
from cs_plugin.host import Host
from cs_plugin.plugins import Kind, hook_names, kind_of
from cs_plugin.rules.people import Employee
from cs_plugin.web.mounted import Mounted

QUESTIONS, LISTENERS = "What the store answers", "Who listens"
_OWN = "cs_plugin.defaults"
_BRIDGE = "cs_plugin.bridge."
# What no store has: an answer for it would be a mistake, and a question about it does no harm.
_NOBODY, _NOTHING = "nobody@doctor.invalid", "0"
# Beside a request of somebody's these say nobody, or cannot be asked at all.
_OF_A_REQUEST = frozenset({"cs_current_employee", "cs_current_customer"})


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the host: what its missing answer costs, and how it is asked here; None where asking would do something."""

    costs: str
    ask: Callable[[Host], object] | None
    needed: bool = False


def _grants(host: Host) -> object:
    someone = next(iter(host.employees()), None) or Employee("0", "", "Doctor")
    return host.grants(someone)


# Every question, in the order of hookspecs.py.
ASKED: Mapping[str, Question] = {
    "cs_current_employee": Question("Nobody gets into the desk's admin: every page answers 403.", Host.current_employee, needed=True),
    "cs_current_customer": Question(
        "Customers are visitors to the contact form: they type their address, choose no order, and their name is not known.", Host.current_customer
    ),
    "cs_list_employees": Question("Threads can be given only to employees who have used the desk before.", Host.employees),
    "cs_list_grants": Question("Every employee reads and answers in all shops; nobody deletes, exports or configures anything.", _grants),
    "cs_find_customer": Question(
        "Threads show addresses alone: no name, no customer page, no note that an address is an account's.",
        lambda host: host.find_customer(email=_NOBODY),
    ),
    "cs_find_order": Question("Messages cannot be about an order, and the order pages take none.", lambda host: host.find_order(order_id=_NOTHING)),
    "cs_list_orders": Question(
        "Customers cannot choose an order, and employees do not see what somebody has bought.", lambda host: host.orders(email=_NOBODY)
    ),
    "cs_order_history": Question("The timeline shows no order statuses.", lambda host: host.order_history(_NOTHING)),
    "cs_list_shops": Question('There is one shop without a name or address, "1": mails have no link unless CS_STOREFRONT_URL is set.', Host.shops),
    "cs_list_languages": Question("The desk speaks English alone to customers.", Host.languages),
    "cs_check_captcha": Question("The contact form has no captcha; honeypot, signed time and limits stand alone.", None),
    "cs_check_spam": Question("Only blocked senders go to the spam folder.", None),
    "cs_scan_file": Question("Files are checked by their kind, but not for viruses.", None),
    "cs_send_mail": Question("Mail leaves by CS_MAIL_URL, and not by the store's own mailer.", None),
    "cs_url": Question(
        "Customers, orders and products are names without links; who is signed out of the admin sees 403.", lambda host: host.url("order", _NOTHING)
    ),
    "cs_base_template": Question("The desk's admin pages have Flask-Admin's layout, and not the store's own.", Host.base_template),
}
_ASKED_NOTHING = "not asked here: asking would do something"


@dataclass(frozen=True, slots=True)
class HookRow:
    """What is known of one hook: its kind, who implements it, what its absence costs (events and places: what it is for), and its lines."""

    name: str
    kind: Kind
    answered_by: tuple[str, ...]
    meaning: str
    lines: tuple[str, ...]


def rows(manager: pluggy.PluginManager) -> Iterator[HookRow]:
    """Return a row for every hook, in the order of hookspecs.py."""
    for name in hook_names():
        text = inspect.getdoc(getattr(hookspecs, name)) or ""
        meaning = ASKED[name].costs if name in ASKED else _first_paragraph(text)
        yield HookRow(name, kind_of(name), tuple(answerers(manager, name)), meaning, _example(text))


def _first_paragraph(text: str) -> str:
    """Return it on one line, without what it says of versions to come."""
    return " ".join(re.sub(r"\*[^*]+\*", "", text.partition("\n\n")[0]).split())


def _example(text: str) -> tuple[str, ...]:
    """Return the lines of the example in a hook's docstring: a hookimpl that can be copied."""
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    return tuple(textwrap.dedent(found[1]).rstrip().splitlines()) if found else ()


def answerers(manager: pluggy.PluginManager, name: str) -> Iterator[str]:
    """Return the names of the plugins that implement a hook: not our own answers for a host that gives none."""
    for one in getattr(manager.hook, name).get_hookimpls():
        if one.plugin_name == _OWN:
            continue
        if one.plugin_name.startswith(_BRIDGE):
            # A bridge implements every hook; what counts is whether the host's own manager does.
            foreign = inspect.getclosurevars(one.function).nonlocals.get("foreign")
            caller = getattr(foreign.hook, name, None) if foreign is not None else None
            yield from (_readable(other) for other in (caller.get_hookimpls() if caller is not None else ()))
        else:
            yield _readable(one)


def _readable(one: Any) -> str:
    plugin = one.plugin
    return plugin.__name__ if inspect.ismodule(plugin) or inspect.isclass(plugin) else type(plugin).__name__


def look_at_answers(here: Mounted) -> Iterator[Finding]:
    """Ask the host every question that can be asked here, and say what came of it."""
    for row in rows(here.manager):
        if row.kind is Kind.QUESTION:
            yield _answer(here, row, ASKED[row.name])


def look_at_shops(here: Mounted) -> Iterator[Finding]:
    """Ask for what every page needs."""
    for row in rows(here.manager):
        if row.name in ("cs_list_shops", "cs_list_languages"):
            found = _answer(here, row, ASKED[row.name])
            if found.severity.value == "wrong":
                yield found


def _answer(here: Mounted, row: HookRow, question: Question) -> Finding:
    subject, by = QUESTIONS, ", ".join(row.answered_by)
    if not row.answered_by:
        tell = wrong if question.needed else advice
        return tell(subject, f"{row.name} is not answered.", row.meaning, *row.lines)
    if question.ask is None:
        return good(subject, f"{row.name}: answered by {by} ({_ASKED_NOTHING})")
    answer, error = _asked(here, question.ask)
    if error is not None and row.name in _OF_A_REQUEST:
        return good(subject, f"{row.name}: answered by {by} (could not be asked outside a visit: {said(error)})")
    if error is not None:
        costs = "The desk takes such an answer for none, or shows an error page."
        return wrong(subject, f"{row.name}: the answer of {by} cannot be used: {said(error)}", costs, *row.lines)
    if row.name == "cs_current_employee" and answer is not None:
        costs = "Whoever finds the admin's address reads every conversation."
        return wrong(subject, f"cs_current_employee: {by} names an employee although nobody is signed in.", costs, *row.lines)
    if row.name == "cs_find_customer" and answer is not None:
        costs = "Strangers are shown as that customer."
        return warning(subject, f"cs_find_customer: {by} finds a customer for an address that nobody has.", costs, *row.lines)
    return good(subject, f"{row.name}: answered by {by}{_amount(row.name, answer)}")


def _amount(name: str, answer: object) -> str:
    if name in ("cs_list_shops", "cs_list_languages", "cs_list_employees") and isinstance(answer, tuple):
        return f" ({len(answer)})"
    return ""


def _asked(here: Mounted, ask: Callable[[Host], object]) -> tuple[object, Exception | None]:
    """Ask in a request that nobody has made; return the answer, or what was raised, also where the desk would only have logged it."""
    try:
        with kept_from_the_log() as raised, here.app.test_request_context():
            answer = ask(here.host)
    except Exception as error:  # noqa: BLE001 - whatever a host's answer raises is what was asked for
        return None, error
    return answer, raised[0] if raised else None


def look_at_listeners(here: Mounted) -> Iterator[Finding]:
    """Say which events and places have somebody."""
    known = list(rows(here.manager))
    for kind in (Kind.EVENT, Kind.PLACE):
        taken = [f"{row.name} ({', '.join(row.answered_by)})" for row in known if row.kind is kind and row.answered_by]
        free = [row.name for row in known if row.kind is kind and not row.answered_by]
        yield good(LISTENERS, f"{kind.value.capitalize()}s with a plugin: {', '.join(taken) or 'none'}.")
        if free:
            yield good(LISTENERS, f"{kind.value.capitalize()}s free to use: {', '.join(free)}.")
    fired = [row.name for row in known if row.kind is Kind.FIRED_BY_HOST]
    yield good(LISTENERS, f"For the store to fire: {', '.join(fired)}.")
