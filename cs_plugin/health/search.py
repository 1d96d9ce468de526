"""Search: whether the database has its index of words, and whether everything that is written is in it."""

from __future__ import annotations

from collections.abc import Iterator

from cs_plugin.health.findings import Finding, good, warning
from cs_plugin.store import fulltext, reindexing
from cs_plugin.web.mounted import Mounted

SUBJECT = "Search"
_REINDEX = "flask cs reindex"


def look_at_search(here: Mounted) -> Iterator[Finding]:
    """Say what is not found, or not found quickly."""
    with here.engine.connect() as connection:
        missing = fulltext.missing(connection)
        if missing and connection.dialect.name == "postgresql":
            costs = "Words are found all the same, but each search reads every message: with many it takes minutes."
            yield warning(SUBJECT, "PostgreSQL has no index of words; it needs the extension pg_trgm.", costs, "CREATE EXTENSION pg_trgm;", _REINDEX)
        elif missing:
            names = ", ".join(one.name for one in missing)
            yield warning(SUBJECT, f"The database's index of words is not there: {names}.", "Searching for words fails.", _REINDEX)
        counted = reindexing.counted(connection)
        if counted.agree and not missing:
            yield good(SUBJECT, "All messages and threads are in the index of words.")
        elif not counted.agree:
            messages = f"{counted.searched_messages} of {counted.messages} messages"
            threads = f"{counted.searched_threads} of {counted.threads} threads"
            yield warning(SUBJECT, f"Only {messages} and {threads} are searched.", "What is not searched is not found by its words.", _REINDEX)
