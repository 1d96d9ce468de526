"""What all tests share: the real servers, and a small host whose answers a test can set."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.servers.fixtures", "tests.hosts.fixtures"]


@pytest.fixture(autouse=True)
def _loggers_speak() -> Iterator[None]:
    """A host's migrations set logging up from a file, which silences every logger that is there already; the next test hears them again."""
    yield
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
