"""Both ends of the supported versions: the tests that mount the desk on hosts, with the lowest and with the newest of what it requires.

`python -m tools.versions [NAME…]` makes an environment for each in `.versions`, runs the tests in it, and prints a table. It needs only Python's
standard library and pip. Made once, an environment is made again when what it is made from changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.environment import LOCK, PIP_INSTALL

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".versions"

# What hosts of the tests have beside the desk, in the newest versions that go with the desk's requirements at either end.
OF_HOSTS = ("flask-alembic", "flask-babel", "flask-login", "flask-migrate", "flask-sqlalchemy-lite")
# What runs the tests, in whatever version.
RUNNERS = ("aiosmtpd", "gunicorn", "pytest")
# The plugin stands in for tests/conftest.py, which wants a browser and the servers of databases.
TESTS = ("--noconftest", "-p", "tests.hosts.alone", "-m", "not long", "tests/test_hosts.py", "tests/test_mounting.py")
# Two hosts that have every library between them, for every change of the code.
ECONOMICAL = (*TESTS[:-1], "-k", "journey_of and (module_admin or uuid_keys)")
# What the table names of each environment.
SHOWN = ("flask", "flask-admin", "sqlalchemy", "pluggy")


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python, such as "3.12", and which end of what pyproject.toml allows: the lowest versions, or the newest, which are those of the lock."""

    name: str
    python: str
    lowest: bool = False

    @property
    def folder(self) -> Path:
        """Return where it stands."""
        return FOLDER / self.name

    @property
    def interpreter(self) -> Path:
        """Return its own Python."""
        return self.folder / "bin" / "python"


ENVIRONMENTS = (
    Environment("lowest", "3.11", lowest=True),
    Environment("newest", "3.11"),
    Environment("newest-3.12", "3.12"),
    Environment("newest-3.13", "3.13"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one environment: whether all passed, what was said, in how many seconds; `versions` as in SHOWN."""

    environment: Environment
    passed: bool
    said: str
    seconds: float = 0.0
    versions: Sequence[str] = ()


def find_python(version: str) -> Path | None:
    """Return an interpreter of that version, such as "3.12", on PATH or among those of pyenv; None where the machine has none."""
    return next((path for path in _candidates(version) if _answers(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    # A command of pyenv's stands on PATH also where no version is chosen, and then fails: each candidate is asked.
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield Path(folder) / f"python{version}"
    if shutil.which("pyenv"):
        root = subprocess.run(("pyenv", "root"), capture_output=True, text=True, check=False).stdout.strip()
        if root:
            yield from sorted(Path(root).glob(f"versions/{version}.*/bin/python"), reverse=True)


def _answers(python: Path, version: str) -> bool:
    question = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run((python, "-c", question), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return False
    return said.stdout.strip() == version


def requirements(pyproject: Path) -> list[str]:
    """Return what the project requires, each with its bounds: "flask>=3.0,<4"."""
    return list(tomllib.loads(pyproject.read_text())["project"]["dependencies"])


def lowest(required: Iterable[str]) -> list[str]:
    """Return each requirement at its lower bound exactly: "flask>=3.0,<4" is "flask==3.0". What has no lower bound is left out."""
    bounds = ((_name(line), re.search(r">=\s*([0-9][^,;\s]*)", line)) for line in required)
    return [f"{name}=={bound[1]}" for name, bound in bounds if bound]


def _name(line: str) -> str:
    return re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0].lower()


def constraints_of(environment: Environment) -> str:
    """Return the versions that an environment holds to, as a file of pip's."""
    if not environment.lowest:
        return (ROOT / LOCK).read_text()
    return "".join(f"{line}\n" for line in lowest(requirements(ROOT / "pyproject.toml")))


def make(environment: Environment, python: Path) -> str:
    """Make an environment, unless it stands as it should, and return what went wrong; empty for nothing."""
    constraints = constraints_of(environment)
    made_from = "\n".join((str(python), constraints, *requirements(ROOT / "pyproject.toml"), *OF_HOSTS, *RUNNERS))
    digest, stamp = hashlib.sha256(made_from.encode()).hexdigest(), environment.folder / "made-from"
    if stamp.is_file() and stamp.read_text() == digest:
        return ""
    shutil.rmtree(environment.folder, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    limits = FOLDER / f"{environment.name}.txt"
    limits.write_text(constraints)
    # Our own pip fills it, and the interpreter compiles what it imports: an installed pip and compiled tests of all libraries take a minute.
    steps: tuple[tuple[str | Path, ...], ...] = (
        (python, "-m", "venv", "--without-pip", environment.folder),
        (sys.executable, "-m", "pip", "--python", environment.interpreter, *PIP_INSTALL[2:], "--no-compile", "--constraint", limits,
         "--editable", ROOT, *OF_HOSTS, *RUNNERS),
    )  # fmt: skip
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            return done.stderr or done.stdout or f"{step[0]} ended with {done.returncode}"
    stamp.write_text(digest)
    return ""


def run(environment: Environment, tests: Sequence[str] = TESTS) -> Outcome:
    """Make an environment and run tests in it."""
    begun = time.monotonic()
    python = find_python(environment.python)
    if python is None:
        return Outcome(environment, passed=False, said=f"Python {environment.python} is not on this machine")
    wrong = make(environment, python)
    if wrong:
        return Outcome(environment, passed=False, said=wrong, seconds=time.monotonic() - begun)
    command = (environment.interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return Outcome(environment, done.returncode == 0, done.stdout + done.stderr, time.monotonic() - begun, versions_in(environment))


def versions_in(environment: Environment) -> list[str]:
    """Return the versions of SHOWN that stand in an environment."""
    question = f"from importlib.metadata import version; print(*map(version, {SHOWN!r}))"
    return subprocess.run((environment.interpreter, "-c", question), capture_output=True, text=True, check=True).stdout.split()


def main(names: Sequence[str]) -> int:
    """Run the named environments, or all, and print what came of each; return an exit code. A Python that is not there is no failure."""
    failed = False
    print("| environment | Python | " + " | ".join(SHOWN) + " | |", "| --- " * (len(SHOWN) + 3) + "|", sep="\n", flush=True)
    for environment in ENVIRONMENTS:
        if names and environment.name not in names:
            continue
        outcome = run(environment)
        last = (outcome.said.strip().splitlines() or [""])[-1].strip("= ")
        versions = outcome.versions or ["–"] * len(SHOWN)
        print(f"| {environment.name} | {environment.python} | " + " | ".join(versions) + f" | {last} |", flush=True)
        if not outcome.passed and outcome.versions:
            print(outcome.said, file=sys.stderr)
        failed = failed or (not outcome.passed and find_python(environment.python) is not None)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
