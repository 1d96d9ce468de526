"""Put the desk on an application: hooks, pages, commands, and the default of every configuration key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formataddr
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import jinja2
import pluggy
from flask import Flask, current_app
from flask_admin import Admin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import scoped_session

from cs_plugin import plugins
from cs_plugin.cli import cs
from cs_plugin.errors import ConfigurationError
from cs_plugin.host import Host
from cs_plugin.mail.compose import Composer
from cs_plugin.mail.mailbox import Reach, denied_networks
from cs_plugin.mail.oauth import PROVIDERS, OAuthClient, provider_at
from cs_plugin.mail.rates import mail_rates
from cs_plugin.mail.transport import Transport, transport_of
from cs_plugin.rules.signing import Signer
from cs_plugin.store import schema
from cs_plugin.store.files import FileStore
from cs_plugin.store.vault import Vault
from cs_plugin.web import admin as admin_pages
from cs_plugin.web import background, fired_by_host, floods, migrations, sql_access, storefront
from cs_plugin.web.mounted import EXTENSION, Mounted
from cs_plugin.web.storefront_page import CSP

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration key, what holds where the host sets nothing, and what it means."""

    key: str
    default: Any
    meaning: str


# Every configuration key. docs/configuration.md is made from these rows.
SETTINGS: tuple[Setting, ...] = (
    Setting(
        "CS_BIND_KEY",
        None,
        "The key of `SQLALCHEMY_BINDS` under which the desk's tables have a database of their own, with Flask-SQLAlchemy; the same for all "
        "applications of a process. Without it they are in the store's own. Other sessions route by their own `binds`.",
    ),
    Setting("CS_STOREFRONT_PREFIX", "/customer-service", "The path under which the contact form, the thread links and the desk's static files live."),
    Setting(
        "CS_STOREFRONT_URL",
        None,
        "The public address of the application, such as `https://shop.example`, for links in mails. Without it each shop's own URL counts, then "
        "`SERVER_NAME`; never that of a request, which a visitor can make up. Without any of them mails have no link, "
        "except on a developer's own machine.",
    ),
    Setting(
        "CS_ADMIN_PUBLIC_URL",
        None,
        "The public address under which employees reach the admin, such as `https://admin.shop.example`, for links in mails to them. Without it "
        "`CS_STOREFRONT_URL` counts, then the shop's own URL, then `SERVER_NAME`; never that of a request, which a visitor can make up. Without "
        "any of them these mails have no link.",
    ),
    Setting("CS_ADMIN_URL", "/cs-admin", "The path of the admin that is made for the desk where the host has no Flask-Admin."),
    Setting("CS_ADMIN_CATEGORY", None, "The category of Flask-Admin's menu that holds the desk's pages. Without it they stand in the menu itself."),
    Setting(
        "CS_SIGNING_KEYS",
        None,
        "A list of keys of at least 16 characters, by which thread links and tags in mails are signed: the first signs, all of them verify, so "
        "that a key is replaced by putting the new one in front. Without it one is made from `SECRET_KEY`, and changing that makes every old link "
        "worthless.",
    ),
    Setting(
        "CS_ENCRYPTION_KEYS",
        None,
        "A list of keys of at least 16 characters, by which passwords of mailboxes are encrypted where they are kept: the first encrypts, all of "
        "them decrypt. A key is replaced by putting the new one in front, restarting everything, `flask cs reencrypt`, and leaving the old one out. "
        "Without it one is made from `SECRET_KEY`, and changing that makes every kept password unreadable, unless the old one stands in "
        "`SECRET_KEY_FALLBACKS`.",
    ),
    Setting(
        "CS_MAIL_URL",
        "smtp://localhost:25",
        "Where mail goes out: `smtp://host:25`, `smtp+starttls://user:password@host:587`, `smtps://user:password@host:465`, `console:` or `memory:`. "
        "A user name or password is written percent-encoded.",
    ),
    Setting("CS_MAIL_TIMEOUT", 20.0, "How many seconds each step of handing over a mail may take."),
    Setting(
        "CS_MAIL_CA",
        None,
        "A file of certificates (PEM) of an authority of one's own, trusted beside the system's, from which the certificates of mail servers may "
        "come: of the one that mail goes out by, and of those that mailboxes are on.",
    ),
    Setting("CS_MAILBOX_TIMEOUT", 20.0, "How many seconds each step of reading a mailbox may take. A connection test takes 30 at most in all."),
    Setting(
        "CS_MAIL_DENY_NETWORKS",
        None,
        "Networks in which no mailbox is connected to, such as `[\"10.0.0.0/8\", \"fd00::/8\"]`, or the word `private` for all that are not of the "
        "public internet. Link-local, multicast and unspecified addresses never are.",
    ),
    Setting(
        "CS_OAUTH_GOOGLE_CLIENT_ID",
        None,
        "The client ID under which Google knows this store, for mailboxes that are signed in to with an authorisation in the place of a password. It "
        "needs the extra `oauth`; the address to come back to is `/customer-service-mailboxes/authorised` below the admin.",
    ),
    Setting("CS_OAUTH_GOOGLE_CLIENT_SECRET", None, "The secret that belongs to `CS_OAUTH_GOOGLE_CLIENT_ID`."),
    Setting("CS_OAUTH_MICROSOFT_CLIENT_ID", None, "The application (client) ID under which Microsoft knows this store, likewise."),
    Setting("CS_OAUTH_MICROSOFT_CLIENT_SECRET", None, "The secret that belongs to `CS_OAUTH_MICROSOFT_CLIENT_ID`."),
    Setting("CS_OAUTH_MICROSOFT_TENANT", "common", "The tenant of Microsoft whose mailboxes may be authorised: its ID, or `common` for all."),
    Setting(
        "CS_OAUTH_ENDPOINTS",
        None,
        "Other addresses of a provider, such as those of a national cloud: `{\"microsoft\": {\"authorise\": \"https://…\", \"token\": "
        "\"https://…\"}}`, for Google also `revoke`.",
    ),
    Setting(
        "CS_SYNC_SECONDS",
        60.0,
        "How many seconds lie between two looks into a mailbox, besides those that its server calls for. 0: mailboxes are fetched only when somebody "
        "asks for it.",
    ),
    Setting(
        "CS_SYNC_WATCHED",
        20,
        "At how many mailboxes a worker waits for mail, so that it comes at once (IMAP's IDLE); each is a thread and a connection. The others are "
        "looked into every `CS_SYNC_SECONDS`.",
    ),
    Setting("CS_SYNC_MAX_MB", 25.0, "How many megabytes (MB) a mail may have; a larger one stays on the server, and the run tells of it."),
    Setting("CS_MAIL_RATE", None, "How many mails may leave in a time, such as `100/minute` or `100/minute; 2000/day`. Without it no limit."),
    Setting("CS_MAIL_DOMAIN_RATE", None, "How many mails may leave in a time to one domain, such as `30/minute`. Without it no limit."),
    Setting(
        "CS_MAIL_FROM",
        None,
        "The address that mail comes from where neither the contact nor the shop has one. Without it `MAIL_DEFAULT_SENDER` counts.",
    ),
    Setting("CS_MAIL_DOMAIN", None, "What stands behind the @ of the desk's Message-IDs. Without it the domain of `CS_MAIL_FROM`."),
    Setting("CS_FILES_URL", None, "Where attachments are kept: a folder, or an fsspec URL. Without it the folder `cs_files` in the instance folder."),
    Setting(
        "CS_SQL_MANAGER_URL",
        None,
        "On PostgreSQL and MariaDB: the SQLAlchemy URL of the store's database with a user of the SQL manager's own, which may read the views and "
        "nothing else; `flask cs doctor` prints the lines that make it. Without it the SQL manager stays off. SQLite needs none.",
    ),
    Setting("CS_SQL_MANAGER_SECONDS", 10.0, "How many seconds a query of the SQL manager may take, 600 at most."),
    Setting("CS_SQL_MANAGER_ROWS", 1000, "How many rows of a query the SQL manager shows, 10,000 at most."),
    Setting(
        "CS_BACKGROUND",
        True,
        "Whether web processes deliver mail and do jobs in a thread of their own while no worker (`flask cs work`) shows signs of life. It starts at "
        "a process's first request.",
    ),
    Setting("CS_WORKER_NOTICE", True, "Whether the Customer Service page tells those who may configure the desk that no worker runs."),
    Setting("CS_ENTRY_POINTS", True, "Whether installed plugins of the entry-point group `cs_plugin` are loaded."),
    Setting(
        "CS_ADMIN_CSP",
        None,
        "The Content-Security-Policy that the desk's admin pages send, unless the host has set one on the answer. The desk's own markup keeps to "
        "`default-src 'self'; img-src 'self' data:`; what the host's own base template adds may not.",
    ),
    Setting("CS_STOREFRONT_CSP", CSP, "The Content-Security-Policy of the desk's storefront pages; an empty text sends none."),
    Setting(
        "CS_CONSENT_TEXT",
        None,
        "The text beside the check box without which the contact form is not sent: one text, or one for each language, as in "
        "`{\"en\": \"…\", \"fr\": \"…\"}`. Without it there is no such box.",
    ),
    Setting(
        "CS_UNDO_SECONDS",
        10.0,
        "How many seconds an employee has to take back a reply that was sent on a thread's page; it leaves after them. 0: replies leave at once.",
    ),
    Setting("CS_FORM_MIN_SECONDS", 2.0, "How many seconds a contact form must have been open: whoever posts it sooner is a machine."),
    Setting(
        "CS_LIMITS_URL",
        "memory://",
        "Where it is counted who sends how much: `memory://` counts in each process by itself, `redis://host:6379/0` for all of them.",
    ),
    Setting(
        "CS_FORM_RATE",
        "20/hour;5/minute",
        "How many messages may come from one network (an IPv4 address, or the /64 of an IPv6 one) by contact form, thread link and order page "
        "together. None or an empty text: no limit.",
    ),
    Setting(
        "CS_SENDER_RATE",
        "10/hour;4/minute",
        "How many messages one sender may leave: an account, a thread link, or an address that was typed. None or an empty text: no limit.",
    ),
    Setting("CS_TOKEN_RATE", "60/hour;20/minute", "How many unknown thread links one network may try. None or an empty text: no limit."),
    Setting(
        "CS_CONFIRMATION_RATE",
        "3/hour",
        "How many confirmations of the contact form are mailed to one address; messages beyond them are kept all the same. None or an empty text: "
        "no limit.",
    ),
)


