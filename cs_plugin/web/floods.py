"""Floods: how many messages one network and one sender may leave, and how many links one network may guess.

What is counted lies in the storage that CS_LIMITS_URL names. Where that storage is away everybody may write: a customer's message counts above all.
"""

from __future__ import annotations

import datetime as dt
import hmac
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, after_this_request, current_app, request, session
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError as LimitsConfigurationError
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from cs_plugin import i18n
from cs_plugin.desk import was_taken
from cs_plugin.errors import ConfigurationError
from cs_plugin.rules.floods import Allowance, mailbox_of
from cs_plugin.rules.inquiry import Channel, Inquiry, digest
from cs_plugin.store.locking import committed, let_go

if TYPE_CHECKING:
    from cs_plugin.web.mounted import Mounted

log = logging.getLogger(__name__)

EXTENSION = "cs_plugin_floods"
STORAGE_KEY = "CS_LIMITS_URL"
FORM, SENDER, TOKEN, CONFIRMATION = "CS_FORM_RATE", "CS_SENDER_RATE", "CS_TOKEN_RATE", "CS_CONFIRMATION_RATE"
RATES = (FORM, SENDER, TOKEN, CONFIRMATION)

# A message that is taken counts as much as four posts in which a field was wrong: nobody uses up an allowance by mending an address.
_TAKEN, _REFUSED = 4, 1
# How many times as many posts with files may come as messages may: their files are kept while the sender mends the form.
_WITH_FILES = 5
# How long a storage that did not answer is left alone, and how long nothing more is logged of it; seconds.
_LEFT_ALONE, _QUIET = 10.0, 60.0
# A storage elsewhere has so many seconds to answer: nobody who sends a message waits longer.
_PATIENCE = 1.0
_MOST_OPENED = 10
_OPENED = "cs_opened"   # in the visitor's session: digests of the tokens that have opened something


# What a page answers to a post in which something was wrong.
REFUSED = frozenset({400, 413, 422})
_REMEMBERED = 3600   # seconds


class CaptchaUnsolvedError(Exception):
    """Say that the host's captcha was not solved."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """One too many; `seconds` is how long its sender has to wait."""

    seconds: int

    @property
    def minutes(self) -> int:
        """Return the minutes to wait, begun ones counted as whole."""
        return math.ceil(self.seconds / 60)

    def sentence(self, language: str) -> str:
        """Say it to the sender."""
        return i18n.ngettext(
            language,
            "This message was not sent: too many have come from your network or your address. "
            "Your text and your files are kept; please send it again in %(n)s minute.",
            "This message was not sent: too many have come from your network or your address. "
            "Your text and your files are kept; please send it again in %(n)s minutes.",
            self.minutes,
        )

    def told(self, language: str) -> str:
        """Return the sentence, and let the answer to this request tell programs, too, when to come again."""
        after_this_request(self.tell)
        return self.sentence(language)

    def tell(self, response: Response) -> Response:
        """Tell a program when to come again (RFC 9110, section 10.2.3)."""
        response.headers["Retry-After"] = str(self.seconds)
        return response


class Floods:
    """What one application allows. Raise ConfigurationError, naming the key, for what cannot be read.

    `secret` is what nobody can tell without whom is counted under which key.
    """

    def __init__(self, url: str, rates: dict[str, Any], secret: bytes) -> None:
        self._url, self._secret = url, secret
        self._rates = {key: _parsed(key, value) for key, value in rates.items()}
        self.confirmations = tuple(
            Allowance(item.amount, dt.timedelta(seconds=item.get_expiry())) for item in self._rates[CONFIRMATION]
        )
        self._guard = Lock()
        self._away_until = self._quiet_until = 0.0
        if not self.per_process:
            _ = self._limiter   # what cannot be used is told at the start

    @property
    def per_process(self) -> bool:
        """Say whether each process counts for itself."""
        return self._url.startswith("memory:")

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        # In memory it is made at the first use, which is after a server's fork.
        return MovingWindowRateLimiter(_storage(self._url))

    def hidden(self, kind: str, what: str) -> str:
        """Return a key that tells nobody who it stands for: a storage elsewhere holds no addresses.

        A plain digest would tell: there are so few networks that all of them are tried in a minute.
        """
        return f"{kind}-{hmac.digest(self._secret, digest('flood', kind, what), 'sha256').hex()[:32]}"

    def spend(self, key: str, who: str, *, cost: int = 1, of: int = 1) -> Flooded | None:
        """Count something for somebody, and return what to tell them where it was one too many: then nothing was counted.

        `of` multiplies the allowance.
        """
        flooded: Flooded | None = self._asked(lambda: self._full(key, who, cost, of) or self._spent(key, who, cost, of))
        return flooded

    def look(self, key: str, who: str, *, cost: int = 1, of: int = 1) -> Flooded | None:
        """Return what `spend` would, and count nothing."""
        flooded: Flooded | None = self._asked(lambda: self._full(key, who, cost, of))
        return flooded

    def remembers(self, what: str) -> bool:
        """Say whether something was noted."""
        return bool(self._asked(lambda: self._limiter.storage.get(what)))

    def note(self, what: str, *, seconds: int) -> None:
        """Remember something for a while."""
        self._asked(lambda: self._limiter.storage.incr(what, seconds))

    def answers(self) -> str:
        """Return why the storage does not answer; empty where it does."""
        try:
            self._limiter.storage.get("cs_plugin")
        except StorageError as error:
            return str(error.storage_error) or type(error.storage_error).__name__
        return ""

    def _full(self, key: str, who: str, cost: int, of: int) -> Flooded | None:
        for item in self._items(key, of):
            if not self._limiter.test(item, who, cost=cost):
                return self._flooded(item, who)
        return None

    def _spent(self, key: str, who: str, cost: int, of: int) -> Flooded | None:
        for item in self._items(key, of):
            if not self._limiter.hit(item, who, cost=cost):   # somebody was faster
                return self._flooded(item, who)
        return None

    def _flooded(self, item: RateLimitItem, who: str) -> Flooded:
        left = self._limiter.get_window_stats(item, who).reset_time - time.time()
        return Flooded(min(max(1, math.ceil(left)), item.get_expiry()))

    def _items(self, key: str, of: int) -> Sequence[RateLimitItem]:
        return [type(item)(item.amount * of, item.multiples, namespace=f"cs_plugin/{key}/{of}") for item in self._rates[key]]

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """Return the answer of the storage; None while it is away, which is logged."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return ask()
        except StorageError as error:
            self._note_absence(error)
            return None

    def _note_absence(self, error: StorageError) -> None:
        now = time.monotonic()
        with self._guard:
            self._away_until = now + _LEFT_ALONE
            told, self._quiet_until = now < self._quiet_until, max(self._quiet_until, now if now < self._quiet_until else now + _QUIET)
        if not told:
            log.error("the storage of CS_LIMITS_URL does not answer, and nothing is limited until it does: %s", error.storage_error)


