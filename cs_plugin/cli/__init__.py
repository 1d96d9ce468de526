"""Commands: `flask cs …`."""

from __future__ import annotations

from cs_plugin.cli import health, queue, samples, tables, upkeep, work
from cs_plugin.cli.group import cs

__all__ = ["cs", "health", "queue", "samples", "tables", "upkeep", "work"]
