"""The draft of an answer box: what is shown of it beside the box, and what of a form becomes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.rules.later import stamped
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import drafts
from cs_plugin.store.draft_files import MOST_HELD, as_details, files_in, held_by
from cs_plugin.store.drafts import Kept, Writing
from cs_plugin.store.locking import committed, let_go, standing_in
from cs_plugin.store.merged_drafts import followed
from cs_plugin.store.models import Draft
from cs_plugin.web.answer_form import NOTE, AnswerForm, way_of
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.posting import FormKey, bring_back, files_named, kept_again, sentences
from cs_plugin.web.reading import Visit, form_is_genuine
from cs_plugin.web.uploads import UploadLimits

# A page stands open for days; what is typed in it then is kept all the same.
LASTS = dt.timedelta(days=7)
_MOST_FILES = 100
_MOST_NUMBER, _DIGITS = 1_000_000_000, 12


@dataclass(frozen=True, slots=True)
class DraftBox:
    """What a page knows of the draft that stands in its answer box.

    `version` is the one that it knows of, 0 for none; `saved_at` is None where nothing is kept. `newer` says that another window has kept something
    else since, and `unkept` that what stands in the box is kept nowhere yet. `sent` are the forms that were sent last; `form` is the one that wrote
    it last, and `turn` is how often that one has saved.
    """

    version: int = 0
    saved_at: dt.datetime | None = None
    newer: bool = False
    unkept: bool = False
    sent: Sequence[str] = ()
    form: str = ""
    turn: int = 0

    @classmethod
    def of(cls, row: Draft | None, *, newer: bool = False, unkept: bool = False) -> DraftBox:
        """Tell it of the row of an employee in a thread."""
        if row is None:
            return cls(newer=newer, unkept=unkept)
        saved_at = row.changed_at if drafts.has_words(row) else None
        return cls(row.version, saved_at, newer, unkept, drafts.sent_forms(row), drafts.form_of(row), drafts.turn_of(row))


def beside(here: Visit, thread_id: int, say: Callable[..., str]) -> tuple[DraftBox, AnswerForm | None]:
    """Return the draft of the employee in a thread, and the answer box as they left it; None where nothing is kept."""
    session, employee_id = here.desk.session(), here.actor().employee.id
    row = drafts.latest(session, employee_id, thread_id)
    box = DraftBox.of(row)
    left = (row.reply, row.note, dict(row.details)) if row is not None and box.saved_at is not None else None
    let_go(session)
    return box, None if left is None else _form_of(here.desk, here.now, *left, say=say)


def beside_posted(here: Visit, thread_id: int, form: AnswerForm, beginning: str, limits: UploadLimits, *, page: int) -> DraftBox:
    """Keep what was posted and is shown again, where its form is genuine; return the draft beside it.

    It is shown in a thread into which that of the `page` may have been merged.
    """
    try:
        genuine = form_is_genuine(limits, lasts=LASTS)
    except (RequestEntityTooLarge, LengthRequired):
        # What was too large has been read another way, or not at all; here nobody begins to.
        return DraftBox(unkept=True)
    writing = posted_writing(form, beginning)
    if genuine and any((*writing.texts, form.cc.strip(), form.kept)):
        row, became = keep(here, page, writing)
        if page != thread_id:
            return _beside_in_kept(here, thread_id, writing, became)
        return row if became is not Kept.NEWER else DraftBox(writing.version, row.saved_at, newer=True, unkept=True, sent=row.sent)
    return DraftBox(writing.version, unkept=True)


def _beside_in_kept(here: Visit, thread_id: int, writing: Writing, became: Kept) -> DraftBox:
    """Return the draft beside what was posted on the page of a thread that has been merged into this one: it was kept beside what stood there."""
    session = here.desk.session()
    row = drafts.latest(session, here.actor().employee.id, thread_id)
    box = DraftBox.of(row)
    whole = row is not None and (row.reply.strip(), row.note.strip()) == writing.texts
    let_go(session)
    # Of anything else that stands there its box knows nothing.
    return box if whole else replace(box, version=0, newer=True, unkept=became is Kept.NEWER)


def keep(here: Visit, thread_id: int, writing: Writing, *, overwrites: bool = False) -> tuple[DraftBox, Kept]:
    """Keep what stands in an answer box of the employee's, in a transaction of its own, and return the draft with what became of it.

    Where the page's thread has been merged, it is kept in the one that it leads to as well, beside what stands there.
    """
    session, employee_id, now = here.desk.session(), here.actor().employee.id, here.now
    let_go(session)

    def work() -> tuple[DraftBox, Kept]:
        with followed(session, employee_id, thread_id, standing_in(session, thread_id), now):
            row, became = drafts.keep_unless_newer(session, employee_id, thread_id, writing, now, overwrites=overwrites)
        return DraftBox.of(row), became

    return committed(session, work)


def discard(here: Visit, thread_id: int) -> None:
    """Forget the draft of the employee in a thread; of what stands in the one that it has been merged into, the words that came from it."""
    session, employee_id, now = here.desk.session(), here.actor().employee.id, here.now
    let_go(session)

    def work() -> None:
        with followed(session, employee_id, thread_id, standing_in(session, thread_id), now):
            drafts.clear(session, employee_id, thread_id, now)

    committed(session, work)


def has_room(here: Visit, size: int) -> bool:
    """Say whether the employee's drafts may hold so many bytes more."""
    session = here.desk.session()
    held = held_by(session, here.actor().employee.id)
    let_go(session)
    return held + size <= MOST_HELD


