"""The desk's health: what is wrong, what it costs, and the exact lines that put it right. Nothing of it raises, whatever is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from cs_plugin.health import hooks, mailboxes, options, search, secrets, sql, surroundings, tables, work
from cs_plugin.health.findings import Finding, Severity, good, guarded, wrong
from cs_plugin.web.mounted import Mounted

__all__ = ["Finding", "Severity", "check", "doctor", "good", "is_well", "wrong"]

Check = Callable[[Mounted], Iterator[Finding]]
_SHORTEST_SECRET = 4

# What a monitor asks every minute: each with its subject. Those of the second tuple need the tables.
FAST: tuple[tuple[str, Check], ...] = (
    (surroundings.FILES, surroundings.look_at_files),
    (hooks.QUESTIONS, hooks.look_at_shops),
)
OF_TABLES: tuple[tuple[str, Check], ...] = (
    (work.SUBJECT, work.look_at_queue),
    (work.SUBJECT, work.look_at_jobs),
    (work.SUBJECT, work.look_at_marks),
    (work.SUBJECT, work.look_at_worker),
    (work.SUBJECT, work.look_at_people),
    (secrets.SUBJECT, secrets.look_at_secrets),
    (options.SUBJECT, options.look_at_options),
    (search.SUBJECT, search.look_at_search),
    (mailboxes.SUBJECT, mailboxes.look_at_mailboxes),
)


def check(here: Mounted) -> list[Finding]:
    """Return what is found quickly: tables, queue, worker, files, the store's shops."""
    return _blotted(here, [*_found(here, ((tables.SUBJECT, tables.look_at_tables),)), *_if_tables(here), *_found(here, FAST)])


def doctor(here: Mounted, *, mail: bool = False) -> list[Finding]:
    """Return everything that can be found; with `mail` the mail server is connected to, and nothing is sent."""
    return _blotted(
        here,
        [
            *_found(here, ((tables.SUBJECT, tables.look_at_tables), (tables.SUBJECT, tables.look_at_database))),
            *_if_tables(here),
            *_found(
                here,
                (
                    (surroundings.MAIL, partial(surroundings.look_at_mail_server, connect=mail)),
                    (surroundings.ADDRESSES, surroundings.look_at_addresses),
                    (surroundings.FILES, surroundings.look_at_files),
                    (surroundings.KEYS, surroundings.look_at_keys),
                    (surroundings.LIMITS, surroundings.look_at_limits),
                    (surroundings.BROWSERS, surroundings.look_at_browsers),
                    (sql.SUBJECT, sql.look_at_sql_manager),
                    (hooks.QUESTIONS, hooks.look_at_answers),
                    (hooks.LISTENERS, hooks.look_at_listeners),
                    (surroundings.PROGRAM, surroundings.look_at_migrations),
                    (surroundings.PROGRAM, surroundings.look_at_program),
                ),
            ),
        ],
    )


def is_well(findings: list[Finding]) -> bool:
    """Say whether nothing is wrong; warnings and advice are not."""
    return all(finding.severity is not Severity.WRONG for finding in findings)


def _found(here: Mounted, checks: tuple[tuple[str, Check], ...]) -> list[Finding]:
    return [finding for subject, look in checks for finding in guarded(subject, partial(look, here))]


def _if_tables(here: Mounted) -> list[Finding]:
    """Look into the tables only where they are those of this version: what is wrong with them has been said."""
    return _found(here, OF_TABLES) if tables.are_there(here) else []


def _blotted(here: Mounted, findings: list[Finding]) -> list[Finding]:
    secrets = sorted(_secrets(here), key=len, reverse=True)
    return [finding.without(secrets) for finding in findings]


def _secrets(here: Mounted) -> set[str]:
    """Return every secret that the configuration holds: no error that repeats one may reach a screen or a log."""
    config = here.app.config
    found = {_text(config["SECRET_KEY"]), *(_text(one) for one in config.get("SECRET_KEY_FALLBACKS") or ())}
    for keys in (config["CS_SIGNING_KEYS"], config["CS_ENCRYPTION_KEYS"]):
        found |= {_text(one) for one in ([keys] if isinstance(keys, str | bytes) else keys or ())}
    found |= {_text(config[key]) for key in ("CS_OAUTH_GOOGLE_CLIENT_SECRET", "CS_OAUTH_MICROSOFT_CLIENT_SECRET") if config[key]}
    urls = [str(value) for key, value in config.items() if isinstance(value, str) and "://" in value and key.isupper()]
    with suppress(Exception):   # without an engine there is no password of its
        urls.append(here.engine.url.render_as_string(hide_password=False))
    for url in urls:
        found |= _passwords(url)
    return {one for one in found if len(one) >= _SHORTEST_SECRET}


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return set()
    return {password, unquote(password)} if password else set()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
