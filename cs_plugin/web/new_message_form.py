"""The form of a new message: what was posted of it, and what it shows again when something is wrong, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cs_plugin.desk import Opened
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.people import Customer
from cs_plugin.web.answer_form import copies_of
from cs_plugin.web.posting import FormKey, KeptFile, Posting
from cs_plugin.web.predefined_choice import Offered, used

MESSAGE, NOTE = "message", "note"
ADDRESS = ""   # in the place of a customer: the address alone
_LONG_LINE = 1_000   # far beyond what an address may have, so that what is too long is told and not cut


@dataclass(frozen=True, slots=True)
class NewMessageForm:
    """The form of an employee. `key` makes a post idempotent; `shop_id` is where it is written, `to` an address or a name, `customer` an account.

    `begins` is what the text began with, so that another shop's or language's beginning replaces only that. `use` is the button that only changes the
    form; `found` are the accounts that were looked up, `looked` says that somebody looked.
    """

    key: FormKey
    shop_id: str
    language: str
    kind: str = MESSAGE
    to: str = ""
    customer: str = ADDRESS
    contact: str = ""
    subject: str = ""
    text: str = ""
    note: str = ""
    cc: str = ""
    begins: str = ""
    predefined: str = ""
    use: str = ""
    asks: bool = False
    looked: bool = False
    found: tuple[Customer, ...] = ()
    kept: tuple[KeptFile, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def noted(self) -> bool:
        """Say whether it is a private note of a phone call."""
        return self.kind == NOTE

    def beginning(self, words: str) -> NewMessageForm:
        """Return the form with another beginning of its text, unless somebody has written one."""
        text = words if self.text.strip() in ("", self.begins.strip()) else self.text
        return replace(self, text=text, begins=words)

    def with_predefined(self, offered: Sequence[Offered]) -> NewMessageForm:
        """Return the form with the chosen text in it, or with the question."""
        filled = used(self.text, offered, self.predefined, self.use, beginning=self.begins)
        return replace(self, text=filled.text, asks=filled.asks)

    def opened(self) -> Opened:
        """Return what the conversation begins with."""
        contact = int(self.contact) if self.contact.isascii() and self.contact.isdecimal() and len(self.contact) < 19 else None
        return Opened(
            shop_id=self.shop_id,
            language=self.language,
            subject=self.subject,
            text=self.note if self.noted else self.text,
            address=self.to if self.customer == ADDRESS else "",
            customer_id=self.customer or None,
            contact_id=contact,
            files=tuple(kept.file for kept in self.kept),
            cc=() if self.noted else copies_of(self.cc),
            noted=self.noted,
        )

    def post_key(self) -> str:
        """Return the key of this very post."""
        words = (self.kind, self.shop_id, self.to, self.customer, self.subject, self.text, self.note, self.cc)
        return self.key.of_post(*words, files=[kept.file for kept in self.kept])


def new_message_form_of(posting: Posting, key: FormKey, shop_id: str, language: str) -> NewMessageForm:
    """Read the form out of a post; shop and language have been judged."""
    fields = posting.fields
    return NewMessageForm(
        key=key,
        shop_id=shop_id,
        language=language,
        kind=NOTE if fields.get("kind") == NOTE else MESSAGE,
        to=clean_line(fields.get("to", ""), _LONG_LINE),
        customer=clean_line(fields.get("customer", ""), 64),
        contact=fields.get("contact", ""),
        subject=clean_line(fields.get("subject", ""), _LONG_LINE),
        text=clean_text(fields.get("text", "")),
        note=clean_text(fields.get("note", "")),
        cc=clean_line(fields.get("cc", "").replace("\n", ","), 10 * _LONG_LINE),
        begins=clean_text(fields.get("begins", "")),
        predefined=fields.get("predefined", ""),
        use=fields.get("use", ""),
        kept=posting.kept,
    )
