"""How many mails may leave in a time, in all and to one domain: providers close the door to whoever sends faster. The `limits` library counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from limits import RateLimitItem, parse_many
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from cs_plugin.errors import ConfigurationError

log = logging.getLogger(__name__)
_IN_ALL = "cs-mail"
_TO_DOMAIN = "cs-mail-domain"
_PATIENCE = 1.0   # seconds for a storage elsewhere to answer


@dataclass(frozen=True, slots=True)
class MailRates:
    """The limits of one application. Without a counter nothing is limited."""

    counter: MovingWindowRateLimiter | None = None
    in_all: Sequence[RateLimitItem] = ()
    to_domain: Sequence[RateLimitItem] = ()

    def one_round(self) -> RoundOfRates:
        """Return what asks during one round of delivery."""
        return RoundOfRates(self)


NO_LIMITS = MailRates()


@dataclass(slots=True)
class RoundOfRates:
    """The limits as one round of delivery meets them. Once the counter could not be reached, that round is not limited: mail matters more."""

    rates: MailRates
    _unreachable: bool = field(default=False, init=False)

    def may_leave(self) -> bool:
        """Say whether a mail may leave now, wherever it goes; that counts nothing."""
        return all(self._free(limit, _IN_ALL) for limit in self.rates.in_all)

    def may_reach(self, domain: str) -> bool:
        """Say whether a mail may leave to a domain now; that counts nothing."""
        return all(self._free(limit, _TO_DOMAIN, domain) for limit in self.rates.to_domain)

    def count(self, domain: str) -> bool:
        """Count a mail to a domain; say False where others have used up what was free a moment ago."""
        return all([
            *(self._hit(limit, _IN_ALL) for limit in self.rates.in_all),
            *(self._hit(limit, _TO_DOMAIN, domain) for limit in self.rates.to_domain),
        ])

    def _free(self, limit: RateLimitItem, *key: str) -> bool:
        return self._ask("test", limit, *key)

    def _hit(self, limit: RateLimitItem, *key: str) -> bool:
        return self._ask("hit", limit, *key)

    def _ask(self, what: str, limit: RateLimitItem, *key: str) -> bool:
        if self._unreachable or self.rates.counter is None:
            return True
        try:
            return bool(getattr(self.rates.counter, what)(limit, *key))
        except Exception:  # each storage has errors of its own; none of them may keep mail waiting
            log.exception("CS_LIMITS_URL: the counter cannot be reached; mail goes out without limits for the moment")
            self._unreachable = True
            return True


def mail_rates(rate: str | None, domain_rate: str | None, storage: str) -> MailRates:
    """Return the limits that a configuration asks for: "100/minute", or several with a semicolon between. Raise ConfigurationError for any other."""
    in_all, to_domain = _read("CS_MAIL_RATE", rate), _read("CS_MAIL_DOMAIN_RATE", domain_rate)
    if not (in_all or to_domain):
        return MailRates()
    return MailRates(_counter(storage), in_all, to_domain)


def _counter(url: str) -> MovingWindowRateLimiter:
    # Only Redis and what speaks like it is given time-outs: other storages do not know these words.
    elsewhere = str(url).startswith(("redis", "valkey"))
    options: dict[str, float] = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE} if elsewhere else {}
    try:
        return MovingWindowRateLimiter(storage_from_string(url, **options))
    except Exception:  # noqa: BLE001 - a library that is missing, a scheme that is unknown, a storage that cannot count this way, a wrong address
        # The address may hold a password, and the library repeats it.
        raise ConfigurationError("CS_LIMITS_URL: limits cannot be counted there; expected memory:// or redis://host:6379/0") from None


def _read(key: str, rate: str | None) -> tuple[RateLimitItem, ...]:
    if rate is None or rate == "":
        return ()
    try:
        limits = tuple(parse_many(rate))
    except (TypeError, ValueError, AttributeError):
        limits = ()
    if not limits or any(limit.amount < 1 or limit.get_expiry() < 1 for limit in limits):
        raise ConfigurationError(f'{key}: expected a rate such as "100/minute", or None for no limit')
    return limits
