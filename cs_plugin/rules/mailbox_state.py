"""How a mailbox that is fetched fares: what its row tells, as one word that pages and checks put into sentences."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

# So many failures in a row are no accident any more, and so long without a success is silence.
MANY_FAILURES = 3
SILENT_FOR = dt.timedelta(hours=1)


class Fares(StrEnum):
    """How a mailbox fares."""

    NEW = "new"            # nobody has said yet from when on mail is wanted
    OFF = "off"            # switched off
    UNAUTHORISED = "unauthorised"   # the authorisation has ended, or was never given
    FAILING = "failing"    # it fails again and again
    SILENT = "silent"      # nobody has fetched it for long
    STUMBLED = "stumbled"  # it failed just now
    BEGINNING = "beginning"  # it has not been fetched yet
    WELL = "well"


# What somebody has to look at.
TROUBLES = frozenset({Fares.UNAUTHORISED, Fares.FAILING, Fares.SILENT})


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """What the row of a mailbox tells. `since` is when it was begun with, else made; `unauthorised` that an authorisation is needed and not there."""

    active: bool
    begun: bool
    since: dt.datetime
    failures: int = 0
    last_success_at: dt.datetime | None = None
    unauthorised: bool = False


def fares(facts: MailboxFacts, now: dt.datetime) -> Fares:
    """Return how a mailbox fares at a moment; what is read first counts."""
    quiet = now - (facts.last_success_at or facts.since)
    decided = (
        (facts.unauthorised and (facts.active or not facts.begun), Fares.UNAUTHORISED),
        (not facts.begun and not facts.active, Fares.NEW),
        (not facts.active, Fares.OFF),
        (facts.failures >= MANY_FAILURES, Fares.FAILING),
        (quiet > SILENT_FOR, Fares.SILENT),
        (facts.failures > 0, Fares.STUMBLED),
        (facts.last_success_at is None, Fares.BEGINNING),
    )
    return next((word for holds, word in decided if holds), Fares.WELL)
