""""Test connection": what is done with each flag, and the plain words for everything that a server can do."""

from __future__ import annotations

import functools
import http.server
import ipaddress
import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import MetaData, select

from cs_plugin import jobs
from cs_plugin.errors import ConfigurationError, NotPermittedError
from cs_plugin.jobs import KEPT_FOR
from cs_plugin.mail.mailbox import Finding, MailboxError, MailServer, Reach, denied_networks, try_mailbox, works
from cs_plugin.mail.mailbox.addresses import Place
from cs_plugin.mail.mailbox.line import Line, Patience
from cs_plugin.mail.mailbox.opening import open_over, tls_context
from cs_plugin.rules.mailbox_settings import Encryption, Security
from cs_plugin.store import workers
from cs_plugin.store.models import Job, JobState
from cs_plugin.store.vault import Vault
from cs_plugin.web import connection, rounds
from cs_plugin.web.background import BACKGROUND, Background
from cs_plugin.web.reading import Visit
from tests.hosts.store import JOHN, MARIE, Store, make_store
from tests.hosts.writing import begin
from tests.servers import dovecot
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import free_port, wait_until
from tests.servers.run import Run
from tests.servers.scripted import DRIBBLE, HANG_UP, IMAP, IMAP_GREETING, POP3, POP3_GREETING, STALL, ScriptedServer, answering
from tests.servers.smtp import SMTPServer

SECRET = 'pass "word\\ of a kind'
MAIL = b"From: jan@example.com\r\nSubject: Hello\r\n\r\nHello\r\n"
PROTOCOLS = pytest.mark.parametrize("pop3", [False, True], ids=["imap", "pop3"])
TLS, STARTTLS, OFFERED, NONE = Encryption.TLS, Encryption.STARTTLS, Encryption.OFFERED, Encryption.NONE
SOON = 0.4  # seconds after which a server of a test counts as silent


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Good and bad ones."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def dovecot_with(server_run: Run, certificates: Certificates) -> Callable[[str], DovecotServer]:
    """A real Dovecot with a certificate of a kind, started when it is first asked for."""

    @functools.cache
    def started(kind: str) -> DovecotServer:
        start = dovecot.starting_with(getattr(certificates, kind))
        return DovecotServer(server_run.server(f"dovecot-{kind}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}", start))

    return started


def reach(certificates: Certificates | None = None, *, timeout: float = 10.0, denied: object = None) -> Reach:
    """Return how mailboxes are reached: with our authority, if it is given."""
    return Reach(timeout, certificates.authority if certificates else None, denied_networks(denied))


def at(server: DovecotServer, encryption: Encryption, *, pop3: bool = False, user: str = "", verify: bool = True, **other: Any) -> MailServer:
    """Return the mailbox of a user at the port where that encryption is."""
    ports = (server.pop3s_port, server.pop3_port) if pop3 else (server.imaps_port, server.imap_port)
    port = ports[0] if encryption is TLS else ports[1]
    given = {"user": user or server.new_user(), "password": server.password, **other}
    return MailServer(server.host, port, pop3=pop3, security=Security(encryption, verify), **given)


def scripted(server: ScriptedServer | SMTPServer, encryption: Encryption = OFFERED, *, pop3: bool = False, **other: Any) -> MailServer:
    """Return a mailbox on a server that says what it is told to."""
    return MailServer(server.host, server.port, "desk", SECRET, pop3=pop3, security=Security(encryption), **other)


def told(findings: tuple[Finding, ...]) -> list[str]:
    """Return findings as they read in English, what is good with a plus in front."""
    return [f"{'+' if one.good else '-'} {one.message % one.values if one.values else one.message}" for one in findings]


def first_bad(findings: tuple[Finding, ...]) -> str:
    """Return the first thing that did not work."""
    return next(line[2:] for line in told(findings) if line.startswith("- "))


# --- What the flags do ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.3")
@PROTOCOLS
@pytest.mark.parametrize("encryption", [TLS, STARTTLS, OFFERED])
def test_a_mailbox_works_over_an_encrypted_line(
    dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, encryption: Encryption, *, pop3: bool
) -> None:
    """/ssl, /tls, and none of them: the line is encrypted, the certificate verified, the messages counted and left where they are."""
    server = dovecot_with("good")
    mailbox = at(server, encryption, pop3=pop3)
    server.put(mailbox.user, MAIL, MAIL)
    for _ in range(2):
        findings = try_mailbox(mailbox, reach(certificates))
        assert works(findings), told(findings)
        assert told(findings)[-1] == "+ It works. Messages in INBOX: 2"
        assert "+ The line is encrypted with TLSv1.3, and the certificate is verified." in told(findings)


