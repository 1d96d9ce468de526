"""Every option, declared once: forms, defaults, help, commands and documentation are made from these rows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.inquiry import clean_text

MAX_TEXT = 20_000
MAX_LINE = 254
_MAX_HOST = 253   # RFC 1035, section 2.3.4, less the lengths around it
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_EXTENSION = re.compile(r"[a-z0-9]{1,10}")


def _(text: str) -> str:
    return text


class Kind(StrEnum):
    """What an option holds, as JSON writes it."""

    SWITCH = "switch"  # true or false
    NUMBER = "number"  # a whole number between `least` and `most`
    PORT = "port"  # a whole number between `least` and `most`, or null where none is wanted
    LINE = "line"  # a text without line breaks
    SERVER = "server"  # a host name or an IP address; an empty text where none is wanted
    SECRET = "secret"  # sealed, and never shown again; an empty text where none is wanted  # noqa: S105 - the name of a kind
    CHOICE = "choice"  # one of `choices`
    TEXT_PER_LANGUAGE = "text_per_language"  # a text for each language


class Block(StrEnum):
    """Which part of the form shows an option."""

    CONTACT = "contact"
    SERVICE = "service"
    FURTHER = "further"


BLOCK_TITLES: Mapping[Block, str] = {
    Block.CONTACT: _("Contact options"),
    Block.SERVICE: _("Customer service options"),
    Block.FURTHER: _("Further options"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name in the database, what it holds, what it is without a value of its own, and its words (marked for translation).

    `flag` is what stands in brackets behind the label; `section` the heading within its block; `more_help` is told beside `help`. `shape` brings
    what the kind lets through into its one shape, or raises as `checked` does.
    """

    name: str
    kind: Kind
    default: Any
    label: str
    help: str
    block: Block = Block.FURTHER
    section: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    least: int | None = None
    most: int | None = None
    flag: str = ""
    more_help: str = ""
    shape: Callable[[Option, Any], Any] | None = None

    def checked(self, value: object) -> Any:
        """Return a value as it is kept. Raise InvalidInputError, with the option's name as the field, for what the option cannot hold."""
        kept = _CHECKS[self.kind](self, value)
        return self.shape(self, kept) if self.shape else kept

    def read_back(self, kept: object) -> Any:
        """Return what was kept, a secret as it is sealed. Raise InvalidInputError for what is no value (any more)."""
        if self.kind is not Kind.SECRET:
            return self.checked(kept)
        if not isinstance(kept, str):
            raise self.wrong(_("Enter a text."))
        return kept

    def wrong(self, message: str, **values: object) -> InvalidInputError:
        """Return what is wrong with a value of this option."""
        return InvalidInputError(self.name, message, **values)


# --- What each kind may hold ----------------------------------------------------------------------------------------------------------------------


def _switch(option: Option, value: object) -> bool:
    if not isinstance(value, bool):
        raise option.wrong(_("Choose yes or no."))
    return value


def _number(option: Option, value: object) -> int:
    # Digits alone: int() would also take "1_0", "+5" and digits of other scripts, and raises for thousands of them.
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not option.least <= value <= option.most:  # type: ignore[operator]  # numbers have both
        raise option.wrong(_("Enter a whole number from %(least)s to %(most)s."), least=option.least, most=option.most)
    return value


def _port(option: Option, value: object) -> int | None:
    return None if value is None or (isinstance(value, str) and not value.strip()) else _number(option, value)


