"""What stands around the desk: files, keys, addresses, the mail server, limits, cookies, migrations, versions."""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cs_plugin.errors import UndeliverableError
from cs_plugin.health.findings import Finding, advice, good, kept_from_the_log, said, warning, wrong
from cs_plugin.health.hooks import answerers
from cs_plugin.mail.transport import ConsoleTransport, MemoryTransport
from cs_plugin.web.floods import floods_of
from cs_plugin.web.mounted import Mounted

FILES, KEYS, ADDRESSES, MAIL, LIMITS, BROWSERS, PROGRAM = "Files", "Keys", "Addresses", "Mail server", "Floods", "Browsers", "Program"

_LITTLE_SPACE = 500_000_000   # bytes
_SHORT = 32
# What tutorials and examples have as their key.
_WELL_KNOWN = re.compile(
    r"(?i)^(dev|development|secret|secret[ _-]?key|my[ _-]?secret.*|super[ _-]?secret.*|change[ _-]?me.*|changeme.*|password|test|testing|key|"
    r"only for trying out|you-will-never-guess|123456.*|a really really really really long secret key)$"
)
_NEW_KEY = "python -c 'import secrets; print(secrets.token_hex(32))'"
_OLD_FLASK = (3, 1)
_LIBRARIES = ("flask", "flask-admin", "flask-sqlalchemy", "flask-wtf", "sqlalchemy", "alembic", "pluggy", "limits")


def look_at_files(here: Mounted) -> Iterator[Finding]:
    """Write a file where attachments are kept, read it, remove it, and say how much space is left."""
    with tempfile.NamedTemporaryFile() as probe:
        probe.write(b"Is this kept?")
        probe.flush()
        try:
            stored = here.files.keep(Path(probe.name), "doctor.txt", "text/plain")
            whole = here.files.read(stored.key) == b"Is this kept?"
            here.files.remove(stored.key)
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            yield wrong(
                FILES,
                f"Files cannot be kept: {said(error)}",
                "Messages with files are refused.",
                f'app.config["CS_FILES_URL"] = "/a/folder/that/this/process/may/write"   # now: {_public(here.files.url)}',
            )
            return
    if not whole:
        yield wrong(FILES, "A file that was kept came back as something else.", "Attachments are lost.")
    else:
        yield good(FILES, f"Files can be kept under {_public(here.files.url)}.")
    folder = Path(here.files.url.removeprefix("file://"))
    if "://" not in str(here.files.url).removeprefix("file://") and folder.exists():
        free = shutil.disk_usage(folder).free
        if free < _LITTLE_SPACE:
            yield warning(FILES, f"Only {free // 1_000_000} MB are free there.", "Soon files are refused.")


def _public(url: str) -> str:
    """Return a URL without its name and password."""
    return re.sub(r"//[^/@]*@", "//…@", url)


def look_at_keys(here: Mounted) -> Iterator[Finding]:
    """Say whether the keys can be guessed."""
    secret, keys = here.app.config["SECRET_KEY"], here.app.config["CS_SIGNING_KEYS"]
    text = secret.decode("latin-1") if isinstance(secret, bytes) else str(secret)
    lines = (_NEW_KEY, "SECRET_KEY=…   # in the environment, not in the code")
    if _WELL_KNOWN.match(text.strip()):
        costs = "Anybody can sign in as anybody: sessions, forms and thread links rest on it."
        yield warning(KEYS, "SECRET_KEY is one that stands in tutorials.", costs, *lines)
    elif len(text) < _SHORT // 2:
        yield warning(KEYS, "SECRET_KEY is short.", "It can be found by trying; sessions, forms and thread links rest on it.", *lines)
    else:
        yield good(KEYS, "SECRET_KEY is set.")
    several = [keys] if isinstance(keys, str) else list(keys or ())
    if not several:
        yield advice(
            KEYS,
            "CS_SIGNING_KEYS is not set: thread links are signed with a key made from SECRET_KEY.",
            "On the day SECRET_KEY changes, the links in all mails that were sent stop working.",
            _NEW_KEY,
            'app.config["CS_SIGNING_KEYS"] = [os.environ["CS_SIGNING_KEY"]]',
        )
    elif any(len(str(key)) < _SHORT for key in several):
        yield advice(KEYS, f"A key of CS_SIGNING_KEYS has fewer than {_SHORT} characters.", "Long ones cannot be found by trying.", _NEW_KEY)


