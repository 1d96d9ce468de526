"""The desk: what people do with threads, as verbs. Every verb locks its threads first, writes, and never commits."""

from __future__ import annotations

from cs_plugin.desk.answering import Answer, add_note, reply, retry_mail
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.forwarding import Target, forward
from cs_plugin.desk.handling import assign, delete, move_to_contact, not_spam, restore, set_status
from cs_plugin.desk.housekeeping import change_customer, make_first_contacts, merge_customers
from cs_plugin.desk.links import revoke_link
from cs_plugin.desk.ordering import write_on_order
from cs_plugin.desk.purging import BIN_KEEPS, purge_bin
from cs_plugin.desk.receiving import Vetted, receive, vet, was_taken

__all__ = [
    "BIN_KEEPS",
    "Answer",
    "Bench",
    "Target",
    "Vetted",
    "add_note",
    "assign",
    "change_customer",
    "delete",
    "forward",
    "make_first_contacts",
    "merge_customers",
    "move_to_contact",
    "not_spam",
    "purge_bin",
    "receive",
    "reply",
    "restore",
    "retry_mail",
    "revoke_link",
    "set_status",
    "vet",
    "was_taken",
    "write_on_order",
]
