"""The indexes in which each database looks words up: by three letters on SQLite and PostgreSQL, by words on MariaDB.

No model can declare them, so migrations of ours do not compare them; whether they are there is for `missing` to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

# Tables that begin like this are SQLite's own index, and what it keeps it in.
OF_SQLITE = "cs_fts_"
MESSAGES, THREADS = "cs_fts_message", "cs_fts_thread"


@dataclass(frozen=True, slots=True)
class WordIndex:
    """An index over words: its name, the table whose words it holds, and the statement that makes it."""

    name: str
    table: str
    made_by: str


# The index holds no second copy of the words ("content"), nor where in a text they stand ("detail"): what it finds is looked at again.
_SQLITE = (
    WordIndex(
        MESSAGES,
        "cs_search",
        "CREATE VIRTUAL TABLE cs_fts_message USING fts5(words, content='cs_search', content_rowid='message_id', detail=none,"
        " tokenize='trigram case_sensitive 1')",
    ),
    WordIndex(
        THREADS,
        "cs_search_thread",
        "CREATE VIRTUAL TABLE cs_fts_thread USING fts5(customer, address, about, content='cs_search_thread', content_rowid='thread_id',"
        " detail=column, tokenize='trigram case_sensitive 1')",
    ),
)
_POSTGRESQL = (
    WordIndex("ix_cs_search_words", "cs_search", "CREATE INDEX ix_cs_search_words ON cs_search USING gin (words gin_trgm_ops)"),
    WordIndex(
        "ix_cs_search_thread_words",
        "cs_search_thread",
        "CREATE INDEX ix_cs_search_thread_words ON cs_search_thread USING gin (customer gin_trgm_ops, address gin_trgm_ops, about gin_trgm_ops)",
    ),
)
# As a copy: made in place where there was one before, the index leaves out every row that is there already (MariaDB 10.11).
_MARIADB = tuple(
    WordIndex(name, table, f"ALTER TABLE {table} ADD FULLTEXT INDEX {name} ({column}), ALGORITHM=COPY")
    for name, table, column in (
        ("ix_cs_search_words", "cs_search", "words"),
        *((f"ix_cs_search_thread_{column}", "cs_search_thread", column) for column in ("customer", "address", "about")),
    )
)
INDEXES: Mapping[str, Sequence[WordIndex]] = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL, "mysql": _MARIADB, "mariadb": _MARIADB}

# By these names our own migrations leave them alone.
HIDDEN = frozenset(index.name for several in INDEXES.values() for index in several)


def missing(connection: Connection) -> list[WordIndex]:
    """Return the indexes that the database does not have: searching still finds everything without those of PostgreSQL, though slowly."""
    inspector = inspect(connection)
    if connection.dialect.name == "sqlite":
        there = set(inspector.get_table_names())
    else:
        there = {str(one["name"]) for table in ("cs_search", "cs_search_thread") for one in inspector.get_indexes(table)}
    return [index for index in INDEXES[connection.dialect.name] if index.name not in there]


def make(connection: Connection) -> list[WordIndex]:
    """Make the indexes that are missing, filled with the words that are there, and return those that the database refuses."""
    wanted = missing(connection)
    if wanted and connection.dialect.name == "postgresql" and not _has_trigrams(connection):
        return wanted
    for index in wanted:
        if connection.dialect.name in ("mysql", "mariadb"):
            # Else "the", "who" and forty more words are in no message. It holds for indexes that this connection makes.
            connection.execute(text("SET SESSION innodb_ft_enable_stopword = 0"))
        connection.execute(text(index.made_by))
        if connection.dialect.name == "sqlite":
            refill(connection, index)
    if wanted and connection.dialect.name in ("mysql", "mariadb"):
        connection.execute(text("SET SESSION innodb_ft_enable_stopword = DEFAULT"))
    return []


def refill(connection: Connection, index: WordIndex) -> None:
    """Make one of SQLite's indexes anew from its table, in one piece."""
    connection.execute(text(f"INSERT INTO {index.name} ({index.name}) VALUES ('rebuild')"))  # noqa: S608 - a name of our own


def drop(connection: Connection) -> None:
    """Take the indexes away."""
    gone = {index.name for index in missing(connection)}
    for index in INDEXES[connection.dialect.name]:
        if index.name not in gone:
            on = f" ON {index.table}" if connection.dialect.name in ("mysql", "mariadb") else ""
            connection.execute(text(f"DROP TABLE {index.name}" if connection.dialect.name == "sqlite" else f"DROP INDEX {index.name}{on}"))


def _has_trigrams(connection: Connection) -> bool:
    """Say whether PostgreSQL knows groups of three letters; its extension is installed where that is allowed."""
    if connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")):
        return True
    if not connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")):
        return False
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION pg_trgm"))
    except DBAPIError:
        # The role may not: the owner of the database has to.
        return False
    return True