@pytest.mark.shows("8.3")
@PROTOCOLS
def test_notls_never_encrypts(dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, *, pop3: bool) -> None:
    """Even where the server offers it; on loopback that needs no warning."""
    findings = try_mailbox(at(dovecot_with("good"), NONE, pop3=pop3), reach(certificates))
    assert works(findings)
    assert not any("encrypted with" in line for line in told(findings))
    assert "+ The line is not encrypted, but does not leave this machine." in told(findings)


@pytest.mark.shows("8.3")
@PROTOCOLS
def test_starttls_or_no_connection(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """/tls at a server that does not offer it: nothing is sent."""
    findings = try_mailbox(at(dovecot_server, STARTTLS, pop3=pop3), reach())
    assert told(findings)[-2:] == ["- The server offers no STARTTLS, which /tls asks for.", "- Try /ssl instead of /tls, with its own port."]


@pytest.mark.shows("8.3")
@PROTOCOLS
def test_on_this_machine_a_password_needs_no_encryption(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """With no flag at all, at a server without STARTTLS."""
    assert works(try_mailbox(at(dovecot_server, OFFERED, pop3=pop3), reach()))


ELSEWHERE = ipaddress.ip_address("192.0.2.7")


def open_elsewhere(mailbox: MailServer) -> list[str]:
    """Open a mailbox over a line that, for all it knows, leads to another machine; return what was told, and why it stopped."""
    sock = socket.create_connection((mailbox.server, mailbox.port), timeout=5)
    line = Line(sock, Place(socket.AF_INET, (mailbox.server, mailbox.port), ELSEWHERE), Patience(5, 5), most=1 << 20)
    found: list[Finding] = []
    try:
        open_over(mailbox, line, tls_context(mailbox, reach()), found.append).close()
    except MailboxError as error:
        found += [error.finding, *error.advice]
    return told(tuple(found))


@pytest.mark.shows("8.3")
@PROTOCOLS
def test_no_password_goes_over_a_line_that_others_can_read(*, pop3: bool) -> None:
    """With no flag at a server without STARTTLS, or behind somebody who hides it: it stops before signing in."""
    greeting, answers = (POP3_GREETING, POP3) if pop3 else (IMAP_GREETING, IMAP)
    with ScriptedServer(greeting, answering(answers)) as server:
        lines = open_elsewhere(scripted(server, OFFERED, pop3=pop3))
        assert lines[-2].startswith("- The password was not sent: the line would not be encrypted")
        assert b"desk" not in b"".join(server.received)


@pytest.mark.shows("8.3")
@PROTOCOLS
def test_with_notls_a_password_goes_unencrypted_and_that_is_warned_of(*, pop3: bool) -> None:
    """Over a line to another machine."""
    greeting, answers = (POP3_GREETING, POP3) if pop3 else (IMAP_GREETING, IMAP)
    with ScriptedServer(greeting, answering(answers)) as server:
        lines = open_elsewhere(scripted(server, NONE, pop3=pop3))
        assert "- Warning: /notls is on, so the password and all mail cross the network for everybody to read." in lines
        assert lines[-1] == "+ Signed in as desk."


@pytest.mark.parametrize(
    ("pop3", "answers"),
    [
        (False, {**IMAP, "CAPABILITY": b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nTAG OK done\r\n"}),
        (True, {**POP3, "CAPA": b"+OK\r\nUIDL\r\n.\r\n"}),
    ],
    ids=["imap", "pop3"],
)
def test_a_server_that_wants_no_password_gets_none(answers: Mapping[str, bytes], *, pop3: bool) -> None:
    """LOGINDISABLED, and CAPA without USER: it takes passwords over encrypted lines only."""
    with ScriptedServer(POP3_GREETING if pop3 else IMAP_GREETING, answering(answers)) as server:
        findings = try_mailbox(scripted(server, NONE, pop3=pop3), reach())
        assert first_bad(findings) == "The server takes passwords over encrypted lines only."
        assert b"desk" not in b"".join(server.received)


def test_where_login_is_disabled_the_password_goes_by_authenticate() -> None:
    """And so it does when it has letters that LOGIN cannot carry."""
    answers = {**IMAP, "AUTHENTICATE": b"+ \r\n", "AGRLC2SA": b"", "EXAMINE": IMAP["EXAMINE"]}
    signed_in: list[bytes] = []

    def answer(line: bytes) -> bytes:
        if b"AUTHENTICATE" in line:
            signed_in.append(line.split()[0])
            return b"+ \r\n"
        return signed_in[-1] + b" OK done\r\n" if len(line.split()) == 1 else answering(answers)(line)

    with ScriptedServer(IMAP_GREETING, answer) as server:
        assert works(try_mailbox(replace(scripted(server), password="pässwörd"), reach()))
        assert not any(b"LOGIN" in line for line in server.received)


# --- Certificates ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.3")
@PROTOCOLS
@pytest.mark.parametrize("encryption", [TLS, STARTTLS])
@pytest.mark.parametrize(
    ("kind", "words", "advice"),
    [
        ("self_signed", "The server's certificate is self-signed", "CS_MAIL_CA, or switch /novalidate-cert on"),
        ("expired", "The server's certificate has expired", "has to renew it"),
        ("early", "The server's certificate is not valid yet", "Check the clock"),
        ("for_another_name", "The server's certificate is for another name than 127.0.0.1", "Use the name that stands in the certificate"),
    ],
)
def test_a_bad_certificate_is_told_with_its_reason(
    dovecot_with: Callable[[str], DovecotServer],
    certificates: Certificates,
    kind: str,
    words: str,
    advice: str,
    encryption: Encryption,
    *,
    pop3: bool,
) -> None:
    """And with what to do; with /novalidate-cert the mailbox works all the same, and the chain says that nothing was verified."""
    mailbox = at(dovecot_with(kind), encryption, pop3=pop3)
    findings = try_mailbox(mailbox, reach(certificates))
    assert words in first_bad(findings)
    assert advice in told(findings)[-1]
    trusting = try_mailbox(replace(mailbox, security=Security(encryption, verify=False)), reach(certificates))
    assert works(trusting), told(trusting)
    assert any("the certificate is not verified" in line for line in told(trusting))


@pytest.mark.shows("8.3")
def test_an_authority_of_ones_own_is_named_by_the_setting(dovecot_with: Callable[[str], DovecotServer], certificates: Certificates) -> None:
    """Without CS_MAIL_CA it is unknown; no flag at all verifies too, and falls back to nothing."""
    mailbox = at(dovecot_with("good"), OFFERED)
    findings = try_mailbox(mailbox, reach())
    assert first_bad(findings) == "The server's certificate comes from an authority that is not known here."
    assert works(try_mailbox(mailbox, reach(certificates)))


# --- User, password, folder -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.4")
@PROTOCOLS
@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"user": dovecot.REFUSED}], ids=["password", "user"])
def test_a_wrong_user_or_password_is_told(
    dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, wrong: dict[str, Any], *, pop3: bool
) -> None:
    """In the server's words."""
    findings = try_mailbox(at(dovecot_with("good"), TLS, pop3=pop3, **wrong), reach(certificates))
    assert first_bad(findings) == "The server refused user name or password: Authentication failed."
    assert told(findings)[-1].startswith("- Check user name and password.")


@pytest.mark.shows("8.4")
def test_a_folder_that_is_not_there_is_told_with_those_that_are(dovecot_server: DovecotServer) -> None:
    """One that is there is opened, whatever its alphabet."""
    mailbox = at(dovecot_server, OFFERED, folder="Archive")
    dovecot_server.put(mailbox.user, MAIL, folder="Archive")
    assert told(try_mailbox(mailbox, reach()))[-1] == "+ It works. Messages in Archive: 1"
    findings = try_mailbox(replace(mailbox, folder="Каталог & \"co\""), reach())
    assert told(findings)[-2:] == ['- There is no folder Каталог & "co".', "- The folders there are: Archive, INBOX"]


def test_pop3_has_no_folders(dovecot_server: DovecotServer) -> None:
    """None but the inbox, however it is written."""
    mailbox = at(dovecot_server, OFFERED, pop3=True)
    assert works(try_mailbox(replace(mailbox, folder="Inbox"), reach()))
    assert told(try_mailbox(replace(mailbox, folder="Archive"), reach())) == ["- POP3 knows no folder but the inbox."]


@pytest.mark.parametrize("field", ["user", "password", "folder"])
@pytest.mark.parametrize("odd", ["a\r\nTAG LOGOUT", "a\nb", "a\0b", "\ud800"])
@PROTOCOLS
def test_a_line_end_never_reaches_the_server(field: str, odd: str, *, pop3: bool) -> None:
    """What follows it would be a command of its own: nothing is connected to."""
    with ScriptedServer(POP3_GREETING if pop3 else IMAP_GREETING, answering(POP3 if pop3 else IMAP)) as server:
        findings = try_mailbox(replace(scripted(server, pop3=pop3), **{field: odd}), reach())
        assert len(findings) == 1
        assert "holds characters that no mail server takes" in first_bad(findings)
        assert server.received == []


def test_quotes_in_user_and_password_arrive_as_they_are() -> None:
    """A user name with a blank is one word."""
    with ScriptedServer(IMAP_GREETING, answering(IMAP)) as server:
        assert works(try_mailbox(replace(scripted(server), user='jan "the" desk'), reach()))
        login = next(line for line in server.received if b"LOGIN" in line)
        assert login.split(b" ", 2)[2].strip() == rb'"jan \"the\" desk" "pass \"word\\ of a kind"'


# --- Who else answers -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("encryption", [TLS, STARTTLS, OFFERED, NONE])
@PROTOCOLS
def test_the_wrong_protocol_names_the_switch(
    dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, encryption: Encryption, *, pop3: bool
) -> None:
    """POP3 where IMAP was expected, and the other way round, encrypted or not."""
    findings = try_mailbox(replace(at(dovecot_with("good"), encryption, pop3=pop3), pop3=not pop3), reach(certificates))
    assert first_bad(findings) == ("A POP3 server answers at this port." if pop3 else "An IMAP server answers at this port.")
    assert f"Switch /pop3 {'on' if pop3 else 'off'}" in told(findings)[-1]


@pytest.mark.shows("8.4")
@pytest.mark.parametrize(("encryption", "more"), [(OFFERED, ""), (STARTTLS, ", and /tls off"), (NONE, ", and /notls off")])
@PROTOCOLS
def test_a_port_of_tls_names_the_switch(
    dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, encryption: Encryption, more: str, *, pop3: bool
) -> None:
    """Whoever waits for TLS says nothing; a second look finds that out."""
    mailbox = replace(at(dovecot_with("good"), TLS, pop3=pop3), security=Security(encryption))
    findings = try_mailbox(mailbox, reach(certificates, timeout=SOON))
    assert told(findings)[-1] == f"- Encryption begins with the first byte at this port: switch /ssl on{more}."


@pytest.mark.shows("8.4")
@PROTOCOLS
def test_ssl_at_a_port_without_names_the_switch(dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, *, pop3: bool) -> None:
    """The server greets unencrypted."""
    mailbox = replace(at(dovecot_with("good"), OFFERED, pop3=pop3), security=Security(TLS))
    findings = try_mailbox(mailbox, reach(certificates))
    assert first_bad(findings) == "The server does not begin encryption with the first byte, as /ssl asks for."
    assert told(findings)[-1].startswith("- Switch /ssl off")


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("encryption", [TLS, OFFERED])
@PROTOCOLS
def test_a_server_for_outgoing_mail_is_known(smtp_server: SMTPServer, encryption: Encryption, *, pop3: bool) -> None:
    """The port of SMTP, by mistake."""
    findings = try_mailbox(scripted(smtp_server, encryption, pop3=pop3), reach())
    assert "- A server for outgoing mail (SMTP) answers at this port." in told(findings)


class Quiet(http.server.BaseHTTPRequestHandler):
    """A web server that logs nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a web server, and give its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("encryption", [TLS, OFFERED])
def test_a_web_server_is_known(encryption: Encryption) -> None:
    """It says nothing until it is asked as by a browser."""
    with web_server() as port:
        findings = try_mailbox(MailServer("127.0.0.1", port, "desk", SECRET, security=Security(encryption)), reach(timeout=SOON))
    assert "- A web server answers at this port." in told(findings)


def server_context(certificates: Certificates, folder: Path) -> ssl.SSLContext:
    """Return a server's TLS under the good certificate."""
    context, file = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), folder / "good.pem"
    file.write_bytes(certificates.good)
    context.load_cert_chain(file)
    return context


