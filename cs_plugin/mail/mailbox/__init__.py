"""Mailboxes on other people's servers: opened by IMAP or POP3 exactly as secured as they were asked to be, and tried out in plain words."""

from cs_plugin.mail.mailbox.addresses import DeniedNetworks, denied_networks
from cs_plugin.mail.mailbox.findings import Finding, MailboxError
from cs_plugin.mail.mailbox.opening import INBOX, MailServer, Reach
from cs_plugin.mail.mailbox.trying import TEST_LASTS, try_mailbox, works

__all__ = ["INBOX", "TEST_LASTS", "DeniedNetworks", "Finding", "MailServer", "MailboxError", "Reach", "denied_networks", "try_mailbox", "works"]
