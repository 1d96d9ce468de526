"""The forms that visitors fill in."""

from __future__ import annotations

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, Email, Length, ValidationError

from examples.shop.database import db
from examples.shop.models import Customer


class Filled(DataRequired):
    """Ask for something other than blanks."""

    def __init__(self) -> None:
        super().__init__(lazy_gettext("This field cannot be empty."))


class Address(Email):
    """Ask for an e-mail address."""

    def __init__(self) -> None:
        super().__init__(lazy_gettext("This is not an e-mail address, such as name@example.com."))


class SignInForm(FlaskForm):
    """E-mail and password, for customers and for staff."""

    email = EmailField(lazy_gettext("E-mail address"), [Filled()], render_kw={"autocomplete": "username"})
    password = PasswordField(lazy_gettext("Password"), [Filled()], render_kw={"autocomplete": "current-password"})


class RegisterForm(FlaskForm):
    """A new account."""

    first_name = StringField(lazy_gettext("First name"), [Filled(), Length(max=100)], render_kw={"autocomplete": "given-name"})
    last_name = StringField(lazy_gettext("Last name"), [Filled(), Length(max=100)], render_kw={"autocomplete": "family-name"})
    email = EmailField(lazy_gettext("E-mail address"), [Filled(), Address(), Length(max=254)], render_kw={"autocomplete": "email"})
    password = PasswordField(
        lazy_gettext("Password"),
        [Filled(), Length(min=8, message=lazy_gettext("A password has at least 8 characters."))],
        render_kw={"autocomplete": "new-password"},
    )

    def validate_email(self, field: EmailField) -> None:
        """Refuse an address that has an account."""
        if db.session.scalar(db.select(Customer.id).where(Customer.email == field.data.strip().lower())):
            raise ValidationError(lazy_gettext("This address has an account already: please sign in."))


class CheckoutForm(FlaskForm):
    """Where the goods go."""

    name = StringField(lazy_gettext("Name"), [Filled(), Length(max=200)], render_kw={"autocomplete": "name"})
    email = EmailField(lazy_gettext("E-mail address"), [Filled(), Address(), Length(max=254)], render_kw={"autocomplete": "email"})
    address = TextAreaField(
        lazy_gettext("Delivery address"),
        [Filled(), Length(max=1000)],
        render_kw={"autocomplete": "street-address", "rows": 4},
    )