def test_a_web_server_is_known_behind_tls(certificates: Certificates, tmp_path: Path) -> None:
    """At port 443, say: TLS is fine, and then nothing comes."""
    with web_server(server_context(certificates, tmp_path)) as port:
        mailbox = MailServer("127.0.0.1", port, "desk", SECRET, security=Security(TLS))
        findings = try_mailbox(mailbox, reach(certificates, timeout=SOON))
    assert told(findings)[1].startswith("+ The line is encrypted")
    assert "- A web server answers at this port." in told(findings)


@pytest.mark.shows("8.4")
@PROTOCOLS
def test_a_port_where_nothing_listens_is_told(*, pop3: bool) -> None:
    """With the ports that are usual."""
    findings = try_mailbox(MailServer("127.0.0.1", port := free_port(), "desk", SECRET, pop3=pop3), reach())
    assert told(findings) == [
        f"- Nothing listens at port {port} of 127.0.0.1.",
        "- Usual ports are 143, and 993 with /ssl; with /pop3 110, and 995 with /ssl.",
    ]


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("name", ["mail.shop.invalid", "a" * 70 + ".example", "ü" * 80, "exa mple", "."])
def test_a_name_that_leads_nowhere_is_told(name: str) -> None:
    """Whatever was typed."""
    findings = try_mailbox(MailServer(name, 993, "desk", SECRET), reach())
    assert first_bad(findings) == f"The name {name} was not found."


