"""The desk: what people do with threads, as verbs. Every verb locks its threads first, writes, and never commits."""

from __future__ import annotations

from cs_plugin.desk.answering import Answer, add_note, is_mailed, reply, retry_mail
from cs_plugin.desk.asking import answer_question
from cs_plugin.desk.beginning import Opened, begin_conversation
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.blocking import block_senders, unblock, unblock_senders
from cs_plugin.desk.customers import link_customer, unlink_customer
from cs_plugin.desk.forwarding import Target, forward
from cs_plugin.desk.handling import assign, assign_several, delete, mark_spam, move_to_contact, not_spam, restore, set_status
from cs_plugin.desk.happenings import leave_event
from cs_plugin.desk.housekeeping import change_customer, make_first_contacts, merge_customers
from cs_plugin.desk.links import revoke_link
from cs_plugin.desk.merging import merge
from cs_plugin.desk.moving import move_message, split, undo
from cs_plugin.desk.ordering import write_on_order
from cs_plugin.desk.purging import BIN_KEEPS, in_the_bin, kept_no_longer, kept_since_in_shops, purge_bin, purge_closed
from cs_plugin.desk.receiving import Vetted, receive, vet, was_taken
from cs_plugin.desk.receiving_mail import VettedMail, expect_mails, receive_mail, vet_mail
from cs_plugin.desk.receiving_together import receive_mails
from cs_plugin.desk.releasing import TakenBack, discard, hold_due, release_due, send_now, take_back
from cs_plugin.desk.secrets import Keeping, look_at_secrets, seal_secrets_anew

__all__ = [
    "BIN_KEEPS",
    "Answer",
    "Bench",
    "Keeping",
    "Opened",
    "TakenBack",
    "Target",
    "Vetted",
    "VettedMail",
    "add_note",
    "answer_question",
    "assign",
    "assign_several",
    "begin_conversation",
    "block_senders",
    "change_customer",
    "delete",
    "discard",
    "expect_mails",
    "forward",
    "hold_due",
    "in_the_bin",
    "is_mailed",
    "kept_no_longer",
    "kept_since_in_shops",
    "leave_event",
    "link_customer",
    "look_at_secrets",
    "make_first_contacts",
    "mark_spam",
    "merge",
    "merge_customers",
    "move_message",
    "move_to_contact",
    "not_spam",
    "purge_bin",
    "purge_closed",
    "receive",
    "receive_mail",
    "receive_mails",
    "release_due",
    "reply",
    "restore",
    "retry_mail",
    "revoke_link",
    "seal_secrets_anew",
    "send_now",
    "set_status",
    "split",
    "take_back",
    "unblock",
    "unblock_senders",
    "undo",
    "unlink_customer",
    "vet",
    "vet_mail",
    "was_taken",
    "write_on_order",
]
