"""A Dovecot 2.3 server: mailboxes to read by IMAP and POP3, with a certificate by STARTTLS and TLS, else unencrypted. One password is everybody's."""

from __future__ import annotations

import os
import socket
import ssl
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.servers.processes import HOST, LOG_LINES_SHOWN, RunningServer, ServerNotStartedError, free_port, hand_over, start_server, user_for
from tools.dovecot import configuration
from tools.programs import find_program

PASSWORD = "secret"  # one for all: what is tested is what happens after signing in
REFUSED = "nobody"  # nobody signs in under this name
LOG = "dovecot.log"
# How Dovecot says that somebody was faster at a port, and how often others are drawn then.
TAKEN, ATTEMPTS = "Address already in use", 5

# Signing in by an access token (SASL XOAUTH2), of which a token server is asked whose it is.
OAUTH2 = """
auth_mechanisms = plain xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
"""
TOKENS = """
introspection_mode = get
introspection_url = {url}
username_attribute = email
active_attribute = active
active_value = true
"""


def start(folder: Path, certificate: bytes | None = None, *, capabilities: str = "", token_url: str = "") -> RunningServer:
    """Start a server in `folder`; its mail belongs to the account `mail` when we are root, whom it serves no mail.

    `certificate` is a key and its chain (PEM); without it there is neither STARTTLS nor TLS. `capabilities` is what it says that it can, instead of
    all; with `token_url` (`TokenServer.url`) an access token signs in as well as the password.
    """
    find_program("dovecot/imap")  # Dovecot starts without them, and answers nobody
    find_program("dovecot/pop3")
    mail = folder / "mail"
    mail.mkdir()
    hand_over(mail, user=user_for("mail"))
    (folder / "refused").write_text(f"{REFUSED}:\n")
    more = [f"imap_capability = {capabilities}"] if capabilities else []
    if token_url:
        (folder / "oauth2.conf").write_text(TOKENS.format(url=token_url))
        more.append(OAUTH2.format(folder=folder))
    if certificate is not None:
        (folder / "certificate.pem").write_bytes(certificate)
        (folder / "certificate.pem").chmod(0o600)
    for attempt in range(1, ATTEMPTS + 1):
        with suppress(FileNotFoundError):
            (folder / LOG).unlink()
        try:
            return _started(folder, certificate, _ports(certificate), "\n".join(more))
        except ServerNotStartedError as error:
            # What Dovecot has to say stands in a log of its own.
            story = "\n".join((str(error), *_log(folder)))
            if attempt == ATTEMPTS or TAKEN not in story:
                raise ServerNotStartedError(story) from error
    raise AssertionError("the loop ends by itself")


def _ports(certificate: bytes | None) -> tuple[int, int, int, int]:
    """Draw four ports, no two of them the same. A port of 0 is not listened at."""
    drawn = set[int]()
    while len(drawn) < 4:
        drawn.add(free_port())
    imap_port, pop3_port, imaps_port, pop3s_port = drawn
    return (imap_port, pop3_port, imaps_port, pop3s_port) if certificate is not None else (imap_port, pop3_port, 0, 0)


def _log(folder: Path) -> list[str]:
    """Return the end of what Dovecot has written down."""
    log = folder / LOG
    return log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:] if log.exists() else []


def _started(folder: Path, certificate: bytes | None, ports: tuple[int, int, int, int], more: str) -> RunningServer:
    kept = folder / "certificate.pem" if certificate is not None else None
    file = folder / "dovecot.conf"
    file.write_text(configuration(folder, ports, password=PASSWORD, log=LOG, certificate=kept, more=more))
    return start_server(
        (find_program("dovecot"), "-F", "-c", file),
        folder=folder,
        ports=ports,
        ready=lambda: all(_greets(port, folder, encrypted=number > 1) for number, port in enumerate(ports) if port),
    )


def _greets(port: int, folder: Path, *, encrypted: bool) -> bool:
    """Tell whether it is our server that answers at a port: where another one was faster, that one does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), socket.create_connection((HOST, port), timeout=5) as plain:
        line = context.wrap_socket(plain) if encrypted else plain
        with line, line.makefile("rb") as lines:
            return str(folder.resolve()).encode() in lines.readline()
    return False


def starting_with(certificate: bytes | None = None, *, capabilities: str = "", token_url: str = "") -> partial[RunningServer]:
    """Return what starts a server with a certificate, with fewer capabilities, or with access tokens: see `start`."""
    return partial(start, certificate=certificate, capabilities=capabilities, token_url=token_url)


class DovecotServer:
    """A running Dovecot server."""

    host = HOST
    password = PASSWORD

    def __init__(self, running: RunningServer) -> None:
        """Use the server that `start` started."""
        self.imap_port, self.pop3_port, self.imaps_port, self.pop3s_port = running.ports
        self._mail = Path(running.folder) / "mail"

    def new_user(self) -> str:
        """Name a user whose mailbox is empty."""
        return f"user-{uuid.uuid4().hex[:12]}"

    def put(self, user: str, *mails: bytes, folder: str = "") -> None:
        """Put mails, byte for byte and in this order, into a user's mailbox; `folder` "" is the inbox.

        A mail is finished in `tmp` before it is moved to `new`, where an open session may look at any moment.
        """
        place = self._maildir(user, folder)
        for mail in mails:
            name = f"{time.time():.0f}.M{time.time_ns()}P{os.getpid()}.{HOST}"
            (place / "tmp" / name).write_bytes(mail)
            hand_over(place / "tmp", user=user_for("mail"))
            (place / "tmp" / name).rename(place / "new" / name)

    def _maildir(self, user: str, folder: str) -> Path:
        """Find or make a folder. Those besides the inbox lie within it, their names after a dot (Maildir++)."""
        home = self._mail / user
        place = home / "Maildir" / f".{folder}" if folder else home / "Maildir"
        if not place.exists():
            for part in ("cur", "new", "tmp"):
                (place / part).mkdir(parents=True)
            hand_over(home, user=user_for("mail"))
        return place