# --- Servers that misbehave -----------------------------------------------------------------------------------------------------------------------


STEPS = [
    *((False, name) for name in ("greeting", "CAPABILITY", "LOGIN", "EXAMINE")),
    *((True, name) for name in ("greeting", "CAPA", "USER", "PASS", "STAT")),
]


def misbehaving(step: str, what: bytes, *, pop3: bool) -> ScriptedServer:
    """Return a server that is good until a step."""
    greeting, answers = (POP3_GREETING, POP3) if pop3 else (IMAP_GREETING, IMAP)
    return ScriptedServer(what, answering(answers)) if step == "greeting" else ScriptedServer(greeting, answering({**answers, step: what}))


@pytest.mark.shows("8.4")
@pytest.mark.parametrize(("pop3", "step"), STEPS)
def test_a_server_that_stalls_is_given_up(step: str, *, pop3: bool) -> None:
    """At each step, after the seconds that the setting says."""
    with misbehaving(step, STALL, pop3=pop3) as server:
        findings = try_mailbox(scripted(server, pop3=pop3), reach(timeout=SOON))
        assert first_bad(findings) == f"127.0.0.1 did not answer at port {server.port} within 0.4 seconds."
        assert not works(findings)


@pytest.mark.parametrize(("pop3", "step"), STEPS)
def test_a_server_that_hangs_up_is_told(step: str, *, pop3: bool) -> None:
    """At each step."""
    with misbehaving(step, HANG_UP, pop3=pop3) as server:
        assert first_bad(try_mailbox(scripted(server, pop3=pop3), reach())).startswith("The server closed the connection")


