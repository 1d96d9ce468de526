"""Start the store for trying out: `python -m examples.shop demo`."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
from importlib import import_module
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
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="prepare the store and serve it")
    demo.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    demo.add_argument("--port", type=int, default=5000, help="the port, or the first one to try (%(default)s)")
    demo.add_argument("--folder", type=Path, default=Path(".demo"), help="where the store keeps its data (%(default)s)")
    demo.add_argument("--database", default=os.environ.get("SHOP_DATABASE"), help="the URL of a database (SQLite in the folder)")
    demo.add_argument("--threads", type=int, default=200, help="how many conversations the first start makes up (%(default)s)")
    demo.add_argument("--mail", action="store_true", help="also a mail server on this machine, so that the whole way by mail can be tried")
    writing = commands.add_parser("write", help="write to the shop as a customer does by mail, while the demo runs with --mail")
    writing.add_argument("sender", help="who writes, such as ida@example.com")
    writing.add_argument("subject")
    writing.add_argument("text")
    writing.add_argument("--smtp-port", type=int, default=10_025, help="the port that the demo has told (%(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "write":
        mail_server().write(arguments.smtp_port, arguments.sender, arguments.subject, arguments.text)
        return
    run_demo(arguments.host, arguments.port, arguments.folder.resolve(), arguments.database, arguments.threads, mail=arguments.mail)


def mail_server() -> Any:
    """Return the room of the mail servers; it needs what only a developer has installed."""
    try:
        return import_module("examples.shop.mail")
    except ImportError as error:
        sys.exit(f"The mail server of the demo needs {error.name}: pip install {error.name}")


def run_demo(host: str, port: int, folder: Path, database: str | None, threads: int, *, mail: bool = False) -> None:
    """Prepare the store in a folder, say where to look, and serve it until it is stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    listener = _listen(host, port)
    url = f"http://{_shown(host)}:{listener.getsockname()[1]}"
    settings = _settings(folder, database or f"sqlite:///{folder / 'shop.sqlite'}", url)
    servers = _start_mail(folder) if mail else None
    if servers is not None:
        settings |= {"CS_MAIL_URL": servers.url, "CS_MAIL_FROM": mail_server().DESK, "CS_SYNC_SECONDS": 5.0}
    app = create_app(settings)
    _prepare(app, folder, threads)
    if servers is not None:
        _fetch_from(app, servers)
    _tell(app, url, folder)
    if servers is not None:
        _tell_of_mail(servers)
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


def _start_mail(folder: Path) -> Any:
    place = folder / "mail-server"
    place.mkdir(parents=True, exist_ok=True)
    # Dovecot's processes run under accounts of their own when we are root, and have to get there.
    folder.chmod(0o755)
    return mail_server().start(place)


def _fetch_from(app: Flask, servers: Any) -> None:
    """Let the options of all shops name the mailbox of this machine."""
    room = mail_server()
    values = {"imap_url": "127.0.0.1", "imap_port": servers.imap, "imap_user": room.DESK, "create_new_threads": "on"}
    words = [f"{name}={value}" for name, value in values.items()]
    _run(app, "cs", "options", "set", *words, "imap_password", "-", typed=f"{room.PASSWORD}\n")
    # The first look, from which on mail counts as new: whoever writes as soon as the shop is open is heard.
    _run(app, "cs", "sync")


def _tell_of_mail(servers: Any) -> None:
    """Say how mail is written and read here."""
    room = mail_server()
    print(
        "\n".join(
            (
                "Mail, on this machine alone:",
                "",
                f"  The shop's mailbox   {room.DESK}, fetched every few seconds",
                f"  Write as a customer  python -m examples.shop write ida@example.com Hello \"Where is my jug?\" --smtp-port {servers.smtp}",
                f"  Any mail program     IMAP 127.0.0.1:{servers.imap}, POP3 127.0.0.1:{servers.pop3}, SMTP 127.0.0.1:{servers.smtp}, no encryption;",
                f"                       every address is a user, such as ida@example.com, with the password {room.PASSWORD}",
                "",
            )
        ),
        flush=True,
    )


def _run(app: Flask, *arguments: str, typed: str | None = None) -> None:
    """Run one of the application's own commands, and stop where it fails; `typed` is what it reads."""
    result = app.test_cli_runner().invoke(args=list(arguments), input=typed)
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
