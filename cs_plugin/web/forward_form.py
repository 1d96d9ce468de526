"""The form that forwards a thread: what was posted of it, and what it shows again when something is wrong, so that nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from cs_plugin.desk import Target
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.people import Employee
from cs_plugin.web.posting import FormKey

SOMEONE_ELSE = "else"
_COLLEAGUE = "employee-"
_LONG_LINE = 1_000    # far beyond what an address may have, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class ForwardForm:
    """The form of an employee at a thread. `key` makes a post idempotent; `target` is one of the choices."""

    key: FormKey
    target: str = ""
    address: str = ""
    comment: str = ""

    def wanted(self) -> Target:
        """Return whom the thread is to go to. Raise InvalidInputError where nobody was chosen."""
        if self.target == SOMEONE_ELSE:
            return Target(address=self.address)
        if self.target.startswith(_COLLEAGUE):
            return Target(employee_id=self.target.removeprefix(_COLLEAGUE))
        raise InvalidInputError("target", _("Choose whom to forward this discussion to."))

    def post_key(self) -> str:
        """Return the key of this very post."""
        return self.key.of_post(self.target, self.address, self.comment)


def forward_form_of(fields: Mapping[str, str], now: dt.datetime) -> ForwardForm:
    """Read the form out of a post."""
    return ForwardForm(
        key=FormKey.read(fields.get("post_key", "")) or FormKey.new(now),
        target=clean_line(fields.get("target", ""), _LONG_LINE),
        address=clean_line(fields.get("address", ""), _LONG_LINE),
        comment=clean_text(fields.get("comment", "")),
    )


def choice_of(employee: Employee) -> str:
    """Return the value under which the form offers an employee."""
    return f"{_COLLEAGUE}{employee.id}"
