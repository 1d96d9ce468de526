"""The question of the first connection below the options, in a browser: with scripts and without, on a phone and from right to left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cs_plugin import Employee
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.mail_in import do_jobs
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.syncing import describe, mail, mailbox
from tests.servers.browser import Browser, ColourScheme
from tests.servers.dovecot import DovecotServer

OPTIONS = "/cs-admin/customer-service-options/?shop=all"


@pytest.fixture
def shown(tmp_path: Path, browser: Browser, dovecot_server: DovecotServer) -> Iterator[Shown]:
    """A store whose options describe a mailbox with two mails in it, one of them too large. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_SYNC_MAX_MB=0.01)
    store.answers.grants[LAYLA.id] = EVERYTHING
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1), mail(2, "too long. " * 2_000))
    describe(store, dovecot_server, user)
    with shown_strictly(store, browser, Shown) as one:
        yield one


@pytest.mark.shows("10.1")
@BOTH
def test_the_question_is_asked_after_a_count_and_answered(shown: Shown, scripts: bool) -> None:
    """The count comes by itself where scripts run, else with the next look; the answer puts the question away."""
    with shown.page(OPTIONS, scripts=scripts) as page:
        expect(page.get_by_text("so the mails are not counted")).to_be_visible()
        do_jobs(shown.store)
        if not scripts:
            page.reload()
        expect(page.get_by_text("2 mails lie in INBOX.")).to_be_visible()
        expect(page.get_by_text("1 is too large")).to_be_visible()
        expect(page.get_by_label("Only mail from now on")).to_be_checked()
        page.get_by_label("All mail").check()
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("heading", name="First connection")).to_have_count(0)
        expect(page.get_by_text("Fetch earlier mail as well")).to_be_visible()
    assert mailbox(shown.store).start == "all"


@pytest.mark.parametrize(("employee", "width", "scheme"), [(MARIE, 1440, "light"), (LAYLA, 390, "dark"), (MARIE, 360, "light")])
def test_axe_finds_nothing_and_nothing_runs_over(shown: Shown, employee: Employee, width: int, scheme: ColourScheme) -> None:
    """With the count in the block, in both schemes and directions."""
    with shown.page(OPTIONS, employee=employee, viewport=(width, 900), colour_scheme=scheme) as page:
        do_jobs(shown.store)
        page.reload()
        expect(page.locator("[data-counting='']")).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