RUBBISH = [
    b"\xff\xfe\0\0\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\r\n\r\n",
    b"* EXISTS {99999999999999999999}\r\n",
    b"{" * 3000 + b"\r\n",
    b"* 1" + b"0" * 5000 + b" EXISTS\r\n",
]


@pytest.mark.parametrize(("pop3", "step"), STEPS)
@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_is_told_and_never_raised(step: str, rubbish: bytes, *, pop3: bool) -> None:
    """At each step: the test ends, says so, and does not work."""
    with misbehaving(step, rubbish, pop3=pop3) as server:
        findings = try_mailbox(scripted(server, pop3=pop3), reach(timeout=SOON))
        assert not works(findings)
        assert all(len(line) < 400 and line.isprintable() for line in told(findings))


@PROTOCOLS
def test_a_server_that_dribbles_is_given_up_in_time(*, pop3: bool) -> None:
    """A byte now and then keeps every single wait short: there is an end for all of them together."""
    with misbehaving("greeting", DRIBBLE, pop3=pop3) as server:
        begun = time.monotonic()
        findings = try_mailbox(scripted(server, pop3=pop3), reach(timeout=5.0), lasts=1.0)
        # Without that end it lasts for as long as the server pleases.
        assert time.monotonic() - begun < 20.0
        assert "did not answer" in first_bad(findings)


@pytest.mark.parametrize(
    ("pop3", "flood"),
    [(False, b"* OK " + b"x" * (2 << 20) + b"\r\n"), (False, b"* FLOOD x\r\n" * 400_000), (True, b"+OK\r\n" + b"X\r\n" * 800_000)],
    ids=["line", "lines", "pop3"],
)
def test_a_server_that_never_ends_is_given_up(flood: bytes, *, pop3: bool) -> None:
    """A line, or lines, without end: at most a megabyte is taken."""
    with misbehaving("CAPA" if pop3 else "CAPABILITY", flood, pop3=pop3) as server:
        assert first_bad(try_mailbox(scripted(server, pop3=pop3), reach())) == "The server sends far more than it was asked for, so it was given up."


@pytest.mark.parametrize(
    ("pop3", "answers"),
    [
        (
            False,
            {
                **IMAP,
                "CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK done\r\n",
                "STARTTLS": b"TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
            },
        ),
        (True, {**POP3, "CAPA": b"+OK\r\nUSER\r\nSTLS\r\n.\r\n", "STLS": b"+OK go\r\n+OK injected\r\n"}),
    ],
    ids=["imap", "pop3"],
)
@pytest.mark.parametrize("encryption", [STARTTLS, OFFERED])
def test_what_was_put_in_before_the_encryption_is_refused(answers: Mapping[str, bytes], encryption: Encryption, *, pop3: bool) -> None:
    """Somebody on the way sends the answers to what we shall ask inside the encrypted line."""
    with ScriptedServer(POP3_GREETING if pop3 else IMAP_GREETING, answering(answers)) as server:
        findings = try_mailbox(scripted(server, encryption, pop3=pop3), reach())
        assert first_bad(findings).startswith("Something was sent unencrypted just before the encryption began.")