class CustomerService:
    """The desk for Flask applications.

    `plugins` are objects or modules with hook implementations, above all the host's answers. `db` is the host's Flask-SQLAlchemy, or anything with
    a `session`. `admin` is the host's Flask-Admin; without it the application's first one is found, or one is made.
    """

    def __init__(self, app: Flask | None = None, *, db: Any = None, plugins: Iterable[object] = (), admin: Admin | None = None) -> None:
        self._plugins = list(plugins)
        self._db = db
        self._foreign: list[pluggy.PluginManager] = []
        self._managers: list[pluggy.PluginManager] = []
        if app is not None:
            self.init_app(app, db=db, admin=admin)

    def init_app(self, app: Flask, *, db: Any = None, admin: Admin | None = None) -> None:
        """Mount the desk on an application. Raise ConfigurationError where it is configured wrongly, HookError where a plugin does not fit."""
        db = _with_session(db or self._db)
        if EXTENSION in app.extensions:
            raise ConfigurationError("the desk is mounted on this application already")
        if app.url_map.host_matching:
            raise ConfigurationError("the desk's pages have no host of their own, and host_matching would find none of them: use subdomain_matching")
        floods.read_none_as_off(app)
        for setting in SETTINGS:
            if app.config.get(setting.key) is None:
                app.config[setting.key] = setting.default
        if not (app.config["CS_MAIL_FROM"] or app.config.get("MAIL_DEFAULT_SENDER")):
            log.warning("mail comes from %s where neither contact nor shop has an address: set CS_MAIL_FROM", _default_sender(app))
        manager = self._make_manager(entry_points=app.config["CS_ENTRY_POINTS"])
        app.extensions[EXTENSION] = Mounted(
            app=app,
            db=db,
            manager=manager,
            host=Host(manager),
            signer=Signer(_keys(app, app.config["CS_SIGNING_KEYS"], "signing")),
            composer=Composer(_mail_templates(app), _mail_domain(app)),
            transport=_transport(app),
            vault=Vault(_encryption_keys(app)),
            files=FileStore(app.config["CS_FILES_URL"] or str(Path(app.instance_path) / "cs_files")),
            default_sender=_default_sender(app),
            rates=mail_rates(app.config["CS_MAIL_RATE"], app.config["CS_MAIL_DOMAIN_RATE"], app.config["CS_LIMITS_URL"]),
            reach=_reach(app),
            oauth=_oauth(app),
        )
        sql_access.bounds_of(app)
        _check_sync(app)
        floods.mount(app)
        schema.bind_to(_bind_key(app, db))
        storefront.mount(app)
        admin_pages.mount(app, db, admin)
        migrations.hide_our_tables(app)
        background.mount(app)
        app.cli.add_command(cs)

    def _make_manager(self, *, entry_points: bool) -> pluggy.PluginManager:
        manager = plugins.make_manager(self._plugins, entry_points=entry_points)
        plugins.register(manager, fired_by_host.FiredByHost(self))
        for foreign in self._foreign:
            plugins.hear_from(foreign, manager)
        self._managers.append(manager)
        return manager

    def register_in(self, manager: pluggy.PluginManager) -> None:
        """Bring the desk's hooks into a host's own plugin manager, of whatever project name, before `init_app` or after it.

        The host's plugins then implement the desk's hooks with the host's own marker, and fire the desk's through that manager.
        Raise HookError where one of them does not fit.
        """
        plugins.fire_from(manager, fired_by_host.FiredByHost(self))
        self._foreign.append(manager)
        for own in self._managers:
            plugins.hear_from(manager, own)

    @property
    def manager(self) -> pluggy.PluginManager:
        """Return the plugin manager of the current application."""
        mounted: Mounted = current_app.extensions[EXTENSION]
        return mounted.manager

    @property
    def hook(self) -> Any:
        """Return the hooks of the current application, to fire one: `customer_service.hook.cs_contact_form_submitted(…)`."""
        return self.manager.hook