def sent(bench: Bench, actor: Actor, thread_id: int, form: AnswerForm, *, into: int) -> None:
    """Take out of the draft what is being sent, in its very transaction; and out of that in the thread `into` which this one has been merged."""
    writing, noted = posted_writing(form), form.then == NOTE
    with followed(bench.session, actor.employee.id, thread_id, into, bench.now):
        drafts.sent(bench.session, actor.employee.id, thread_id, writing, bench.now, noted=noted)
    if into != thread_id:
        # Of the draft there its page knows nothing: only the very words go.
        drafts.sent(bench.session, actor.employee.id, into, replace(writing, version=0), bench.now, noted=noted)


def posted_writing(form: AnswerForm, beginning: str = "") -> Writing:
    """Return what an answer form of this request holds for its draft; what every answer begins with is nobody's words."""
    kept = [one.file for one in form.kept]
    details = _details(form.cc, form.predefined, kept, noting=form.noting, quotes=form.quotes)
    return _writing(form.text, form.note, {**details, **drafts.chosen(form.way, form.chosen_at)}, beginning, form.key.nonce)


def scripted_writing(texts: tuple[str, str], cc: str, beginning: str = "") -> Writing:
    """Return likewise what a script has sent of the box, while it is being written."""
    fields = request.form
    key = FormKey.read(fields.get("post_key", ""))
    kept = files_named(fields.getlist("kept_file")[:_MOST_FILES])
    noting, quotes = fields.get("kind") == NOTE, bool(fields.get("quotes"))
    details = _details(cc, fields.get("predefined", ""), kept, noting=noting, quotes=quotes)
    choice = drafts.chosen(way_of(fields.get("way", "")), stamped(fields.get("chosen_at", "")))
    return _writing(*texts, {**details, **choice}, beginning, key.nonce if key else "")


def _details(cc: str, predefined: str, kept: Sequence[StoredFile], *, noting: bool, quotes: bool) -> dict[str, Any]:
    return {"cc": cc, "noting": noting, "predefined": predefined[:20], "files": as_details(kept), "quotes": quotes}


def _writing(text: str, note: str, details: dict[str, Any], beginning: str, form: str) -> Writing:
    reply = "" if text.strip() == beginning.strip() else text
    return Writing(reply, note, details, form, _number("draft_turn"), _number("draft_version"), request.form.get("draft_after", ""))


def _number(name: str) -> int:
    text = request.form.get(name, "")
    return min(int(text), _MOST_NUMBER) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 0


def _form_of(desk: Mounted, now: dt.datetime, reply: str, note: str, details: dict[str, Any], *, say: Callable[..., str]) -> AnswerForm:
    # The draft holds them, whenever they came; a file store may have lost them all the same.
    references = [*(str(one) for one in details.get("kept", ())), *(one.reference for one in kept_again(files_in(details), now))]
    kept, errors = bring_back(desk, references, now)
    told = "\n".join(f"{name}: {sentence}" if name else sentence for name, sentence in sentences(errors, say))
    then, leaves_at = drafts.choice_in(details)
    return AnswerForm(
        FormKey.new(now),
        text=reply,
        note=note,
        cc=str(details.get("cc", "")),
        noting=bool(details.get("noting")),
        predefined=str(details.get("predefined", "")),
        kept=kept,
        quotes=bool(details.get("quotes")),
        errors={"file": told} if told else {},
        way=way_of(then),
        chosen_at=leaves_at,
    )

