"""Hosts of every kind: one journey on each, through the host's own pages; what mounting takes; what each kind is there for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from cs_plugin import Customer, CustomerService, Employee
from cs_plugin.errors import ConfigurationError
from cs_plugin.store import schema
from tests.hosts.journey import Walk, config_of, opened, run, walk
from tests.hosts.kinds import NAMES, Trait, kind_of, module_of
from tests.hosts.served import process
from tests.hosts.store import OWN_BIND, Store
from tests.servers.processes import HOST, answers, free_port, wait_until
from tests.servers.proxy import server_at
from tests.servers.smtp import SMTPServer

ROOT = Path(__file__).parents[1]
MOST_LINES = 10
_MOUNTING = re.compile(r"# the desk: mounting\n(.*?)# the desk: mounted\n", re.DOTALL)
IN_THIS_PROCESS = [name for name in NAMES if not kind_of(name).process]
IN_THEIR_OWN = [name for name in NAMES if kind_of(name).process]


# --- The journey


@pytest.mark.shows("2.2", "2.3", "2.10", "3.5")
@pytest.mark.parametrize("name", IN_THIS_PROCESS)
def test_the_journey_of_a_message_on(name: str, tmp_path: Path, smtp_server: SMTPServer) -> None:
    """Written, answered, answered by the link, written about an order, deleted and brought back: through the pages of this kind of host.

    Where a factory is called twice in one process, the second application walks the same way and knows nothing of the first.
    """
    for folder in ("first", "second") if Trait.FACTORY_TWICE in kind_of(name).traits else ("first",):
        (tmp_path / folder).mkdir()
        smtp_server.received.clear()
        # In a thread of its own: Flask-SQLAlchemy-Lite ends its sessions by asyncio, which a browser of an earlier test may occupy in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(run, name, tmp_path / folder, smtp_server).result()


@pytest.mark.parametrize("name", IN_THEIR_OWN)
def test_the_journey_of_a_message_in_a_process_of_its_own_on(name: str, tmp_path: Path) -> None:
    """Where something holds for a whole process: a bind of the desk's own, or a library that cannot be imported."""
    command = (sys.executable, "-m", "tests.hosts", name, str(tmp_path), *kind_of(name).lacks)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [f"the journey on {name} has ended well"]), done.stderr


@pytest.mark.shows("3.5", "4.1", "4.2")
def test_the_journey_through_a_real_proxy(tmp_path: Path, smtp_server: SMTPServer) -> None:
    """Below a path of it, with gunicorn behind it: what is opened, followed, loaded, posted and mailed has the path before it."""
    kind, module = kind_of("behind_proxy"), module_of("behind_proxy")
    store = Walk(kind, module, opened(kind, module, tmp_path, smtp_server), smtp_server)
    server, proxy = free_port(), free_port()
    arguments = ", ".join((repr(str(tmp_path)), *(f"{key}={value!r}" for key, value in config_of(kind, smtp_server).items())))
    gunicorn = ("gunicorn", "--bind", f"{HOST}:{server}", f"{module.__name__}:create_app({arguments})")
    before = ("tests.servers.proxy", str(proxy), module.PREFIX, str(server))
    with process(*gunicorn, log=tmp_path / "gunicorn.log", env=os.environ), process(*before, log=tmp_path / "proxy.log", env=os.environ):
        for port, who in ((server, "gunicorn"), (proxy, "proxy")):
            wait_until(lambda: answers(port), seconds=60, what=f"{who}: {tmp_path}")  # noqa: B023 - asked before the next turn
        store.front = server_at(proxy)
        walk(store)
    assert "/admin/customer-service/" in (tmp_path / "proxy.log").read_text()


# --- What the hosts are there for


def test_every_trait_has_a_host() -> None:
    """None was left out, and none is told of that no journey has met."""
    assert {trait for name in NAMES for trait in kind_of(name).traits} == set(Trait)


def test_at_least_two_hosts_write_no_hook_by_hand() -> None:
    """They answer by the adapter alone, and say so."""
    without = {name for name in NAMES if "hookimpl" not in source(name) and "HookimplMarker" not in source(name)}
    assert without == {name for name in NAMES if Trait.ADAPTER in kind_of(name).traits}
    assert len(without) >= 2


