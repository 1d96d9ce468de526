"""What a host can put into the menu of a thread: a link, or a button that posts to a page of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThreadAction:
    """A button in the menu of a thread's page, which posts to an address of this site: a path such as "/admin/orders/15/refund".

    The form carries the desk's token, the thread's id and the way back, for `cs_action_posted` to check. `values` are further fields of it.
    """

    label: str
    address: str
    values: tuple[tuple[str, str], ...] = ()

    @property
    def stays_here(self) -> bool:
        """Say whether the address is a path of this site: the token must go nowhere else. Browsers read a backslash as a slash."""
        return self.address.startswith("/") and self.address[1:2] not in ("/", "\\") and self.address.isprintable()
