"""Staff and customers: how a row of the store's becomes an Employee or a Customer, and how rows are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin.adapters.attributes import GUESS, Model, Named, Reader, flag, moment, text, text_or_none
from cs_plugin.adapters.keys import Key
from cs_plugin.errors import ConfigurationError
from cs_plugin.rules.people import Customer, Employee

# Who belongs: an attribute's name, a condition for queries, a function of the row, or True for everybody in the table.
Belongs = str | sa.ColumnElement[bool] | Callable[[Any], Any] | bool

# The names under which an attribute is looked for that the store does not name, in this order.
USUAL: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "email_address", "mail", "e_mail"),
    "first_name": ("first_name", "firstname", "given_name", "forename"),
    "last_name": ("last_name", "lastname", "family_name", "surname"),
    "name": ("name", "full_name", "fullname", "display_name", "username"),
    "language": ("language", "locale", "lang", "preferred_language"),
    "timezone": ("timezone", "time_zone", "tz"),
    "since": ("created_at", "registered_at", "date_joined", "joined_at", "created_on", "created"),
    "active": ("active", "is_active", "enabled"),
}


@dataclass(frozen=True, slots=True)
class People:
    """A model of staff or customers, and what its attributes are called; what is not named is looked for under the usual names.

    Each is the name of an attribute ("mail", "profile.mail"), a function of the row, or None for what the store does not have. `name` is read
    where there is no `first_name`; its first word counts as the first name. `lower_case_emails` says that all addresses are kept in lower case, so
    that an index on the column finds them; without it an index on `lower(email)` does.
    """

    model: type[Any]
    email: Named = GUESS
    first_name: Named = GUESS
    last_name: Named = GUESS
    name: Named = GUESS
    language: Named = GUESS
    timezone: Named = GUESS
    since: Named = GUESS
    active: Named = GUESS
    lower_case_emails: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """Who of a table belongs, read as SQL where that is possible and from the row where it is not."""

    what: str
    condition: sa.ColumnElement[bool] | None = None
    reader: Reader | None = None

    @classmethod
    def of(cls, model: Model, what: str, belongs: Belongs) -> Membership:
        """Read who belongs. Raise ConfigurationError for an attribute that is not there, or that says neither yes nor no."""
        if belongs is True:
            return cls(what, condition=sa.true())
        if isinstance(belongs, sa.ColumnElement):
            return cls(what, condition=belongs)
        reader = model.find(what, belongs) if isinstance(belongs, str) or callable(belongs) else None
        if reader is None:
            raise ConfigurationError(f"StoreAnswers: {what} is the name of an attribute, a condition or a function, not {belongs!r}")
        if model.target(reader) is not None or model.kind(reader) not in (bool, int, None):
            attribute = f"{model.name}.{reader.path}"
            raise ConfigurationError(f"StoreAnswers: {attribute} does not say yes or no. Write a condition, such as {what}={attribute} == \"…\"")
        return cls(what, condition=_as_condition(model, reader), reader=reader)

    def holds(self, session: Session, key: Key, row: Any) -> bool:
        """Say whether a row belongs."""
        if self.reader is not None:
            return flag(self.reader(row), self.what)
        if self.condition is None or isinstance(self.condition, sa.True_):
            return self.condition is not None
        found = sa.select(key.column).where(key.column == getattr(row, key.attribute), self.condition)
        return session.execute(found.limit(1)).first() is not None


def _as_condition(model: Model, reader: Reader) -> sa.ColumnElement[bool] | None:
    """Return a flag as a condition for queries; None for one that only Python knows. PostgreSQL takes no number for a yes."""
    expression = model.expression(reader)
    if expression is None or model.kind(reader) is None:
        return expression
    return expression == 1 if model.kind(reader) is int else expression.is_(sa.true())


@dataclass(frozen=True, slots=True)
class Directory:
    """The people of one model, as the desk asks for them."""

    model: Model
    key: Key
    members: Membership
    email: Reader | None
    first_name: Reader | None
    last_name: Reader | None
    language: Reader | None
    timezone: Reader | None
    since: Reader | None
    active: Reader | None
    lower_case_emails: bool

    @classmethod
    def of(cls, people: People | type[Any], argument: str, what: str, belongs: Belongs) -> Directory:
        """Find out what a model's attributes are called. Raise ConfigurationError for what cannot be found.

        `argument` is the argument of StoreAnswers that names the model, `what` the one that says who of it belongs.
        """
        people = people if isinstance(people, People) else People(people)
        model = Model.of(people.model, f"{argument}=People({getattr(people.model, '__name__', people.model)}, {{}})")
        first_name = model.find("first_name", people.first_name, USUAL["first_name"])
        whole = None if first_name else model.find("name", people.name, USUAL["name"])
        return cls(
            model=model,
            key=Key.of(model),
            members=Membership.of(model, what, belongs),
            email=None if people.email is None else model.need("email", people.email, USUAL["email"]),
            first_name=first_name or (Reader(function=lambda row: _words(whole, row)[0]) if whole else None),
            last_name=Reader(function=lambda row: _words(whole, row)[1]) if whole else model.find("last_name", people.last_name, USUAL["last_name"]),
            language=model.find("language", people.language, USUAL["language"]),
            timezone=model.find("timezone", people.timezone, USUAL["timezone"]),
            since=model.find("since", people.since, USUAL["since"]),
            active=model.find_flag("active", people.active, USUAL["active"]),
            lower_case_emails=people.lower_case_emails,
        )

    def lists_members(self) -> bool:
        """Say whether members can be found by a query: nobody reads a whole table of customers to find three employees."""
        return self.members.condition is not None

    def is_active(self, row: Any) -> bool:
        """Say whether somebody's account is in use."""
        return self.active is None or flag(self.active(row), f"{self.model.name}.{self.active.path or 'active'}")

    def member(self, session: Session, text_of_key: str) -> Any:
        """Return the member of that key; None where there is none."""
        row = self.key.find(session, text_of_key)
        return row if row is not None and self.members.holds(session, self.key, row) else None

    def all_members(self, session: Session) -> Sequence[Any]:
        """Return all members."""
        condition = self.members.condition if self.members.condition is not None else sa.false()
        reached = self.model.load(self.email, self.first_name, self.last_name, self.language, self.timezone, self.active)
        return session.scalars(sa.select(self.model.mapped).where(condition).options(*reached).order_by(self.key.column)).all()

    def member_at(self, session: Session, address: str) -> Any:
        """Return the member with an address, in whatever case it is written; the address as it was typed goes first.

        Some databases hold "é" for "e", which is somebody else's.
        """
        typed, lower = address.strip(), address.strip().lower()
        if self.email is None or not typed or not typed.isprintable():
            return None
        column = self.model.column("email", self.email)
        rows = self._written(session, column.in_({typed, lower}), lower)
        if not rows and not self.lower_case_emails:
            rows = self._written(session, sa.func.lower(column) == lower, lower)
        row = next((one for one in rows if self._address_of(one) == typed), rows[0] if rows else None)
        return row if row is not None and self.members.holds(session, self.key, row) else None

    def _written(self, session: Session, condition: sa.ColumnElement[bool], lower: str) -> list[Any]:
        return [row for row in session.scalars(self._members_where(condition)) if self._address_of(row).lower() == lower]

    def _address_of(self, row: Any) -> str:
        return _read(self.email, row)

    def _members_where(self, condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
        query = sa.select(self.model.mapped).where(condition).order_by(self.key.column)
        return query if self.members.condition is None else query.where(self.members.condition)

    def employee(self, row: Any) -> Employee:
        """Return a row as the desk knows employees."""
        return Employee(
            id=self.key.of_row(row),
            first_name=_read(self.first_name, row),
            last_name=_read(self.last_name, row),
            email=_read(self.email, row),
            language=_read(self.language, row) or None,
            timezone=_read(self.timezone, row) or None,
            active=self.is_active(row),
        )

    def customer(self, row: Any) -> Customer:
        """Return a row as the desk knows customers."""
        since = moment(self.since(row)) if self.since else None
        return Customer(
            id=self.key.of_row(row),
            email=_read(self.email, row),
            first_name=_read(self.first_name, row),
            last_name=_read(self.last_name, row),
            language=text_or_none(self.language(row)) if self.language else None,
            since=since.date() if since else None,
        )


def _read(reader: Reader | None, row: Any) -> str:
    return text(reader(row)) if reader else ""


def _words(whole: Reader | None, row: Any) -> tuple[str, str]:
    """Return the first word of a name and the rest: together they are the name, and "J. Doe" can be made of them."""
    first_word, _, rest = _read(whole, row).partition(" ")
    return first_word, rest.strip()