def source(name: str) -> str:
    """The text of a host's module."""
    path = module_of(name).__file__
    assert path is not None
    return Path(path).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_mounting_takes_at_most_ten_lines(name: str) -> None:
    """Besides the answers; and nothing of it stands outside of the lines that are counted."""
    text = source(name)
    blocks = _MOUNTING.findall(text)
    lines = [line for block in blocks for line in block.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert 1 <= len(lines) <= MOST_LINES
    elsewhere = _MOUNTING.sub("", text)
    assert not re.findall(r"CustomerService\(|customer_service\.(?!hook\.)|CS_[A-Z]+|cs_mount", elsewhere)


def test_the_documentation_tells_what_each_host_shows() -> None:
    """The table of docs/hosts.md is that of the hosts."""
    rows = re.findall(r"^\| \[`(\w+)`\]\(\.\./tests/hosts/kinds/\w+\.py\) \| (.*) \|$", (ROOT / "docs" / "hosts.md").read_text(), re.MULTILINE)
    assert dict(rows) == {name: " · ".join(kind_of(name).traits) for name in NAMES}


# --- A bind of its own


def test_two_applications_of_a_process_cannot_want_the_tables_in_different_places(store: Store, tmp_path: Path) -> None:
    """The tables are declared once in a process; the second application is told at its start, and the first works on."""
    app = an_app(tmp_path, CS_BIND_KEY="desk", SQLALCHEMY_BINDS={"desk": f"sqlite:///{tmp_path}/desk.sqlite"})
    with pytest.raises(ConfigurationError, match="CS_BIND_KEY: another application of this process has set it to None"):
        CustomerService(app, db=SQLAlchemy(app))
    assert store.client().get("/customer-service/contact").status_code == 200
    assert "bind_key" not in schema.target_metadata.info


def test_a_bind_key_that_the_store_does_not_have_stops_the_start(tmp_path: Path) -> None:
    """A misspelt one."""
    app = an_app(tmp_path, CS_BIND_KEY="desk", SQLALCHEMY_BINDS={"dsek": "sqlite://"})
    with pytest.raises(ConfigurationError, match="CS_BIND_KEY: SQLALCHEMY_BINDS has no 'desk'"):
        CustomerService(app, db=SQLAlchemy(app))


def test_a_bind_key_without_flask_sqlalchemy_stops_the_start(tmp_path: Path) -> None:
    """Nothing would read it."""
    with pytest.raises(ConfigurationError, match="CS_BIND_KEY is for Flask-SQLAlchemy"):
        CustomerService(an_app(tmp_path, CS_BIND_KEY="desk"), db=scoped_session(sessionmaker(create_engine("sqlite://"))))


def an_app(folder: Path, **config: object) -> Flask:
    """An application with nothing on it."""
    app = Flask("bare", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the store, long enough", SQLALCHEMY_DATABASE_URI="sqlite://", CS_MAIL_URL="console:")
    app.config.update(config)
    return app


# The verbs, the pages and the queue, on each database.
OF_A_BIND = (
    "walk", "receiving", "answering", "guest_thread", "contact_form", "order_panel", "customer_order", "failed_mails", "outbox", "worker", "jobs",
)  # fmt: skip


@pytest.mark.long
def test_all_that_the_desk_does_holds_with_a_bind_of_its_own() -> None:
    """Older tests run again in a process in which each store has a database of its own beside the one that the test names, which is the desk's."""
    files = [f"tests/test_{name}.py" for name in OF_A_BIND]
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "not long", *files)
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, OWN_BIND: "1"}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d\d+ passed", done.stdout, re.MULTILINE), done.stdout


# --- What hosts have of people, and of addresses


@pytest.mark.parametrize(
    ("name", "first", "last", "short"),
    [
        ("Marie Dubois", "Marie", "Dubois", "M. Dubois"),
        ("  Ana   de la Cruz ", "Ana", "de la Cruz", "A. de la Cruz"),
        ("Sting", "Sting", "", "Sting"),
        ("", "", "", "marie@desk.example"),
    ],
)
def test_one_name_field_is_enough(name: str, first: str, last: str, short: str) -> None:
    """Its first word is the first name; where it is empty, the address stands for it."""
    employee = Employee.named("1", name, email="marie@desk.example")
    assert (employee.first_name, employee.last_name, employee.short_name) == (first, last, short)
    customer = Customer.named("7", "marie@desk.example", name, language="fr")
    assert (customer.first_name, customer.last_name, customer.language) == (first, last, "fr")


def test_an_application_whose_routes_are_matched_by_host_is_told_so(tmp_path: Path) -> None:
    """None of the desk's pages would be found on it."""
    app = Flask("hosts", instance_path=str(tmp_path), host_matching=True, static_host="store.example")
    app.config.update(SECRET_KEY="a secret of the store, long enough", SQLALCHEMY_DATABASE_URI="sqlite://")
    with pytest.raises(ConfigurationError, match="subdomain_matching"):
        CustomerService(app, db=SQLAlchemy(app))
