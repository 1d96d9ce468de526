"""Where sealed secrets lie: a row for each column that holds them, for whoever seals them anew or looks whether a key is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from cs_plugin.rules.shops import ALL_SHOPS, Context
from cs_plugin.store import models
from cs_plugin.store.locking import locking


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind of rows that hold a secret: which they are, and how the sealed secret of one is read, written and called.

    `name` returns what the secret is, as an option is named, and `context` whose it is.
    """

    row: type[models.Base]
    where: ColumnElement[bool]
    read: Callable[[Any], str]
    write: Callable[[Any, str], None]
    name: Callable[[Any], str]
    context: Callable[[Any], Context]


def _read_option(row: models.Option) -> str:
    try:
        return str(json.loads(row.value))
    except (ValueError, RecursionError):
        # Cut off or written over: no key opens it, and that is told of it like of any other.
        return row.value


def _write_option(row: models.Option, sealed: str) -> None:
    row.value = json.dumps(sealed)


def _of_token(column: str) -> Kept:
    return Kept(
        models.OAuthToken,
        getattr(models.OAuthToken, column) != "",
        read=lambda row: str(getattr(row, column)),
        write=lambda row, sealed: setattr(row, column, sealed),
        name=lambda row: f"authorisation {row.id} {row.provider}",
        context=lambda _row: ALL_SHOPS,
    )


# Everything that is sealed. A secret that lies elsewhere gets a row here, and every command and check knows of it.
KEPT: tuple[Kept, ...] = (
    Kept(
        models.Option,
        models.Option.encrypted.is_(True),
        read=_read_option,
        write=_write_option,
        name=lambda row: row.name,
        context=lambda row: Context(row.breadth, row.breadth_id),
    ),
    Kept(
        models.Mailbox,
        models.Mailbox.password != "",
        read=lambda row: row.password,
        write=lambda row, sealed: setattr(row, "password", sealed),
        name=lambda row: f"mailbox {row.id} {row.server}",
        context=lambda row: Context(row.breadth, row.breadth_id),
    ),
    *(_of_token(column) for column in ("access_token", "refresh_token")),
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A sealed secret: what it is, whose it is, and how it is sealed now."""

    name: str
    context: Context
    sealed: str


def secrets(session: Session) -> Iterator[Secret]:
    """Yield every secret that is kept."""
    for kept in KEPT:
        for row in session.scalars(select(kept.row).where(kept.where)):
            yield _secret(kept, row)


def write_anew(session: Session, anew: Callable[[Secret], str]) -> None:
    """Lock every secret that is kept, and write it as `anew` returns it, unless that is how it was."""
    for kept in KEPT:
        for row in session.scalars(locking(session, select(kept.row).where(kept.where).order_by(kept.row.__table__.c.id))):
            secret = _secret(kept, row)
            if (sealed := anew(secret)) != secret.sealed:
                kept.write(row, sealed)
    session.flush()


def _secret(kept: Kept, row: Any) -> Secret:
    return Secret(kept.name(row), kept.context(row), kept.read(row))
