"""What a mail server may do wrong or refuse, in plain words."""

from __future__ import annotations

import logging
import ssl
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.findings import Finding, MailboxError, TokenRefusedError, bad, code_of
from cs_plugin.mail.mailbox.line import HungUpError, InjectedError, Line, SilentError, TooMuchError
from cs_plugin.mail.mailbox.server import MailServer

log = logging.getLogger(__name__)

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
# Refusals that are not about user name and password (RFC 5530; RFC 2449; RFC 3206).
_NOT_NOW = frozenset({"UNAVAILABLE", "SYS/TEMP", "SYS/PERM", "IN-USE", "INUSE", "LIMIT", "LOGIN-DELAY", "CONTACTADMIN", "SERVERBUG"})

TOO_MUCH = _("The server sends far more than it was asked for, so it was given up.")
ODD_FOLDER = _("The folder's name holds characters that no mail server takes.")
NO_FOLDERS = _("POP3 knows no folder but the inbox.")
REFUSED = _("The server refused %(command)s: %(words)s")
WITHHELD = _("Messages that the server lists and does not give: %(n)s")


def is_one_line(text: str) -> bool:
    """Say whether a text stays one word on its way: what follows a line end is a command of its own."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def no_answer(server: MailServer, error: SilentError) -> Finding:
    """Return that the server has said nothing."""
    message = _("%(server)s did not answer at port %(port)s within %(n)s seconds.")
    return bad(message, server=server.server, port=server.port, n=f"{error.seconds:.3g}")


def turned_away(server: MailServer, line: Line) -> Finding:
    """Return that the server wants nothing to do with us."""
    return bad(_("The server turned us away: %(words)s"), words=server.quoting.words(line.last))


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
        raise MailboxError(no_answer(server, error)) from error
    except HungUpError as error:
        said_why = line.last.upper().startswith((b"* BYE", b"-ERR"))
        raise MailboxError(_goodbye(server, line) if said_why else bad(_("The server closed the connection."))) from error
    except TooMuchError as error:
        raise MailboxError(bad(TOO_MUCH)) from error
    except InjectedError as error:
        raise MailboxError(bad(_("Something was sent unencrypted just before the encryption began. Somebody may be on the line."))) from error
    except ssl.SSLError as error:
        words = server.quoting.text((error.reason or str(error)).replace("_", " ").lower())
        raise MailboxError(bad(_("No encrypted connection came about: %(words)s"), words=words)) from error
    except Exception as error:
        if line.last.upper().startswith(b"* BYE"):
            raise MailboxError(_goodbye(server, line)) from error
        # The libraries' parsers raise what they please at rubbish. Only the error's kind is logged: its text may quote what was sent.
        log.info("a mail server's answer was not understood: %s", type(error).__name__)
        raise MailboxError(bad(_("The server's answer was not understood: %(words)s"), words=server.quoting.words(line.last))) from error


def _goodbye(server: MailServer, line: Line) -> Finding:
    return bad(_("The server closed the connection: %(words)s"), words=server.quoting.words(line.last))


def _bad_certificate(server: MailServer, error: ssl.SSLCertVerificationError) -> MailboxError:
    known = _CERTIFICATES.get(error.verify_code)
    if known is None:
        return MailboxError(bad(_UNTRUSTED, words=server.quoting.text(error.verify_message)))
    reason, advice = known
    return MailboxError(bad(reason, **({"server": server.server} if known is _OTHER_NAME else {})), bad(advice))


def refused(server: MailServer, line: Line) -> MailboxError:
    """Return why the server does not sign in a user."""
    words = server.quoting.words(line.last)
    if code_of(line.last).split(" ")[0] in _NOT_NOW:
        return MailboxError(bad(_("The server does not sign in anybody just now: %(words)s"), words=words))
    if server.access_token:
        advice = bad(_("Authorise the mailbox anew, and check that the user name is the address that was authorised."))
        return TokenRefusedError(bad(_("The server refused the access token: %(words)s"), words=words), advice)
    advice = bad(_("Check user name and password. Some providers want a password made for this one purpose, or IMAP switched on in their settings."))
    return MailboxError(bad(_("The server refused user name or password: %(words)s"), words=words), advice)


def no_password(line: Line, ways: Sequence[str]) -> MailboxError:
    """Return why a server takes no password from us."""
    if line.tls_version is None:
        advice = bad(_("Switch /notls off, or try /ssl with its own port."))
        return MailboxError(bad(_("The server takes passwords over encrypted lines only.")), advice)
    return MailboxError(bad(_("The server takes no password, only: %(ways)s"), ways=", ".join(ways) or "--"))




def no_token(ways: Sequence[str]) -> MailboxError:
    """Return that a server takes no access token."""
    advice = bad(_("Use a password for this mailbox, or the server that the provider names for OAuth 2."))
    return MailboxError(bad(_("The server takes no access token, only: %(ways)s"), ways=", ".join(ways) or "--"), advice)
