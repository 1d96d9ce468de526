"""Predefined messages: texts that employees choose instead of writing them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from wtforms import BooleanField, SelectMultipleField, StringField, TextAreaField

from cs_plugin.desk.predefined import MAX_POSITION, MAX_TEXT, PredefinedDraft, save_predefined, take_out_predefined, take_out_several, wrong_with
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text, preview
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import PredefinedMessage
from cs_plugin.store.predefined import next_position, one_predefined_in, predefined_in, predefined_words
from cs_plugin.store.types import can_be_id
from cs_plugin.web.desk_view import MenuName, guarded
from cs_plugin.web.forms import SpokenForm
from cs_plugin.web.of_shops import EXPIRED, OfShopsView
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.small_list import Asked, Column

_FIRST_WORDS = 120
_MOST_CHOSEN = 1_000
_NONE_CHOSEN = _("Select at least one predefined message first.")
_GONE = _("Nothing was deleted: these predefined messages are no longer there, or you may not delete them.")


@dataclass(frozen=True, slots=True)
class Row:
    """A predefined message in the list."""

    id: int
    name: str
    text: str
    active: bool

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


class PredefinedEditor(SpokenForm):
    """A predefined message; `predefined_editor` adds a name and a text for each language. What is wrong with it the desk says."""

    active = BooleanField()
    position = StringField()
    shops = SelectMultipleField(validate_choice=False)


def predefined_editor(languages: Sequence[str]) -> type[PredefinedEditor]:
    """Return the form with the fields of these languages: "name-en", "text-en"."""
    fields: dict[str, Any] = {}
    for language in languages:
        fields[f"name-{language}"] = StringField(filters=[lambda value: clean_line(value or "", 1_000)])
        fields[f"text-{language}"] = TextAreaField(filters=[lambda value: clean_text(value or "")])
    return type("PredefinedEditorInLanguages", (PredefinedEditor,), fields)


class PredefinedView(OfShopsView, BaseView):
    """Predefined messages: a list, and a form for each."""

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Predefined messages"."""
        super().__init__(
            name=MenuName(_("Predefined messages")), category=category, endpoint="cs_predefined", url="customer-service-predefined-messages"
        )

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the predefined messages of the context as the address asks for them."""
        here, session = self.here, self.here.desk.session()
        rows = [self._row(message) for message in predefined_in(session, here.scope(Permission.CONFIGURE))]
        let_go(session)
        asked = self._asked()
        return self.page(
            "predefined_messages.html",
            rows=asked.rows(rows, COLUMNS),
            any_there=bool(rows),
            asked=asked,
            columns=COLUMNS,
            **self.context_words(),
        )

    @expose("/new/", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Make a predefined message."""
        position = min(next_position(self.here.desk.session()), MAX_POSITION)
        return self._form(None, {"shops": self.chosen_for_new(), "active": True, "position": str(position)}, _("Successful creation."))

    @expose("/<int:predefined_id>/", methods=("GET", "POST"))
    def edit(self, predefined_id: int) -> ResponseReturnValue:
        """Change a predefined message."""
        message = self._found(predefined_id)
        return self._form(message, _values(message), _("Successful update."))

    @expose("/<int:predefined_id>/delete/", methods=("GET", "POST"))
    def remove(self, predefined_id: int) -> ResponseReturnValue:
        """Ask, and take a predefined message out of the context's shops; out of the last one, it is deleted."""
        message, here = self._found(predefined_id), self.here
        if request.method == "POST" and form_is_genuine():
            shops = self.chosen_shops
            guarded(lambda: here.desk.do(lambda bench: take_out_predefined(bench, here.actor(), predefined_id, shops)))
            say_good(self.say(_("Successful deletion.")))
            return redirect(self.list_address, 303)
        return self._question([message], self.say(EXPIRED) if request.method == "POST" else "")

    @expose("/bulk", methods=("POST",))
    def bulk(self) -> ResponseReturnValue:
        """Delete the selected ones; ask first, and delete once that is answered."""
        genuine, here = form_is_genuine(), self.here
        ids = _ids(request.form.getlist("predefined"))
        if not genuine or not ids:
            say_bad(self.say(_NONE_CHOSEN if genuine else EXPIRED))
            return redirect(self._back(), 303)
        if request.form.get("action") != "delete":
            found = [one for one in predefined_in(here.desk.session(), here.scope(Permission.CONFIGURE)) if one.id in set(ids)]
            return self._question(found) if found else self._told(0, len(ids))
        shops = self.chosen_shops
        return self._told(here.desk.do(lambda bench: take_out_several(bench, here.actor("list"), ids, shops)), len(set(ids)))

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    def _asked(self) -> Asked:
        return Asked.of(request.args, COLUMNS, str(self.here.context) if self.query else "")

    def _back(self) -> str:
        """Return the address of the list as it stood."""
        return f"{self.list_address.partition('?')[0]}{self._asked()}"

    def _found(self, predefined_id: int) -> PredefinedMessage:
        message = one_predefined_in(self.here.desk.session(), self.granted, predefined_id)
        if message is None:
            abort(404)
        return message

    def _row(self, message: PredefinedMessage) -> Row:
        words = predefined_words(message, self.here.employee_language, self.here.default_language)
        return Row(message.id, words.name, words.text, message.active)

    # --- Deleting -----------------------------------------------------------------------------------------------------------------------------

    def _question(self, messages: Sequence[PredefinedMessage], wrong: str = "") -> ResponseReturnValue:
        rows = [self._row(message) for message in messages]
        stays_in = sorted({name for message in messages for name in self.stays_in(_shop_ids(message))})
        let_go(self.here.desk.session())
        words = {"rows": rows, "stays_in": stays_in, "wrong": wrong, "several": request.endpoint == "cs_predefined.bulk", "back": self._back()}
        return self.page("predefined_delete.html", asked=self._asked(), **words), 400 if wrong else 200

    def _told(self, done: int, wanted: int) -> ResponseReturnValue:
        if not done:
            say_bad(self.say(_GONE))
            return redirect(self._back(), 303)
        said = self.say(_("The selection has been successfully deleted."))
        if done < wanted:
            left = self.say(_("%(done)s of %(asked)s; the others are no longer there, or you may not delete them."), done=done, asked=wanted)
            said = f"{said} {left}"
        say_good(said)
        return redirect(self._back(), 303)

    # --- The form -----------------------------------------------------------------------------------------------------------------------------

    def _form(self, message: PredefinedMessage | None, values: Mapping[str, Any], done: str) -> ResponseReturnValue:
        here = self.here
        posted = request.method == "POST"
        genuine = posted and form_is_genuine()
        editor = predefined_editor([language.code for language in here.languages])
        form = editor(request.form if posted else None, say=self.say, **values)
        if message is not None and not self.is_theirs(_shop_ids(message)):
            return self._shown(message, form, {}, locked=True), 403 if posted else 200
        if not posted:
            return self._shown(message, form, {})
        draft = self._draft(form)
        errors = self._wrong(draft) if genuine else {"": self.say(EXPIRED)}
        if errors:
            return self._shown(message, form, errors), 422
        predefined_id = message.id if message is not None else None
        guarded(lambda: here.desk.do(lambda bench: save_predefined(bench, here.actor(), predefined_id, draft)))
        say_good(self.say(done))
        return redirect(self.list_address, 303)

    def _draft(self, form: PredefinedEditor) -> PredefinedDraft:
        codes = [language.code for language in self.here.languages]
        position = (form.position.data or "").strip()
        return PredefinedDraft(
            names={code: form[f"name-{code}"].data or "" for code in codes},
            texts={code: form[f"text-{code}"].data or "" for code in codes},
            position=int(position) if position.isascii() and position.isdigit() and len(position) < 10 else None,
            active=bool(form.active.data),
            shop_ids=self.chosen_in_form(form.shops.data or ()),
        )

    def _wrong(self, draft: PredefinedDraft) -> dict[str, str]:
        """Return what is wrong, by field, in the employee's language."""
        errors: dict[str, str] = {}
        for error in wrong_with(self.here.desk.bench(self.here.desk.session()), draft):
            errors.setdefault(error.field, self.say_error(error))
        return errors

    def _shown(self, message: PredefinedMessage | None, form: PredefinedEditor, errors: Mapping[str, str], *, locked: bool = False) -> str:
        row = self._row(message) if message is not None else None
        let_go(self.here.desk.session())
        return self.page(
            "predefined_message.html",
            row=row,
            form=form,
            errors=errors,
            locked=locked,
            shops=self.shops_to_choose(),
            languages=self.here.languages,
            most=MAX_TEXT,
        )


def _ids(texts: Sequence[str]) -> list[int]:
    """Return the ids among what was posted, each once, and no more of them than a statement takes."""
    found = {int(one) for one in texts if one.isascii() and one.isdigit() and len(one) < 20}
    return sorted(one for one in found if can_be_id(one))[:_MOST_CHOSEN]


def _shop_ids(message: PredefinedMessage) -> set[str]:
    return {shop.shop_id for shop in message.shops}


def _values(message: PredefinedMessage) -> dict[str, Any]:
    words = {f"name-{text.language}": text.name for text in message.texts}
    words |= {f"text-{text.language}": text.text for text in message.texts}
    return {**words, "active": message.active, "position": str(message.position), "shops": sorted(_shop_ids(message))}
