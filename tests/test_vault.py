"""Secrets at rest: sealed with the first key, opened with any, for one place alone; and a desk whose keys are changed or lost."""

from __future__ import annotations

import base64
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cs_plugin import desk, health
from cs_plugin.desk import Bench
from cs_plugin.desk.options import OptionsDraft, mailbox_of, password_of, save_options, trouble_with_password, wrong_with
from cs_plugin.errors import ConfigurationError, InvalidInputError, KeyLostError, SealedElsewhereError
from cs_plugin.health import Finding, Severity
from cs_plugin.rules.options import MAX_LINE
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.models import Job, Option
from cs_plugin.store.options import Options, read_options, read_own_options
from cs_plugin.store.vault import Vault
from tests.hosts.store import DUBAI, PARIS, Store, make_store
from tests.hosts.writing import do, look

OLD, NEW = "the old key of this store, long enough", "the new key of this store, long enough"
SERVER, PASSWORD = "mail.example.com", "correct horse battery"
EUROPE = Context(Breadth.GROUP, "1")


# --- The vault


@pytest.mark.parametrize("secret", ["a", PASSWORD, " with blanks ", "пароль 🔑", "quote\"s\\", "x" * 10_000])
def test_what_is_sealed_opens_as_it_was(secret: str) -> None:
    """Any text comes back, and none of it can be read in between."""
    vault = Vault([NEW])
    sealed = vault.seal(secret, SERVER)
    assert vault.open(sealed, SERVER) == secret
    assert vault.opens(sealed, SERVER)
    assert len(secret) == 1 or secret not in sealed + base64.urlsafe_b64decode(sealed).decode("latin-1")


def test_the_same_secret_is_never_sealed_alike() -> None:
    """Nobody sees that two shops have the same password."""
    vault = Vault([NEW])
    assert vault.seal(PASSWORD, SERVER) != vault.seal(PASSWORD, SERVER)


@pytest.mark.shows("8.5")
@pytest.mark.parametrize("place", ["evil.example", "", "mail.example.com.evil.example", "MAIL.example.com"])
def test_what_is_sealed_for_one_place_opens_for_no_other(place: str) -> None:
    """Whoever changes the server's name does not get the password sent there; the error names the server, and not the secret."""
    vault = Vault([NEW])
    sealed = vault.seal(PASSWORD, SERVER)
    with pytest.raises(SealedElsewhereError, match=re.escape(SERVER)) as raised:
        vault.open(sealed, place)
    assert raised.value.place == SERVER
    assert PASSWORD not in str(raised.value)
    assert not vault.opens(sealed, place)
    assert vault.has_key_for(sealed)


def test_every_key_opens_and_the_first_one_seals() -> None:
    """A new key is put in front; what the old one sealed stays readable, and what is sealed from now on needs the new one alone."""
    old, both, new = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])
    before = old.seal(PASSWORD, SERVER)
    assert both.open(before, SERVER) == PASSWORD
    assert (both.is_sealed_anew(before), old.is_sealed_anew(before)) == (False, True)
    assert new.open(both.seal(PASSWORD, SERVER), SERVER) == PASSWORD
    anew = both.seal_anew(before)
    assert (new.open(anew, SERVER), both.is_sealed_anew(anew), old.has_key_for(anew)) == (PASSWORD, True, False)


def test_what_no_key_opens_is_a_lost_key() -> None:
    """Opening and sealing anew say so alike; asking whether it opens does not raise."""
    sealed, vault = Vault([OLD]).seal(PASSWORD, SERVER), Vault([NEW])
    with pytest.raises(KeyLostError, match="CS_ENCRYPTION_KEYS"):
        vault.open(sealed, SERVER)
    with pytest.raises(KeyLostError):
        vault.seal_anew(sealed)
    assert (vault.opens(sealed, SERVER), vault.has_key_for(sealed), vault.is_sealed_anew(sealed)) == (False, False, False)


