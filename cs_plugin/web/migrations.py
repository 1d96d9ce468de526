"""Keep the host's own migrations from seeing, and so from dropping, the desk's tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.signals import appcontext_pushed

from cs_plugin.store.schema import is_not_ours

Filter = Callable[[str | None, str, Any], bool]


@dataclass(frozen=True, slots=True)
class WithoutOurs:
    """The host's `include_name`, where it has one, and that the table is not ours."""

    host: Filter | None

    def __call__(self, name: str | None, kind: str, parents: Any) -> bool:
        """Say whether the host's migrations may look at it."""
        return is_not_ours(name, kind) and (self.host is None or self.host(name, kind, parents))


def hide_our_tables(app: Flask) -> None:
    """Hide our tables from Flask-Migrate and Flask-Alembic, in whichever order the host sets these and us up.

    They may come after us, so it is done when a context of the application is entered, before any command can run.
    """

    def hide(sender: Flask, **_named: object) -> None:
        _hide(sender)

    app.extensions["cs_plugin_hide"] = hide   # signals hold their receivers weakly
    appcontext_pushed.connect(hide, app)
    _hide(app)


def _hide(app: Flask) -> None:
    migrate = app.extensions.get("migrate")
    if migrate is not None and hasattr(migrate, "configure_args"):
        _compose(migrate.configure_args)
    if "alembic" in app.extensions:
        _compose(app.config.setdefault("ALEMBIC_CONTEXT", {}))


def _compose(arguments: dict[str, Any]) -> None:
    present = arguments.get("include_name")
    if not isinstance(present, WithoutOurs):
        arguments["include_name"] = WithoutOurs(present)
