"""What a run works with, how much it takes at once, and what it tells of itself."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cs_plugin.desk import Bench
from cs_plugin.errors import CustomerServiceError
from cs_plugin.mail.mailbox import Finding, Reach
from cs_plugin.store.files import FileStore

WORKER = "worker"
COMMAND = "command"


class TurnLostError(CustomerServiceError):
    """Say that somebody else has the mailbox now: what was not committed must not be."""


class HostFailedError(CustomerServiceError):
    """Say that the host answers about no mail: nothing is wrong with the mails, and they are left for later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken at once: mails and bytes of one fetch, and the bytes of one mail above which it stays on the server."""

    mails: int = 100
    bytes: int = 8 << 20
    largest: int = 25 << 20


def never() -> bool:
    """Say that nobody asks for an end."""
    return False


def no_token(_token_id: int, _server: str, _refused: str = "") -> str:
    """Return no token: nobody has set up how they are had."""
    return ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run works with.

    `bench` makes the desk's bench on a session; `access_token_of` returns what signs in to a server by an authorisation (an id of `OAuthToken`), and
    not the token that was refused just now; or it raises an error with an untranslated `message` and `values`. It may ask the network. `every` is
    the pause between two runs that work.
    """

    sessions: Callable[[], Session]
    bench: Callable[[Session], Bench]
    files: FileStore
    reach: Reach
    clock: Callable[[], dt.datetime]
    access_token_of: Callable[[int, str, str], str] = no_token
    limits: Limits = field(default_factory=Limits)
    every: dt.timedelta = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a run, and what they want to hear.

    `tell` is told how many mails are done, and of how many (0 where nobody knows); what it raises ends the run after the piece in hand. Once
    `stopping` says so the run ends as well. `run_id` is a run that goes on.
    """

    started_by: str
    job_id: int | None = None
    run_id: int | None = None
    stopping: Callable[[], bool] = never
    tell: Callable[[int, int], None] = lambda _done, _total: None


@dataclass(frozen=True, slots=True)
class Counted:
    """What a run would find: mails and bytes to fetch, those that are too large, and those from before what was asked for."""

    mails: int
    bytes: int
    too_large: int
    before_start: int
    in_folder: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run. `counts` says it by `Outcome`; `findings` are what went wrong, empty where nothing did.

    `busy` says that somebody else has the mailbox, and nothing was done; `is_over` that there was nothing left to do; `counted` is a dry run's.
    """

    mailbox_id: int
    name: str = ""
    run_id: int | None = None
    counts: Mapping[str, int] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()
    busy: bool = False
    is_over: bool = True
    counted: Counted | None = None

    @property
    def error(self) -> str:
        """Return what went wrong in plain English words; empty where nothing did."""
        return " ".join(one.message % one.values if one.values else one.message for one in self.findings)

    @property
    def mails(self) -> int:
        """Return how many mails it is about."""
        return sum(self.counts.values())
