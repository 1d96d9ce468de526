"""The ways out, against a real SMTP server: what is taken, what is refused, and for whom; and what passes."""

from __future__ import annotations

import datetime as dt
import io
import socket
import ssl
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP

from cs_plugin.errors import ConfigurationError, UndeliverableError
from cs_plugin.mail.compose import to_message
from cs_plugin.mail.transport import (
    ConnectionFailedError,
    ConsoleTransport,
    MemoryTransport,
    SmtpTransport,
    Transport,
    is_permanent,
    transport_of,
)
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail, Refused
from tests.servers.smtp import Moment, SMTPServer

NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)
JAN, EVA, SENDER = "jan@example.com", "eva@example.com", "desk@shop.example"


def message(*to: str, text: str = "Hello.\n", sender: str = SENDER) -> EmailMessage:
    """Return a mail to addresses."""
    recipients = tuple(Mailbox(address, "Jan") for address in to or (JAN,))
    mail = OutgoingMail("reply", Mailbox(sender), recipients, "An answer", text, "<p>Hello.</p>", "<1@shop.example>", "en", "1")
    return to_message(mail, lambda _: io.BytesIO(), NOW)


def transport(server: SMTPServer, *, timeout: float = 5.0) -> SmtpTransport:
    """Return the way to a server."""
    return SmtpTransport(server.host, server.port, timeout=timeout)


def test_many_mails_go_over_one_connection(smtp_server: SMTPServer) -> None:
    """One connection carries one mail after the other, also past one that was refused."""
    smtp_server.refuse_recipient(EVA)
    with transport(smtp_server).connect() as connection:
        connection.send(message(JAN), SENDER, [JAN])
        with pytest.raises(UndeliverableError):
            connection.send(message(EVA), SENDER, [EVA])
        assert connection.send(message(JAN), "bounces@shop.example", [JAN]) == ()
    first, second = smtp_server.wait_for(2)
    assert (first.sender, first.recipients) == (SENDER, (JAN,))
    assert second.sender == "bounces@shop.example"


def test_a_refused_copy_is_told_and_the_others_get_the_mail(smtp_server: SMTPServer) -> None:
    """Who did not get a mail comes back with the server's words; everybody else has it."""
    smtp_server.refuse_recipient(EVA, "550 5.1.1 No such user")
    with transport(smtp_server).connect() as connection:
        refused = connection.send(message(JAN, EVA), SENDER, [JAN, EVA])
    assert refused == (Refused(EVA, "550 5.1.1 No such user", permanent=True, code=550),)
    assert smtp_server.wait_for(1)[0].recipients == (JAN,)


def test_a_mail_that_may_yet_be_taken_for_somebody_has_not_failed(smtp_server: SMTPServer) -> None:
    """Where nobody got it, one passing refusal is enough to try again."""
    smtp_server.refuse_recipient(EVA, "550 5.1.1 No such user")
    smtp_server.refuse_recipient(JAN, "450 4.2.1 Greylisted")
    with transport(smtp_server).connect() as connection, pytest.raises(UndeliverableError, match=r"450 4\.2\.1 Greylisted") as caught:
        connection.send(message(EVA, JAN), SENDER, [EVA, JAN])
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("550 5.1.1 No such user", True),
        ("550 No such user", True),
        ("554 5.7.1 Refused", True),
        ("552 5.2.2 Mailbox full", False),
        ("550 5.4.5 Daily limit exceeded", False),
        ("550 4.7.1 Come back later", False),
        ("452 4.2.2 Mailbox full", False),
        ("450 Greylisted", False),
        ("451 5.7.1 Confused", False),
        ("550 Blocked by 4.2.2.1", True),
        ("550 5.2.20 Something else", True),
    ],
)
def test_passing_and_lasting_refusals_are_told_apart(smtp_server: SMTPServer, reply: str, *, permanent: bool) -> None:
    """The first digit says so, unless an enhanced code knows better."""
    smtp_server.refuse_recipient(JAN, reply)
    with transport(smtp_server).connect() as connection, pytest.raises(UndeliverableError) as caught:
        connection.send(message(), SENDER, [JAN])
    assert caught.value.permanent is permanent
    assert caught.value.text == f"{reply} ({JAN})"
    assert caught.value.code == int(reply[:3])
    assert is_permanent(int(reply[:3]), reply) is permanent


