"""Mailboxes on other people's servers: opened by IMAP or POP3 exactly as secured as they were asked to be, tried out in plain words, fetched from."""

from cs_plugin.mail.mailbox.addresses import DeniedNetworks, denied_networks
from cs_plugin.mail.mailbox.fetching import ListedMail, OpenMailbox, WithheldError, folders_of, open_mailbox
from cs_plugin.mail.mailbox.findings import Finding, MailboxError, TokenRefusedError
from cs_plugin.mail.mailbox.server import INBOX, MailServer, Reach
from cs_plugin.mail.mailbox.trying import TEST_LASTS, try_mailbox, works

__all__ = [
    "INBOX",
    "TEST_LASTS",
    "DeniedNetworks",
    "Finding",
    "ListedMail",
    "MailServer",
    "MailboxError",
    "OpenMailbox",
    "Reach",
    "TokenRefusedError",
    "WithheldError",
    "denied_networks",
    "folders_of",
    "open_mailbox",
    "try_mailbox",
    "works",
]
