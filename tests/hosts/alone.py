"""Stands in for tests/conftest.py where there is neither a browser nor a server of a database: `pytest --noconftest -p tests.hosts.alone`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.hosts.fixtures import store
from tests.servers.smtp import SMTPServer

__all__ = ["smtp_server", "store"]


def pytest_configure(config: pytest.Config) -> None:
    """Pass over aiosmtpd's warning of passwords without TLS, which nobody overhears on the loopback."""
    config.addinivalue_line("filterwarnings", "ignore:Requiring AUTH while not requiring TLS:UserWarning")


@pytest.fixture
def smtp_server() -> Iterator[SMTPServer]:
    """A well-behaved SMTP server that has received nothing."""
    with SMTPServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _loggers_speak() -> Iterator[None]:
    """A host's migrations set logging up from a file, which silences every logger that is there already; the next test hears them again."""
    yield
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
