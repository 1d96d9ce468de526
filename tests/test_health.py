"""The desk's health: each gap is found, with what it costs and the lines that close it; and nothing that is broken breaks the examination."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pluggy
import pytest
from flask_migrate import Migrate
from sqlalchemy import event, text, update

from cs_plugin import Customer, Employee, Shop, health, hookimpl, hookspecs
from cs_plugin.health import Finding, Severity, hooks, work
from cs_plugin.mail.transport import SmtpTransport
from cs_plugin.plugins import Kind, hook_names
from cs_plugin.store import schema
from cs_plugin.store.models import Contact, Job, JobState, OutboxItem, OutboxState, RangeMark, ThreadApart, Worker
from cs_plugin.web import rounds
from tests.hosts.store import MARIE, Store, make_store
from tests.hosts.writing import begin, do, look
from tests.servers.processes import free_port
from tests.servers.redis import RedisServer
from tests.servers.smtp import SMTPServer


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Make stores with a configuration or plugins of their own."""
    made: list[Store] = []

    def make(**config: Any) -> Store:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(make_store(config.pop("database", f"sqlite:///{folder}/store.sqlite"), folder, **config))
        return made[-1]

    yield make
    for store in made:
        with store.app.app_context():
            store.db.session.remove()
            store.db.engine.dispose()


def examined(store: Store, *, mail: bool = False) -> list[Finding]:
    """Return all that the doctor finds."""
    with store.app.app_context():
        return health.doctor(store.desk, mail=mail)


def checked(store: Store) -> list[Finding]:
    """Return what the quick check finds."""
    with store.app.app_context():
        return health.check(store.desk)


def one(findings: list[Finding], words: str) -> Finding:
    """Return the only finding that says these words."""
    (found,) = [finding for finding in findings if words in finding.what]
    return found


def bad(findings: list[Finding]) -> list[str]:
    """Return what is wrong."""
    return [finding.what for finding in findings if finding.severity is Severity.WRONG]


# --- Tables and database


def test_a_sound_store_has_nothing_wrong(any_store: Store) -> None:
    """On each of the three databases, quickly and in all."""
    assert bad(checked(any_store)) == []
    assert bad(examined(any_store)) == []
    assert "as they should be" in checked(any_store)[0].what


def test_what_is_wrong_with_the_tables_is_told_apart(any_store: Store) -> None:
    """Missing, of a newer version, differing from the models: each with what to do; and the rest is examined all the same."""
    store = any_store

    def execute(statement: str) -> None:
        with store.app.app_context(), store.desk.engine.begin() as connection:
            connection.execute(text(statement))

    execute("ALTER TABLE cs_thread ADD COLUMN by_hand INTEGER")
    assert any("by_hand" in line for line in one(checked(store), "differ from this version's").lines)
    execute("UPDATE cs_alembic_version SET version_num = '9999'")
    newer = one(examined(store), "does not know: a newer one made them")
    assert newer.severity is Severity.WRONG
    execute("DROP TABLE cs_alembic_version")
    findings = examined(store)
    assert one(findings, "are not there").lines == ("flask cs upgrade",)
    assert one(findings, "cs_list_shops").severity is Severity.GOOD


def test_a_database_that_is_away_is_one_line(stores: Callable[..., Store]) -> None:
    """And everything else is still examined; the password is nowhere."""
    store = stores()
    url = f"postgresql+psycopg://desk:a-long-secret@127.0.0.1:{free_port()}/store?connect_timeout=2"
    away = stores(database=url, mount=False)
    away.customer_service.init_app(away.app, db=away.db)
    for findings in (checked(away), examined(away)):
        assert "The database cannot be reached" in bad(findings)[0]
        assert "a-long-secret" not in str(findings)
    assert one(examined(away), "Files can be kept")
    assert bad(checked(store)) == []


