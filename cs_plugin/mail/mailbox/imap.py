"""A mailbox by IMAP (RFC 3501), over imapclient: mails are named by their UIDs alone, and come one by one, however many a command asks for."""

from __future__ import annotations

import datetime as dt
import imaplib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox.findings import MailboxError, bad, xoauth2
from cs_plugin.mail.mailbox.line import Line, Patience, TooMuchError, Upgrade
from cs_plugin.mail.mailbox.mailbox import ListedMail, Mailbox, WithheldError, most_bytes
from cs_plugin.mail.mailbox.refusals import (
    ODD_FOLDER,
    REFUSED,
    TOO_MUCH,
    WITHHELD,
    is_one_line,
    no_password,
    no_token,
    plain_words,
    refused,
    turned_away,
)
from cs_plugin.mail.mailbox.server import INBOX, MailServer

_MAX_LINE = 1_000_000
_MOST_FOLDERS_TOLD = 8
# What is received for nothing, so that the mails behind it come: one that a server has listed with a size far too small.
_MOST_PASSED_OVER = 1 << 28
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
# UIDs are 32 bits (RFC 3501, section 2.3.1.1). Lines of commands are kept well below the 8,000 bytes that servers take (RFC 7162, section 4).
_LAST_UID = (1 << 32) - 1
_MOST_NAMED = 350
# Seconds after which waiting begins anew, since servers hang up on whoever is silent for half an hour; and between two looks whether to stop.
_RENEWED = 28 * 60.0
_LOOKED_UP = 0.5
# What imaplib and imapclient read themselves.
_KEPT = frozenset({"CAPABILITY", "READ-ONLY"})
# What a list of mails is nearly always answered with; the rest is left to imapclient's parser, which takes every letter by itself.
_LISTED = re.compile(rb'\d+ \((?:(?:UID (?P<uid>\d+)|RFC822\.SIZE (?P<size>\d+)|INTERNALDATE "(?P<date>[^"]*)") ?)+\)', re.IGNORECASE)
_DATE = re.compile(r"\s?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _Imap4(imaplib.IMAP4):
    """`imaplib` over a line of ours: what is connected to was looked up and checked before.

    A literal longer than `longest` is passed over: `passed_over` says so, and nothing stands for it.
    """

    def __init__(self, server: MailServer, line: Line) -> None:
        self._line = line
        self.longest = _MOST_PASSED_OVER
        self.passed_over = False
        super().__init__(server.server, server.port)

    def _create_socket(self, _timeout: float | None = None) -> Any:
        return self._line

    def read(self, size: int) -> bytes:
        if not self.longest < size <= _MOST_PASSED_OVER:
            return self._line.read(size)
        self._line.pass_over(size)
        self.passed_over = True
        return b""

    def readline(self) -> bytes:
        # A server's longest line, as `imaplib` bounds it.
        line = self._line.readline(_MAX_LINE + 1)
        if len(line) > _MAX_LINE:
            raise TooMuchError("the server sends more than it was asked for")
        return line


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


class ImapMailbox(Mailbox):
    """A folder on an IMAP server. Flags, and whether somebody has read a mail, stay as they are."""

    def __init__(self, server: MailServer, line: Line) -> None:
        """Wait for the server's greeting."""
        super().__init__(server, line)
        self._step = line.patience.step
        self.client = _client(server, line)
        self._imap: Any = self.client._imap
        self._signed_in_at = 0
        # Whether the server has told just now what there is, and whether it has told of more mails since they were listed.
        self._fresh = False
        self._more_came = False
        self._unfinished: bytes | None = None
        self._fetching = False
        if not line.first.upper().startswith(b"* OK"):
            # PREAUTH: whoever sends that before STARTTLS keeps us from encrypting (RFC 9051, section 11.3).
            raise MailboxError(bad(_("The server takes us for signed in without a password. That is not accepted.")))

    # --- Opening ------------------------------------------------------------------------------------------------------------------------------

    def offers_starttls(self) -> bool:
        """Say whether encryption can begin now."""
        return bool(self.client.has_capability("STARTTLS"))

    def start_tls(self, upgrade: Upgrade) -> None:
        """Begin it."""
        try:
            self.client.starttls(ssl_context=upgrade)
        except imaplib.IMAP4.error as error:
            raise MailboxError(turned_away(self.server, self.line)) from error
        # What was said before, somebody on the way may have said.
        self._imap.untagged_responses.clear()

    def sign_in(self) -> None:
        """Sign in with the access token or the password. Raise MailboxError where that is refused."""
        try:
            if self.server.access_token:
                self._sign_in_by_token()
            else:
                self._sign_in_by_password()
        except imaplib.IMAP4.error as error:
            raise refused(self.server, self.line) from error
        self._signed_in_at = self._imap.tagnum

    def _sign_in_by_password(self) -> None:
        user, password = self.server.user, self.server.password
        can = self._ways()
        if "LOGINDISABLED" not in can and f"{user}{password}".isascii():
            self.client.login(_quoted(user), password)
        elif "AUTH=PLAIN" in can:
            self.client.plain_login(user, password)
        elif "LOGINDISABLED" in can:
            raise no_password(self.line, sorted(word.removeprefix("AUTH=") for word in can if word.startswith("AUTH=")))
        else:
            raise MailboxError(bad(_("The server takes only plain letters in user names and passwords.")))

    def _sign_in_by_token(self) -> None:
        ways = sorted(word.removeprefix("AUTH=") for word in self._ways() if word.startswith("AUTH="))
        if ways and "XOAUTH2" not in ways:
            raise no_token(ways)
        said = [xoauth2(self.server.user, self.server.access_token).encode()]
        # What is refused is told in a challenge of its own, which wants an empty answer; whoever asks on is not answered.
        self._imap.authenticate("XOAUTH2", lambda _challenge: said.pop() if said else b"")

    def _ways(self) -> set[str]:
        return {word.decode("ascii", "replace") for word in self.client.capabilities()}

    def count(self) -> int:
        """Open the folder for reading, and return how many messages are in it. Raise MailboxError where there is none."""
        return int(self._selected(readonly=True)[b"EXISTS"])

    def open(self) -> None:
        """Open the folder to fetch from. Raise MailboxError."""
        with self.asking(self._step, mails=1):
            answer = self._selected(readonly=False)
            self.total = int(answer[b"EXISTS"])
            self.uidvalidity = answer.get(b"UIDVALIDITY")
            self.uid_next = answer.get(b"UIDNEXT") or None
            self._imap.untagged_responses.clear()
            self._fresh, self._more_came = True, False
        if self.uidvalidity is None:
            raise MailboxError(bad(_("The server gives its messages no lasting numbers (UIDVALIDITY), so that they cannot be told apart.")))

    def _selected(self, *, readonly: bool) -> dict[bytes, Any]:
        try:
            answer: dict[bytes, Any] = self.client.select_folder(self.server.folder, readonly=readonly)
        except imaplib.IMAP4.readonly:
            # A folder of somebody else's: mails are fetched from it, and left.
            return self._selected(readonly=True)
        except imaplib.IMAP4.error as error:
            raise self._no_folder(self.server.quoting.words(self.line.last)) from error
        return answer

    def _no_folder(self, words: str) -> MailboxError:
        folder, text = self.server.folder, self.server.quoting.text
        names = self._folders()
        if folder in names:
            return MailboxError(bad(_("The folder %(folder)s cannot be opened: %(words)s"), folder=folder, words=words))
        told = ", ".join(text(name, 60) for name in names[:_MOST_FOLDERS_TOLD]) + (", …" if len(names) > _MOST_FOLDERS_TOLD else "")
        advice = [bad(_("The folders there are: %(folders)s"), folders=told)] if told else []
        return MailboxError(bad(_("There is no folder %(folder)s."), folder=folder), *advice)

    def folders(self) -> list[str]:
        """Return the names of the folders that can be opened."""
        with self.asking(self._step, mails=1):
            return self._folders()

    def _folders(self) -> list[str]:
        return [str(name) for flags, _, name in self.client.list_folders() if b"\\noselect" not in {flag.lower() for flag in flags}]

    # --- Listing ------------------------------------------------------------------------------------------------------------------------------

    @property
    def commands(self) -> int:
        """Return how many commands were sent since signing in."""
        return int(self._imap.tagnum) - self._signed_in_at

    def list_after(self, uid: int, *, since: dt.date | None = None) -> list[ListedMail]:
        """Return the mails with UIDs above `uid`, in their order; with `since` those that arrived on that day or later. Raise MailboxError."""
        if uid >= _LAST_UID or self._nothing_after(uid):
            return []
        if since is None:
            return [mail for mail in self._list(f"{uid + 1}:*") if mail.uid and mail.uid > uid]
        day = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year:04}"
        found = {one for one in self._search(f"UID {uid + 1}:* SINCE {day}") if one > uid}
        return [mail for mail in self._list(f"{min(found)}:{max(found)}") if mail.uid in found] if found else []

    def list_all(self) -> list[ListedMail]:
        """Return all mails in the order of their UIDs."""
        return self.list_after(0)

    def _nothing_after(self, uid: int) -> bool:
        """Say whether what the server has told already is enough to know that there is nothing to list."""
        if not (self._fresh or self._more_came):
            with self.asking(self._step):
                self._imap.noop()
        self._fresh = self._more_came = False
        return not self.total or (self.uid_next is not None and self.uid_next <= uid + 1)

    def _list(self, uids: str) -> list[ListedMail]:
        listed = dict[int, ListedMail]()
        sizeless = set[int]()
        with self.asking(self._step, mails=self.total):
            for told in self._told("FETCH", uids, "(UID RFC822.SIZE INTERNALDATE)"):
                uid, size, moment = _listed(told)
                if uid is not None and size is not None:
                    listed[uid] = ListedMail(size, uid=uid, arrived_at=moment)
                elif uid is not None:
                    sizeless.add(uid)
            # The flags of one that has come just now may be told, and it is listed next time. One in between would be passed over for good.
            if listed and any(uid < max(listed) for uid in sizeless - set(listed)):
                raise ValueError("a mail was listed without its size")
        return [listed[uid] for uid in sorted(listed)]

    def _search(self, criteria: str) -> set[int]:
        with self.asking(self._step, mails=self.total):
            return set(self.client.search(criteria))

    # --- Fetching -----------------------------------------------------------------------------------------------------------------------------

    def fetch(self, mails: Sequence[ListedMail]) -> Iterator[tuple[ListedMail, bytes]]:
        """Yield mails as they come, each whole; one that somebody has removed meanwhile is missing. No other command may come between.

        Raise MailboxError, or WithheldError once all others are there.
        """
        withheld = list[ListedMail]()
        for some in _batches(mails):
            missing = {mail.uid: mail for mail in some}
            yield from self._fetch(missing, withheld)
            for mail in self._still_there(missing):
                # One that the server cannot give makes it refuse, or leave out, those that were asked for beside it.
                alone = {mail.uid: mail}
                if len(some) > 1:
                    yield from self._fetch(alone, withheld)
                withheld += self._still_there(alone)
        if withheld:
            raise WithheldError(bad(WITHHELD, n=len(withheld)), withheld)

    def _fetch(self, missing: dict[int | None, ListedMail], withheld: list[ListedMail]) -> Iterator[tuple[ListedMail, bytes]]:
        """Yield the mails of one command; those that did not come are left in `missing`, but that those far too long go to `withheld`."""
        self._imap.longest = max(most_bytes([mail]) for mail in missing.values())
        with self.asking(self._step, bytes_asked=most_bytes(list(missing.values()))), self._nothing_between():
            try:
                for told in self._told("FETCH", _uid_set(missing), "(UID BODY.PEEK[])", or_refused=True):
                    if self._imap.passed_over:
                        withheld.append(missing.pop(self._passed_over(told)))
                        continue
                    attributes = _parsed(told)
                    # What is no text is NIL: the mail has been removed.
                    mail = missing.pop(attributes.get(b"UID"), None) if isinstance(attributes.get(b"BODY[]"), bytes) else None
                    told.clear()
                    if mail is None:
                        continue
                    began = time.monotonic()
                    yield mail, attributes.pop(b"BODY[]")
                    # Meanwhile nobody waited for the server.
                    self.line.patience.lengthen(time.monotonic() - began)
            except TooMuchError as error:
                self.line.close()
                if len(missing) == 1:
                    raise WithheldError(bad(TOO_MUCH), list(missing.values())) from error
                raise

    def _passed_over(self, told: list[Any]) -> int:
        """Return the UID of the mail that was too long to be kept. Raise TooMuchError where it is not told whose mail that was."""
        self._imap.passed_over = False
        found = _UID.search(b" ".join(part[0] if isinstance(part, tuple) else part for part in told))
        if found is None:
            raise TooMuchError("a mail without a name is too long")
        return int(found[1])

    def _still_there(self, missing: dict[int | None, ListedMail]) -> list[ListedMail]:
        """Return those that did not come and have not been removed either."""
        if not missing:
            return []
        with self.asking(self._step):
            # What others have removed is told with this, where it may still be listed else.
            self._imap.noop()
        found = self._search(f"UID {_uid_set(missing)}")
        return [mail for uid, mail in missing.items() if uid in found]

    def fetch_head(self, mail: ListedMail, most: int = 65536) -> bytes:
        """Return the header of a mail, cut at `most` bytes; nothing where it has been removed. Raise MailboxError."""
        head = b""
        with self.asking(self._step, bytes_asked=most):
            for told in self._told("FETCH", str(mail.uid), f"(UID BODY.PEEK[HEADER]<0.{most}>)"):
                attributes = _parsed(told)
                if attributes.get(b"UID") == mail.uid:
                    head = next((value for name, value in attributes.items() if name.startswith(b"BODY[HEADER]") and isinstance(value, bytes)), head)
        return head[:most]

    # --- Removing -----------------------------------------------------------------------------------------------------------------------------

    def delete(self, mails: Sequence[ListedMail]) -> None:
        """Remove these mails and no others. Raise MailboxError.

        Where the server cannot remove by UID (RFC 4315) and somebody else has marked mails as deleted, ours are only marked as well.
        """
        for some in _batches(mails):
            uids = _uid_set(mail.uid for mail in some)
            self._ask("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")
            if self._can("UIDPLUS"):
                self._ask("EXPUNGE", uids)
            elif self._search("DELETED") <= {mail.uid for mail in some}:
                with self.asking(self._step):
                    self.client.expunge()

    def move(self, mails: Sequence[ListedMail], folder: str) -> None:
        """Move these mails to another folder, which is made where there is none. Raise MailboxError."""
        if not is_one_line(folder):
            raise MailboxError(bad(ODD_FOLDER))
        if folder == self.server.folder or folder.upper() == self.server.folder.upper() == INBOX:
            raise MailboxError(bad(_("Messages cannot be moved to the folder that they are fetched from.")))
        name = self.client._normalise_folder(folder)
        moves = self._can("MOVE")
        for some in _batches(mails):
            uids = _uid_set(mail.uid for mail in some)
            verb = "MOVE" if moves else "COPY"
            try:
                self._ask(verb, uids, name)
            except MailboxError:
                if not self._made(folder):
                    raise
                self._ask(verb, uids, name)
            if not moves:
                self.delete(some)

    def _made(self, folder: str) -> bool:
        """Make a folder where there is none, and say whether that was so."""
        with self.asking(self._step):
            if self.client.folder_exists(folder):
                return False
            self.client.create_folder(folder)
            with suppress(imaplib.IMAP4.error):
                self.client.subscribe_folder(folder)
        return True

    # --- Waiting ------------------------------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> bool | None:
        """Wait until mails come (RFC 2177): True as soon as some have, False where none did, None where the server cannot tell.

        Raise MailboxError.
        """
        if not self._can("IDLE"):
            return None
        until = time.monotonic() + seconds
        while not self._more_came and not stopping() and (left := until - time.monotonic()) > 0:
            if not self._idle(time.monotonic() + min(left, _RENEWED), stopping):
                return None
        return self._more_came

    def _idle(self, until: float, stopping: Callable[[], bool]) -> bool:
        """Say whether the server let us wait."""
        with self.asking(self._step):
            tag = self._imap._command("IDLE")
            commands = self._imap.tagged_commands
            while self._imap._get_response() is not None:
                self._imap._check_bye()
                if commands[tag] is not None:
                    del commands[tag]
                    return False
            while not self._more_came and not stopping() and (left := until - time.monotonic()) > 0:
                if self.line.has_something(min(left, _LOOKED_UP)):
                    self.line.patience = self._patience()
                    self._imap._get_response()
                    self._imap._check_bye()
                    self._take_notice()
            self.line.patience = self._patience()
            self._imap.send(b"DONE\r\n")
            self._done("IDLE", tag)
        return True

    def finish(self) -> None:
        """Do nothing: what was removed is."""

    def close(self) -> None:
        """Say goodbye; nothing is deleted by that."""
        if self._unfinished is None:
            with suppress(Exception):
                self.line.patience = Patience(self._step, self._step)
                self.client.logout()
        self.line.close()

    def _patience(self) -> Patience:
        return Patience(self._step * 3, self._step * 6)

    # --- Commands -----------------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def asking(self, step: float, *, bytes_asked: int = 0, mails: int = 0) -> Iterator[None]:
        """Bound what the server answers to the next command, and turn whatever it does into MailboxError."""
        if self._fetching:
            raise RuntimeError("mails are being fetched: no other command may come between")
        if self._unfinished:
            self._settle()
        with super().asking(step, bytes_asked=bytes_asked, mails=mails):
            yield
            self._take_notice()

    def _can(self, word: str) -> bool:
        with self.asking(self._step):
            return bool(self.client.has_capability(word))

    def _ask(self, *words: str) -> None:
        """Send a command that names mails by UIDs. Raise MailboxError where it is refused."""
        with self.asking(self._step):
            for _told in self._told(*words):
                pass

    def _told(self, *words: str, or_refused: bool = False) -> Iterator[list[Any]]:
        """Send a command that names mails by UIDs, and yield what is told of each mail as soon as it is. Raise MailboxError where it is refused.

        With `or_refused` that is no error: what did not come is asked about by itself.
        """
        tag = self._imap._command("UID", *words)
        self._unfinished = tag
        told = self._imap.untagged_responses
        while self._imap.tagged_commands[tag] is None:
            self._imap._check_bye()
            self._imap._get_response()
            if "FETCH" in told:
                yield told.pop("FETCH")
        self._unfinished = None
        typ, _data = self._imap.tagged_commands.pop(tag)
        if typ != "OK" and not (or_refused and typ == "NO"):
            raise MailboxError(bad(REFUSED, command=words[0], words=self.server.quoting.words(self.line.last)))

    def _done(self, name: str, tag: bytes) -> None:
        typ, _data = self._imap._command_complete(name, tag)
        if typ != "OK":
            raise MailboxError(bad(REFUSED, command=name, words=self.server.quoting.words(self.line.last)))

    def _settle(self) -> None:
        """Read to its end what nobody wanted to the end."""
        tag, self._unfinished = self._unfinished, None
        self.line.patience = self._patience()
        with plain_words(self.server, self.line):
            while self._imap.tagged_commands[tag] is None:
                self._imap._check_bye()
                self._imap._get_response()
                self._imap.untagged_responses.pop("FETCH", None)
            del self._imap.tagged_commands[tag]

    @contextmanager
    def _nothing_between(self) -> Iterator[None]:
        self._fetching = True
        try:
            yield
        finally:
            self._fetching = False
            self._imap.longest, self._imap.passed_over = _MOST_PASSED_OVER, False

    def _take_notice(self) -> None:
        """Take in what the server has told without being asked: how many mails there are now."""
        told = self._imap.untagged_responses
        gone = len(told.get("EXPUNGE", ()))
        total = int(told["EXISTS"][-1]) if "EXISTS" in told else self.total - gone
        if total > self.total - gone:
            self._more_came, self.uid_next = True, None
        self.total = max(0, total)
        for word in set(told) - _KEPT:
            del told[word]


