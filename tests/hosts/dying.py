"""The small store, in which a mail that says so ends the process that reads it: `flask --app tests.hosts.dying:create_app cs sync`.

In `create_app_that_releases` a statement ends it: the one of that number (STORE_DIES_AT) after replies that are due have been looked for.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event

from cs_plugin import Inquiry, hookimpl
from tests.hosts import served

FACTORY = "tests.hosts.dying:create_app"
RELEASING = "tests.hosts.dying:create_app_that_releases"
DEADLY = "This letter ends whoever reads it."


class Dies:
    """A spam filter that is killed by a mail, as by the system where memory is short."""

    @hookimpl
    def cs_check_spam(self, inquiry: Inquiry) -> bool | None:
        if DEADLY in inquiry.text:
            os.kill(os.getpid(), signal.SIGKILL)
        return None


def create_app() -> Flask:
    """Return the store."""
    return served.create_app(Dies())


def create_app_that_releases() -> Flask:
    """Return the store, whose process is killed at a statement of a release, before the database has heard of it."""
    left, whose = int(os.environ["STORE_DIES_AT"]), threading.local()

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        nonlocal left
        if "release_due_at <=" in statement:
            whose.releases = True
        elif getattr(whose, "releases", False):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return served.create_app()