@pytest.mark.parametrize("encryption", [STARTTLS, OFFERED])
def test_a_server_that_says_we_are_signed_in_is_refused(encryption: Encryption) -> None:
    """PREAUTH is how somebody on the way keeps us from encrypting."""
    with ScriptedServer(b"* PREAUTH welcome\r\n", answering(IMAP)) as server:
        findings = try_mailbox(scripted(server, encryption), reach())
        assert first_bad(findings) == "The server takes us for signed in without a password. That is not accepted."


@pytest.mark.parametrize(
    ("pop3", "reply", "words"),
    [
        (False, b"TAG NO [UNAVAILABLE] Try again later\r\n", "The server does not sign in anybody just now: Try again later"),
        (True, b"-ERR [IN-USE] Do you have another session?\r\n", "The server does not sign in anybody just now: Do you have another session?"),
    ],
    ids=["imap", "pop3"],
)
def test_a_refusal_that_is_not_about_the_password_says_so(reply: bytes, words: str, *, pop3: bool) -> None:
    """Nobody shall change a good password for it."""
    with misbehaving("PASS" if pop3 else "LOGIN", reply, pop3=pop3) as server:
        assert first_bad(try_mailbox(scripted(server, pop3=pop3), reach())) == words


def test_a_server_that_is_full_says_so() -> None:
    """BYE instead of a greeting."""
    with ScriptedServer(b"* BYE Too many connections\r\n") as server:
        assert first_bad(try_mailbox(scripted(server), reach())) == "The server turned us away: Too many connections"


@PROTOCOLS
def test_a_servers_words_are_quoted_safely(*, pop3: bool) -> None:
    """Cut, on one line, without what drives a terminal or turns the text, and without the password that it repeats."""
    words = f"no \x1b[31m \u202e {SECRET} ".encode() + b"x" * 900
    with misbehaving("PASS" if pop3 else "LOGIN", (b"-ERR " if pop3 else b"TAG NO ") + words + b"\r\n", pop3=pop3) as server:
        said = first_bad(try_mailbox(scripted(server, pop3=pop3), reach()))
    assert said.startswith("The server refused user name or password: no [31m …")
    assert len(said) < 300


# --- Where nothing is connected to ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:168.63.129.16",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "2852039166",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_some_addresses_are_never_connected_to(address: str) -> None:
    """Above all where clouds tell their machines' secrets, in whatever way it is written; no setting is named as the reason."""
    findings = try_mailbox(MailServer(address, 993, "desk", SECRET), reach(timeout=2.0))
    assert len(findings) == 1
    assert "where no mail server is connected to" in first_bad(findings)


@pytest.mark.parametrize("denied", ["private", ["127.0.0.0/8"], "10.0.0.0/8, private", ("::1/128", "127.0.0.1")])
def test_the_setting_denies_networks(denied: object) -> None:
    """By the address that a name leads to, and not by the name; nothing is connected to."""
    with ScriptedServer(IMAP_GREETING, answering(IMAP)) as server:
        for name in ("127.0.0.1", "localhost"):
            findings = try_mailbox(replace(scripted(server), server=name), reach(denied=denied))
            assert "where no mail server is connected to" in first_bad(findings)
            assert "CS_MAIL_DENY_NETWORKS" in told(findings)[-1]
        assert works(try_mailbox(scripted(server), reach(denied=["10.0.0.0/8"])))


@pytest.mark.parametrize(
    ("address", "private"),
    [
        *((one, True) for one in ("10.1.2.3", "192.168.0.1", "100.64.0.1", "fd00:ec2::253", "::1", "::ffff:10.0.0.1")),
        *((one, False) for one in ("8.8.8.8", "2a00::1")),
    ],
)
def test_private_stands_for_what_is_not_the_internet(address: str, *, private: bool) -> None:
    """Also inside an IPv6 address."""
    assert denied_networks("private").deny(ipaddress.ip_address(address)) is private
    assert not denied_networks(None).deny(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("CS_MAIL_DENY_NETWORKS", wrong) for wrong in ("public", ["10.0.0.1/8"], 7)),
        *(("CS_MAILBOX_TIMEOUT", wrong) for wrong in (0, "20", True, float("inf"))),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path: Path, key: str, wrong: object) -> None:
    """And names its key."""
    with pytest.raises(ConfigurationError, match=key):
        make_store("sqlite://", tmp_path, **{key: wrong})


