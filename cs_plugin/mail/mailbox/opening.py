"""Opening a mailbox by IMAP or POP3, as secured as it was asked for, or telling in plain words why not."""

from __future__ import annotations

import imaplib
import logging
import poplib
import ssl
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.addresses import DeniedNetworks, Place, look_up
from cs_plugin.mail.mailbox.findings import Finding, MailboxError, Quoting, Riddle, bad, code_of, good
from cs_plugin.mail.mailbox.line import HungUpError, InjectedError, Line, Patience, SilentError, TooMuchError, Upgrade, connect
from cs_plugin.mail.transport import trusting
from cs_plugin.rules.mailbox_settings import Encryption, Security

log = logging.getLogger(__name__)
INBOX = "INBOX"
# Whoever says nothing for so many seconds, at a port where TLS begins with the first byte, waits for that.
_TLS_PORTS = frozenset({993, 995})
_SILENT_FOR = 4.0
_MOST_FOLDERS_TOLD = 8
_Tell = Callable[[Finding], None]


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mailbox on a server, and how it is signed in to. With `pop3` there is no folder but the inbox."""

    server: str
    port: int
    user: str
    password: str = field(repr=False)
    pop3: bool = False
    security: Security = field(default_factory=Security)
    folder: str = INBOX

    @property
    def quoting(self) -> Quoting:
        """Return what quotes this server without repeating the password."""
        return Quoting(self.user, self.password)


@dataclass(frozen=True, slots=True)
class Reach:
    """How mail servers are reached: seconds for each step, a file of authorities trusted beside the system's, networks that are left alone."""

    timeout: float = 20.0
    authorities: str | None = None
    denied: DeniedNetworks = field(default_factory=DeniedNetworks)


def tls_context(server: MailServer, reach: Reach) -> ssl.SSLContext:
    """Return a context that verifies certificates and the names in them, unless the mailbox says otherwise."""
    context = trusting(reach.authorities)
    if not server.security.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


# --- Words ----------------------------------------------------------------------------------------------------------------------------------------

