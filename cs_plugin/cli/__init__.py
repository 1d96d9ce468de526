"""Commands: `flask cs …`."""

from __future__ import annotations

from cs_plugin.cli import health, mail_in, options, permissions, queue, samples, searching, secrets, tables, upkeep, work
from cs_plugin.cli.group import cs

__all__ = ["cs", "health", "mail_in", "options", "permissions", "queue", "samples", "searching", "secrets", "tables", "upkeep", "work"]