# --- Words of commands and answers ----------------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """Return a text as IMAP quotes it: `imaplib` quotes passwords only."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _uid_set(uids: Iterable[int | None]) -> str:
    """Return UIDs as a command names them, those in a row as a range."""
    ranges = list[list[int]]()
    for uid in sorted(uid for uid in uids if uid):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def _batches(mails: Sequence[ListedMail]) -> Iterator[list[ListedMail]]:
    """Yield mails in the order of their UIDs, as many at a time as one command names at most."""
    ordered = sorted((mail for mail in mails if mail.uid), key=lambda mail: mail.uid or 0)
    for start in range(0, len(ordered), _MOST_NAMED):
        yield ordered[start : start + _MOST_NAMED]


def _listed(told: list[Any]) -> tuple[int | None, int | None, dt.datetime | None]:
    """Return UID, size and moment of arrival of a mail as far as they are told; a server may tell of flags alone."""
    line = told[0] if len(told) == 1 else None
    found = _LISTED.fullmatch(line) if isinstance(line, bytes) else None
    if found is not None:
        uid, size, date = found["uid"], found["size"], found["date"]
    else:
        values = _parsed(told)
        uid, size, date = (values.get(name) for name in (b"UID", b"RFC822.SIZE", b"INTERNALDATE"))
    return int(uid) if uid is not None else None, int(size) if size is not None else None, _moment(date)


def _parsed(told: list[Any]) -> dict[bytes, Any]:
    """Return what is told of one mail, by the names that the server has for it."""
    from imapclient.response_parser import parse_fetch_response

    answers: dict[int, dict[bytes, Any]] = parse_fetch_response(told, normalise_times=False, uid_is_key=False)
    return next(iter(answers.values()), {})


def _moment(date: bytes | dt.datetime | None) -> dt.datetime | None:
    """Return INTERNALDATE in UTC; None where it is none."""
    try:
        if isinstance(date, bytes):
            found = _DATE.fullmatch(date.decode("ascii"))
            if found is None:
                return None
            day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
            offset = dt.timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
            where = dt.timezone(offset)
            date = dt.datetime(int(year), _MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), int(second), tzinfo=where)
        return date.astimezone(dt.UTC) if date is not None else None
    except (ValueError, OverflowError):
        return None