def _with_session(db: Any) -> Any:
    """Return what has a `session`. Raise ConfigurationError for what has none."""
    if isinstance(db, scoped_session):
        return SimpleNamespace(session=db)
    # Flask-SQLAlchemy-Lite has its session only inside a context of the application, so that the instance cannot be asked here.
    if not (hasattr(type(db), "session") or "session" in getattr(db, "__dict__", ())):
        raise ConfigurationError("CustomerService needs the host's database: CustomerService(app, db=db)")
    return db


def _bind_key(app: Flask, db: Any) -> str | None:
    key: str | None = app.config["CS_BIND_KEY"]
    if key is None:
        return None
    if not isinstance(db, SQLAlchemy):
        raise ConfigurationError("CS_BIND_KEY is for Flask-SQLAlchemy; other sessions are told by `binds` where cs_plugin.store.models.Base is")
    if key not in (app.config.get("SQLALCHEMY_BINDS") or {}):
        raise ConfigurationError(f"CS_BIND_KEY: SQLALCHEMY_BINDS has no {key!r}")
    return key


def _keys(app: Flask, keys: Any, purpose: str) -> list[str]:
    """Return the keys that are configured, or one made from SECRET_KEY for that purpose alone."""
    secret = app.config["SECRET_KEY"]
    if not secret:
        raise ConfigurationError("set SECRET_KEY: sessions and forms rest on it, and so do thread links unless CS_SIGNING_KEYS is set")
    if not keys:
        return [_made_from(secret, purpose)]
    listed = [keys] if isinstance(keys, str) else keys
    if not isinstance(listed, list | tuple) or not all(isinstance(key, str) for key in listed):
        # Anything else would be turned into a text of its own, and a password sealed with "b'…'" opens with nothing else.
        raise ConfigurationError(f"CS_{purpose.upper()}_KEYS: expected a list of texts")
    return list(listed)


