"""The commands that say what is wrong, and mend what failed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from cs_plugin import Shop, desk
from cs_plugin.mail.transport import SmtpTransport
from cs_plugin.store.models import Blob, Contact, Delivery, OutboxItem, OutboxState
from tests.hosts.store import Store, make_store
from tests.servers.smtp import SMTPServer
from tests.test_outbox import JAN, NO_SUCH_USER, answered, deliver, items, kept_file, message_of, passed_on

PARIS = "paris@shop.example"


def run(store: Store, *words: str, answer: str | None = None) -> Result:
    """Run `flask cs …`."""
    return store.app.test_cli_runner().invoke(args=["cs", *words], input=answer)


def failed_ones(store: Store, server: SMTPServer, folder: Path) -> tuple[OutboxItem, OutboxItem]:
    """Let an answer and a message that is passed on fail for good, and let the server take everything from now on."""
    store.desk.transport = SmtpTransport(server.host, server.port, timeout=5.0)
    server.refuse_recipient(JAN, NO_SUCH_USER)
    server.refuse_recipient(PARIS, NO_SUCH_USER)
    answered(store)
    passed_on(store, kept_file(store, folder))
    assert deliver(store).failed == 2
    server.behave()
    answer, passed = (one for one in items(store) if one.state is OutboxState.FAILED)
    return answer, passed


def states(store: Store) -> dict[int, OutboxState]:
    """Return the state of each queued mail."""
    return {one.id: one.state for one in items(store)}


@pytest.mark.shows("11.1")
def test_failed_mails_are_listed_with_and_without_a_thread(any_store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """On every database: id, kind, recipient, since when, and the server's words."""
    store = any_store
    assert run(store, "failed").output == "No mail has failed.\n"
    answer, passed = failed_ones(store, smtp_server, tmp_path)
    assert run(store, "failed").output == (
        f"{answer.id}  reply  {JAN}  since 2026-11-21 18:00 UTC  {NO_SUCH_USER} ({JAN})\n"
        f"{passed.id}  passed_on  {PARIS}  since 2026-11-21 18:00 UTC  {NO_SUCH_USER} ({PARIS})\n"
    )


@pytest.mark.shows("11.1")
def test_all_failed_mails_are_tried_again(any_store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """On every database: they wait as if new, and the answer says so."""
    store = any_store
    answer, _passed = failed_ones(store, smtp_server, tmp_path)
    assert run(store, "failed", "--retry", "all").output == "2 will be tried again.\n"
    assert message_of(store, answer.message_id or 0).delivery is Delivery.QUEUED
    assert deliver(store).sent == 2
    assert run(store, "failed").output == "No mail has failed.\n"


def test_one_failed_mail_is_tried_again(store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """And no other; what has not failed is refused."""
    answer, passed = failed_ones(store, smtp_server, tmp_path)
    assert run(store, "failed", "--retry", str(passed.id)).exit_code == 0
    assert [states(store)[one.id] for one in (answer, passed)] == [OutboxState.FAILED, OutboxState.WAITING]
    again = run(store, "failed", "--retry", str(passed.id))
    assert again.exit_code == 1
    assert "Not failed" in again.output


def test_a_mail_of_a_deleted_thread_is_not_tried_again(store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """Who deleted it wants no answer to leave."""
    answer, _passed = failed_ones(store, smtp_server, tmp_path)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [answer.thread_id or 0]))
    assert run(store, "failed", "--retry", str(answer.id)).exit_code == 1
    assert states(store)[answer.id] is OutboxState.FAILED


def test_a_failed_mail_is_discarded_after_a_question(any_store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """On every database: one without a thread goes with its file."""
    store = any_store
    _answer, passed = failed_ones(store, smtp_server, tmp_path)
    assert run(store, "failed", "--discard", str(passed.id), answer="n\n").exit_code == 1
    assert states(store)[passed.id] is OutboxState.FAILED
    assert run(store, "failed", "--discard", str(passed.id), answer="y\n").exit_code == 0
    assert passed.id not in states(store)
    with store.desk.sessions() as session:
        assert session.query(Blob).count() == 0
    assert [path for path in (tmp_path / "cs_files").rglob("*") if path.is_file()] == []


def test_a_discarded_answer_can_still_be_tried_again_on_its_message(store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """It is no longer listed, and its message shows that it failed."""
    answer, _passed = failed_ones(store, smtp_server, tmp_path)
    assert run(store, "failed", "--discard", str(answer.id), "--yes").exit_code == 0
    assert f"{answer.id}  reply" not in run(store, "failed").output
    with store.app.app_context():
        store.desk.do(lambda bench: desk.retry_mail(bench, store.actor(), answer.thread_id or 0, answer.message_id or 0))
    assert deliver(store).sent == 1


@pytest.mark.parametrize("words", [
    ("--retry", "some"), ("--retry", "0"), ("--retry", str(1 << 64)), ("--discard", "-1"), ("--discard", "x"), ("--retry", "1", "--discard", "1"),
])
def test_wrong_ids_are_refused(store: Store, words: tuple[str, ...]) -> None:
    """By a usage message, and not by a traceback."""
    assert run(store, "failed", *words).exit_code == 2


def test_a_store_without_a_sender_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once at the start, and by the check."""
    with caplog.at_level(logging.WARNING):
        store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAIL_FROM=None)
    words = "customer-service@localhost.localdomain where neither contact nor shop has an address: set CS_MAIL_FROM"
    assert [one.getMessage() for one in caplog.records if "CS_MAIL_FROM" in one.getMessage()] == [f"mail comes from {words}"]
    checked = run(store, "check")
    assert f"Mail comes from {words}." in " ".join(checked.output.split())
    assert checked.exit_code == 0


@pytest.mark.parametrize("config", [{}, {"CS_MAIL_FROM": None, "MAIL_DEFAULT_SENDER": ("Shop", "desk@shop.example")}])
def test_a_store_with_a_sender_hears_nothing_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture, config: dict[str, Any]) -> None:
    """Either key is enough."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, **config)
    assert "CS_MAIL_FROM" not in caplog.text + run(store, "check").output


def test_the_check_says_where_nobody_is_told_of_messages(store: Store) -> None:
    """Only where neither a contact nor a shop has an address."""
    words = "Nobody is told of new messages by mail: no contact and no shop has an address."
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.email: ""})
        session.commit()
    assert words not in " ".join(run(store, "check").output.split())
    store.answers.shops = (Shop("1", "Paris"),)
    assert words in " ".join(run(store, "check").output.split())
