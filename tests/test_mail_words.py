"""What came of a mail is told in words, and what went well is not told as a failure."""

from __future__ import annotations

import pytest

from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.mail_matching import MATCHERS
from cs_plugin.web.mail_words import OUTCOMES, WHY, why

# What the desk gives as the reason where no matcher has decided.
OF_THE_DESK = ("came_before", "tells_that_a_mail_of_ours_failed", "tells_that_a_mail_of_ours_waits", "belongs_to_no_thread", "begins_a_thread")


def test_every_outcome_has_words() -> None:
    """None is told by its name."""
    assert set(OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("reason", [*(matcher.__name__ for matcher in MATCHERS), *OF_THE_DESK])
def test_a_reason_is_told_in_a_sentence_of_its_own(reason: str) -> None:
    """And not as something that could not be read."""
    assert why(reason) == (WHY[reason], {})
