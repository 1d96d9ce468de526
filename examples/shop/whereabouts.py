"""Which of the shops a page belongs to."""

from __future__ import annotations

from flask import g, request, session
from sqlalchemy import select

from examples.shop.database import db
from examples.shop.models import Shop


def enter(slug: str | None) -> Shop | None:
    """Make the shop of an address that of this page, and remember it for pages that belong to none."""
    shop = db.session.scalar(select(Shop).where(Shop.slug == slug))
    if shop and session.get("shop") != shop.slug:
        session["shop"] = shop.slug
    g.shop = shop
    return shop


def current_shop() -> Shop | None:
    """Return the shop of this page: that of its address, else the one which a page of the desk names, else the last."""
    if "shop" not in g:
        g.shop = _named() or db.session.scalar(select(Shop).where(Shop.slug == session.get("shop")))
    return g.shop


def _named() -> Shop | None:
    identity = request.args.get("shop", "")
    return db.session.get(Shop, int(identity)) if identity.isascii() and identity.isdecimal() and len(identity) < 10 else None
