"""The example shop as `make demo` starts it: a process of its own, on a free port, in a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import free_port, wait_until

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Demo:
    """A running example shop: its address, and what it printed about who can sign in."""

    address: str
    printed: str

    def sign_in_of(self, name: str) -> tuple[str, str]:
        """Return the address and the password that the demo printed for an employee of that name."""
        found = re.search(rf"^\s*({name}\S*@\S+)\s+(\S+)", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[1], found[2]


@contextmanager
def demo(folder: Path, *, database: str | None = None, mail_url: str | None = None, threads: int = 30) -> Iterator[Demo]:
    """Start the example shop, wait until it answers, and end it by its process id."""
    port = free_port()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
    environment.pop("CS_MAIL_URL", None)
    if mail_url:
        environment["CS_MAIL_URL"] = mail_url
    output = folder / "demo.log"
    command = [sys.executable, "-m", "examples.shop", "demo", "--port", str(port), "--folder", str(folder / "demo"), "--threads", str(threads)]
    with output.open("w") as log:
        process = subprocess.Popen(
            command + (["--database", database] if database else []),
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, output.read_text()
            return "assword" in output.read_text() and f":{port}" in output.read_text()

        wait_until(ready, seconds=90, what="the example shop")
        yield Demo(f"http://127.0.0.1:{port}", output.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
