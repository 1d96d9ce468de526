"""The desk as it is mounted on one application: everything that pages, commands and hooks of that application work with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import pluggy
from flask import Flask, current_app, has_request_context, request
from sqlalchemy import Engine, event, inspect
from sqlalchemy.orm import Session, sessionmaker

from cs_plugin.desk import Bench
from cs_plugin.host import Host
from cs_plugin.mail.compose import Composer
from cs_plugin.mail.transport import Transport
from cs_plugin.outbox import PostOffice
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import Signer
from cs_plugin.store.files import FileStore
from cs_plugin.store.locking import committed
from cs_plugin.store.models import Thread

EXTENSION = "cs_plugin"
Result = TypeVar("Result")


def utc_now() -> dt.datetime:
    """Return the present moment, aware: the only clock of the edges."""
    return dt.datetime.now(dt.UTC)


@dataclass(eq=False)
class Mounted:
    """The desk on one application; two applications in one process share nothing of it."""

    app: Flask
    db: Any
    manager: pluggy.PluginManager
    host: Host
    signer: Signer
    composer: Composer
    transport: Transport
    files: FileStore
    default_sender: str
    clock: Callable[[], dt.datetime] = utc_now

    def session(self) -> Session:
        """Return the host's session of this request, in which pages and host-fired hooks work."""
        session = self.db.session
        return cast(Session, session() if hasattr(session, "registry") else session)

    @cached_property
    def engine(self) -> Engine:
        """Return the engine of the desk's tables, that of a bind of their own where the host routes them to one."""
        bind = self.session().get_bind(inspect(Thread))
        return bind if isinstance(bind, Engine) else bind.engine

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        """Return what opens sessions of our own, for commands and for whatever works beside requests."""
        engine = self.engine.execution_options()
        if engine.dialect.name == "sqlite":
            event.listen(engine, "begin", _begin_immediately)
        return sessionmaker(engine, expire_on_commit=False)

    def bench(self, session: Session) -> Bench:
        """Return what the desk's verbs work with, at this moment."""
        return Bench(
            session=session,
            host=self.host,
            manager=self.manager,
            composer=self.composer,
            signer=self.signer,
            now=self.clock(),
            storefront=self.storefront,
            thread_page=self.thread_page,
            default_sender=self.default_sender,
        )

    def do(self, work: Callable[[Bench], Result]) -> Result:
        """Do a piece of the desk's work in the host's session and commit it; again from the start where the database asks for that."""
        session = self.session()
        # What was read so far is let go, so that the work begins with its lock and not with an old snapshot.
        session.rollback()
        return committed(session, lambda: work(self.bench(session)))

    @property
    def office(self) -> PostOffice:
        """Return what delivers queued mail."""
        return PostOffice(self.sessions, self.host, self.manager, self.transport, self.files, self.clock)

    def storefront(self, shop: Shop) -> str:
        """Return the address under which the storefront pages of the desk are reached for a shop, without a slash at its end.

        CS_STOREFRONT_URL where it is set; else the origin of the shop's own URL; else that of the request, or of SERVER_NAME.
        """
        prefix = self.app.config["CS_STOREFRONT_PREFIX"].rstrip("/")
        if base := self.app.config["CS_STOREFRONT_URL"]:
            return f"{base.rstrip('/')}{prefix}"
        root = self.app.config["APPLICATION_ROOT"].rstrip("/")
        parts = urlsplit(shop.url)
        if parts.scheme and parts.netloc:
            return f"{parts.scheme}://{parts.netloc}{root}{prefix}"
        if has_request_context():
            return f"{request.url_root.rstrip('/')}{prefix}"
        name = self.app.config["SERVER_NAME"] or "localhost"
        return f"{self.app.config['PREFERRED_URL_SCHEME']}://{name}{root}{prefix}"

    def thread_page(self, shop: Shop, thread_id: int) -> str:
        """Return the address of a thread's page in the admin, for mails to employees; empty where none is configured.

        CS_ADMIN_PUBLIC_URL, CS_STOREFRONT_URL, the origin of the shop's own URL, or SERVER_NAME. Never that of the request: a visitor who makes up a
        Host header would send employees to a page of their own.
        """
        config, parts = self.app.config, urlsplit(shop.url)
        base = config["CS_ADMIN_PUBLIC_URL"] or config["CS_STOREFRONT_URL"]
        if not base and parts.scheme and parts.netloc:
            base = f"{parts.scheme}://{parts.netloc}{config['APPLICATION_ROOT']}"
        if not base and config["SERVER_NAME"]:
            base = f"{config['PREFERRED_URL_SCHEME']}://{config['SERVER_NAME']}{config['APPLICATION_ROOT']}"
        path = self.app.url_map.bind("localhost").build("cs_threads.thread_page", {"thread_id": thread_id})
        return f"{base.rstrip('/')}{path}" if base else ""


def _begin_immediately(connection: Any) -> None:
    """Take SQLite's only write lock at once: a transaction that reads first cannot wait for it later, it fails."""
    if not connection.connection.dbapi_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def mounted() -> Mounted:
    """Return the desk of the current application."""
    return cast(Mounted, current_app.extensions[EXTENSION])
