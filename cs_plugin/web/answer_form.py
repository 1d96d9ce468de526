"""The answer box: what was posted of it, and what it shows again when something is wrong, so that nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from typing import TYPE_CHECKING

from cs_plugin.desk import Answer
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.later import Preset, stamped
from cs_plugin.rules.status import Status
from cs_plugin.web.posting import FormKey, KeptFile, Posting
from cs_plugin.web.predefined_choice import Offered, used

if TYPE_CHECKING:
    from cs_plugin.web.answer_moment import Moment

NOTE, KEEP = "note", "keep"

# What each button makes of the thread. The one that keeps the status and the one of the note are not among them.
THEN: Mapping[str, Status] = {"close": Status.CLOSED, **{status.value: status for status in Status}}
_MOST_COPIES = 20
LONGEST_CC = 10_000
_LONGEST_MOMENT = 32


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The answer box of an employee at a thread.

    `key` makes a post idempotent. `seen` is the newest message that stood on the page, `then` the button that was pressed; `noting` says
    that the box stands at its private note. `predefined` is the id of the chosen predefined message, `use` the button beside it where that was
    pressed, `asks` says that it would overwrite what stands there. `errors` holds a sentence in the employee's language for each field; `held` says
    that newer messages have held the answer. `later` is the button by which it is sent later, at the typed moment `later_at`; `quotes` puts the
    customer's last message below it, and `goes_next` leads to the next unanswered message afterwards. `way` is the button by which a reply had been
    sent that was taken back, empty where there was none, and `chosen_at` the moment at which it was to leave.
    """

    key: FormKey
    text: str = ""
    note: str = ""
    cc: str = ""
    then: str = ""
    noting: bool = False
    seen: int = 0
    predefined: str = ""
    use: str = ""
    asks: bool = False
    kept: tuple[KeptFile, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    held: bool = False
    later: str = ""
    later_at: str = ""
    quotes: bool = False
    goes_next: bool = False
    way: str = ""
    chosen_at: dt.datetime | None = None

    @property
    def copies(self) -> tuple[str, ...]:
        """Return the addresses under Cc, each once and without its display name."""
        return copies_of(self.cc)

    def problems(self) -> dict[str, InvalidInputError]:
        """Return what is wrong, field by field, all of it at once; the desk checks again. A form that only changes its text may miss anything."""
        if self.use:
            return {}
        if self.then == NOTE:
            return {} if self.note.strip() else {"note": InvalidInputError("text", _("This field cannot be empty"))}
        if self.then != KEEP and self.then not in THEN:
            return {"form": InvalidInputError("form", _("Please choose how to send it, with one of the buttons."))}
        problems: dict[str, InvalidInputError] = {}
        if not self.text.strip():
            problems["text"] = InvalidInputError("text", _("Reply message is required"))
        if len(self.copies) > _MOST_COPIES:
            problems["cc"] = InvalidInputError("cc", _("Too many addresses: %(most)s at most."), most=_MOST_COPIES)
        for copy in self.copies[:_MOST_COPIES]:
            try:
                checked_address(copy, "cc")
            except InvalidInputError as error:
                problems["cc"] = error
        return problems

    def with_predefined(self, offered: Sequence[Offered], beginning: str) -> AnswerForm:
        """Return the form with the chosen text in it, where the button for that was pressed; with the question, where somebody wrote another."""
        if not self.use:
            return self
        filled = used(self.text, offered, self.predefined, self.use, beginning=beginning)
        return replace(self, text=filled.text, asks=filled.asks)

    def answer(self, moment: Moment) -> Answer:
        """Return what is sent to the customer, and when."""
        return Answer(
            self.text,
            tuple(kept.file for kept in self.kept),
            self.copies,
            THEN.get(self.then),
            keep_status=self.then == KEEP,
            seen_message_id=self.seen,
            release_at=moment.at,
            later=moment.later,
            quotes=self.quotes,
        )

    def field_of(self, error: InvalidInputError) -> str:
        """Return the field of the box beside which an error of the desk's belongs."""
        if error.field == "text":
            return "note" if self.then == NOTE else "text"
        return error.field if error.field in ("cc", "later") else "form"


def copies_of(text: str) -> tuple[str, ...]:
    """Return the addresses of a line, each once and without its display name."""
    pieces = (piece.strip() for piece in text.replace(";", ",").split(","))
    addresses = (parseaddr(piece)[1] or piece if "<" in piece else piece for piece in pieces)
    return tuple(dict.fromkeys(address for address in addresses if address))


def beginning(default_message: str, signature: str) -> str:
    """Return what an answer begins with: the shop's default message and the signature of the contact that answers, each empty where there is none."""
    return "\n\n".join(part for part in (default_message, signature) if part.strip())


def way_of(text: str) -> str:
    """Return the button that sends a reply so: `text` is its value, a status, or "keep"; empty for anything else."""
    if text == KEEP:
        return KEEP
    status = THEN.get(text)
    return "" if status is None else "close" if status is Status.CLOSED else status.value


def form_of(posting: Posting, key: FormKey) -> AnswerForm:
    """Read the answer box out of a post."""
    fields = posting.fields
    seen = fields.get("seen", "")
    later = fields.get("later", "")
    way = way_of(fields.get("way", ""))
    then = (way if later == Preset.CHOSEN else fields.get("later_then", "")) if later else fields.get("then", "")
    return AnswerForm(
        key=key,
        text=clean_text(fields.get("text", "")),
        note=clean_text(fields.get("note", "")),
        cc=clean_line(fields.get("cc", "").replace("\n", ","), LONGEST_CC),
        then=then,
        noting=then == NOTE or (not then and fields.get("kind") == NOTE),
        # A form that does not say what was seen has seen nothing.
        seen=int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 19 else 0,
        predefined=fields.get("predefined", ""),
        use=fields.get("use", ""),
        kept=posting.kept,
        later=later,
        later_at=fields.get("later_at", "")[:_LONGEST_MOMENT],
        quotes=bool(fields.get("quotes")),
        goes_next=bool(fields.get("goes_next")),
        way=way,
        chosen_at=stamped(fields.get("chosen_at", "")),
    )
