"""The drop-down of predefined messages above a text: on the panel of an order, and in the answer box of a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cs_plugin.i18n import marked as _
from cs_plugin.store.predefined import active_predefined, predefined_words

OVERWRITE = _("Do you want to overwrite your existing message?")


@dataclass(frozen=True, slots=True)
class Offered:
    """A predefined message in the drop-down: its name in the employee's language, its text in that of the customer."""

    id: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the text after "Use"; `asks` says that the chosen one would overwrite it, and that nobody has said yet whether it may."""

    text: str
    asks: bool = False


def offered_in(session: Session, shop_id: str, reader_language: str, customer_language: str, default_language: str) -> tuple[Offered, ...]:
    """Return the predefined messages of a shop: employees know them by their own language's name, the customer reads theirs."""
    offered = []
    for message in active_predefined(session, [shop_id]):
        name = predefined_words(message, reader_language, default_language).name
        offered.append(Offered(message.id, name, predefined_words(message, customer_language, default_language).text))
    return tuple(offered)


def used(text: str, offered: Sequence[Offered], chosen: str, how: str, *, beginning: str = "") -> Filled:
    """Return what a button "Use" makes of a text: the one that is `chosen` by its id, or the question first.

    `how` is the button: "fill" asks where somebody has written something, which what the box began with (`beginning`) is not; "overwrite" and "keep"
    are the two answers.
    """
    words = next((one.text for one in offered if str(one.id) == chosen), None)
    if words is None or how == "keep":
        return Filled(text)
    if how != "overwrite" and text.strip() not in ("", beginning.strip(), words.strip()):
        return Filled(text, asks=True)
    return Filled(words)