def test_a_mail_refused_after_reading_says_so(smtp_server: SMTPServer) -> None:
    """The words of the server come through, and the next mail goes out."""
    smtp_server.refuse_data("554 5.6.0 We take no jokes")
    with transport(smtp_server).connect() as connection:
        with pytest.raises(UndeliverableError, match=r"554 5\.6\.0 We take no jokes") as caught:
            connection.send(message(), SENDER, [JAN])
        smtp_server.behave()
        connection.send(message(), SENDER, [JAN])
    assert caught.value.permanent
    assert len(smtp_server.wait_for(1)) == 1


@pytest.mark.parametrize(("moment", "in_doubt"), [("MAIL", False), ("RCPT", False), ("DATA", True), ("ANSWER", True)])
def test_a_line_that_breaks_is_no_fault_of_the_mail(smtp_server: SMTPServer, moment: Moment, *, in_doubt: bool) -> None:
    """It passes; and after the mail has been handed over whole, nobody knows whether it was taken."""
    smtp_server.drop(at=moment)
    with transport(smtp_server).connect() as connection, pytest.raises(ConnectionFailedError) as caught:
        connection.send(message(), SENDER, [JAN])
    assert not caught.value.permanent
    assert caught.value.in_doubt is in_doubt


def test_a_server_that_does_not_answer_is_not_waited_for_endlessly(smtp_server: SMTPServer) -> None:
    """Every step has its time-out."""
    smtp_server.stall(5, at="RCPT")
    with transport(smtp_server, timeout=0.2).connect() as connection, pytest.raises(ConnectionFailedError, match="did not answer in time"):
        connection.send(message(), SENDER, [JAN])


def test_the_answer_to_a_whole_mail_is_waited_for_longer(smtp_server: SMTPServer) -> None:
    """A server that looks into a mail for a while has taken it: leaving early would send it twice."""
    smtp_server.stall(0.6, at="DATA")
    with transport(smtp_server, timeout=0.3).connect() as connection:
        connection.send(message(), SENDER, [JAN])
    assert len(smtp_server.wait_for(1)) == 1


def test_a_server_that_says_no_goodbye_is_left_soon(smtp_server: SMTPServer) -> None:
    """The answer to a mail is waited for long; that to a goodbye keeps no mails waiting."""
    smtp_server.stall(30, at="QUIT")
    with transport(smtp_server, timeout=1.0).connect() as connection:
        connection.send(message(), SENDER, [JAN])
        handed_over = time.monotonic()
    # Far from the half minute for which it stalls, however busy the machine is.
    assert time.monotonic() - handed_over < 15
    assert len(smtp_server.received) == 1


def test_a_server_that_is_down_says_so(smtp_server: SMTPServer) -> None:
    """A closed port, and a name that does not exist, are no fault of the mail's."""
    smtp_server.stop()
    for way in (transport(smtp_server), SmtpTransport("a" * 70 + ".example", 25)):
        with pytest.raises(ConnectionFailedError, match="could not be reached") as caught, way.connect():
            pass
        assert not caught.value.permanent