def _made_from(secret: str | bytes, purpose: str) -> str:
    return f"cs_plugin {purpose} {secret if isinstance(secret, str) else secret.hex()}"


def _encryption_keys(app: Flask) -> list[str]:
    """Return the keys of the vault: those that are configured, then those made from SECRET_KEY and the ones before it, which still open.

    So what was kept before CS_ENCRYPTION_KEYS was set stays readable once it is, and so does what was kept before SECRET_KEY was changed, as long
    as the old one stands in Flask's SECRET_KEY_FALLBACKS.
    """
    made = [_made_from(secret, "encryption") for secret in (app.config["SECRET_KEY"], *(app.config.get("SECRET_KEY_FALLBACKS") or ())) if secret]
    configured = app.config["CS_ENCRYPTION_KEYS"]
    return [*(_keys(app, configured, "encryption") if configured else ()), *made]


def _transport(app: Flask) -> Transport:
    url, timeout = app.config["CS_MAIL_URL"], _seconds("CS_MAIL_TIMEOUT", app.config["CS_MAIL_TIMEOUT"])
    if not isinstance(url, str):
        raise ConfigurationError("CS_MAIL_URL: expected an address such as smtp://localhost:25")
    return transport_of(url, timeout=timeout, authorities=app.config["CS_MAIL_CA"])