def look_at_addresses(here: Mounted) -> Iterator[Finding]:
    """Say whether mails can hold links, for customers and for employees."""
    config = here.app.config
    with kept_from_the_log(), here.app.test_request_context():
        shops = here.host.shops()
    nameless = [] if config["CS_STOREFRONT_URL"] or config["SERVER_NAME"] else [shop for shop in shops if not urlsplit(shop.url).netloc]
    if nameless:
        names = ", ".join(shop.name or f"shop {shop.id}" for shop in nameless[:5])
        yield warning(
            ADDRESSES,
            f"The public address is not known ({names}).",
            "Mails to customers have no link to their conversation, mails to employees none to the thread.",
            'app.config["CS_STOREFRONT_URL"] = "https://your-shop.example"',
        )
    else:
        first = here.storefront(shops[0])
        yield good(ADDRESSES, f"Links in mails begin with {first}.")
        if first.startswith("http://") and urlsplit(first).hostname not in ("localhost", "127.0.0.1", "::1"):
            yield advice(ADDRESSES, "Links in mails lead over http, not https.", "Whoever listens on the way reads the conversation, and its key.")


def look_at_mail_server(here: Mounted, *, connect: bool) -> Iterator[Finding]:
    """Say how mail leaves; where asked, connect to the server and sign in. Nothing is sent."""
    transport: Any = here.transport
    sent_by = ", ".join(answerers(here.manager, "cs_send_mail"))
    if sent_by:
        yield good(MAIL, f"The store's own mailer is asked first: {sent_by} (cs_send_mail). What it does not take goes out by CS_MAIL_URL.")
    if isinstance(transport, MemoryTransport | ConsoleTransport) and sent_by:
        return
    if isinstance(transport, MemoryTransport):
        costs = "No mail leaves the process."
        yield advice(MAIL, "Mails stay in memory.", costs, 'app.config["CS_MAIL_URL"] = "smtp+starttls://user:password@mail.example:587"')
        return
    if isinstance(transport, ConsoleTransport):
        costs = "No mail leaves the machine."
        yield advice(MAIL, "Mails are written to the console.", costs, 'app.config["CS_MAIL_URL"] = "smtp+starttls://user:password@mail.example:587"')
        return
    way = f"{transport.host}:{transport.port}" if hasattr(transport, "host") else type(transport).__name__
    if not connect:
        yield good(MAIL, f"Mail goes out by {way}; `flask cs doctor --mail` tries whether it answers.")
        return
    try:
        with transport.connect():
            yield good(MAIL, f"{way} answers" + (" and lets us in." if getattr(transport, "username", "") else "."))
    except UndeliverableError as error:
        tell = advice if sent_by else wrong
        yield tell(MAIL, f"{way}: {error.text}", "What goes this way waits, and fails after five days.", 'app.config["CS_MAIL_URL"] = …')


def look_at_limits(here: Mounted) -> Iterator[Finding]:
    """Say where it is counted who sends how much."""
    floods = floods_of(here.app)
    if floods.per_process:
        yield advice(
            LIMITS,
            "Messages are counted in each process by itself (CS_LIMITS_URL is memory://).",
            "With several processes a flood may be as many times larger. With one process this is right as it is.",
            'pip install "cs-plugin[redis]"',
            'app.config["CS_LIMITS_URL"] = "redis://localhost:6379/0"',
        )
        return
    silent = floods.answers()
    if silent:
        yield warning(LIMITS, f"The storage of CS_LIMITS_URL does not answer: {silent}", "Nothing is limited until it does.")
    else:
        yield good(LIMITS, "The storage of CS_LIMITS_URL answers.")


