"""Put the desk on an application: hooks, pages, commands, and the default of every configuration key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pluggy
from flask import Flask, current_app
from flask_admin import Admin

from cs_plugin import plugins
from cs_plugin.cli import cs
from cs_plugin.errors import ConfigurationError
from cs_plugin.host import Host
from cs_plugin.mail.compose import Composer
from cs_plugin.mail.transport import transport_of
from cs_plugin.rules.signing import Signer
from cs_plugin.store.files import FileStore
from cs_plugin.web import admin as admin_pages
from cs_plugin.web import background, fired_by_host, migrations, storefront
from cs_plugin.web.mounted import EXTENSION, Mounted

# Every configuration key, with what holds where the host sets nothing.
DEFAULTS: Mapping[str, Any] = {
    "CS_STOREFRONT_PREFIX": "/customer-service",   # where the contact form and the thread links live
    "CS_STOREFRONT_URL": None,                     # the public address of the application, for links in mails; else each shop's own
    "CS_ADMIN_URL": "/cs-admin",                   # where an admin is made when the host has none
    "CS_ADMIN_CATEGORY": None,                     # the menu category of the desk's pages in Flask-Admin
    "CS_SIGNING_KEYS": None,                       # a list, the first signs and all verify; else one is derived from SECRET_KEY
    "CS_MAIL_URL": "smtp://localhost:25",          # smtp://, smtp+starttls://, smtps://, console: or memory:
    "CS_MAIL_TIMEOUT": 20.0,                       # seconds for each step of a delivery
    "CS_MAIL_FROM": None,                          # the sender where neither contact nor shop has an address
    "CS_MAIL_DOMAIN": None,                        # behind the @ of our Message-IDs; else that of CS_MAIL_FROM
    "CS_FILES_URL": None,                          # a folder or an fsspec URL; else cs_files in the instance folder
    "CS_BACKGROUND": True,                         # whether a web process delivers mail where no worker runs
    "CS_ENTRY_POINTS": True,                       # whether installed plugins of the group cs_plugin are loaded
    "CS_ADMIN_CSP": False,                         # whether the desk's admin pages send a strict Content-Security-Policy
}


class CustomerService:
    """The desk for Flask applications.

    `plugins` are objects or modules with hook implementations, above all the host's answers. `db` is the host's Flask-SQLAlchemy, or anything with
    a `session`. `admin` is the host's Flask-Admin; without it the application's first one is found, or one is made.
    """

    def __init__(self, app: Flask | None = None, *, db: Any = None, plugins: Iterable[object] = (), admin: Admin | None = None) -> None:
        self._plugins = list(plugins)
        self._db = db
        self._foreign: list[pluggy.PluginManager] = []
        if app is not None:
            self.init_app(app, db=db, admin=admin)

    def init_app(self, app: Flask, *, db: Any = None, admin: Admin | None = None) -> None:
        """Mount the desk on an application. Raise ConfigurationError where it is configured wrongly, HookError where a plugin does not fit."""
        db = db or self._db
        if db is None:
            raise ConfigurationError("CustomerService needs the host's database: CustomerService(app, db=db)")
        if EXTENSION in app.extensions:
            raise ConfigurationError("the desk is mounted on this application already")
        for key, value in DEFAULTS.items():
            app.config.setdefault(key, value)
        manager = plugins.make_manager(self._plugins, entry_points=app.config["CS_ENTRY_POINTS"])
        desk_hooks = fired_by_host.FiredByHost(self)
        plugins.register(manager, desk_hooks)
        for foreign in self._foreign:
            plugins.hear_from(foreign, manager)
        app.extensions[EXTENSION] = Mounted(
            app=app,
            db=db,
            manager=manager,
            host=Host(manager),
            signer=Signer(_signing_keys(app)),
            composer=Composer(_mail_templates(app), _mail_domain(app)),
            transport=transport_of(app.config["CS_MAIL_URL"], timeout=app.config["CS_MAIL_TIMEOUT"]),
            files=FileStore(app.config["CS_FILES_URL"] or str(Path(app.instance_path) / "cs_files")),
            default_sender=_default_sender(app),
        )
        storefront.mount(app)
        admin_pages.mount(app, db, admin)
        migrations.hide_our_tables(app)
        background.mount(app)
        app.cli.add_command(cs)

    def register_in(self, manager: pluggy.PluginManager) -> None:
        """Bring the desk's hooks into a host's own plugin manager, of whatever project name; call it before `init_app` or `cs_mount`.

        The host's plugins then implement the desk's hooks with the host's own marker, and fire the desk's through that manager.
        """
        self._foreign.append(manager)
        plugins.fire_from(manager, fired_by_host.FiredByHost(self))

    @property
    def manager(self) -> pluggy.PluginManager:
        """Return the plugin manager of the current application."""
        mounted: Mounted = current_app.extensions[EXTENSION]
        return mounted.manager

    @property
    def hook(self) -> Any:
        """Return the hooks of the current application, to fire one: `customer_service.hook.cs_contact_form_submitted(…)`."""
        return self.manager.hook


def _signing_keys(app: Flask) -> list[str]:
    keys = app.config["CS_SIGNING_KEYS"]
    if keys:
        return [keys] if isinstance(keys, str) else [str(key) for key in keys]
    secret = app.config["SECRET_KEY"]
    if not secret:
        raise ConfigurationError("set SECRET_KEY, or CS_SIGNING_KEYS: thread links and tags in mails are signed with it")
    return [f"cs_plugin signing {secret if isinstance(secret, str) else secret.hex()}"]


def _default_sender(app: Flask) -> str:
    return str(app.config["CS_MAIL_FROM"] or app.config.get("MAIL_DEFAULT_SENDER") or "customer-service@localhost.localdomain")


def _mail_domain(app: Flask) -> str:
    return str(app.config["CS_MAIL_DOMAIN"] or _default_sender(app).rpartition("@")[2].rstrip(">"))


def _mail_templates(app: Flask) -> jinja2.Environment:
    """Return an environment that finds the host's templates before ours, and needs no request."""
    loaders = [loader for loader in (app.jinja_loader,) if loader is not None]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([*loaders, jinja2.PackageLoader("cs_plugin", "templates")]),
        autoescape=jinja2.select_autoescape(["html"], default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
