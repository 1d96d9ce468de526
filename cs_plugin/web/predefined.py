"""Predefined messages: texts that employees choose instead of writing them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_admin.contrib.sqla import ModelView

from cs_plugin.desk.of_shops import MAX_POSITION
from cs_plugin.desk.predefined import (
    MAX_TEXT,
    PredefinedDraft,
    move_predefined,
    save_predefined,
    take_out_predefined,
    take_out_several,
    wrong_with,
)
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import preview
from cs_plugin.store.models import PredefinedMessage
from cs_plugin.store.predefined import next_position, one_predefined_in, predefined_in, predefined_words
from cs_plugin.web.desk_view import MenuName
from cs_plugin.web.forms import PredefinedEditor, predefined_editor
from cs_plugin.web.of_shops import Listed, OfShopsView, Pages, Verbs, position_of
from cs_plugin.web.small_list import Column

_FIRST_WORDS = 120


@dataclass(frozen=True, slots=True)
class Row(Listed):
    """A predefined message in the list."""

    text: str

    @property
    def first_words(self) -> str:
        """Return the beginning of the text on one line."""
        return preview(self.text, _FIRST_WORDS)


COLUMNS: tuple[Column[Row], ...] = (
    Column("id", _("ID"), lambda row: row.id),
    Column("name", _("Name"), lambda row: row.name),
    Column("text", _("Message"), lambda row: row.text),
    Column("active", _("Active"), lambda row: "yes" if row.active else "no", (("yes", _("Yes")), ("no", _("No")))),
)


class PredefinedView(OfShopsView[PredefinedMessage, PredefinedDraft], ModelView):
    """Predefined messages: a list, and a form for each."""

    verbs = Verbs(predefined_in, one_predefined_in, wrong_with, save_predefined, take_out_predefined, take_out_several, move_predefined)
    pages = Pages(
        kind="predefined",
        list="predefined_messages.html",
        form="predefined_message.html",
        columns=COLUMNS,
        labels={"name": _("Name"), "text": _("Message"), "position": _("Position"), "shops": _("Shop association")},
        deleted=_("What was written with it stays as it is."),
    )

    def __init__(self, db: Any, *, category: str | None) -> None:
        """Stand in the menu as "Predefined messages"."""
        name = MenuName(_("Predefined messages"))
        super().__init__(PredefinedMessage, db, name=name, category=category, endpoint="cs_predefined", url="customer-service-predefined-messages")

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows how long a text may be."""
        return super().page(template, most=MAX_TEXT, **words)

    def row(self, thing: PredefinedMessage) -> Row:
        """Return a predefined message in the employee's language."""
        words = predefined_words(thing, self.here.employee_language, self.here.default_language)
        return Row(**self.listed(thing, name=words.name, active=thing.active), text=words.text)

    def editor(self, codes: Sequence[str]) -> type[PredefinedEditor]:
        """Return the form of a predefined message."""
        return predefined_editor(codes)

    def values(self, thing: PredefinedMessage | None) -> dict[str, Any]:
        """Return what the form begins with: a new one is active, and stands behind the others."""
        if thing is None:
            position = min(next_position(self.here.desk.session()), MAX_POSITION)
            return {"shops": self.chosen_for_new(), "active": True, "position": str(position)}
        words = {f"{field}-{text.language}": getattr(text, field) for text in thing.texts for field in ("name", "text")}
        return {**words, "active": thing.active, "position": str(thing.position), "shops": [shop.shop_id for shop in thing.shops]}

    def draft(self, form: PredefinedEditor, codes: Sequence[str]) -> PredefinedDraft:
        """Return what a posted form wants of a predefined message."""
        return PredefinedDraft(
            names={code: form[f"name-{code}"].data or "" for code in codes},
            texts={code: form[f"text-{code}"].data or "" for code in codes},
            position=position_of(form.position.data or ""),
            active=bool(form.active.data),
            shop_ids=self.chosen_in_form(form.shops.data or ()),
        )