def test_sqlite_is_told_how_to_let_readers_and_writers_be(stores: Callable[..., Store]) -> None:
    """Without a write-ahead log and with little patience, the lines for the host's engine stand there; executed, they are enough."""
    store = stores(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 1}})
    findings = examined(store)
    advised = one(findings, "not ahead of the writes")
    assert one(findings, "waits only 1000 ms").lines == advised.lines
    exec("\n".join(advised.lines), {"app": store.app, "db": store.db})  # the very lines that were printed
    with store.app.app_context():
        store.db.engine.dispose()
    findings = examined(store)
    assert one(findings, "SQLite's journal: wal")
    assert not [finding for finding in findings if "waits only" in finding.what]


def test_mariadb_is_asked_for_its_charset_and_level(mariadb_database: str, stores: Callable[..., Store]) -> None:
    """A connection that cannot carry an emoji is wrong, and so is told a level that makes transactions fail."""
    store = stores(database=mariadb_database)
    assert one(examined(store), "speaks utf8mb4")

    def spoil(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SET NAMES latin1")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        cursor.close()

    with store.app.app_context():
        event.listen(store.db.engine, "connect", spoil)
        store.db.engine.dispose()
    findings = examined(store)
    assert one(findings, "speaks latin1, not utf8mb4").severity is Severity.WRONG
    assert "charset=utf8mb4" in one(findings, "speaks latin1").lines[0]
    assert one(findings, "isolated as SERIALIZABLE").severity is Severity.WARNING


# --- What waits


def test_mail_that_nobody_delivers_is_wrong(any_store: Store) -> None:
    """Once the oldest has been due for more than a quarter of an hour; until then it just waits."""
    store = any_store
    begin(store)
    assert one(checked(store), "mails wait").severity is Severity.GOOD
    store.clock.forward(minutes=20)
    late = one(checked(store), "nobody delivers")
    assert "due for 20 minutes" in late.what
    assert late.lines == ("flask cs work",)


def test_a_mail_that_was_claimed_by_the_dead_is_late_too(store: Store) -> None:
    """A claim whose lease is over counts as waiting."""
    begin(store)
    lost = {"state": OutboxState.CLAIMED, "lease_owner": "gone", "lease_until": store.clock()}
    do(store, lambda bench: bench.session.execute(update(OutboxItem).values(**lost)))
    store.clock.forward(minutes=20)
    assert one(checked(store), "nobody delivers")


def test_failed_mails_are_counted_and_are_no_alarm(store: Store) -> None:
    """They are for somebody to read, with the commands for it."""
    begin(store)
    do(store, lambda bench: bench.session.execute(update(OutboxItem).values(state=OutboxState.FAILED)))
    failed = one(checked(store), "2 mails have failed for good")
    assert failed.severity is Severity.WARNING
    assert "flask cs failed" in failed.lines
    assert bad(checked(store)) == []


def test_jobs_that_do_not_end_are_wrong(store: Store) -> None:
    """Those that nobody begins, and those whose worker is gone."""
    now = store.clock()

    def put(bench: Any) -> None:
        bench.session.add(Job(kind="sync", state=JobState.WAITING, not_before=now, created_at=now))
        bench.session.add(Job(kind="bulk", state=JobState.RUNNING, lease_until=now, not_before=now, created_at=now))
        bench.session.add(Job(kind="sync", state=JobState.FAILED, not_before=now, created_at=now))

    do(store, put)
    assert bad(checked(store)) == []
    store.clock.forward(minutes=16)
    findings = checked(store)
    assert bad(findings) == ["2 jobs should have been done long ago."]
    assert one(findings, "1 jobs have failed")


def test_changes_that_nobody_counts_are_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they are many; whoever delivers from cron counts them too."""
    monkeypatch.setattr(work, "MANY_MARKS", 2)
    monkeypatch.setattr(rounds, "_MANY_APART", 1)
    for number in range(3):
        begin(store, f"Thread {number}")
    assert one(checked(store), "changes of threads have not been counted").severity is Severity.WARNING
    assert store.app.test_cli_runner().invoke(args=["cs", "deliver"]).exit_code == 0
    assert not [found for found in checked(store) if "have not been counted" in found.what]
    for row in (RangeMark, ThreadApart):
        assert look(store, lambda session, row=row: session.query(row).count()) == 0  # type: ignore[misc]


@pytest.mark.parametrize(("background", "words"), [(True, "each web process delivers"), (False, "web processes deliver nothing")])
def test_who_delivers_is_told(stores: Callable[..., Store], *, background: bool, words: str) -> None:
    """Web processes, nobody, or a worker as long as it gives signs of life."""
    store = stores(CS_BACKGROUND=background)
    assert one(checked(store), words).lines == ("flask cs work",)
    do(store, lambda bench: bench.session.add(Worker(name="w", started_at=bench.now, seen_at=bench.now)))
    assert one(checked(store), "A worker runs.")
    store.clock.forward(minutes=5)
    assert "The last one was seen 5 minutes ago." in one(checked(store), words).what


# --- Surroundings


def test_files_that_cannot_be_kept_are_found_by_keeping_one(stores: Callable[..., Store], tmp_path: Path) -> None:
    """A file is really written; what was written is gone again."""
    store = stores()
    assert one(checked(store), "Files can be kept under")
    assert [path for path in Path(store.desk.files.url).rglob("*") if path.is_file()] == []
    (tmp_path / "in the way").write_text("a file where the folder should be")
    broken = stores(CS_FILES_URL=str(tmp_path / "in the way"))
    assert one(checked(broken), "Files cannot be kept").severity is Severity.WRONG


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"SECRET_KEY": "dev"}, "SECRET_KEY is one that stands in tutorials"),
        ({"SECRET_KEY": b"change me, and keep me secret"}, "SECRET_KEY is one that stands in tutorials"),
        ({"SECRET_KEY": "x7!kq"}, "SECRET_KEY is short"),
        ({}, "CS_SIGNING_KEYS is not set"),
        ({"CS_SIGNING_KEYS": "only twenty letters."}, "has fewer than 32 characters"),
        ({"WTF_CSRF_ENABLED": False}, "WTF_CSRF_ENABLED is off"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "SESSION_COOKIE_HTTPONLY is off"),
        ({"SESSION_COOKIE_SECURE": False}, "SESSION_COOKIE_SECURE is off"),
        ({"MAX_FORM_MEMORY_SIZE": 50_000}, "lets only 50 kB of text in"),
        ({}, "CS_LIMITS_URL is memory://"),
        ({}, "Mails stay in memory"),
        ({"CS_MAIL_URL": "console:"}, "Mails are written to the console"),
        ({"CS_MAIL_FROM": None}, "where neither contact nor shop has an address"),
        ({}, "Flask-Babel is not set up"),
        ({}, "CS_ENTRY_POINTS is off"),
    ],
)
def test_what_the_configuration_leaves_open_is_told(stores: Callable[..., Store], config: dict[str, Any], words: str) -> None:
    """Each gap, and with a sound setting nothing of it."""
    found = one(examined(stores(**config)), words)
    assert found.severity is Severity.GOOD or found.costs


def test_a_sound_configuration_hears_nothing(stores: Callable[..., Store]) -> None:
    """No warning, and only what the plugins leave unanswered as advice."""
    sound = stores(
        SECRET_KEY="8f2a" * 16,
        CS_SIGNING_KEYS=["b1c9" * 16],
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
        CS_BACKGROUND=True,
    )
    found = {finding.subject for finding in examined(sound) if finding.severity is not Severity.GOOD}
    assert found <= {"Database", "Mail and jobs", "Mail server", "Floods", hooks.QUESTIONS}


def test_unknown_addresses_are_told_and_known_ones_shown(store: Store) -> None:
    """A shop without an address has mails without links, unless the configuration names one."""
    assert one(examined(store), "Links in mails begin with https://paris.example/customer-service")
    store.answers.shops = (Shop("1", "Paris"),)
    assert one(examined(store), "The public address is not known (Paris)").severity is Severity.WARNING
    store.app.config["CS_STOREFRONT_URL"] = "http://shop.example"
    assert one(examined(store), "Links in mails begin with http://shop.example/customer-service")
    assert one(examined(store), "over http, not https")


def test_the_mail_server_is_tried_only_when_asked(store: Store, smtp_server: SMTPServer) -> None:
    """`--mail` connects, says in plain words what is wrong, and sends nothing."""
    store.desk.transport = SmtpTransport("127.0.0.1", free_port(), timeout=5.0)
    assert one(examined(store), "`flask cs doctor --mail` tries").severity is Severity.GOOD
    assert one(examined(store, mail=True), "The mail server could not be reached").severity is Severity.WRONG
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port, timeout=5.0)
    begin(store)
    assert one(examined(store, mail=True), f"{smtp_server.host}:{smtp_server.port} answers.")
    assert smtp_server.received == []


def test_a_storage_of_limits_is_asked(stores: Callable[..., Store], redis_server: RedisServer) -> None:
    """Redis answers, or is said to be away."""
    assert one(examined(stores(CS_LIMITS_URL=redis_server.url)), "The storage of CS_LIMITS_URL answers")
    away = examined(stores(CS_LIMITS_URL=f"redis://:a-long-secret@127.0.0.1:{free_port()}/0"))
    assert one(away, "does not answer").severity is Severity.WARNING
    assert "a-long-secret" not in str(away)


def test_an_env_py_that_clashes_with_ours_is_found(stores: Callable[..., Store], tmp_path: Path) -> None:
    """Its own include_name beside Flask-Migrate's arguments ends in a TypeError; as an argument of Migrate it works."""
    store = stores()
    folder = tmp_path / "migrations"
    folder.mkdir()
    env = folder / "env.py"
    Migrate(store.app, store.db, directory=str(folder))
    env.write_text("context.configure(connection=connection, include_name=only_ours, **conf_args)\n")
    assert "include_name=your_filter" in one(examined(store), "include_name beside").lines[0]
    env.write_text("# include_name=…\ncontext.configure(connection=connection, **conf_args)\n")
    assert bad(examined(store)) == []


# --- Hooks


def test_every_hook_has_a_row(store: Store) -> None:
    """With its cost or purpose, and lines that are Python; every question says what its missing answer costs."""
    rows = {row.name: row for row in hooks.rows(store.desk.manager)}
    assert tuple(rows) == hook_names()
    assert set(hooks.ASKED) == {name for name, row in rows.items() if row.kind is Kind.QUESTION}
    for row in rows.values():
        assert row.meaning.endswith(".")
        assert row.lines
        ast.parse("\n".join(row.lines))
        assert row.name in "\n".join(row.lines)


def test_unanswered_questions_are_told_with_a_ready_answer(tmp_path: Path) -> None:
    """A host that answers nothing: nobody gets in, which is wrong; the rest is advice. What is printed can be registered as it stands."""
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    from cs_plugin import CustomerService

    app = Flask("bare", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="x" * 40, SQLALCHEMY_DATABASE_URI="sqlite://", CS_ENTRY_POINTS=False, CS_MAIL_URL="memory:")
    CustomerService(app, db=SQLAlchemy(app))
    with app.app_context():
        findings = health.doctor(app.extensions["cs_plugin"])
    unanswered = [finding for finding in findings if finding.subject == hooks.QUESTIONS]
    assert [finding.what.partition(" ")[0] for finding in unanswered] == list(hooks.ASKED)
    assert {finding.severity for finding in unanswered[1:]} == {Severity.ADVICE}
    assert (unanswered[0].severity, unanswered[0].costs) == (Severity.WRONG, "Nobody gets into the desk's admin: every page answers 403.")
    manager = pluggy.PluginManager("cs_plugin")
    manager.add_hookspecs(hookspecs)
    for finding in unanswered:
        made: dict[str, Any] = {"hookimpl": hookimpl}
        exec("\n".join(finding.lines), made)  # the very lines that were printed
        answers = {name: staticmethod(value) for name, value in made.items() if name.startswith("cs_")}
        manager.register(type(f"Ready{len(manager.get_plugins())}", (), answers))
    manager.check_pending()


class Wrong:
    """A host whose answers are of no use."""

    @hookimpl
    def cs_find_customer(self, customer_id: str | None, email: str | None) -> Customer:
        return Customer("1", "anybody@example.com")

    @hookimpl
    def cs_list_orders(self, customer_id: str | None) -> Any:
        return int(customer_id)  # type: ignore[arg-type]  # what a careless host does

    @hookimpl
    def cs_current_employee(self) -> Employee:
        return MARIE

    @hookimpl
    def cs_scan_file(self) -> str:
        raise AssertionError("nobody may ask this here")

    @hookimpl
    def cs_mail_failed(self) -> None:
        """Listen."""


def test_answers_of_no_use_are_shown_with_their_error(stores: Callable[..., Store], caplog: pytest.LogCaptureFixture) -> None:
    """What raises, what has the wrong type, and whoever lets everybody in; nothing that does something is asked, and no traceback is printed."""
    store = stores(plugins=[Wrong()])
    store.answers.languages = ["en"]
    findings = examined(store)
    assert "a sequence of Language" in one(findings, "cs_list_languages: the answer of Answers").what
    assert "TypeError" in one(findings, "cs_list_orders: the answer of").what
    assert one(findings, "names an employee although nobody is signed in").severity is Severity.WRONG
    assert one(findings, "finds a customer for an address that nobody has").severity is Severity.WARNING
    assert "not asked here" in one(findings, "cs_scan_file: answered by Wrong").what
    assert one(findings, "Events with a plugin: cs_mail_failed (Wrong).")
    assert "Traceback" not in caplog.text


def test_an_answer_that_needs_a_visit_is_no_error(stores: Callable[..., Store]) -> None:
    """A host that reads what its own hooks put into a request cannot be asked from a command line."""

    class NeedsAVisit:
        @hookimpl
        def cs_current_employee(self) -> Employee:
            from flask import g

            return g.user

    found = one(examined(stores(plugins=[NeedsAVisit()])), "cs_current_employee")
    assert found.severity is Severity.GOOD
    assert "could not be asked outside a visit: AttributeError" in found.what


def test_answers_in_a_hosts_own_manager_are_seen(stores: Callable[..., Store]) -> None:
    """The bridge to it implements every hook; what is shown is who answers behind it."""
    store = stores()
    manager = pluggy.PluginManager("shop")
    marked = pluggy.HookimplMarker("shop")

    class Scanner:
        @marked
        def cs_scan_file(self) -> None:
            """Find nothing."""

    store.customer_service.register_in(manager)
    manager.register(Scanner())
    findings = examined(store)
    assert "answered by Scanner" in one(findings, "cs_scan_file").what
    assert one(findings, "cs_check_spam is not answered").severity is Severity.ADVICE


def test_a_store_without_contacts_is_wrong(store: Store) -> None:
    """Its form takes nothing."""
    do(store, lambda bench: [bench.session.delete(one) for one in bench.session.query(Contact)])
    assert bad(checked(store)) == ["There is no contact, so that the contact form offers no subject and takes no messages."]


# --- The commands


def run(store: Store, *words: str, **more: Any) -> Any:
    """Run `flask cs …`."""
    return store.app.test_cli_runner().invoke(args=["cs", *words], **more)


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_a_monitor_reads_a_code_and_values(store: Store, command: str) -> None:
    """0 where nothing is wrong, 1 where something is; with --json the same as values."""
    fine = run(store, command, "--json")
    assert fine.exit_code == 0
    assert json.loads(fine.output)["well"] is True
    begin(store)
    store.clock.forward(hours=3)
    wrong = run(store, command, "--json")
    assert wrong.exit_code == 1
    told = json.loads(wrong.output)
    assert told["well"] is False
    (late,) = [finding for finding in told["findings"] if finding["severity"] == "wrong"]
    assert late["lines"] == ["flask cs work"]
    assert "3 hours" in late["what"]


def test_the_words_fit_a_terminal_and_colours_stay_on_it(store: Store) -> None:
    """Sentences have at most 80 columns, lines to copy stand whole; a pipe gets no colours, a terminal does."""
    plain = run(store, "doctor").output
    assert "\x1b" not in plain
    sentences = [line for line in plain.splitlines() if not line.startswith(" " * 11)]
    assert [line for line in sentences if len(line) > 80 and len(max(line.split(), key=len)) < 60] == []
    assert "advice   cs_check_spam is not answered." in plain
    assert re.search(r"Wrong: 0\. Warnings: \d+\. Advice: \d+\.", plain)
    assert "\x1b[36madvice" in run(store, "doctor", color=True).output


def test_the_check_is_short_where_all_is_well(store: Store) -> None:
    """One line for the tables, and what is a warning."""
    store.app.config["CS_BACKGROUND"] = True
    assert run(store, "check").output == f"ok       The desk's tables are at {schema.head()}, as they should be.\n"


def test_no_secret_is_printed(stores: Callable[..., Store]) -> None:
    """Neither keys nor passwords, however they came into a sentence."""
    secrets = ("the-secret-key-of-this-store-is-long", "the-signing-key-of-this-store-is-long", "the-mail-password", "the-files-password")
    store = stores(
        SECRET_KEY=secrets[0],
        CS_SIGNING_KEYS=[secrets[1]],
        CS_MAIL_URL=f"smtp+starttls://desk:{secrets[2]}@127.0.0.1:{free_port()}",
        CS_FILES_URL=f"nowhere://desk:{secrets[3]}@host/files",
    )
    output = run(store, "doctor", "--mail").output + run(store, "check", "--json").output
    assert "WRONG" in output
    assert [secret for secret in secrets if secret in output] == []


def test_what_others_have_named_cannot_drive_a_terminal(store: Store) -> None:
    """Names and errors come from elsewhere: no control character of theirs reaches a screen or a program."""
    store.answers.shops = (Shop("1", "Pa\x1b]0;owned\x07r\x9b2Jis\u202e"),)
    for output in (run(store, "doctor").output, run(store, "doctor", "--json").output, run(store, "check").output):
        assert [c for c in "\x1b\x07\x9b\u202e" if c in output] == []
    assert "The public address is not known (Pa" in run(store, "doctor").output


def test_the_check_takes_little_time(any_store: Store) -> None:
    """It asks the database a known number of questions, whatever lies in it."""
    store = any_store
    for number in range(3):
        begin(store, f"text {number}")
    counted: list[str] = []
    with store.app.app_context():
        health.check(store.desk)
        event.listen(store.desk.engine, "before_cursor_execute", lambda *words: counted.append(words[2]))
        health.check(store.desk)
        first = len(counted)
        for number in range(5):
            begin(store, f"more {number}")
        counted.clear()
        health.check(store.desk)
    assert len(counted) == first


def test_a_moment_is_told_as_people_say_it() -> None:
    """Minutes, then hours, then days."""
    from cs_plugin.health.work import _span

    assert [_span(dt.timedelta(minutes=minutes)) for minutes in (16, 119, 180, 60 * 24 * 3)] == ["16 minutes", "119 minutes", "3 hours", "3 days"]