def _parsed(key: str, value: object) -> tuple[RateLimitItem, ...]:
    if value is None or value == "":
        return ()
    try:
        items = tuple(parse_many(value)) if isinstance(value, str) else ()
    except ValueError:
        items = ()
    if not items or any(item.amount < 1 or item.multiples < 1 for item in items):
        raise ConfigurationError(f'{key}: expected something like "20/hour;5/minute", or an empty text for no limit; it is {value!r}')
    return items


def _storage(url: str) -> Any:
    # Only Redis and what speaks like it is given time-outs: other storages do not know these words.
    elsewhere = url.partition(":")[0].startswith(("redis", "valkey"))
    options: dict[str, Any] = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE} if elsewhere else {}
    try:
        storage = storage_from_string(url, wrap_exceptions=True, **options)
    except (LimitsConfigurationError, ValueError, TypeError, NotImplementedError) as error:
        # The address may hold a password, and the library repeats it.
        raise ConfigurationError(_unusable(url, error)) from None
    if not isinstance(storage, Storage) or not hasattr(storage, "acquire_entry"):
        raise ConfigurationError(f"{STORAGE_KEY}: {url.partition(':')[0]!r} cannot count within a moving window; Redis or memory:// can")
    return storage


def _unusable(url: str, error: Exception) -> str:
    scheme = url.partition(":")[0]
    why = "its library is not installed" if "prerequisite" in str(error) else "expected memory:// or an address such as redis://host:6379/0"
    return f"{STORAGE_KEY}: {scheme!r} cannot be used ({why})"


# --- On an application ------------------------------------------------------------------------------------------------------------------------------


def read_none_as_off(app: Flask) -> None:
    """Let a host that sets a rate to None have no limit: elsewhere None stands for the default."""
    for key in RATES:
        if key in app.config and app.config[key] is None:
            app.config[key] = ""


def mount(app: Flask) -> None:
    """Read what an application allows. Raise ConfigurationError for what cannot be read."""
    config = app.config
    url = config["CS_LIMITS_URL"]
    if not isinstance(url, str):
        raise ConfigurationError(f"{STORAGE_KEY}: expected memory:// or an address such as redis://host:6379/0")
    app.extensions[EXTENSION] = Floods(
        url,
        {
            FORM: config["CS_FORM_RATE"],
            SENDER: config["CS_SENDER_RATE"],
            TOKEN: config["CS_TOKEN_RATE"],
            CONFIRMATION: config["CS_CONFIRMATION_RATE"],
        },
        secret if isinstance(secret := config["SECRET_KEY"], bytes) else str(secret).encode(),
    )


def floods_of(app: Flask) -> Floods:
    """Return what an application allows."""
    return cast(Floods, app.extensions[EXTENSION])


# --- In a request -----------------------------------------------------------------------------------------------------------------------------------


