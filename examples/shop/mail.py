"""Mail on this machine alone, for trying the desk out: an SMTP server that delivers into a Dovecot, for the shop and its customers."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tools.dovecot import HOST, configuration
from tools.programs import MissingProgramError, find_program

# The shop's mailbox, and the password of every mailbox.
DESK, PASSWORD = "desk@fjordandfig.example", "demo"
FIRST_SMTP, FIRST_IMAP, FIRST_POP3 = 10_025, 10_143, 10_110
_START_SECONDS = 20.0
_PORTS_TO_TRY = 50


@dataclass(frozen=True)
class MailServers:
    """The ports of the running servers."""

    smtp: int
    imap: int
    pop3: int

    @property
    def url(self) -> str:
        """Return where the desk's mail goes out."""
        return f"smtp://{HOST}:{self.smtp}"


def start(folder: Path) -> MailServers:
    """Start both servers with their data in a folder; they end with this process. Where Dovecot is missing, say what to install and end."""
    try:
        dovecot = find_program("dovecot")
        for part in ("dovecot/imap", "dovecot/pop3"):
            find_program(part)
    except MissingProgramError as error:
        sys.exit(f"{error}. Install it (as root: apt-get install dovecot-imapd dovecot-pop3d), or leave out MAIL=1.")
    mail = folder / "mail"
    mail.mkdir(parents=True, exist_ok=True)
    (folder / "refused").write_text("")
    _hand_over(mail)
    ports = (_free(FIRST_IMAP), _free(FIRST_POP3))
    file = folder / "dovecot.conf"
    file.write_text(configuration(folder, (*ports, 0, 0), password=PASSWORD, log="dovecot.log"))
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen([dovecot, "-F", "-c", file], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    atexit.register(_end, process)
    _wait(process, ports[0], folder)
    smtp = _free(FIRST_SMTP)
    controller = Controller(_Delivery(mail), hostname=HOST, port=smtp, enable_SMTPUTF8=True, ident="Fjord & Fig")
    controller.start()
    atexit.register(controller.stop)
    deliver(mail, DESK, None)
    return MailServers(smtp, *ports)


class _Delivery:
    """What aiosmtpd asks: every mail is taken, and lies in its recipient's mailbox when it is."""

    def __init__(self, mail: Path) -> None:
        self._mail = mail

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        for recipient in envelope.rcpt_tos:
            deliver(self._mail, recipient, envelope.original_content or envelope.content)
        return "250 OK"


def deliver(mail: Path, address: str, raw: bytes | None) -> None:
    """Put a mail into the mailbox of an address, which is made if it is new; what stands behind a "+" is a tag, and not part of the name."""
    # A name that is a folder's own, and nobody else's: nothing of an address leads out of it.
    name = re.sub(r"[^a-z0-9@._-]", "_", re.sub(r"\+[^@]*(?=@)", "", address.strip().lower())).lstrip(".") or "nobody"
    place = mail / name / "Maildir"
    for part in ("cur", "new", "tmp"):
        (place / part).mkdir(parents=True, exist_ok=True)
    if raw is not None:
        file = f"{time.time_ns()}.M{os.getpid()}.{HOST}"
        (place / "tmp" / file).write_bytes(raw)
        _hand_over(place)
        (place / "tmp" / file).rename(place / "new" / file)
    _hand_over(mail / name)


def write(port: int, sender: str, subject: str, text: str) -> None:
    """Write to the shop as a customer does with a mail program."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = sender, DESK, subject, make_msgid(domain="example.com")
    message.set_content(text)
    with smtplib.SMTP(HOST, port) as server:
        server.send_message(message)


def _hand_over(folder: Path) -> None:
    """Give a folder and all in it to the account that Dovecot reads mail under, when we are root."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "mail", "mail")


def _free(first: int) -> int:
    for port in range(first, first + _PORTS_TO_TRY):
        with socket.socket() as candidate:
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port
    sys.exit(f"None of the ports {first} to {first + _PORTS_TO_TRY - 1} is free.")


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection((HOST, port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"Dovecot did not start: {folder / 'server.log'} and {folder / 'dovecot.log'} say why.")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait()
