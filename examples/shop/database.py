"""The store's database: one Flask-SQLAlchemy object, and the column types that its tables share."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Dialect, Integer, MetaData, Text, event
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

# Constraints have names on every database, so that a migration can drop them by name.
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Carry the naming of constraints to all of the store's tables."""

    metadata = MetaData(naming_convention=NAMES)


db = SQLAlchemy(model_class=Base)
migrate = Migrate()


class UtcDateTime(TypeDecorator[dt.datetime]):
    """Keep aware times as UTC: SQLite and MariaDB have no time zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Ask MariaDB for microseconds, which it leaves out otherwise."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn an aware time into the UTC time that is stored."""
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an aware time."""
        return value.replace(tzinfo=dt.UTC) if value else None


class Money(TypeDecorator[Decimal]):
    """Keep an amount as whole cents: SQLite has no decimal numbers."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn an amount into cents."""
        return None if value is None else int((Decimal(value) * 100).to_integral_value())

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an amount with two places."""
        return None if value is None else Decimal(value) / 100


# MariaDB's TEXT ends at 64 KB, which a mail's HTML may pass.
LongText = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


def now() -> dt.datetime:
    """Return the present time, aware."""
    return dt.datetime.now(dt.UTC)


def init_app(app: Flask, folder: str) -> None:
    """Connect an application to its database; `folder` holds the history of its migrations."""
    db.init_app(app)
    migrate.init_app(app, db, directory=folder, render_as_batch=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "connect", _set_up_sqlite)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # With a write-ahead log, visitors read on while somebody writes.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=15000")
    cursor.close()
