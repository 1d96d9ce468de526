"""The SQL manager: whether it can be used, and the lines that make its database user."""

from __future__ import annotations

from collections.abc import Iterator

from cs_plugin.health.findings import Finding, advice, good, warning
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.sql_access import Off, sql_manager

SUBJECT = "SQL manager"
_COSTS = "It stays off. Nothing else needs it."


def look_at_sql_manager(here: Mounted) -> Iterator[Finding]:
    """Say why the SQL manager is off, or what its database user may do too much or too little."""
    with here.app.test_request_context():
        found = sql_manager(here)
    if isinstance(found, Off):
        yield advice(SUBJECT, found.why.removeprefix("The SQL manager is off: ").capitalize(), _COSTS, *found.lines)
        return
    faults = found.faults()
    if faults and found.language == "sqlite":
        yield warning(SUBJECT, "The file of the database cannot be opened for reading alone.", "It stays off until then.")
    elif faults:
        yield warning(SUBJECT, "Its database user must be able to read the views, and nothing else.", "It stays off until then.", *faults)
    else:
        yield good(SUBJECT, "Queries read the views, and nothing else.")
