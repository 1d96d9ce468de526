"""Column types that mean the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy import DateTime as GenericDateTime
from sqlalchemy.dialects import mysql, postgresql, sqlite

Word = TypeVar("Word", bound=StrEnum)

MOST_ID = 2**63 - 1


def can_be_id(number: int) -> bool:
    """Say whether a row can have this id: a larger number, as anybody may write it into a URL, is an error to SQLite's driver."""
    return 0 < number <= MOST_ID

# SQLite counts rows of an INTEGER key only when it is exactly that type; elsewhere ids may outgrow 32 bits.
Id = BigInteger().with_variant(Integer(), "sqlite")

# MariaDB's TEXT ends at 64 kB, which a mail's body can pass.
LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

# Text that is searched after `rules.inquiry.fold` has made all letters alike; MariaDB's usual collation holds every emoji for one.
FoldedText = Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")

# MariaDB's usual collation holds "A" and "a" for one; ids from outside are compared byte by byte.
HostId = String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")

# MariaDB's BLOB ends at 64 kB.
LongBytes = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")

# A SHA-256 digest.
Digest = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware moment in UTC, with microseconds.

    SQLite and MariaDB keep no zone whatever a column declares, so a naive value is refused on the way in and UTC is attached on the way out.
    """

    impl = GenericDateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sqlite.DATETIME())  # type: ignore[no-untyped-call]  # SQLAlchemy 2.1 leaves it untyped

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a zone cannot be stored: {value!r}")
        moment = value.astimezone(dt.UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - SQLAlchemy passes it
        if value is None:
            return None
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


class OneOf(TypeDecorator[Word], Generic[Word]):
    """One word of an enumeration, stored as that word: a new one needs no change of the table."""

    impl = String(16)
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Word | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy passes it
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Word | None:  # noqa: ARG002 - SQLAlchemy passes it
        return None if value is None else self.words(value)
