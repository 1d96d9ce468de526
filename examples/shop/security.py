"""What a browser is told about every page: nothing from elsewhere, and no scripts or styles within the markup."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_wtf import CSRFProtect

STRICT = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
# Flask-Admin's own lists and forms work with handlers within the markup.
STOCK_ADMIN = f"{STRICT}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
# A mail's HTML may colour itself and do nothing else; its links open outside the frame.
MAIL = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"

csrf = CSRFProtect()


def init_app(app: Flask, stock_admin: frozenset[str]) -> None:
    """Protect forms and pages; `stock_admin` names the blueprints of Flask-Admin's own lists and forms."""
    csrf.init_app(app)

    @app.after_request
    def protect(response: Response) -> Response:
        policy = STOCK_ADMIN if request.blueprint in stock_admin else STRICT
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response