def network() -> str | None:
    """Return the network that this request comes from, an IPv4 address or the /64 of an IPv6 one; None where it cannot be told."""
    try:
        address: IPv4Address | IPv6Address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return None   # a socket of this machine has no address
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if _behind_a_proxy(address):
        return None
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def _behind_a_proxy(address: IPv4Address | IPv6Address) -> bool:
    """Say whether all visitors would be counted as one: a proxy stands before us, and the host does not read whom it names."""
    if not address.is_private or "X-Forwarded-For" not in request.headers or "werkzeug.proxy_fix.orig" in request.environ:
        return False
    _warn_of_proxy(current_app)
    return True


def _warn_of_proxy(app: Flask) -> None:
    if not app.extensions.get(f"{EXTENSION}_warned"):
        app.extensions[f"{EXTENSION}_warned"] = True
        log.warning("visitors come through a proxy, and their networks cannot be told: put werkzeug's ProxyFix around the application")


def keeps_files() -> bool:
    """Say whether the files of this post may be kept, whatever comes of it; asked before it is read. They are counted generously."""
    place = network()
    return place is None or _here().spend(FORM, _hidden("files", place), of=_WITH_FILES) is None


def admit(desk: Mounted, inquiry: Inquiry, captcha: Callable[[], bool] = lambda: True) -> Flooded | None:
    """Count a good post, for its network and for its sender, before the desk receives it; return what to tell its sender where it is one too many.

    The same post that comes again is not counted again, nor asked for its captcha, which may be good for one time only. Others are asked for it where
    they would be admitted: raise CaptchaUnsolvedError.
    """
    here, mark = _here(), _hidden("post", inquiry.post_key or "")
    # What was counted and is not stored yet is being received at this moment: a double click, on a slow day.
    if _was_received(desk, inquiry) or (inquiry.post_key is not None and here.remembers(mark)):
        return None
    who = _who(inquiry)
    flooded = _first(here.look(key, one, cost=_TAKEN, of=_TAKEN) for key, one in who)
    if flooded is None and not captcha():
        raise CaptchaUnsolvedError
    flooded = flooded or _first(here.spend(key, one, cost=_TAKEN, of=_TAKEN) for key, one in who)
    if flooded is None and inquiry.post_key is not None:
        here.note(mark, seconds=_REMEMBERED)
    return flooded


def admit_opinion(token: str) -> Flooded | None:
    """Count an answer to a closing question as a message is counted; return what to tell its sender where it is one too many."""
    here, place = _here(), network()
    who = [*([(FORM, _hidden("network", place))] if place is not None else []), (SENDER, _hidden("link", token.lower()))]
    flooded = _first(here.look(key, one, cost=_TAKEN, of=_TAKEN) for key, one in who)
    return flooded or _first(here.spend(key, one, cost=_TAKEN, of=_TAKEN) for key, one in who)


def _was_received(desk: Mounted, inquiry: Inquiry) -> bool:
    database = desk.session()
    let_go(database)
    # No transaction stays open while the host is asked; and a database that is busy for a moment is asked again, as it is for the message itself.
    return committed(database, lambda: was_taken(database, inquiry))


def count_refused(language: str, errors: dict[str, str], status: int) -> tuple[dict[str, str], int]:
    """Count a post in which something was wrong; return the errors and the status that its sender sees."""
    place = network()
    flooded = _here().spend(FORM, _hidden("network", place), cost=_REFUSED, of=_TAKEN) if place is not None else None
    return ({**errors, "": flooded.told(language)}, 429) if flooded is not None else (errors, status)


def guessing(token: str) -> Flooded | None:
    """Return what to tell a network that has tried too many unknown links; a browser that has opened this one before is let in all the same."""
    place = network()
    if not token or place is None or _hidden("token", token)[:18] in session.get(_OPENED, ()):
        return None
    return _here().look(TOKEN, _hidden("network", place))


def note_link(token: str, *, opened: bool) -> None:
    """Count a link that opened nothing; remember in the visitor's session one that did."""
    place = network()
    if not opened and place is not None:
        _here().spend(TOKEN, _hidden("network", place))
    mark, known = _hidden("token", token)[:18], list(session.get(_OPENED, ()))
    if opened and mark not in known:
        session[_OPENED] = [*known, mark][-_MOST_OPENED:]


def _here() -> Floods:
    return floods_of(current_app)


def _who(inquiry: Inquiry) -> list[tuple[str, str]]:
    place = network()
    return [*([(FORM, _hidden("network", place))] if place is not None else []), (SENDER, _sender(inquiry))]


def _sender(inquiry: Inquiry) -> str:
    """Return who is counted. Whoever is signed in, or came by a link, is counted as that: nobody who types their address uses up their allowance."""
    if inquiry.channel is Channel.LINK and inquiry.thread_token:
        return _hidden("link", inquiry.thread_token.lower())
    if inquiry.sender.verified and inquiry.sender.customer_id:
        return _hidden("customer", inquiry.sender.customer_id)
    kind = "guest" if inquiry.sender.verified else "address"
    return _hidden(kind, mailbox_of(inquiry.sender.address))


def _hidden(kind: str, what: str) -> str:
    return _here().hidden(kind, what)


def _first(several: Any) -> Flooded | None:
    return next((one for one in several if one is not None), None)
