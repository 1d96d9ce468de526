"""The small store, in which a mail that says so ends the process that reads it: `flask --app tests.hosts.dying:create_app cs sync`."""

from __future__ import annotations

import os
import signal

from flask import Flask

from cs_plugin import Inquiry, hookimpl
from tests.hosts import served

FACTORY = "tests.hosts.dying:create_app"
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
