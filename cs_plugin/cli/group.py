"""The group that all commands of the desk belong to."""

from __future__ import annotations

from flask.cli import AppGroup

cs = AppGroup("cs", help="The customer-service desk.")
