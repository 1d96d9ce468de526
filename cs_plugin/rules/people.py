"""Who writes and who answers: employees and customers as the host tells of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any


def split_name(name: str) -> tuple[str, str]:
    """Return first and last name of somebody of whom only the whole name is known: its first word, and the others."""
    first, _, last = " ".join((name or "").split()).partition(" ")
    return first, last


@dataclass(frozen=True, slots=True)
class Employee:
    """Somebody who works in the shop's admin.

    `id` is the host's own key as text (at most 64 characters); `language` a code such as "fr" or "pt-BR";
    `timezone` an IANA name such as "Europe/Paris".
    """

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    language: str | None = None
    timezone: str | None = None
    active: bool = True

    @classmethod
    def named(cls, id: str, name: str, **others: Any) -> Employee:  # noqa: A002 - the field's own name
        """Return an employee of whom the host knows only the whole name; `others` are the other fields, by name."""
        first_name, last_name = split_name(name)
        return cls(id, first_name, last_name, **others)

    @property
    def name(self) -> str:
        """Return first and last name, or the address where the host knows neither."""
        return f"{self.first_name} {self.last_name}".strip() or self.email or self.id

    @property
    def short_name(self) -> str:
        """Return the name as lists show it: "J. Doe"."""
        if self.first_name and self.last_name:
            return f"{self.first_name[0]}. {self.last_name}"
        return self.name


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account in the shop. `since` is the day on which the account was opened."""

    id: str
    email: str
    first_name: str = ""
    last_name: str = ""
    language: str | None = None
    since: dt.date | None = None

    @classmethod
    def named(cls, id: str, email: str, name: str, **others: Any) -> Customer:  # noqa: A002 - the field's own name
        """Return a customer of whom the host knows only the whole name; `others` are the other fields, by name."""
        first_name, last_name = split_name(name)
        return cls(id, email, first_name, last_name, **others)

    @property
    def name(self) -> str:
        """Return first and last name, or the address where the host knows neither."""
        return f"{self.first_name} {self.last_name}".strip() or self.email
