"""The mails that a contact can be without: forms, help and documentation are made from these rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailSwitch:
    """A mail that is switched per contact: its name in `Contact.mails`, its label, and who gets it when (both marked for translation).

    `is_on` says whether it is, until somebody switches it.
    """

    name: str
    label: str
    help: str
    is_on: bool = True


def _(text: str) -> str:
    return text


# In the order in which the form shows them.
SWITCHES: tuple[MailSwitch, ...] = (
    MailSwitch("confirmation", _("Confirmation"), _("To whoever sends the contact form, at once.")),
    MailSwitch("mail_confirmation", _("Confirmation of a mail"), _("To whoever begins a conversation by mail; never to a machine."), is_on=False),
    MailSwitch("reply", _("Answer"), _("To the customer, when an employee answers. Without it, they read it by an earlier link or in My messages.")),
    MailSwitch("order_message", _("Message about an order"), _("To the customer, when an employee writes on the page of an order.")),
    MailSwitch("contact_notice", _("New message, to the contact"), _("To this contact's address, when a customer writes and nobody is assigned.")),
    MailSwitch("new_message", _("New message, to the employee"), _("To the assigned employee, when the customer writes again.")),
    MailSwitch("assigned", _("Thread assigned"), _("To an employee, when somebody else assigns a thread to them.")),
    MailSwitch("forward", _("Forwarded discussion"), _("To an employee or somebody else, when a discussion is forwarded to them.")),
)
MAILS = frozenset(switch.name for switch in SWITCHES)
ON = frozenset(switch.name for switch in SWITCHES if switch.is_on)


def is_sent(mails: Mapping[str, bool], name: str) -> bool:
    """Say whether a mail is switched on: as a contact's `mails` say, else as it is from the beginning."""
    return mails.get(name, name in ON)