def _reach(app: Flask) -> Reach:
    """Return how mailboxes are reached; the authorities have been looked at for the way out."""
    timeout = _seconds("CS_MAILBOX_TIMEOUT", app.config["CS_MAILBOX_TIMEOUT"])
    return Reach(timeout, app.config["CS_MAIL_CA"], denied_networks(app.config["CS_MAIL_DENY_NETWORKS"]))


def _oauth(app: Flask) -> dict[str, OAuthClient]:
    """Return how the providers of mailboxes know the store: those that are set up."""
    config, endpoints = app.config, app.config["CS_OAUTH_ENDPOINTS"] or {}
    steps = ("authorise", "token", "revoke")
    if not isinstance(endpoints, Mapping) or not all(isinstance(one, Mapping) and one.keys() <= set(steps) for one in endpoints.values()):
        raise ConfigurationError('CS_OAUTH_ENDPOINTS: expected addresses by provider and step, such as {"google": {"token": "https://…"}}')
    if not all(_is_safe(str(address)) for one in endpoints.values() for address in one.values()):
        raise ConfigurationError("CS_OAUTH_ENDPOINTS: addresses begin with https://, since the secret and the tokens go there")
    known = {
        "google": (config["CS_OAUTH_GOOGLE_CLIENT_ID"], config["CS_OAUTH_GOOGLE_CLIENT_SECRET"]),
        "microsoft": (config["CS_OAUTH_MICROSOFT_CLIENT_ID"], config["CS_OAUTH_MICROSOFT_CLIENT_SECRET"]),
    }
    clients = {}
    for provider in PROVIDERS:
        client_id, secret = known[provider.name]
        if client_id:
            filled = provider_at(provider.name, tenant=str(config["CS_OAUTH_MICROSOFT_TENANT"]), endpoints=endpoints)
            clients[provider.name] = OAuthClient(filled, str(client_id), str(secret or ""))
    return clients


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _seconds(key: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{key}: expected a number of seconds above zero")
    return float(seconds)


def _check_sync(app: Flask) -> None:
    """Raise ConfigurationError for what cannot say how mailboxes are fetched."""
    if app.config["CS_SYNC_SECONDS"] != 0:
        _seconds("CS_SYNC_SECONDS", app.config["CS_SYNC_SECONDS"])
    watched, largest = app.config["CS_SYNC_WATCHED"], app.config["CS_SYNC_MAX_MB"]
    if isinstance(watched, bool) or not isinstance(watched, int) or watched < 0:
        raise ConfigurationError("CS_SYNC_WATCHED: expected a number of mailboxes")
    if isinstance(largest, bool) or not isinstance(largest, int | float) or not 0 < largest <= _MOST_MB:
        raise ConfigurationError(f"CS_SYNC_MAX_MB: expected a number of megabytes, {_MOST_MB} at most")


# A mail is read into memory whole.
_MOST_MB = 200


def _default_sender(app: Flask) -> str:
    sender = app.config["CS_MAIL_FROM"] or app.config.get("MAIL_DEFAULT_SENDER") or "customer-service@localhost.localdomain"
    # Flask-Mail takes a pair of a name and an address, too.
    return formataddr(sender) if isinstance(sender, tuple) else str(sender)


def _mail_domain(app: Flask) -> str:
    return str(app.config["CS_MAIL_DOMAIN"] or _default_sender(app).rpartition("@")[2].rstrip(">"))


def _mail_templates(app: Flask) -> jinja2.Environment:
    """Return an environment that finds the host's templates before ours, and needs no request."""
    loaders = [loader for loader in (app.jinja_loader,) if loader is not None]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([*loaders, jinja2.PackageLoader("cs_plugin", "templates")]),
        autoescape=jinja2.select_autoescape(["html"], default=False),
        # As Flask does: elsewhere nobody looks at every file of a template again for every mail.
        auto_reload=bool(app.debug or app.config.get("TEMPLATES_AUTO_RELOAD")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
