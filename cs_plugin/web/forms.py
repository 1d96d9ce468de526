"""The forms, as WTForms: what they hold and what is wrong with it, in the language of whoever fills them in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from wtforms import BooleanField, Form, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields import EmailField
from wtforms.validators import ValidationError

from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_TEXT, clean_line, clean_text

Say = Callable[..., str]
_LONG_LINE = 1000   # far beyond every limit, so that what is too long is told and not cut


def _line(value: str | None) -> str:
    return clean_line(value or "", _LONG_LINE)


def _text(value: str | None) -> str:
    return clean_text(value or "")


class SpokenForm(Form):
    """A form that tells its errors in a language: `say` translates."""

    def __init__(self, formdata: Any = None, *, say: Say, **values: Any) -> None:
        """Read the posted fields; `values` fill those that were not posted."""
        self.say = say
        super().__init__(formdata, **values)

    def check_text(self, text: str, blank: str) -> None:
        """Raise ValidationError for a text that is blank (with that sentence) or too long."""
        if not text.strip():
            raise ValidationError(self.say(blank))
        if len(text.strip()) > MAX_TEXT:
            raise ValidationError(self.say(_("The message is too long: %(most)s characters at most."), most=MAX_TEXT))

    def check_address(self, address: str) -> None:
        """Raise ValidationError for what no mail could be sent to."""
        try:
            checked_address(address)
        except InvalidInputError as error:
            raise ValidationError(self.say(error.message, **error.values)) from error


class AnswerForm(SpokenForm):
    """What a guest writes in a conversation."""

    text = TextAreaField(filters=[_text])

    def validate_text(self, field: TextAreaField) -> None:
        """Refuse a blank text."""
        self.check_text(field.data or "", _("The message cannot be blank."))


class OrderForm(SpokenForm):
    """What a customer writes about an order. `products` are (id, name) pairs."""

    product = SelectField(validate_choice=False)
    text = TextAreaField(filters=[_text])
    # Hidden from people: what fills it in is a program.
    website = StringField()

    def __init__(self, formdata: Any = None, *, say: Say, products: Sequence[tuple[str, str]], **values: Any) -> None:
        """Offer the products of the order."""
        super().__init__(formdata, say=say, **values)
        self.product.choices = [("", say(_("-- choose a product --"))), *products]
        self._products: Collection[str] = {"", *(value for value, _label in products)}

    def validate_product(self, field: SelectField) -> None:
        """Refuse a product that is not of this order."""
        if (field.data or "") not in self._products:
            raise ValidationError(self.say(_("Please choose a product of this order, or none.")))

    def validate_text(self, field: TextAreaField) -> None:
        """Refuse a blank text."""
        self.check_text(field.data or "", _("The message cannot be blank."))


class ContactForm(SpokenForm):
    """The contact form. `contacts` and `orders` are (value, label) pairs; without a consent text none is asked for."""

    contact = SelectField(validate_choice=False)
    email = EmailField(filters=[_line])
    order = SelectField(validate_choice=False)
    text = TextAreaField(filters=[_text])
    consent = BooleanField()
    # Hidden from people: what fills it in is a program.
    website = StringField()

    def __init__(
        self,
        formdata: Any = None,
        *,
        say: Say,
        contacts: Sequence[tuple[str, str]],
        orders: Sequence[tuple[str, str]],
        consent_text: str,
        **values: Any,
    ) -> None:
        """Offer contacts and orders, and ask for the consent where there is a text for it."""
        super().__init__(formdata, say=say, **values)
        self.contact.choices = [("", say(_("-- Choose --"))), *contacts]
        self.order.choices = [("", say(_("-- None --"))), *orders]
        self._offered: Collection[str] = {value for value, _label in contacts}
        self._orders: Collection[str] = {"", *(value for value, _label in orders)}
        self._consent_text = consent_text

    def validate_contact(self, field: SelectField) -> None:
        """Refuse a contact that this shop does not offer."""
        if field.data not in self._offered:
            raise ValidationError(self.say(_("Please select a subject from the list provided.")))

    def validate_email(self, field: EmailField) -> None:
        """Refuse what no answer could be sent to."""
        self.check_address(field.data or "")

    def validate_order(self, field: SelectField) -> None:
        """Refuse an order that is not this customer's."""
        if (field.data or "") not in self._orders:
            raise ValidationError(self.say(_("The order is no longer valid.")))

    def validate_text(self, field: TextAreaField) -> None:
        """Refuse a blank text."""
        self.check_text(field.data or "", _("The message cannot be blank."))

    def validate_consent(self, field: BooleanField) -> None:
        """Ask for the consent, where the shop does."""
        if self._consent_text and not field.data:
            raise ValidationError(self.say(_("Please agree, so that your message can be kept and answered.")))


def errors_of(form: Form) -> Mapping[str, str]:
    """Return the first error of each field that has one."""
    return {name: str(next(iter(errors))) for name, errors in form.errors.items() if name and errors}


class OfShopsEditor(SpokenForm):
    """What the forms of things that belong to shops share. What is wrong with them the desk says."""

    active = BooleanField()
    position = StringField()
    shops = SelectMultipleField(validate_choice=False)


class ContactEditor(OfShopsEditor):
    """A contact in the admin; `contact_editor` adds its words in each language."""

    email = EmailField(filters=[_line])
    save_messages = BooleanField()
    mails = SelectMultipleField(validate_choice=False)
    # Boxes that are not ticked are not posted: this says whether they stood on the form.
    mails_shown = BooleanField()


class PredefinedEditor(OfShopsEditor):
    """A predefined message in the admin; `predefined_editor` adds its words in each language."""


def contact_editor(languages: Sequence[str]) -> type[ContactEditor]:
    """Return the form of a contact with the fields of these languages: "title-en", "description-en", "signature-en"."""
    return type("ContactEditorInLanguages", (ContactEditor,), _worded(languages, lines=("title",), texts=("description", "signature")))


def predefined_editor(languages: Sequence[str]) -> type[PredefinedEditor]:
    """Return the form of a predefined message with the fields of these languages: "name-en", "text-en"."""
    return type("PredefinedEditorInLanguages", (PredefinedEditor,), _worded(languages, lines=("name",), texts=("text",)))


def _worded(languages: Sequence[str], *, lines: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """Return fields of one line and of several, each in every language."""
    fields: dict[str, Any] = {}
    for language in languages:
        fields |= {f"{name}-{language}": StringField(filters=[_line]) for name in lines}
        fields |= {f"{name}-{language}": TextAreaField(filters=[_text]) for name in texts}
    return fields