def test_a_server_that_speaks_no_smtp_says_so() -> None:
    """Something else on the port is an error of the way, not of a mail."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = SmtpTransport("127.0.0.1", listener.getsockname()[1], timeout=0.3)
        with pytest.raises(ConnectionFailedError), way.connect():
            pass


def test_a_password_waits_for_a_safe_line() -> None:
    """Where STARTTLS was asked for and is not offered, nothing is sent, above all no password."""
    with SMTPServer(username="desk", password="secret") as server:
        way = SmtpTransport(server.host, server.port, security="starttls", username="desk", password="secret")
        with pytest.raises(ConnectionFailedError, match="No safe connection"), way.connect():
            pass


# --- TLS ------------------------------------------------------------------------------------------------------------------------------------------


class Authority:
    """An authority of certificates: the file by which it is trusted, and a server's TLS under a certificate that it gave for a name."""

    def __init__(self, folder: Path) -> None:
        """Make one that no system knows."""
        self._ca = trustme.CA()
        self.file = str(folder / "authority.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def tls(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        """Return a server's context."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that no system knows."""
    return Authority(tmp_path)


BOTH = pytest.mark.parametrize(("scheme", "starttls"), [("smtps", False), ("smtp+starttls", True)])


@BOTH
def test_mail_goes_out_over_a_safe_line(authority: Authority, scheme: str, *, starttls: bool) -> None:
    """TLS from the first byte, and STARTTLS; the password, too, goes over it, and a wrong one is told."""
    with SMTPServer(username="desk", password="s:cret", tls=authority.tls(), starttls=starttls) as server:
        way = transport_of(f"{scheme}://desk:s%3Acret@127.0.0.1:{server.port}", authorities=authority.file)
        with way.connect() as connection:
            for number in range(2):
                assert connection.send(message(text=f"Hello {number}.\n"), SENDER, [JAN]) == ()
        assert [mail.recipients for mail in server.wait_for(2)] == [(JAN,)] * 2
        wrong = transport_of(f"{scheme}://desk:guess@127.0.0.1:{server.port}", authorities=authority.file)
        with pytest.raises(ConnectionFailedError, match="535"), wrong.connect():
            pass


@BOTH
def test_the_systems_authorities_can_be_named_by_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str, *, starttls: bool
) -> None:
    """SSL_CERT_FILE, as for every other program."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)
    with SMTPServer(tls=authority.tls(), starttls=starttls) as server, transport_of(f"{scheme}://127.0.0.1:{server.port}").connect() as connection:
        connection.send(message(), SENDER, [JAN])
        assert len(server.wait_for(1)) == 1


@BOTH
@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("127.0.0.1", False, "The mail server's certificate is not trusted: unable to get local issuer certificate"),
        ("mail.elsewhere.example", True, "The mail server's certificate is not trusted: IP address mismatch"),
    ],
)
def test_a_wrong_certificate_is_refused_in_plain_words(
    authority: Authority, name: str, words: str, scheme: str, *, trusted: bool, starttls: bool
) -> None:
    """One of an authority that nobody knows, and one for another server: nothing is sent, above all no password."""
    with SMTPServer(username="desk", password="secret", tls=authority.tls(name), starttls=starttls) as server:
        way = transport_of(f"{scheme}://desk:secret@127.0.0.1:{server.port}", authorities=authority.file if trusted else None)
        with pytest.raises(ConnectionFailedError) as caught, way.connect():
            pass
        assert caught.value.text.startswith(words)
        assert not caught.value.permanent
        assert server.received == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_stops_the_start(tmp_path: Path, content: str | None) -> None:
    """One that is not there, and one that holds something else; the message names the key."""
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match="CS_MAIL_CA"):
        transport_of("smtps://mail.example", authorities=str(file))


def test_signing_in() -> None:
    """With the right password mail goes out; a wrong one, or none, is the shop's to mend: the mail waits."""
    with SMTPServer(username="desk", password="s e/c:r@t") as server:
        right = transport_of(f"smtp://desk:s%20e%2Fc%3Ar%40t@127.0.0.1:{server.port}")
        with right.connect() as connection:
            connection.send(message(), SENDER, [JAN])
        wrong = SmtpTransport(server.host, server.port, username="desk", password="guess")
        with pytest.raises(ConnectionFailedError, match="535"), wrong.connect():
            pass
        none = SmtpTransport(server.host, server.port)
        with none.connect() as connection, pytest.raises(ConnectionFailedError, match="530") as caught:
            connection.send(message(), SENDER, [JAN])
        assert not caught.value.permanent
        assert len(server.wait_for(1)) == 1


@pytest.mark.parametrize("text", [".\n", "..\nx\n.", "\n.\n\n.\n", "x\n", "\n", "." * 2000 + "\n"])
def test_lines_of_dots_and_empty_texts_arrive(smtp_server: SMTPServer, text: str) -> None:
    """A dot at the beginning of a line neither ends the mail nor doubles."""
    sent = message(text=text)
    with transport(smtp_server).connect() as connection:
        connection.send(sent, SENDER, [JAN])
    (received,) = smtp_server.wait_for(1)
    assert received.raw == sent.as_bytes()


def test_a_large_mail_goes_in_pieces(smtp_server: SMTPServer) -> None:
    """A time-out holds for a piece and not for the whole: twenty megabytes arrive."""
    large = message(text="x" * 70 + "\n")
    large.add_attachment(b"\0" * 15_000_000, maintype="application", subtype="octet-stream", filename="large.bin")
    with transport(smtp_server).connect() as connection:
        # aiosmtpd says by SIZE that it takes 33 MB.
        connection.send(large, SENDER, [JAN])
    (received,) = smtp_server.wait_for(1)
    assert len(received.raw) == len(large.as_bytes()) > 20_000_000


