"""The desk as it is mounted on one application: everything that pages, commands and hooks of that application work with."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import pluggy
from flask import Flask, current_app, has_request_context, request
from sqlalchemy import Engine, event, inspect
from sqlalchemy.orm import Session, sessionmaker

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.host import Host
from cs_plugin.mail.compose import Composer
from cs_plugin.mail.mailbox import Reach
from cs_plugin.mail.oauth import OAuthClient
from cs_plugin.mail.rates import NO_LIMITS, MailRates
from cs_plugin.mail.transport import Transport
from cs_plugin.outbox import PostOffice
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import Inquiry
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import Signer
from cs_plugin.store.files import FileStore
from cs_plugin.store.locking import begin_immediately, committed, let_go
from cs_plugin.store.models import Thread
from cs_plugin.store.vault import Vault
from cs_plugin.sync.authorisation import TokenDesk, access_token_of
from cs_plugin.web.floods import floods_of

log = logging.getLogger(__name__)

EXTENSION = "cs_plugin"
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
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
    vault: Vault
    files: FileStore
    default_sender: str
    rates: MailRates = NO_LIMITS
    reach: Reach = field(default_factory=Reach)
    oauth: Mapping[str, OAuthClient] = field(default_factory=dict)
    clock: Callable[[], dt.datetime] = utc_now
    # Under which address a developer's own machine was asked for last; empty on every other.
    own_address: str = ""

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
            event.listen(engine, "begin", begin_immediately)
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
            vault=self.vault,
            confirmations=floods_of(self.app).confirmations,
        )

    def do(self, work: Callable[[Bench], Result]) -> Result:
        """Do a piece of the desk's work in the host's session and commit it; again from the start where the database asks for that."""
        session = self.session()
        bench = self.bench(session)
        # Nobody waits behind a lock for the host's answers, and no transaction of what was read before stays open for them.
        let_go(session)
        bench.ask_host()
        # The work begins with its lock, and not with an old snapshot.
        let_go(session)
        return committed(session, lambda: work(bench.at(self.clock())))

    def receive(self, inquiry: Inquiry) -> Received:
        """Receive what a form took and commit it; the host is asked about it first, while nothing is locked. Raise as `desk.receive` does."""
        vetted = desk.vet(self.host, inquiry)
        return self.do(lambda bench: desk.receive(bench, vetted))

    @property
    def tokens(self) -> TokenDesk:
        """Return what tokens that sign in to mailboxes are had with."""
        return TokenDesk(self.sessions, self.vault, self.oauth, self.clock)

    def access_token_of(self, token_id: int, server: str, refused: str = "") -> str:
        """Return what signs in to a server by an authorisation. Raise as `sync.authorisation.access_token_of` does."""
        return access_token_of(self.tokens, token_id, server, refused=refused)

    @property
    def office(self) -> PostOffice:
        """Return what delivers queued mail."""
        return PostOffice(self.sessions, self.host, self.manager, self.transport, self.files, self.clock, self.rates)

    def storefront(self, shop: Shop) -> str:
        """Return the address under which the desk's storefront pages are reached for a shop, without a slash at its end; empty where none is known.

        A mail to a customer then has no link, and the log says which key to set.
        """
        base = self._public_address(shop, self.app.config["CS_STOREFRONT_URL"])
        if not base:
            log.warning("mails go out without a link to the conversation: set CS_STOREFRONT_URL to the public address of the store")
            return ""
        return f"{base}{self.app.config['CS_STOREFRONT_PREFIX'].rstrip('/')}"

    def thread_page(self, shop: Shop, thread_id: int) -> str:
        """Return the address of a thread's page in the admin, for mails to employees; empty where none is known."""
        config = self.app.config
        base = self._public_address(shop, config["CS_ADMIN_PUBLIC_URL"] or config["CS_STOREFRONT_URL"])
        path = self.app.url_map.bind("localhost").build("cs_threads.thread_page", {"thread_id": thread_id})
        return f"{base}{path}" if base else ""

    def _public_address(self, shop: Shop, configured: str | None) -> str:
        """Return the configured address, else the origin of the shop's own URL, else that of SERVER_NAME; never that of a request from outside.

        Whoever posts a form with a made-up Host header would have links to a page of their own mailed to anybody. On a developer's own machine, which
        names itself, there is nobody to be misled; what is mailed there outside a request leads to where the last one came.
        """
        if configured:
            return configured.rstrip("/")
        config, parts = self.app.config, urlsplit(shop.url)
        root = config["APPLICATION_ROOT"].rstrip("/")
        if parts.scheme and parts.netloc:
            return f"{parts.scheme}://{parts.netloc}{root}"
        if config["SERVER_NAME"]:
            return f"{config['PREFERRED_URL_SCHEME']}://{config['SERVER_NAME']}{root}"
        if not has_request_context():
            return self.own_address
        self.remember_address()
        return self.own_address if request.url_root.rstrip("/") == self.own_address else ""

    def remember_address(self) -> None:
        """Remember the address of this request where it is a developer's own machine: an answer is mailed seconds later, outside of any request."""
        root = request.url_root.rstrip("/")
        # What a visitor writes there need not be an address at all.
        with suppress(ValueError):
            if root != self.own_address and urlsplit(root).hostname in _OWN_MACHINE:
                self.own_address = root


def mounted() -> Mounted:
    """Return the desk of the current application."""
    return cast(Mounted, current_app.extensions[EXTENSION])
