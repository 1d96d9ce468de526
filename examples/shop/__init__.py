"""Fjord & Fig: a small store that somebody might have written, with the customer-service desk on top.

Start it with `python -m examples.shop demo`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, render_template

from examples.shop import accounts, back_office, database, desk, languages, security
from examples.shop.storefront import entrance, shop

FOLDER = Path(__file__).parent
# Flask-Admin's own lists and forms among the pages of the admin.
STOCK_ADMIN = frozenset({"orders", "customers", "products"})


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the store as an application; `config` overrides what the environment says."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=os.environ.get("SHOP_SECRET_KEY", "only for trying out"),
        SQLALCHEMY_DATABASE_URI=os.environ.get("SHOP_DATABASE", "sqlite:///shop.sqlite"),
        SHOP_URL=os.environ.get("SHOP_URL", ""),
        SESSION_COOKIE_SAMESITE="Lax",
    )
    if "CS_MAIL_URL" in os.environ:
        app.config["CS_MAIL_URL"] = os.environ["CS_MAIL_URL"]
    app.config.from_mapping(config or {})
    database.init_app(app, str(FOLDER / "migrations"))
    accounts.init_app(app)
    languages.init_app(app)
    security.init_app(app, STOCK_ADMIN)
    app.register_blueprint(entrance)
    app.register_blueprint(shop)
    app.register_error_handler(404, _not_found)
    admin = back_office.init_app(app)
    desk.mount(app, admin)
    return app


def _not_found(_error: Exception) -> tuple[str, int]:
    return render_template("shop/missing.html"), 404
