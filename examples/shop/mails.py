"""The mails that the store sends by itself; they lie under "Sent mails"."""

from __future__ import annotations

from flask import url_for
from flask_babel import gettext

from examples.shop.database import db
from examples.shop.models import Order, SentMail

BRAND = "Fjord & Fig"


def confirm_order(order: Order) -> None:
    """Put the confirmation of a new order among the mails that leave with this transaction."""
    link = url_for("shop.order", shop_slug=order.shop.slug, reference=order.reference, token=order.token, _external=True)
    text = "\n\n".join(
        (
            gettext("Hello %(name)s,", name=order.name),
            gettext("Thank you for your order %(reference)s. We begin to pack it today.", reference=order.reference),
            "\n".join(f"{line.quantity} × {line.name}" for line in order.lines),
            gettext("See how far it is: %(link)s", link=link),
            f"{BRAND}\n{order.shop.address}",
        )
    )
    db.session.add(
        SentMail(
            shop_id=order.shop.id,
            sender=f"{BRAND} <{order.shop.email}>",
            recipients=order.email,
            subject=gettext("Your order %(reference)s", reference=order.reference),
            text=text,
        )
    )