def test_addresses_in_other_scripts(smtp_server: SMTPServer) -> None:
    """A domain goes out as ASCII; a local part goes out as it is to a server that takes it (RFC 6531)."""
    with transport(smtp_server).connect() as connection:
        connection.send(message("jan@bücher.example"), SENDER, ["jan@bücher.example"])
        connection.send(message("jörg@bücher.example"), SENDER, ["jörg@bücher.example"])
    first, second = smtp_server.wait_for(2)
    assert first.recipients == ("jan@xn--bcher-kva.example",)
    assert second.recipients == ("jörg@xn--bcher-kva.example",)
    assert "jörg@xn--bcher-kva.example" in second.raw.decode()


class OldServer(SMTPServer):
    """A server that has never heard of SMTPUTF8."""

    def _new_session(self) -> SMTP:
        return SMTP(self, hostname="old.example", enable_SMTPUTF8=False)


def test_a_local_part_in_another_script_needs_a_server_that_takes_it() -> None:
    """Without SMTPUTF8 such a mail fails for good, in clear words, and the next one goes out."""
    with OldServer() as server, transport(server).connect() as connection:
        with pytest.raises(UndeliverableError, match=r"no SMTPUTF8.*jörg@x\.example") as caught:
            connection.send(message("jörg@x.example"), SENDER, ["jörg@x.example"])
        assert caught.value.permanent
        connection.send(message(), SENDER, [JAN])
        assert server.wait_for(1)[0].recipients == (JAN,)


def test_quoted_local_parts_reach_the_server(smtp_server: SMTPServer) -> None:
    """Blanks, commas and angle brackets within quotes are part of an address."""
    odd = '"john, <doe>"@example.com'
    with transport(smtp_server).connect() as connection:
        connection.send(message(odd), SENDER, [odd])
    assert smtp_server.wait_for(1)[0].recipients == (odd,)


def test_an_envelope_cannot_hold_a_second_command(smtp_server: SMTPServer) -> None:
    """A line end in an address is refused before anything is sent."""
    with transport(smtp_server).connect() as connection:
        for sender, recipient in ((SENDER, "a@x.example>\r\nRCPT TO:<b@x.example"), ("a@x.example>\r\nDATA", JAN)):
            with pytest.raises(UndeliverableError, match="No mail can be sent"):
                connection.send(message(), sender, [recipient])
        connection.send(message(), SENDER, [JAN])
    assert smtp_server.wait_for(1)[0].recipients == (JAN,)


@pytest.mark.parametrize("way", [MemoryTransport(), ConsoleTransport(io.StringIO())])
def test_the_stand_ins_take_mail_like_the_real_thing(way: Transport) -> None:
    """Memory keeps what it was given, the console shows it, and both take everything."""
    with way.connect() as connection:
        assert connection.send(message(), SENDER, [JAN, EVA]) == ()
    if isinstance(way, MemoryTransport):
        assert [(one.sender, one.recipients) for one in way.sent] == [(SENDER, (JAN, EVA))]
    if isinstance(way, ConsoleTransport):
        assert "Subject: An answer\n" in way.stream.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", SmtpTransport("mail.example", 25)),
        ("smtp+starttls://desk%40shop:p%3Aw@mail.example", SmtpTransport("mail.example", 587, "starttls", "desk@shop", "p:w")),
        ("smtps://desk:pw@[::1]:4650", SmtpTransport("::1", 4650, "tls", "desk", "pw")),
        ("smtp://desk:pw@localhost:2525", SmtpTransport("localhost", 2525, "plain", "desk", "pw")),
    ],
)
def test_a_transport_is_named_by_a_url(url: str, expected: SmtpTransport) -> None:
    """Scheme, host, port and an encoded password."""
    assert transport_of(url) == expected
    assert "pw" not in repr(transport_of(url))


@pytest.mark.parametrize("url", ["", "mail.example", "ftp://mail.example", "smtp://", "smtp://mail.example:port", "smtp://mail.example:99999", "smtp://[::1"])
def test_a_wrong_url_stops_the_start(url: str) -> None:
    """And says which key is wrong."""
    with pytest.raises(ConfigurationError, match="CS_MAIL_URL"):
        transport_of(url)


def test_a_password_never_crosses_a_network_unencrypted() -> None:
    """Such a configuration stops the start."""
    with pytest.raises(ConfigurationError, match="smtp\\+starttls"):
        transport_of("smtp://desk:secret@mail.example")
