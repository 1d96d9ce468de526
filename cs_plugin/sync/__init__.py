"""A mailbox, mail by mail, to the desk: runs over mailboxes, and mails that come out of files."""

from cs_plugin.sync.files import Found, import_mails, mails_in
from cs_plugin.sync.run import count, count_all, sync
from cs_plugin.sync.surroundings import COMMAND, WORKER, Asked, Counted, Limits, Report, Surroundings

__all__ = [
    "COMMAND", "WORKER", "Asked", "Counted", "Found", "Limits", "Report", "Surroundings", "count", "count_all", "import_mails", "mails_in", "sync",
]  # fmt: skip
