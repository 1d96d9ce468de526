"""The small store as an application for processes of its own: `flask --app tests.hosts.served:create_app cs work`, or gunicorn.

It works by the real clock, and reads its configuration from the environment: STORE_CS_MAIL_URL and so on.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from cs_plugin import CustomerService
from tests.hosts.store import Answers

ROOT = Path(__file__).parent.parent.parent
FACTORY = "tests.hosts.served:create_app"


def create_app(*plugins: object) -> Flask:
    """Return the store, with plugins of its own besides its answers."""
    logging.basicConfig(level=logging.INFO)
    app = Flask("store", instance_path=os.environ["STORE_FOLDER"])
    app.config.update(
        SECRET_KEY="a secret of the store, long enough",
        CS_MAIL_FROM="desk@shop.example",
        CS_ENTRY_POINTS=False,
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 30}} if "sqlite" in os.environ["STORE_SQLALCHEMY_DATABASE_URI"] else {},
    )
    app.config.from_prefixed_env("STORE")
    CustomerService(app, db=SQLAlchemy(app), plugins=[Answers(), *plugins])
    return app


def environment(folder: Path, database: str, mail_url: str, **config: object) -> Mapping[str, str]:
    """Return the environment in which `create_app` makes a store on a database."""
    at_once = {"CS_FORM_MIN_SECONDS": 0, "CS_UNDO_SECONDS": 0}
    settings = {"FOLDER": folder, "SQLALCHEMY_DATABASE_URI": database, "CS_MAIL_URL": mail_url, **at_once, **config}
    words = {True: "true", False: "false"}
    told = {f"STORE_{key}": words[value] if isinstance(value, bool) else str(value) for key, value in settings.items()}
    return {**os.environ, **told, "PYTHONUNBUFFERED": "1"}


@contextmanager
def process(*command: str, log: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python in a process of its own, and end it by its id, with those that it has started, unless it has ended."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(timeout=30)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=30)


def worker(log: Path, env: Mapping[str, str]) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run `flask cs work`."""
    return process("flask", "--app", FACTORY, "cs", "work", log=log, env=env)