def look_at_browsers(here: Mounted) -> Iterator[Finding]:
    """Say what of Flask's settings makes sessions and forms weaker than they need be."""
    config = here.app.config
    if not config.get("WTF_CSRF_ENABLED", True):
        yield wrong(BROWSERS, "WTF_CSRF_ENABLED is off.", "Any web site can let an employee's browser answer, close or delete.", "remove the line")
    if not config["SESSION_COOKIE_SECURE"]:
        costs = "The session's cookie also goes over http, where others may read it."
        yield advice(BROWSERS, "SESSION_COOKIE_SECURE is off.", costs, 'app.config["SESSION_COOKIE_SECURE"] = True   # where the store runs on https')
    if not config["SESSION_COOKIE_HTTPONLY"]:
        yield warning(BROWSERS, "SESSION_COOKIE_HTTPONLY is off.", "Scripts can read the session's cookie.", "remove the line")
    if not config["SESSION_COOKIE_SAMESITE"]:
        costs = "Browsers decide when other sites' requests carry the session."
        yield advice(BROWSERS, "SESSION_COOKIE_SAMESITE is not set.", costs, 'app.config["SESSION_COOKIE_SAMESITE"] = "Lax"')
    yield from _sizes(here)


def _sizes(here: Mounted) -> Iterator[Finding]:
    own = here.app.config.get("MAX_CONTENT_LENGTH")
    flask = tuple(int(part) for part in version("flask").split(".")[:2])
    if own is not None and flask < _OLD_FLASK and own < 26_000_000:
        yield warning(
            BROWSERS,
            f"MAX_CONTENT_LENGTH lets {own // 1000} kB in, and messages may have files of 25 MB.",
            "Larger messages are refused by Flask itself, before the desk can keep their text. Flask 3.1 lets each page say its own size.",
            'pip install --upgrade "flask>=3.1"',
        )
    memory = here.app.config.get("MAX_FORM_MEMORY_SIZE")
    if memory is not None and memory < 200_000:
        what = f"MAX_FORM_MEMORY_SIZE lets only {memory // 1000} kB of text in."
        yield warning(BROWSERS, what, "A long message is refused, and its text may be lost.", 'app.config["MAX_FORM_MEMORY_SIZE"] = 500_000')


def look_at_migrations(here: Mounted) -> Iterator[Finding]:
    """Say whether the host's own env.py has a filter that clashes with the one which keeps its migrations from our tables."""
    migrate = here.app.extensions.get("migrate")
    directory = getattr(migrate, "directory", None)
    if directory is None:
        return
    script = Path(here.app.root_path, directory) / "env.py" if not Path(directory).is_absolute() else Path(directory) / "env.py"
    found = next((one for one in (script, Path(directory) / "env.py") if one.is_file()), None)
    if found is None:
        return
    words = "\n".join(line.partition("#")[0] for line in found.read_text(errors="replace").splitlines())
    if "conf_args" in words and re.search(r"\binclude_name\s*=", words):
        yield wrong(
            PROGRAM,
            f"{found.name} of the store's migrations gives include_name beside **conf_args, which holds one already.",
            'Every `flask db …` fails with "multiple values for keyword argument".',
            "migrate = Migrate(app, db, include_name=your_filter)   # the desk joins its own to it",
            "and take include_name=… out of env.py",
        )


def look_at_program(here: Mounted) -> Iterator[Finding]:
    """Say which versions run, which plugins are there, and whether Flask-Babel is set up."""
    yield good(PROGRAM, f"cs-plugin {_version('cs-plugin')}, Python {platform.python_version()}")
    yield good(PROGRAM, ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES))
    plugins = [name for name, _plugin in here.manager.list_name_plugin() if not name.startswith("cs_plugin.")]
    installed = [f"{one.project_name} {one.version}" for _plugin, one in here.manager.list_plugin_distinfo()]
    if not here.app.config["CS_ENTRY_POINTS"]:
        yield good(PROGRAM, "Installed plugins are not loaded: CS_ENTRY_POINTS is off.")
    else:
        yield good(PROGRAM, f"Installed plugins: {', '.join(installed) or 'none'}.")
    yield good(PROGRAM, f"{len(plugins)} plugins are registered.")
    if "babel" in here.app.extensions:
        yield good(PROGRAM, "Flask-Babel is set up: pages follow its locale.")
    else:
        yield good(PROGRAM, "Flask-Babel is not set up: pages follow the employee's language, the customer's and the browser's.")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"