def _flipped(sealed: str) -> str:
    middle = len(sealed) // 2
    return sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda sealed: "",
        lambda sealed: PASSWORD,
        lambda sealed: "não é",
        lambda sealed: "\ud800",
        lambda sealed: sealed[:-4],
        lambda sealed: sealed[20:],
        _flipped,
        # A key of somebody's own, and what is no pair of a place and a secret under a key of ours.
        lambda sealed: Fernet(Fernet.generate_key()).encrypt(b'["mail.example.com", "x"]').decode(),
        lambda sealed: Vault([NEW])._first.encrypt(b"no json").decode(),
        lambda sealed: Vault([NEW])._first.encrypt(b"7").decode(),
        lambda sealed: Vault([NEW])._first.encrypt(b'["one", "two", "three"]').decode(),
    ],
)
def test_a_damaged_secret_is_a_lost_one(damage: Callable[[str], str]) -> None:
    """Whatever stands in the row, nothing but the one error comes out."""
    vault = Vault([NEW])
    damaged = damage(vault.seal(PASSWORD, SERVER))
    with pytest.raises(KeyLostError):
        vault.open(damaged, SERVER)
    assert not vault.has_key_for(damaged)


@pytest.mark.parametrize("keys", [[], [""], ["fifteen letters"], [NEW, "short"], [" " * 20]])
def test_keys_that_are_too_short_stop_the_start(keys: list[str], tmp_path: Path) -> None:
    """The error names the setting, and repeats no key."""
    with pytest.raises(ConfigurationError, match="CS_ENCRYPTION_KEYS") as raised:
        Vault(keys)
    assert not [key for key in keys if key and key in str(raised.value)]
    if any(keys):
        with pytest.raises(ConfigurationError, match="CS_ENCRYPTION_KEYS"):
            make_store("sqlite://", tmp_path, mount=True, CS_ENCRYPTION_KEYS=keys)


def test_a_key_is_any_text(tmp_path: Path) -> None:
    """In whatever alphabet, of any length from sixteen on, one alone without a list too; other texts are other keys."""
    keys = ["ключ ключ ключ ключ", "k" * 16, "k" * 17, "k" * 5_000]
    sealed = [Vault([key]).seal(PASSWORD, SERVER) for key in keys]
    opened = [[Vault([key]).opens(one, SERVER) for one in sealed] for key in keys]
    assert opened == [[row == column for column in range(4)] for row in range(4)]
    store = make_store("sqlite://", tmp_path, CS_ENCRYPTION_KEYS="k" * 17)
    assert store.desk.vault.opens(sealed[2], SERVER)


def test_blanks_around_a_key_do_not_count() -> None:
    """A file that holds a key ends with a line end; the same key given twice is one."""
    sealed = Vault([NEW, NEW]).seal(PASSWORD, SERVER)
    assert Vault([f"{NEW}\n"]).open(sealed, SERVER) == PASSWORD
    assert Vault([OLD, f" {NEW}\r\n"]).open(sealed, SERVER) == PASSWORD
    assert not Vault([NEW.replace(" ", "")]).opens(sealed, SERVER)


@pytest.mark.parametrize("setting", ["CS_ENCRYPTION_KEYS", "CS_SIGNING_KEYS"])
@pytest.mark.parametrize("keys", [1234567890123456, [NEW.encode()], NEW.encode(), [None, NEW], {NEW: OLD}], ids=str)
def test_keys_that_are_no_texts_stop_the_start(setting: str, keys: object, tmp_path: Path) -> None:
    """A password sealed with what Python writes for bytes would open with nothing else; the error repeats no key."""
    with pytest.raises(ConfigurationError, match=f"^{setting}: expected a list of texts$"):
        make_store("sqlite://", tmp_path, mount=True, **{setting: keys})


# --- A desk whose keys change