USUAL_PORTS = _("Usual ports are 143, and 993 with /ssl; with /pop3 110, and 995 with /ssl.")
POP3_ANSWERS = _("A POP3 server answers at this port.")
IMAP_ANSWERS = _("An IMAP server answers at this port.")
SMTP_ANSWERS = _("A server for outgoing mail (SMTP) answers at this port.")
WEB_ANSWERS = _("A web server answers at this port.")
SOMETHING_ANSWERS = _("Something answers at this port that is no mail server: %(words)s")
_MAIL_CA_ADVICE = _("If this is your own server, name its authority's certificate in CS_MAIL_CA, or switch /novalidate-cert on.")
_SELF_SIGNED = (_("The server's certificate is self-signed: nobody vouches for it."), _MAIL_CA_ADVICE)
_UNKNOWN = (_("The server's certificate comes from an authority that is not known here."), _MAIL_CA_ADVICE)
_OTHER_NAME = (
    _("The server's certificate is for another name than %(server)s."),
    _("Use the name that stands in the certificate: the provider's help names it."),
)
# What is wrong with a certificate, and what to do, by OpenSSL's codes (X509_V_ERR_…).
_CERTIFICATES = {
    9: (_("The server's certificate is not valid yet."), _("Check the clock of this machine; else whoever runs the server has to replace it.")),
    10: (_("The server's certificate has expired."), _("Whoever runs the server has to renew it.")),
    18: _SELF_SIGNED,
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    23: (_("The server's certificate has been revoked."), _("Whoever runs the server has to replace it.")),
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_UNTRUSTED = _("The server's certificate is not trusted: %(words)s")
# What OpenSSL says of an answer that is no TLS at all.
_NO_TLS = frozenset(
    {
        "BAD_PACKET_LENGTH",
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "UNEXPECTED_EOF_WHILE_READING",
        "UNEXPECTED_MESSAGE",
        "UNKNOWN_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)
# What is sent as one line, and what is told where it cannot be.
_LETTERS = {
    "user": _("The user name holds characters that no mail server takes."),
    "password": _("The password holds characters that no mail server takes."),
    "folder": _("The folder's name holds characters that no mail server takes."),
}
# Refusals that are not about user name and password (RFC 5530; RFC 2449; RFC 3206).
_NOT_NOW = frozenset({"UNAVAILABLE", "SYS/TEMP", "SYS/PERM", "IN-USE", "INUSE", "LIMIT", "LOGIN-DELAY", "CONTACTADMIN", "SERVERBUG"})


def who_answers(first: bytes, server: MailServer) -> tuple[Finding, ...]:
    """Return who greets like that, and what to change; nothing where it is the kind of server that was expected, or nobody has said a word."""
    line = first.upper()
    if line.startswith(b"+OK"):
        advice = bad(_("Switch /pop3 on, or use the port of IMAP."))
        return () if server.pop3 else (bad(POP3_ANSWERS), advice)
    if line.startswith((b"* OK", b"* PREAUTH", b"* BYE")):
        advice = bad(_("Switch /pop3 off, or use the port of POP3."))
        return (bad(IMAP_ANSWERS), advice) if server.pop3 else ()
    if line.startswith((b"220 ", b"220-", b"554 ")):
        return bad(SMTP_ANSWERS), bad(USUAL_PORTS)
    if line.startswith((b"HTTP/", b"<!DOCTYPE", b"<HTML")):
        return bad(WEB_ANSWERS), bad(USUAL_PORTS)
    if line.startswith(b"-ERR"):
        return ()
    return (bad(SOMETHING_ANSWERS, words=server.quoting.text(first)), bad(USUAL_PORTS)) if first.strip() else ()


# --- Step by step ---------------------------------------------------------------------------------------------------------------------------------


def check_letters(server: MailServer) -> None:
    """Raise MailboxError for what would not stay one word on its way: a line end in a password is the server's next command."""
    for name, message in _LETTERS.items():
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in getattr(server, name)):
            raise MailboxError(bad(message))
    if server.pop3 and server.folder.upper() != INBOX:
        raise MailboxError(bad(_("POP3 knows no folder but the inbox.")))


def find(server: MailServer, reach: Reach, patience: Patience) -> list[Place]:
    """Return where the server is, without the addresses that are not connected to. Raise MailboxError where nothing is left."""
    seconds = patience.left
    try:
        places = look_up(server.server, server.port, seconds)
    except TimeoutError:
        raise MailboxError(bad(_("%(server)s could not be looked up within %(n)s seconds."), server=server.server, n=f"{seconds:.3g}")) from None
    except (OSError, UnicodeError, ValueError):
        places = []
    if not places:
        advice = bad(_("Check the IMAP URL: it is a server's name alone, such as mail.example.com."))
        raise MailboxError(bad(_("The name %(server)s was not found."), server=server.server), advice)
    allowed = [place for place in places if not reach.denied.deny(place.address)]
    if not allowed:
        refused = bad(_("%(server)s leads to %(address)s, where no mail server is connected to."), server=server.server, address=places[0].address)
        by_setting = any(not reach.denied.never(place.address) for place in places)
        raise MailboxError(refused, *([bad(_("CS_MAIL_DENY_NETWORKS says so. Whoever runs the shop can change it."))] if by_setting else []))
    return allowed


def reach_out(server: MailServer, places: Sequence[Place], patience: Patience, *, most: int) -> Line:
    """Connect. Raise MailboxError where nobody answers."""
    try:
        return connect(places, patience, most=most)
    except SilentError as error:
        advice = bad(_("A firewall may be in the way, or the port is wrong."))
        raise MailboxError(_no_answer(server, error), advice, bad(USUAL_PORTS)) from error
    except ConnectionRefusedError as error:
        refused = bad(_("Nothing listens at port %(port)s of %(server)s."), port=server.port, server=server.server)
        raise MailboxError(refused, bad(USUAL_PORTS)) from error
    except OSError as error:
        words = server.quoting.text(error.strerror or str(error))
        raise MailboxError(bad(_("%(server)s cannot be reached: %(words)s"), server=server.server, words=words)) from error


def open_over(server: MailServer, line: Line, context: ssl.SSLContext, tell: _Tell) -> Mailbox:
    """Open the mailbox over a line, step by step, telling what worked. Raise MailboxError; the line is closed then."""
    try:
        with plain_words(server, line):
            return _opened(server, line, context, tell)
    except BaseException:
        line.close()
        raise


def _opened(server: MailServer, line: Line, context: ssl.SSLContext, tell: _Tell) -> Mailbox:
    encryption = server.security.encryption
    if encryption is Encryption.TLS:
        _encrypt_at_once(server, line, context)
        tell(_encrypted(server, line))
    mailbox = _greeted(server, line)
    tell(good(_("The server answers.")))
    if encryption in (Encryption.STARTTLS, Encryption.OFFERED) and mailbox.offers_starttls():
        mailbox.start_tls(Upgrade(context, server.server))
        tell(_encrypted(server, line))
    elif encryption is Encryption.STARTTLS:
        raise MailboxError(bad(_("The server offers no STARTTLS, which /tls asks for.")), bad(_("Try /ssl instead of /tls, with its own port.")))
    if line.tls_version is None:
        tell(_unencrypted(server, line))
    mailbox.sign_in()
    tell(good(_("Signed in as %(user)s."), user=server.user))
    return mailbox


def _encrypted(server: MailServer, line: Line) -> Finding:
    verified = _("The line is encrypted with %(version)s, and the certificate is verified.")
    unverified = _("The line is encrypted with %(version)s; the certificate is not verified, as /novalidate-cert says.")
    return good(verified if server.security.verify else unverified, version=line.tls_version)


def _unencrypted(server: MailServer, line: Line) -> Finding:
    """Return what is to be said of a line over which the password will go as it is. Raise MailboxError where it must not."""
    if line.place.is_this_machine:
        return good(_("The line is not encrypted, but does not leave this machine."))
    if server.security.encryption is not Encryption.NONE:
        raise MailboxError(
            bad(_("The password was not sent: the line would not be encrypted, since the server offers no STARTTLS.")),
            bad(_("Try /ssl with its own port. Only where nobody can listen, switch /notls on.")),
        )
    return bad(_("Warning: /notls is on, so the password and all mail cross the network for everybody to read."))


def _encrypt_at_once(server: MailServer, line: Line, context: ssl.SSLContext) -> None:
    try:
        line.encrypt(context, server.server)
    except (ssl.SSLError, SilentError, HungUpError) as error:
        if isinstance(error, ssl.SSLError) and error.reason not in _NO_TLS:
            raise
        raise MailboxError(bad(_("The server does not begin encryption with the first byte, as /ssl asks for.")), riddle=Riddle.NOT_TLS) from error


def _greeted(server: MailServer, line: Line) -> Mailbox:
    """Return the mailbox of a server that has greeted us."""
    patience = line.patience
    if server.port in _TLS_PORTS and line.tls_version is None:
        line.patience = patience.for_step(_SILENT_FOR)
    try:
        return _Pop3Mailbox(server, line) if server.pop3 else _ImapMailbox(server, line)
    except SilentError as error:
        if line.first:
            raise
        raise MailboxError(_no_answer(server, error), riddle=Riddle.SILENT) from error
    except (imaplib.IMAP4.error, poplib.error_proto, UnicodeError, ValueError) as error:
        others = who_answers(line.first, server)
        if others:
            raise MailboxError(*others) from error
        if line.first.upper().startswith((b"* BYE", b"-ERR")):
            raise MailboxError(_turned_away(server, line)) from error
        raise
    finally:
        line.patience = patience


def _no_answer(server: MailServer, error: SilentError) -> Finding:
    message = _("%(server)s did not answer at port %(port)s within %(n)s seconds.")
    return bad(message, server=server.server, port=server.port, n=f"{error.seconds:.3g}")


def _turned_away(server: MailServer, line: Line) -> Finding:
    return bad(_("The server turned us away: %(words)s"), words=server.quoting.words(line.last))


# --- What goes wrong in the middle ----------------------------------------------------------------------------------------------------------------


@contextmanager
def plain_words(server: MailServer, line: Line) -> Iterator[None]:
    """Turn whatever a server does into MailboxError."""
    try:
        yield
    except MailboxError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise _bad_certificate(server, error) from error
    except SilentError as error:
        raise MailboxError(_no_answer(server, error)) from error
    except HungUpError as error:
        said = line.last if line.last.upper().startswith((b"* BYE", b"-ERR")) else b""
        closed = bad(_("The server closed the connection: %(words)s"), words=server.quoting.words(said)) if said else None
        raise MailboxError(closed or bad(_("The server closed the connection."))) from error
    except TooMuchError as error:
        raise MailboxError(bad(_("The server sends far more than it was asked for, so it was given up."))) from error
    except InjectedError as error:
        raise MailboxError(bad(_("Something was sent unencrypted just before the encryption began. Somebody may be on the line."))) from error
    except ssl.SSLError as error:
        words = server.quoting.text((error.reason or str(error)).replace("_", " ").lower())
        raise MailboxError(bad(_("No encrypted connection came about: %(words)s"), words=words)) from error
    except Exception as error:
        # The libraries' parsers raise what they please at rubbish. Only the error's kind is logged: its text may quote what was sent.
        log.info("a mail server's answer was not understood: %s", type(error).__name__)
        raise MailboxError(bad(_("The server's answer was not understood: %(words)s"), words=server.quoting.words(line.last))) from error


def _bad_certificate(server: MailServer, error: ssl.SSLCertVerificationError) -> MailboxError:
    known = _CERTIFICATES.get(error.verify_code)
    if known is None:
        return MailboxError(bad(_UNTRUSTED, words=server.quoting.text(error.verify_message)))
    reason, advice = known
    return MailboxError(bad(reason, **({"server": server.server} if known is _OTHER_NAME else {})), bad(advice))


def _refused(server: MailServer, line: Line) -> MailboxError:
    words = server.quoting.words(line.last)
    if code_of(line.last).split(" ")[0] in _NOT_NOW:
        return MailboxError(bad(_("The server does not sign in anybody just now: %(words)s"), words=words))
    advice = bad(_("Check user name and password. Some providers want a password made for this one purpose, or IMAP switched on in their settings."))
    return MailboxError(bad(_("The server refused user name or password: %(words)s"), words=words), advice)


def _no_password(line: Line, ways: Sequence[str]) -> MailboxError:
    """Return why a server takes no password from us."""
    if line.tls_version is None:
        advice = bad(_("Switch /notls off, or try /ssl with its own port."))
        return MailboxError(bad(_("The server takes passwords over encrypted lines only.")), advice)
    return MailboxError(bad(_("The server takes no password, only: %(ways)s"), ways=", ".join(ways) or "--"))


# --- Mailboxes ------------------------------------------------------------------------------------------------------------------------------------


class Mailbox:
    """An open mailbox. `line` is what it talks over."""

    def __init__(self, server: MailServer, line: Line) -> None:
        """Wait for the server's greeting."""
        self.server = server
        self.line = line

    def offers_starttls(self) -> bool:
        """Say whether encryption can begin now."""
        raise NotImplementedError

    def start_tls(self, upgrade: Upgrade) -> None:
        """Begin it."""
        raise NotImplementedError

    def sign_in(self) -> None:
        """Sign in with the password. Raise MailboxError where that is refused."""
        raise NotImplementedError

    def count(self) -> int:
        """Open the folder for reading, and return how many messages are in it. Raise MailboxError where there is none."""
        raise NotImplementedError

    def close(self) -> None:
        """Say goodbye; nothing is deleted by that."""
        raise NotImplementedError


class _Imap4(imaplib.IMAP4):
    """`imaplib` over a line of ours: what is connected to was looked up and checked before."""

    def __init__(self, server: MailServer, line: Line) -> None:
        self._line = line
        super().__init__(server.server, server.port)

    def _create_socket(self, _timeout: float | None = None) -> Any:
        return self._line

    def read(self, size: int) -> bytes:
        return self._line.read(size)

    def readline(self) -> bytes:
        # A server's longest line, as `imaplib` bounds it.
        line = self._line.readline(_MAX_LINE + 1)
        if len(line) > _MAX_LINE:
            raise TooMuchError("the server sends more than it was asked for")
        return line


_MAX_LINE = 1_000_000


def _client(server: MailServer, line: Line) -> Any:
    """Return imapclient's client on a line. It is imported here, so that a desk without it starts, and fetches by POP3."""
    from imapclient import IMAPClient

    class Client(IMAPClient):
        def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - imapclient's name
            return _Imap4(server, line)

    client = Client(server.server, server.port, ssl=False)
    # It would log every line at the level of debugging, and a server may repeat the password.
    client._imap.debug = 0
    return client


class _ImapMailbox(Mailbox):
    def __init__(self, server: MailServer, line: Line) -> None:
        super().__init__(server, line)
        self.client = _client(server, line)
        if not line.first.upper().startswith(b"* OK"):
            # PREAUTH: whoever sends that before STARTTLS keeps us from encrypting (RFC 9051, section 11.3).
            raise MailboxError(bad(_("The server takes us for signed in without a password. That is not accepted.")))

    def offers_starttls(self) -> bool:
        return bool(self.client.has_capability("STARTTLS"))

    def start_tls(self, upgrade: Upgrade) -> None:
        try:
            self.client.starttls(ssl_context=upgrade)
        except imaplib.IMAP4.error as error:
            raise MailboxError(_turned_away(self.server, self.line)) from error
        # What was said before, somebody on the way may have said.
        self.client._imap.untagged_responses.clear()

    def sign_in(self) -> None:
        user, password = self.server.user, self.server.password
        can = {word.decode("ascii", "replace") for word in self.client.capabilities()}
        try:
            if "LOGINDISABLED" not in can and f"{user}{password}".isascii():
                self.client.login(_quoted(user), password)
            elif "AUTH=PLAIN" in can:
                self.client.plain_login(user, password)
            elif "LOGINDISABLED" in can:
                raise _no_password(self.line, sorted(word.removeprefix("AUTH=") for word in can if word.startswith("AUTH=")))
            else:
                raise MailboxError(bad(_("The server takes only plain letters in user names and passwords.")))
        except imaplib.IMAP4.error as error:
            raise _refused(self.server, self.line) from error

    def count(self) -> int:
        try:
            answer = self.client.select_folder(self.server.folder, readonly=True)
        except imaplib.IMAP4.error as error:
            raise self._no_folder(self.server.quoting.words(self.line.last)) from error
        return int(answer[b"EXISTS"])

    def _no_folder(self, words: str) -> MailboxError:
        folder, text = self.server.folder, self.server.quoting.text
        names = [str(name) for flags, _, name in self.client.list_folders() if b"\\noselect" not in {flag.lower() for flag in flags}]
        if folder in names:
            return MailboxError(bad(_("The folder %(folder)s cannot be opened: %(words)s"), folder=folder, words=words))
        told = ", ".join(text(name, 60) for name in names[:_MOST_FOLDERS_TOLD]) + (", …" if len(names) > _MOST_FOLDERS_TOLD else "")
        advice = [bad(_("The folders there are: %(folders)s"), folders=told)] if told else []
        return MailboxError(bad(_("There is no folder %(folder)s."), folder=folder), *advice)

    def close(self) -> None:
        with suppress(Exception):
            self.client.logout()
        self.line.close()


def _quoted(text: str) -> str:
    """Return a text as IMAP quotes it: `imaplib` quotes passwords only."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Pop3(poplib.POP3):
    """`poplib` over a line of ours."""

    def __init__(self, server: MailServer, line: Line) -> None:
        self._line = line
        super().__init__(server.server, server.port)

    def _create_socket(self, _timeout: float | None) -> Any:
        return self._line


class _Pop3Mailbox(Mailbox):
    def __init__(self, server: MailServer, line: Line) -> None:
        super().__init__(server, line)
        self.client = _Pop3(server, line)

    def _can(self) -> dict[str, list[str]] | None:
        """Return what the server says that it can; None where it does not say."""
        try:
            return self.client.capa()
        except poplib.error_proto:
            if not self.line.last.upper().startswith(b"-ERR"):
                raise
            return None

    def offers_starttls(self) -> bool:
        return "STLS" in (self._can() or {})

    def start_tls(self, upgrade: Upgrade) -> None:
        try:
            self.client.stls(cast(ssl.SSLContext, upgrade))
        except poplib.error_proto as error:
            raise MailboxError(_turned_away(self.server, self.line)) from error

    def sign_in(self) -> None:
        can = self._can()
        if can is not None and "USER" not in can:
            # Servers that want encryption first leave it out (RFC 2595, section 4).
            raise _no_password(self.line, can.get("SASL", []))
        try:
            self.client.user(self.server.user)
            self.client.pass_(self.server.password)
        except poplib.error_proto as error:
            raise _refused(self.server, self.line) from error

    def count(self) -> int:
        return self.client.stat()[0]

    def close(self) -> None:
        with suppress(Exception):
            self.client.quit()
        self.line.close()