# --- Beside the request ---------------------------------------------------------------------------------------------------------------------------


def asked(store: Store, server: MailServer, *, employee: Any = MARIE) -> int:
    """Ask for a test as an employee's request does."""
    with store.app.test_request_context(headers={"X-Employee": employee.id}):
        return connection.ask_for_test(Visit(store.desk), server)


def answer(store: Store, job_id: int, *, employee: Any = MARIE) -> connection.TestAnswer | None:
    """Look at it in another request."""
    with store.app.test_request_context(headers={"X-Employee": employee.id}):
        return connection.answer_of(Visit(store.desk), job_id)


def do_all(store: Store) -> int:
    """Do what is due, as the worker does."""
    with store.app.app_context():
        return rounds.do_jobs(store.desk)


def job_of(store: Store, job_id: int) -> Job:
    """Return a job as it stands."""
    with store.desk.sessions() as session:
        return session.scalars(select(Job).where(Job.id == job_id)).one()


def whole_database(store: Store) -> str:
    """Return everything that is in the database, as text."""
    metadata = MetaData()
    with store.desk.engine.connect() as opened:
        metadata.reflect(opened)
        return json.dumps([[[str(value) for value in row] for row in opened.execute(table.select())] for table in metadata.sorted_tables])


@pytest.mark.shows("8.4", "11.2")
def test_a_test_is_asked_for_done_and_answered(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database; the request itself talks to nobody, and the row keeps nothing of the password, sealed or not."""
    store, mailbox = any_store, at(dovecot_server, OFFERED)
    job_id = asked(store, mailbox)
    waiting = answer(store, job_id)
    assert waiting is not None
    assert (waiting.is_done, waiting.works, waiting.findings) == (False, False, ())
    assert set(job_of(store, job_id).payload) == {"sealed"}
    assert do_all(store) == 1
    done = answer(store, job_id)
    assert done is not None
    assert done.is_done
    assert done.works, told(done.findings)
    assert not done.nobody_works
    assert job_of(store, job_id).payload == {}


def test_no_request_waits_for_a_server(store: Store) -> None:
    """One that stalls is not even connected to by the request."""
    with ScriptedServer(STALL) as server, store.app.test_request_context(headers={"X-Employee": "1"}):
        mailbox = replace(scripted(server), server="no-such-name.invalid")
        connection.ask_for_test(Visit(store.desk), replace(mailbox, server=server.host))
        connection.ask_for_test(Visit(store.desk), mailbox)
        assert server.received == []


REPLIES = [IMAP["LOGIN"], b"TAG NO [AUTHENTICATIONFAILED] not with PASSWORD\r\n", STALL, b"PASSWORD\r\n", b"* OK PASSWORD\r\nTAG BAD PASSWORD\r\n"]


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_nothing_that_is_kept_holds_the_password(tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: bytes) -> None:
    """No row, no file of the database, no line of any log at any level: whether it works, is refused, stalls or repeats what it was sent."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAILBOX_TIMEOUT=3.0)
    secret = "Xk9vR2pLq7wZ"
    with ScriptedServer(IMAP_GREETING, answering({**IMAP, "LOGIN": reply.replace(b"PASSWORD", secret.encode())})) as server:
        mailbox = replace(scripted(server), password=secret)
        assert secret not in repr(mailbox)
        with caplog.at_level(logging.DEBUG):
            job_id = asked(store, mailbox)
            assert secret not in whole_database(store)
            sealed = job_of(store, job_id).payload["sealed"]
            do_all(store)
            found = answer(store, job_id)
        assert any(secret.encode() in line for line in server.received)
    assert found is not None
    assert found.is_done
    assert secret not in "".join(told(found.findings))
    everything = whole_database(store)
    assert secret not in everything
    assert sealed not in everything
    assert secret not in caplog.text


def test_only_whoever_asked_sees_the_answer(store: Store) -> None:
    """Nobody else, and under no other number, nor that of another kind of job."""
    job_id = asked(store, MailServer("no.such.invalid", 993, "desk", SECRET))
    with store.desk.sessions() as session:
        other = jobs.put(session, "retry_failed_mails", {"ids": []}, store.clock(), employee_id="1").id
        session.commit()
    assert answer(store, job_id, employee=JOHN) is None
    assert [answer(store, wrong) for wrong in (other, 0, -1, 10**30, job_id + 99)] == [None] * 5
    assert answer(store, job_id) is not None


def test_only_who_configures_asks(store: Store) -> None:
    """Others would have the shop's machine connect to whatever they name."""
    store.answers.grants["2"] = {"view": ["1"], "reply": ["1"]}
    with pytest.raises(NotPermittedError):
        asked(store, MailServer("no.such.invalid", 993, "desk", SECRET), employee=JOHN)


def test_one_employee_has_a_few_tests_waiting_at_most(any_store: Store) -> None:
    """The oldest are given up, at once and with all that they held, and say so."""
    store = any_store
    ids = [asked(store, MailServer("no.such.invalid", 993, "desk", SECRET)) for _ in range(5)]
    states = [job_of(store, one).state for one in ids]
    assert states == [JobState.CANCELLED] * 2 + [JobState.WAITING] * 3
    assert job_of(store, ids[0]).payload == {}
    found = answer(store, ids[0])
    assert found is not None
    assert told(found.findings) == ["- The test was given up, since others were asked for after it."]


def test_a_test_that_waited_too_long_is_not_made(store: Store) -> None:
    """Its page is closed; the password goes all the same."""
    with ScriptedServer(IMAP_GREETING, answering(IMAP)) as server:
        job_id = asked(store, scripted(server))
        store.clock.forward(minutes=11)
        do_all(store)
        found = answer(store, job_id)
        assert found is not None
        assert told(found.findings) == ["- The test waited too long, so nothing was tried. Test again."]
        assert server.received == []
    assert job_of(store, job_id).payload == {}


def test_a_key_that_was_changed_meanwhile_is_told(store: Store) -> None:
    """And nothing breaks."""
    job_id = asked(store, MailServer("no.such.invalid", 993, "desk", SECRET))
    store.desk.vault = Vault(["quite another key than before"])
    do_all(store)
    found = answer(store, job_id)
    assert found is not None
    assert told(found.findings) == ["- The encryption key was changed meanwhile. Test again."]


def test_a_test_that_was_killed_is_told_and_not_repeated(store: Store) -> None:
    """Its worker died in it: the page hears so, and the password is gone."""
    job_id = asked(store, MailServer("no.such.invalid", 993, "desk", SECRET))
    with store.desk.sessions() as session:
        assert jobs.claim(session, store.clock()) is not None
        session.commit()
    store.clock.forward(minutes=6)
    do_all(store)
    found = answer(store, job_id)
    assert found is not None
    assert told(found.findings) == ["- The test broke off. Test again; the log says more."]
    assert job_of(store, job_id).payload == {}
    store.clock.forward(days=1)
    assert job_of(store, job_id).attempts == 2
    assert KEPT_FOR.days == 30


@pytest.mark.shows("11.2")
def test_the_page_is_told_where_nobody_will_do_it(store: Store) -> None:
    """No worker runs, and CS_BACKGROUND is off; a worker, or the background thread, changes that."""
    job_id = asked(store, MailServer("no.such.invalid", 993, "desk", SECRET))

    def nobody_works() -> bool:
        found = answer(store, job_id)
        assert found is not None
        return found.nobody_works

    assert nobody_works()
    store.app.config["CS_BACKGROUND"] = True
    assert not nobody_works()
    store.app.config["CS_BACKGROUND"] = False
    with store.desk.sessions() as session:
        workers.beat(session, "host/1", store.clock(), store.clock())
        session.commit()
    assert not nobody_works()


def a_page(app: Flask) -> None:
    """Make a request."""
    app.test_client().get("/")


@pytest.mark.shows("11.2")
def test_the_background_thread_does_it_at_once(tmp_path: Path, dovecot_server: DovecotServer) -> None:
    """Within seconds of being asked for, where no worker runs."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_BACKGROUND=True)
    try:
        a_page(store.app)
        job_id = asked(store, at(dovecot_server, OFFERED))
        wait_until(lambda: job_of(store, job_id).state is JobState.DONE, seconds=60, what="the test is done")
        found = answer(store, job_id)
        assert found is not None
        assert found.works
    finally:
        store.app.extensions[BACKGROUND].stop()


@pytest.mark.shows("11.2")
def test_a_way_out_that_is_closed_holds_up_no_test(tmp_path: Path) -> None:
    """The mail server is asked less and less often while it is away; whoever tests a mailbox meanwhile does not wait for that."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAIL_URL=f"smtp://127.0.0.1:{free_port()}", CS_BACKGROUND=True)
    for number in range(9):
        begin(store, f"Where is my parcel number {number}?")
    background = Background(store.app, pause=0.3)
    try:
        background.start_once()
        for _ in range(9):
            job_id = asked(store, MailServer("127.0.0.1", 1, "desk", SECRET))
            wait_until(lambda number=job_id: job_of(store, number).state is JobState.DONE, seconds=60, what="the test is done")  # type: ignore[misc]
    finally:
        background.stop()
