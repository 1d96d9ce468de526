"""Start the store for trying out: `python -m examples.shop demo`."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import flask_migrate
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from examples.shop import create_app, sample
from examples.shop.database import db
from examples.shop.models import Customer, Staff

PORTS_TO_TRY = 50


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description="A small store with the customer-service desk.")
    demo = parser.add_subparsers(dest="command", required=True).add_parser("demo", help="prepare the store and serve it")
    demo.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    demo.add_argument("--port", type=int, default=5000, help="the port, or the first one to try (%(default)s)")
    demo.add_argument("--folder", type=Path, default=Path(".demo"), help="where the store keeps its data (%(default)s)")
    demo.add_argument("--database", default=os.environ.get("SHOP_DATABASE"), help="the URL of a database (SQLite in the folder)")
    demo.add_argument("--threads", type=int, default=200, help="how many conversations the first start makes up (%(default)s)")
    arguments = parser.parse_args()
    run_demo(arguments.host, arguments.port, arguments.folder.resolve(), arguments.database, arguments.threads)


def run_demo(host: str, port: int, folder: Path, database: str | None, threads: int) -> None:
    """Prepare the store in a folder, say where to look, and serve it until it is stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    listener = _listen(host, port)
    url = f"http://{_shown(host)}:{listener.getsockname()[1]}"
    app = create_app(_settings(folder, database or f"sqlite:///{folder / 'shop.sqlite'}", url))
    _prepare(app, folder, threads)
    _tell(app, url, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server(host, listener.getsockname()[1], app, threaded=True, fd=listener.fileno())
    server.serve_forever()  # Werkzeug takes Ctrl-C for the end, and closes.


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket on the wanted port, or on the next one that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, port + PORTS_TO_TRY):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            print(f"Port {candidate} cannot be used ({error.strerror}): trying the next one.")
        else:
            return listener
    sys.exit(f"None of the ports {port} to {port + PORTS_TO_TRY - 1} is free; name another with --port.")


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _settings(folder: Path, database: str, url: str) -> dict[str, Any]:
    return {
        "SECRET_KEY": _secret_key(folder / "secret-key"),
        "SQLALCHEMY_DATABASE_URI": database,
        "CS_FILES_URL": str(folder / "files"),
        "SHOP_URL": os.environ.get("SHOP_URL", url),
    }


def _secret_key(file: Path) -> str:
    """Return the key of this folder: with a new one at every start, everybody would be signed out."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text().strip()


def _prepare(app: Flask, folder: Path, threads: int) -> None:
    """Bring the tables up to date, and fill them at the first start."""
    with app.app_context():
        flask_migrate.upgrade()
        if sample.is_empty():
            print("First start: making up customers, orders and conversations …", flush=True)
            sample.fill()
    _run(app, "cs", "upgrade")
    filled = folder / "filled"
    if not filled.exists():
        _run(app, "cs", "sample", "--threads", str(threads))
        filled.touch()


def _run(app: Flask, *arguments: str) -> None:
    """Run one of the application's own commands, and stop where it fails."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    if result.exit_code:
        print(result.output, file=sys.stderr)
        sys.exit(f"`flask {' '.join(arguments)}` failed: {result.exception}")


def _tell(app: Flask, url: str, folder: Path) -> None:
    """Say where to look and who can sign in."""
    with app.app_context():
        staff = db.session.scalars(select(Staff).order_by(Staff.role.desc(), Staff.email)).all()
        customer = db.session.scalars(select(Customer).order_by(Customer.id)).first()
        lines = [f"  {member.email:<34} {sample.STAFF_PASSWORD:<10} {_role(member)}" for member in staff]
    print(
        "\n".join(
            (
                "",
                "Fjord & Fig is open.",
                "",
                f"  The shops            {url}/",
                f"  Contact page         {url}{app.config['CS_STOREFRONT_PREFIX']}/contact",
                f"  Admin and desk       {url}/admin/",
                f"  What was sent        {url}/admin/mails/",
                "",
                "Who can sign in, and the password:",
                "",
                *lines,
                f"  {customer.email:<34} {sample.CUSTOMER_PASSWORD:<10} customer, as all of {len(sample.CUSTOMERS)}" if customer else "",
                "",
                f"The data is kept in {folder}. Ctrl-C ends it.",
                "",
            )
        ),
        flush=True,
    )


def _role(member: Staff) -> str:
    shops = ", ".join(shop.name for shop in member.shops)
    return "owner, everything" if member.is_owner else f"agent, {shops}"


if __name__ == "__main__":
    main()
