"""A Redis server that writes nothing to disk."""

from __future__ import annotations

from pathlib import Path

from tests.servers.processes import HOST, RunningServer, answers, free_port, start_server
from tools.programs import find_program


def start(folder: Path) -> RunningServer:
    """Start a server in `folder`."""
    port = free_port()
    # Redis otherwise writes a title of its own over its command line, by which we know the process again.
    settings = ("--save", "", "--appendonly", "no", "--set-proc-title", "no")
    return start_server(
        (find_program("redis-server"), "--dir", folder, "--bind", HOST, "--port", str(port), *settings),
        folder=folder,
        ports=(port,),
        ready=lambda: answers(port),
    )


class RedisServer:
    """A running Redis server."""

    def __init__(self, running: RunningServer) -> None:
        """Use the server that `start` started."""
        self.port = running.port
        self.url = f"redis://{HOST}:{running.port}/0"
