"""Stores of every kind that the desk is mounted on, each in a file of its own, written as its makers would write it.

A module has `KIND`, what the journey has to know of the store; `create_app(folder, **config)`; and `stock(app)`, which makes the store's own tables
and puts Marie of the staff, Jan the customer and an order into them. What mounts the desk stands between the comments "the desk: mounting" and
"the desk: mounted", and is counted. `sent(app)` is there where the store sends mails itself: it returns them as (recipient, subject, text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from types import ModuleType


class Trait(StrEnum):
    """What sets a store apart from others, as docs/hosts.md tells it."""

    ADMIN_OF_MODULE = "Flask-Admin at module level"
    NARROW_ADMIN = "Flask-Admin with a narrow layout"
    OWN_DASHBOARD = "a dashboard of its own on Bootstrap 5"
    NO_ADMIN = "no admin at all"
    BLUEPRINT_ADMIN = "a blueprint named admin"
    UUID_KEYS = "UUID keys"
    TOKEN_KEYS = "orders keyed by tokens"
    GUEST_ORDERS = "guest orders"
    ONE_TABLE = "staff and customers in one table"
    TWO_TABLES = "staff and customers in two tables"
    ONE_NAME = "only one name field"
    CSRF_PROTECT = "CSRFProtect"
    NO_CSRF_PROTECT = "no CSRFProtect"
    BABEL = "Flask-Babel set up"
    BABEL_UNCONFIGURED = "Flask-Babel installed and not set up"
    NO_BABEL = "Flask-Babel not importable"
    FLASK_SQLALCHEMY = "Flask-SQLAlchemy"
    LITE = "Flask-SQLAlchemy-Lite"
    SCOPED_SESSION = "a plain scoped_session"
    SESSIONMAKER = "a plain sessionmaker"
    OWN_BIND = "the desk's tables in a database of their own"
    FLASK_MIGRATE = "Flask-Migrate"
    FLASK_ALEMBIC = "Flask-Alembic"
    NO_MIGRATIONS = "no migrations"
    URL_PREFIX = "a URL prefix behind a proxy"
    OWN_PLUGINS = "a plugin manager of its own, under another project name"
    OWN_CONTACT_FORM = "a contact form of its own"
    OWN_MAILER = "mail sending of its own"
    SUBDOMAINS = "the admin on a subdomain"
    FACTORY_TWICE = "an application factory called twice in one process"
    FLASK_LOGIN = "Flask-Login"
    ADAPTER = "answers by the adapter, no hook by hand"
    ORDER_PANELS = "the desk's panels on its order pages"
    QUIET_SESSION = "a session that neither flushes nor expires by itself"
    STAFF_ELSEWHERE = "the staff in a database of their own"
    OWN_ORDER_FORM = "an order form of its own"


Form = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the journey has to know of a store; addresses are paths below `public`, or whole.

    `staff` and `customer` sign in by posting a form at an address; `chrome` stands on every page of the store's admin, `refused` is what a page of it
    answers to a stranger, `order` is where the order's customer (a guest, where there is no sign-in) sees it, `contact` the contact form.
    `order_admin` is where the staff sees that order, if the desk's panel stands there. `commands` make the store's own tables. `process` asks for one
    of its own, in which `lacks` cannot be imported.
    """

    traits: Sequence[Trait]
    staff: Form
    order: str
    chrome: str
    shop_pages: Sequence[str]
    admin_pages: Sequence[str] = ()
    order_admin: str = ""
    customer: Form | None = None
    contact: str = "/customer-service/contact"
    public: str = "http://store.example"
    admin_public: str = ""
    refused: int = 403
    commands: Sequence[Sequence[str]] = ()
    process: bool = False
    lacks: Sequence[str] = ()
    config: Mapping[str, object] = field(default_factory=dict)


NAMES = (
    "module_admin",
    "narrow_admin",
    "dashboard",
    "token_keys",
    "uuid_keys",
    "own_bind",
    "lite_bind",
    "plain_sessions",
    "behind_proxy",
    "own_hooks",
    "subdomains",
)


def module_of(name: str) -> ModuleType:
    """Return the module of a store."""
    return import_module(f"tests.hosts.kinds.{name}")


def kind_of(name: str) -> Kind:
    """Return what the journey has to know of a store."""
    kind: Kind = module_of(name).KIND
    return kind