def _string(option: Option, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise option.wrong(_("Enter a text."))
    if len(value) > most:
        raise option.wrong(_("This field cannot be longer than %(most)s characters"), most=most)
    return value


def _text(option: Option, value: object) -> str:
    # Browsers send two characters for each line end, and only one is kept and counted.
    return _string(option, clean_text(value) if isinstance(value, str) else value, MAX_TEXT)


def _line(option: Option, value: object) -> str:
    text = _string(option, value, MAX_LINE).strip()
    if not text.isprintable():
        raise option.wrong(_("This text has a character that cannot be kept."))
    return text


def _secret(option: Option, value: object) -> str:
    # Blanks belong to it, at its ends too; line ends and other controls would be commands of their own to a mail server.
    text = _string(option, value, MAX_LINE)
    if clean_text(text) != text or "\n" in text:
        raise option.wrong(_("This text has a character that cannot be kept."))
    return text


def _server(option: Option, value: object) -> str:
    typed = _line(option, value)
    server = (_address(typed) or _host_name(typed)) if typed else ""
    if server is None:
        raise option.wrong(_("Enter a host name or an address only, such as mail.server.com."))
    return server


def _address(text: str) -> str | None:
    """Return an IP address in its one shape; one of IPv6 also where it stands in brackets, as in URLs."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else ""
    try:
        address = ipaddress.IPv6Address(bare) if bare else ipaddress.ip_address(text)
    except ValueError:
        return None
    # What stands behind % names a network card of some machine, in whatever characters.
    return None if "%" in text else str(address)


def _host_name(text: str) -> str | None:
    """Return a host name in its one shape: lower case, without a dot at its end, its letters as names of hosts hold them (IDNA)."""
    try:
        ascii_name = text.encode("idna").decode().lower().removesuffix(".")
        name = ascii_name if text.isascii() else ascii_name.encode().decode("idna")
    except UnicodeError:
        return None
    labels = ascii_name.split(".")
    # Digits and dots alone are an address that somebody mistyped.
    is_name = len(ascii_name) <= _MAX_HOST and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    return name if is_name else None


def _choice(option: Option, value: object) -> str:
    if not isinstance(value, str) or value not in dict(option.choices):
        raise option.wrong(_("Choose one of the list."))
    return value


def _extensions(option: Option, text: str) -> str:
    """Return extensions of files in one shape: "pdf png" for ".PDF, png"."""
    words = [word.removeprefix(".").lower() for word in text.replace(",", " ").split()]
    if not all(_EXTENSION.fullmatch(word) for word in words):
        raise option.wrong(_("Enter extensions with a blank between them, such as: pdf png"))
    return " ".join(dict.fromkeys(words))


_CHECKS: Mapping[Kind, Callable[[Option, object], Any]] = {
    Kind.SWITCH: _switch,
    Kind.NUMBER: _number,
    Kind.PORT: _port,
    Kind.LINE: _line,
    Kind.SERVER: _server,
    Kind.SECRET: _secret,
    Kind.CHOICE: _choice,
    Kind.TEXT_PER_LANGUAGE: _text,
}


# --- The options ----------------------------------------------------------------------------------------------------------------------------------


_MAILBOX, _CONNECTION = _("Mailbox"), _("Connection")
_CONVERSATIONS, _FILES = _("Conversations"), _("Files")


def _flag(flag: str, help_: str, more_help: str = "") -> Option:
    name = f"imap_{flag.replace('-', '_')}"
    return Option(name, Kind.SWITCH, False, _("IMAP options"), help_, Block.SERVICE, _CONNECTION, flag=f"/{flag}", more_help=more_help)


# In the order in which forms show them.
OPTIONS: tuple[Option, ...] = (
    Option(
        "allow_file_uploading",
        Kind.SWITCH,
        True,
        _("Allow file uploading"),
        _("Allow customers to upload files using the contact page."),
        Block.CONTACT,
    ),
    Option(
        "default_message",
        Kind.TEXT_PER_LANGUAGE,
        _("Dear Customer,\n\nRegards,\nCustomer service"),
        _("Default message"),
        _("Please fill out the message fields that appear by default when you answer a thread on the customer service page"),
        Block.CONTACT,
    ),
    Option("imap_url", Kind.SERVER, "", _("IMAP URL"), _("URL for your IMAP server (ie.: mail.server.com)."), Block.SERVICE, _MAILBOX),
    Option(
        "imap_port",
        Kind.PORT,
        None,
        _("IMAP port"),
        _("Port to use to connect to your IMAP server."),
        Block.SERVICE,
        _MAILBOX,
        least=1,
        most=65_535,
    ),
    Option("imap_user", Kind.LINE, "", _("IMAP user"), _("User to use to connect to your IMAP server."), Block.SERVICE, _MAILBOX),
    Option("imap_password", Kind.SECRET, "", _("IMAP password"), _("Password to use to connect to your IMAP server."), Block.SERVICE, _MAILBOX),
    Option(
        "delete_messages",
        Kind.SWITCH,
        False,
        _("Delete messages"),
        _("Delete messages after synchronization. If you do not enable this option, the synchronization will take more time."),
        Block.SERVICE,
        _MAILBOX,
    ),
    Option(
        "create_new_threads",
        Kind.SWITCH,
        False,
        _("Create new threads"),
        _("Create new threads for unrecognized emails."),
        Block.SERVICE,
        _MAILBOX,
    ),
    _flag("pop3", _("Use POP3 instead of IMAP.")),
    _flag(
        "norsh",
        _("Do not use RSH or SSH to establish a preauthenticated IMAP sessions."),
        _("This option has no effect: no remote shell is ever used."),
    ),
    _flag("ssl", _("Use the Secure Socket Layer (TLS/SSL) to encrypt the session.")),
    _flag(
        "validate-cert",
        _("Validate certificates from the TLS/SSL server."),
        _("Certificates are validated in any case, unless /novalidate-cert is on."),
    ),
    _flag(
        "novalidate-cert",
        _("Do not validate certificates from the TLS/SSL server. This is only needed if a server uses self-signed certificates."),
    ),
    _flag("tls", _("Force use of start-TLS to encrypt the session, and reject connection to servers that do not support it.")),
    _flag(
        "notls",
        _("Do not use start-TLS to encrypt the session, even with servers that support it."),
        _("The password then goes over the line for everybody to read."),
    ),
    Option(
        "after_reply",
        Kind.CHOICE,
        "close",
        _("After a reply"),
        _("What becomes of a thread when its answer is sent."),
        section=_CONVERSATIONS,
        choices=(("close", _("Close the thread")), ("keep", _("Keep its status"))),
    ),
    Option(
        "reopen_closed",
        Kind.CHOICE,
        "always",
        _("Reopen closed threads"),
        _("Whether a customer's message reopens a closed thread, or begins a new one that refers to it once the thread has been quiet for too long."),
        section=_CONVERSATIONS,
        choices=(("always", _("Always")), ("within", _("Within the days below"))),
    ),
    Option(
        "reopen_days",
        Kind.NUMBER,
        30,
        _("Days to reopen"),
        _("For how many days after its last message a closed thread is reopened, where it is not always."),
        section=_CONVERSATIONS,
        least=1,
        most=3_650,
    ),
    Option(
        "name_shown",
        Kind.CHOICE,
        "first",
        _("Name shown to customers"),
        _("Under which name customers see an employee's answer."),
        section=_CONVERSATIONS,
        choices=(("first", _("First name")), ("full", _("First and last name")), ("shop", _("The shop's name"))),
    ),
    Option(
        "assign_on_first_reply",
        Kind.SWITCH,
        True,
        _("Assign on first reply"),
        _("Whoever answers an unassigned thread first takes it."),
        section=_CONVERSATIONS,
    ),
    Option(
        "unknown_sender",
        Kind.CHOICE,
        "thread",
        _("Mail from an unknown sender"),
        _("What becomes of a mail that answers a thread and comes from somebody who has no part in it."),
        section=_CONVERSATIONS,
        choices=(("thread", _("Begin a new thread that refers to it")), ("set_aside", _("Set it aside"))),
    ),
    Option(
        "closing_question",
        Kind.SWITCH,
        False,
        _("Closing question"),
        _("Ask customers how they were served, by a link in the answer that closes their thread."),
        section=_CONVERSATIONS,
    ),
    Option(
        "retention_days",
        Kind.NUMBER,
        0,
        _("Keep closed threads"),
        _("For how many days after its last message a closed thread is kept; then it is erased for good, with its files. 0 keeps all of them."),
        section=_CONVERSATIONS,
        least=0,
        most=36_500,
    ),
    Option(
        "file_types",
        Kind.LINE,
        "pdf txt png jpg jpeg gif webp zip doc docx rtf",
        _("File types"),
        _("Extensions that customers and employees may attach, with a blank between them."),
        section=_FILES,
        shape=_extensions,
    ),
    Option(
        "files_per_message", Kind.NUMBER, 5, _("Files per message"), _("How many files a message may have."), section=_FILES, least=0, most=50
    ),
    Option(
        "file_size_mb", Kind.NUMBER, 10, _("File size"), _("How many megabytes (MB) a file may have."), section=_FILES, least=1, most=100
    ),
    Option(
        "files_size_mb",
        Kind.NUMBER,
        25,
        _("Size of all files"),
        _("How many megabytes (MB) the files of a message may have together."),
        section=_FILES,
        least=1,
        most=200,
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}
