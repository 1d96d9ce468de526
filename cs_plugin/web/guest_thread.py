"""The conversation behind a thread link: what a customer reads and answers without an account."""

from __future__ import annotations

from flask import abort
from flask.typing import ResponseReturnValue


def thread(token: str) -> ResponseReturnValue:
    """Show the conversation."""
    abort(404)


def file(token: str, message: str, attachment: str) -> ResponseReturnValue:
    """Send a file."""
    abort(404)
