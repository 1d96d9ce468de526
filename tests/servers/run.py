"""The servers of one test run: started once, shared by all test workers, ended when the run is over.

The first worker that asks for a server starts it and writes down its process; the others read that. The controller
of the run ends whatever was written down, so a worker may crash. A guardian does it when the controller is killed.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.servers.processes import PROCESS_FILE, RunningServer, end_server, is_running, start_server, written_down

GUARDIAN = "guardian"
PASSABLE = 0o755  # servers that run under accounts of their own must get through to their folders


class Run:
    """The servers of one test run, written down in `folder`, which every worker of the run is told."""

    def __init__(self, folder: Path) -> None:
        """Join the run in `folder`."""
        self.folder = folder
        self._life: IO[bytes] | None = None

    @classmethod
    def begin(cls) -> Run:
        """Begin a run. Who begins it ends it; the lock held meanwhile tells the guardian that we are alive.

        Not in pytest's own temporary folder: that one is closed to the accounts that servers run under.
        """
        folder = Path(tempfile.mkdtemp(prefix="cs-servers-"))
        folder.chmod(PASSABLE)
        run = cls(folder)
        run._life = run.life_file.open("wb")
        fcntl.flock(run._life, fcntl.LOCK_EX)
        return run

    @property
    def life_file(self) -> Path:
        """The file that is locked for as long as the controller lives."""
        return self.folder / "life.lock"

    def server(self, name: str, start: Callable[[Path], RunningServer]) -> RunningServer:
        """Give the run's server of that name; `start`, called with an empty folder, starts it when there is none."""
        with self._alone(name):
            running = written_down(self.folder / name)
            if running is not None and is_running(running) and self._answered(name).exists():
                return running
            self._end_alone(name)
            if name != GUARDIAN:
                self.server(GUARDIAN, self._start_guardian)
            running = start(self._empty_folder(name))
            self._answered(name).touch()
            return running

    def end_server(self, name: str) -> None:
        """End the server of that name before the run is over; one that never started is fine."""
        with self._alone(name):
            self._end_alone(name)

    def end(self) -> None:
        """End the run: every server, the guardian first, then the folder."""
        names = [path.parent.name for path in self.folder.glob(f"*/{PROCESS_FILE}")]
        for name in sorted(names, key=lambda name: name != GUARDIAN):
            self.end_server(name)
        if self._life is not None:
            self._life.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_when_the_controller_is_gone(self) -> None:
        """Wait, as the guardian, until nobody holds the controller's lock, and end what it left."""
        with self.life_file.open("rb") as life:
            fcntl.flock(life, fcntl.LOCK_EX)
        (self.folder / GUARDIAN / PROCESS_FILE).unlink()  # ourselves
        self.end()

    def _start_guardian(self, folder: Path) -> RunningServer:
        places = (str(Path(__file__).parents[2]), str(self.folder), str(folder))
        command = (sys.executable, "-c", GUARDIAN_PROGRAM, *places)
        return start_server(command, folder=folder, ports=(), ready=lambda: True)

    def _answered(self, name: str) -> Path:
        """The mark of a server that got ready; one without it was left by a worker that died while starting it."""
        return self.folder / name / "answered"

    def _end_alone(self, name: str) -> None:
        running = written_down(self.folder / name)
        if running is not None:
            end_server(running)

    def _empty_folder(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(PASSABLE)
        return folder

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Keep the other workers out of one server's start and end. The system frees the lock of a worker that dies."""
        with (self.folder / f"{name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


GUARDIAN_PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.servers.run import Run
Run(Path(sys.argv[2])).end_when_the_controller_is_gone()
"""
