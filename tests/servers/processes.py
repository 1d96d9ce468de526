"""Processes of servers: a free port, a start that waits until the server answers, an end by process id."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 60.0
END_SECONDS = 20.0
POLL_SECONDS = 0.02
LOG_LINES_SHOWN = 30
PROCESS_FILE = "process.json"

# Below the range that Linux (32768) and macOS (49152) hand out to outgoing connections: a port found free
# here is not taken by somebody's client between our look and the server's start.
FIRST_PORT, PORTS = 20_000, 12_000


class ServerNotStartedError(Exception):
    """A server ended, or did not answer in time; the message holds the end of its log."""


class ServerNotEndedError(Exception):
    """A server was still there after it had been told to end, and killed."""


class DeadlinePassedError(Exception):
    """What was waited for did not come true in time."""


@dataclass(frozen=True)
class RunningServer:
    """A server's process: its id, its folder, its loopback ports, and the signal that ends it."""

    pid: int
    folder: str
    ports: tuple[int, ...]
    end_signal: int = signal.SIGTERM

    @property
    def port(self) -> int:
        """The port of a server that listens on one only, else the first."""
        return self.ports[0]


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until `ready()` is true, or raise DeadlinePassedError after `seconds`: all that tests wait for."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DeadlinePassedError(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Find a loopback port that nobody listens on. Drawn at random, so that test workers do not meet."""
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as candidate, suppress(OSError):
            candidate.bind((HOST, port))
            return port


def answers(port: int) -> bool:
    """Tell whether somebody accepts connections on a loopback port."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=5):
        return True
    return False


def user_for(name: str) -> str | None:
    """Name the account that a server runs under when we are root; None, for our own, when we are not."""
    return name if os.geteuid() == 0 else None


def hand_over(folder: Path, *, user: str | None) -> None:
    """Give a folder and all in it to `user`; None leaves it ours."""
    if user is None:
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, _group_of(user))


def place_for(data: Path, kept: Path | None) -> None:
    """Make the folder of a server's data: `data` itself, or a way from there to a folder that is kept."""
    if kept is None:
        data.mkdir()
        return
    kept.mkdir(parents=True, exist_ok=True)
    data.symlink_to(kept)


def run_to_its_end(command: Sequence[str | Path], *, folder: Path, user: str | None = None) -> None:
    """Run a program that prepares a server; raise ServerNotStartedError with its output when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        user=user,
        group=_group_of(user),
        extra_groups=_further_groups_of(user),
    )
    if done.returncode != 0:
        raise ServerNotStartedError(_story(Path(command[0]).name, done.stdout))


def start_server(
    command: Sequence[str | Path],
    *,
    folder: Path,
    ports: Sequence[int],
    ready: Callable[[], bool],
    user: str | None = None,
    end_signal: int = signal.SIGTERM,
) -> RunningServer:
    """Start a server and wait until `ready()`, or raise ServerNotStartedError with nothing left running.

    The command line must hold `folder`: that is how the process is known again when it is ended. The process is
    written down in `folder` before it is waited for, so that it is found even if we do not live to see it ready.
    It gets a session of its own, so that Ctrl-C reaches the test run alone, which then ends the server in order.
    """
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=_group_of(user),
            extra_groups=_further_groups_of(user),
        )
    server = RunningServer(process.pid, str(folder), tuple(ports), end_signal)
    (folder / PROCESS_FILE).write_text(json.dumps(asdict(server)))
    name = Path(command[0]).name
    try:
        wait_until(lambda: process.poll() is not None or ready(), seconds=START_SECONDS, what=f"{name} answers")
    except DeadlinePassedError as late:
        end_server(server)
        raise ServerNotStartedError(_story(str(late), log.read_bytes())) from late
    if process.returncode is not None:
        raise ServerNotStartedError(_story(f"{name} ended with {process.returncode}", log.read_bytes()))
    _CHILDREN.append(process)
    return server


def written_down(folder: Path) -> RunningServer | None:
    """Read which server was last started in `folder`; None when none was."""
    record = folder / PROCESS_FILE
    if not record.exists():
        return None
    fields = json.loads(record.read_text())
    return RunningServer(**(fields | {"ports": tuple(fields["ports"])}))


# Kept so that a process object is not thrown away before its process has ended, which Python warns of.
_CHILDREN: list[subprocess.Popen[bytes]] = []


def is_running(server: RunningServer) -> bool:
    """Tell whether the server's process is still there, and still the server: ids are used again.

    A process that has ended and that nobody has asked about yet (a zombie) has no command line any more.
    """
    return server.folder in _command_line(server.pid)


def end_server(server: RunningServer) -> None:
    """End a server by its process id and wait until it is gone; one that does not obey is killed with its children."""
    if not is_running(server):
        return
    with suppress(ProcessLookupError):
        os.kill(server.pid, server.end_signal)
    with suppress(DeadlinePassedError):
        wait_until(lambda: not is_running(server), seconds=END_SECONDS, what="the server ends")
        _reap()
        return
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    try:
        wait_until(lambda: not is_running(server), seconds=END_SECONDS, what="the killed server ends")
    except DeadlinePassedError as late:
        raise ServerNotEndedError(_command_line(server.pid)) from late
    _reap()


def _reap() -> None:
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def _command_line(pid: int) -> str:
    """Read a process's command line, empty when there is no such process; macOS has no /proc, but always ps."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(("ps", "-o", "args=", "-p", str(pid)), capture_output=True, text=True, check=False).stdout


def _environment() -> Mapping[str, str]:
    """The environment with one language, so that a server's log and its order of letters are the same everywhere."""
    return os.environ | {"LC_ALL": "C.UTF-8"}


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _further_groups_of(user: str | None) -> list[str] | None:
    """An account that a server is given has no further groups, or it would keep root's."""
    return None if user is None else []


def _story(what: str, output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join((what, *lines))