@pytest.fixture
def stores(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Start a store on the same database again, with another configuration, on each of the three."""
    made: list[Store] = []

    def start(**config: Any) -> Store:
        made.append(make_store(database_url, tmp_path, **config))
        return made[-1]

    yield start
    for store in made:
        with store.app.app_context():
            store.db.session.remove()
            store.db.engine.dispose()


def fill_mailbox(store: Store, context: Context = ALL_SHOPS, *, server: str = SERVER, password: str = PASSWORD) -> None:
    """Set a whole mailbox."""
    wanted = {"imap_url": {"": server}, "imap_port": {"": "993"}, "imap_user": {"": "desk"}, "imap_password": {"": password}}
    do(store, lambda bench: save_options(bench, store.actor(), OptionsDraft(context, wanted)))


def options(store: Store) -> Options:
    """Return what holds in Paris."""
    return look(store, lambda session: read_options(session, PARIS))


def run(store: Store, *words: str, typed: str | None = None) -> Any:
    """Run `flask cs …`."""
    return store.app.test_cli_runner().invoke(args=["cs", *words], input=typed)


def found(store: Store) -> list[Finding]:
    """Return what the check finds of passwords."""
    with store.app.app_context():
        return [one for one in health.check(store.desk) if one.subject == "Kept passwords"]


@pytest.mark.shows("8.5")
def test_a_key_is_replaced_without_losing_a_password(stores: Callable[..., Store]) -> None:
    """An encryption key changed with old values in place: all readable; then re-encrypted by one command; then the old key is left out."""
    store = stores(CS_ENCRYPTION_KEYS=[OLD])
    fill_mailbox(store)
    fill_mailbox(store, EUROPE, server="europe.example", password="another")
    both = stores(CS_ENCRYPTION_KEYS=[NEW, OLD])
    assert password_of(both.desk.vault, options(both)) == "another"
    assert [(one.severity, one.what, one.lines) for one in found(both)[:1]] == [
        (Severity.ADVICE, "2 passwords still need an old key.", ("flask cs reencrypt",))
    ]
    first = run(both, "reencrypt")
    assert (first.output, first.exit_code) == ("2 encrypted anew, 0 already had the first key.\n", 0)
    assert run(both, "reencrypt").output == "0 encrypted anew, 2 already had the first key.\n"
    assert [one.what for one in found(both)] == ["2 kept, and all of them can be read."]
    alone = stores(CS_ENCRYPTION_KEYS=[NEW])
    assert password_of(alone.desk.vault, options(alone)) == "another"
    assert mailbox_of(alone.desk.vault, look(alone, lambda session: read_options(session, DUBAI))).is_filled
    assert [one.what for one in found(alone)] == ["2 kept, and all of them can be read."]


@pytest.mark.shows("8.5")
def test_a_lost_key_is_told_at_its_field_and_everything_else_works(stores: Callable[..., Store]) -> None:
    """The password is asked for again; other options, also of the mailbox itself, are saved meanwhile, and what is kept stays as it is."""
    fill_mailbox(stores(CS_ENCRYPTION_KEYS=[OLD]))
    store = stores(CS_ENCRYPTION_KEYS=[NEW])
    trouble = trouble_with_password(store.desk.vault, options(store))
    assert trouble is not None
    assert trouble.field == "imap_password"
    assert trouble.message == "The kept password cannot be read: the key that encrypted it is gone. Enter the password again."
    assert mailbox_of(store.desk.vault, options(store)).missing == ("imap_password",)

    kept = options(store)["imap_password"]
    wanted: dict[str, Any] = {"after_reply": {"": "keep"}, "imap_port": {"": "143"}, "imap_user": {"": "desk"}, "imap_password": {"": ""}}
    do(store, lambda bench: save_options(bench, store.actor(), OptionsDraft(ALL_SHOPS, wanted)))
    held = options(store)
    assert (held["after_reply"], held["imap_port"], held["imap_password"]) == ("keep", 143, kept)
    told = run(store, "options", "get", "imap_password")
    assert told.exit_code == 0
    assert told.stdout == "(kept)\nown\n"
    assert trouble.message in told.stderr

    lost = run(store, "reencrypt")
    assert lost.exit_code == 1
    assert lost.stdout == "0 encrypted anew, 0 already had the first key.\n"
    assert "No key opens imap_password (all shops)." in lost.stderr
    (finding,) = found(store)
    assert finding.severity is Severity.WRONG
    assert finding.what == "No key opens imap_password (all shops)."
    assert finding.lines[-1] == "flask cs options set imap_password"

    assert run(store, "options", "set", "imap_password", "-", typed="typed again\n").exit_code == 0
    assert password_of(store.desk.vault, options(store)) == "typed again"
    assert trouble_with_password(store.desk.vault, options(store)) is None
    assert found(store)[0].severity is Severity.GOOD


def test_sealing_anew_goes_on_past_a_lost_one(stores: Callable[..., Store]) -> None:
    """What a key opens is sealed anew; each that none opens is named with its context, and stays."""
    fill_mailbox(stores(CS_ENCRYPTION_KEYS=["a key that will be lost soon"]), EUROPE, server="europe.example")
    fill_mailbox(stores(CS_ENCRYPTION_KEYS=[OLD]), Context(Breadth.SHOP, "3"))
    store = stores(CS_ENCRYPTION_KEYS=[NEW, OLD])
    ended = run(store, "reencrypt")
    assert ended.exit_code == 1
    assert ended.stdout == "1 encrypted anew, 0 already had the first key.\n"
    assert "No key opens imap_password (group Europe).\n" in ended.stderr
    assert "flask cs options set --group 1 imap_password" in found(store)[0].lines
    # A group that is gone is told, and no reason to fail: nobody could enter its password again.
    store.answers.shops = (DUBAI,)
    gone = run(store, "reencrypt")
    assert gone.stderr == "No key opens imap_password (group 1).\n"
    assert gone.exit_code == 0
    assert [one.what for one in found(store)] == ["1 kept, and all of them can be read."]
    again = stores(CS_ENCRYPTION_KEYS=[NEW, "a key that will be lost soon"])
    assert run(again, "reencrypt").stdout == "1 encrypted anew, 1 already had the first key.\n"
    assert look(stores(CS_ENCRYPTION_KEYS=[NEW]), lambda session: len(desk.look_at_secrets(session, again.desk.vault).first)) == 2


def test_a_store_may_begin_without_a_key_and_set_one_later(stores: Callable[..., Store]) -> None:
    """What was encrypted with a key made from SECRET_KEY stays readable; the check says what to add, and one command makes it independent."""
    store = stores()
    fill_mailbox(store)
    (finding,) = found(store)
    assert finding.severity is Severity.ADVICE
    assert finding.what.startswith("CS_ENCRYPTION_KEYS is not set")
    assert finding.lines[1:] == ('app.config["CS_ENCRYPTION_KEYS"] = [os.environ["CS_ENCRYPTION_KEY"]]', "flask cs reencrypt")
    later = stores(CS_ENCRYPTION_KEYS=[NEW])
    assert password_of(later.desk.vault, options(later)) == PASSWORD
    assert found(later)[0].what == "1 password still needs an old key."
    assert run(later, "reencrypt").exit_code == 0
    moved = stores(CS_ENCRYPTION_KEYS=[NEW], SECRET_KEY="another secret of the store, long enough")
    assert password_of(moved.desk.vault, options(moved)) == PASSWORD


def test_a_changed_secret_key_loses_nothing_while_the_old_one_is_a_fallback(stores: Callable[..., Store]) -> None:
    """As for sessions; without the fallback it is a lost key."""
    fill_mailbox(stores())
    changed = {"SECRET_KEY": "another secret of the store, long enough"}
    store = stores(**changed, SECRET_KEY_FALLBACKS=["a secret of the store, long enough"])
    assert password_of(store.desk.vault, options(store)) == PASSWORD
    assert found(stores(**changed))[0].severity is Severity.WRONG


# --- Where a password never stands


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.args!r} {record.exc_text or ''}")


# Long enough that it stands nowhere by chance, and in one line: what can be a password.
PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=8, max_size=MAX_LINE)


@pytest.mark.shows("8.2")
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=PASSWORDS.map(lambda text: f"§{text}"))
def test_a_password_stands_nowhere(store: Store, tmp_path: Path, password: str) -> None:
    """Neither in the database's file, in a log, in what commands print, nor in the words or the repr of anything, however saving ends."""
    log = _Everything()
    loggers = [logging.getLogger(name) for name in (None, "cs_plugin", "sqlalchemy")]
    levels = [one.level for one in loggers]
    said: list[str] = []
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(log)
    try:
        fill_mailbox(store, password=password)
        assert password_of(store.desk.vault, options(store)) == password
        for wanted in (
            {"imap_password": {"": password}, "imap_url": {"": "http://x"}, "imap_ssl": {"": True}, "imap_tls": {"": True}},
            {"imap_password": {"": password}, "imap_url": {"": ""}},
            {"imap_password": {"": f"{password}\r\n"}},
            {"imap_password": {"": password * 300}},
            {"imap_password": {"": ""}, "imap_url": {"": "other.example"}},
        ):
            draft = OptionsDraft(ALL_SHOPS, wanted)
            with pytest.raises(InvalidInputError) as raised:
                do(store, lambda bench, draft=draft: save_options(bench, store.actor(), draft))
            logging.getLogger("cs_plugin").error("%r %r", draft, raised.value, exc_info=raised.value)
            said += [repr(draft), repr(raised.value), str(raised.value.values), "".join(traceback.format_exception(raised.value))]
            said += [f"{one!r} {one.values}" for one in do(store, lambda bench, draft=draft: wrong_with(bench, draft))]
        own = look(store, read_own_options)
        said += [repr(own), repr(options(store)), repr(mailbox_of(store.desk.vault, options(store))), repr(store.desk.vault), repr(store.desk)]
        said += [repr(look(store, lambda session: desk.look_at_secrets(session, store.desk.vault)))]
        commands = (("options", "list"), ("options", "list", "--json"), ("options", "get", "imap_password"), ("reencrypt",), ("check",), ("doctor",))
        said += [run(store, *words).output for words in commands]
        typed = run(store, "options", "set", "imap_password", typed=f"{password}\n")
        said += [typed.output, run(store, "options", "set", "imap_password", "-", typed=f"{password}\n").output]
        said += [run(store, "options", "set", f"imap_password={password}").output, run(store, "options", "set", "imap_password", password).output]
        said += look(store, lambda session: [f"{row.value}" for row in session.scalars(select(Option))])
        said += look(store, lambda session: [f"{vars(row)}" for row in session.scalars(select(Job))])
    finally:
        loggers[0].removeHandler(log)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    assert log.lines
    for text in (*said, *log.lines):
        assert password not in text
        assert ascii(password)[1:-1] not in text
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SERVER.encode() in raw
    assert password.encode() not in raw
    assert ascii(password)[1:-1].encode() not in raw


def test_a_sealed_row_that_was_cut_off_is_a_lost_one(store: Store) -> None:
    """It is told like any other that no key opens, and stays as it is."""
    fill_mailbox(store)

    def cut(bench: Bench) -> str:
        row = bench.session.scalars(select(Option).where(Option.encrypted.is_(True))).one()
        row.value = row.value[:-9]
        return row.value

    kept = do(store, cut)
    assert found(store)[0].what == "No key opens imap_password (all shops)."
    assert run(store, "reencrypt").exit_code == 1
    assert look(store, lambda session: session.scalar(select(Option.value).where(Option.encrypted.is_(True)))) == kept
    assert password_of(store.desk.vault, options(store)) == ""
