"""What all tests share: the real servers, and a small host whose answers a test can set."""

from __future__ import annotations

pytest_plugins = ["tests.servers.fixtures", "tests.hosts.fixtures"]
