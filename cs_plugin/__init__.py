"""A customer-service desk that any Flask store installs: everything that a host imports stands here."""

from __future__ import annotations

from cs_plugin.adapters import Orders, People, StoreAnswers, by_role
from cs_plugin.errors import CustomerServiceError, InvalidInputError, UndeliverableError
from cs_plugin.extension import CustomerService
from cs_plugin.hookspecs import hookimpl, hookspec
from cs_plugin.rules.actions import ThreadAction
from cs_plugin.rules.facts import MessageFacts, Received, ThreadFacts
from cs_plugin.rules.inquiry import Inquiry
from cs_plugin.rules.languages import Language
from cs_plugin.rules.orders import Order, OrderStep, Product
from cs_plugin.rules.outgoing import OutgoingMail
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import ALL, Permission
from cs_plugin.rules.shops import Shop

__all__ = [
    "ALL",
    "Customer",
    "CustomerService",
    "CustomerServiceError",
    "Employee",
    "Inquiry",
    "InvalidInputError",
    "Language",
    "MessageFacts",
    "Order",
    "OrderStep",
    "Orders",
    "OutgoingMail",
    "People",
    "Permission",
    "Product",
    "Received",
    "Shop",
    "StoreAnswers",
    "ThreadAction",
    "ThreadFacts",
    "UndeliverableError",
    "by_role",
    "hookimpl",
    "hookspec",
]
