"""Opening a mailbox by IMAP or POP3, as secured as it was asked for, or telling in plain words why not."""

from __future__ import annotations

import imaplib
import poplib
import ssl
from collections.abc import Callable, Sequence

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.addresses import Place, look_up
from cs_plugin.mail.mailbox.findings import Finding, MailboxError, Riddle, bad, good
from cs_plugin.mail.mailbox.imap import ImapMailbox
from cs_plugin.mail.mailbox.line import HungUpError, Line, Patience, SilentError, Upgrade, connect
from cs_plugin.mail.mailbox.pop3 import Pop3Mailbox
from cs_plugin.mail.mailbox.refusals import NO_FOLDERS, ODD_FOLDER, is_one_line, no_answer, plain_words, turned_away
from cs_plugin.mail.mailbox.server import INBOX, MailServer, Reach
from cs_plugin.mail.transport import trusting
from cs_plugin.rules.mailbox_settings import Encryption

# Whoever says nothing for so many seconds, at a port where TLS begins with the first byte, waits for that.
_TLS_PORTS = frozenset({993, 995})
_SILENT_FOR = 4.0
_Tell = Callable[[Finding], None]


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
    "access_token": _("The access token holds characters that no mail server takes."),
    "folder": ODD_FOLDER,
}


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
        if not is_one_line(getattr(server, name)):
            raise MailboxError(bad(message))
    if server.pop3 and server.folder.upper() != INBOX:
        raise MailboxError(bad(NO_FOLDERS))


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
        raise MailboxError(no_answer(server, error), advice, bad(USUAL_PORTS)) from error
    except ConnectionRefusedError as error:
        refused = bad(_("Nothing listens at port %(port)s of %(server)s."), port=server.port, server=server.server)
        raise MailboxError(refused, bad(USUAL_PORTS)) from error
    except OSError as error:
        words = server.quoting.text(error.strerror or str(error))
        raise MailboxError(bad(_("%(server)s cannot be reached: %(words)s"), server=server.server, words=words)) from error


def open_over(server: MailServer, line: Line, context: ssl.SSLContext, tell: _Tell) -> ImapMailbox | Pop3Mailbox:
    """Open the mailbox over a line, step by step, telling what worked. Raise MailboxError; the line is closed then."""
    try:
        with plain_words(server, line):
            return _opened(server, line, context, tell)
    except BaseException:
        line.close()
        raise


def _opened(server: MailServer, line: Line, context: ssl.SSLContext, tell: _Tell) -> ImapMailbox | Pop3Mailbox:
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


def _greeted(server: MailServer, line: Line) -> ImapMailbox | Pop3Mailbox:
    """Return the mailbox of a server that has greeted us."""
    patience = line.patience
    if server.port in _TLS_PORTS and line.tls_version is None:
        line.patience = patience.for_step(_SILENT_FOR)
    try:
        return Pop3Mailbox(server, line) if server.pop3 else ImapMailbox(server, line)
    except SilentError as error:
        if line.first:
            raise
        raise MailboxError(no_answer(server, error), riddle=Riddle.SILENT) from error
    except (imaplib.IMAP4.error, poplib.error_proto, UnicodeError, ValueError) as error:
        others = who_answers(line.first, server)
        if others:
            raise MailboxError(*others) from error
        if line.first.upper().startswith((b"* BYE", b"-ERR")):
            raise MailboxError(turned_away(server, line)) from error
        raise
    finally:
        line.patience = patience
