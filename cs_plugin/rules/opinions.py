"""What a customer thinks of how they were served: the answer to the closing question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

MAX_COMMENT = 2_000
# For how long an answer to the question can be changed: figures of the past then stand.
CHANGED_FOR = dt.timedelta(days=14)


def _(text: str) -> str:
    return text


# The scores, from worst to best, in words (marked for translation).
SCORES: Mapping[int, str] = {
    1: _("Very bad"),
    2: _("Bad"),
    3: _("Neither good nor bad"),
    4: _("Good"),
    5: _("Very good"),
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """One of SCORES, and what the customer adds to it."""

    score: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class KeptOpinion:
    """An opinion that was given, and when it first was."""

    opinion: Opinion
    given_at: dt.datetime

    def stands(self, now: dt.datetime) -> bool:
        """Say whether it can be changed no longer."""
        return now - self.given_at >= CHANGED_FOR
