"""The servers and the browser that tests talk to: where each program is found, and the Debian package that brings it.

`python -m tools.programs` installs the packages of what is missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import debian

# Program -> Debian package. A name with a folder in it is no command of its own: the server starts it.
PACKAGES = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "mariadb-install-db": "mariadb-server",
    "mariadbd": "mariadb-server",
    "redis-server": "redis-server",
    "dovecot": "dovecot-core",
    "dovecot/imap": "dovecot-imapd",
    "dovecot/pop3": "dovecot-pop3d",
    "chromium": "chromium",
}

# Debian keeps PostgreSQL's programs in a folder for each version, and /usr/sbin is not on an ordinary user's PATH.
FOLDERS_OFF_THE_PATH = ("/usr/sbin", "/usr/local/sbin", "/usr/lib", "/usr/libexec")


class MissingProgramError(Exception):
    """A program that the tests need is not installed; the message names the Debian package that brings it."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed: it comes with the Debian package {PACKAGES[program]}")
        self.program = program


def find_program(program: str) -> Path:
    """Find a program of PACKAGES on PATH or in Debian's folders; raise MissingProgramError when it is in none."""
    for folder in _folders():
        candidate = folder / program
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise MissingProgramError(program)


def missing_packages() -> list[str]:
    """List the Debian packages of the programs that are not found, each once and in alphabetical order."""
    return sorted({package for program, package in PACKAGES.items() if not _is_found(program)})


def _is_found(program: str) -> bool:
    try:
        find_program(program)
    except MissingProgramError:
        return False
    return True


def _folders() -> Iterator[Path]:
    yield from map(Path, os.get_exec_path())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of, reverse=True)
    yield from map(Path, FOLDERS_OFF_THE_PATH)


def _version_of(folder: Path) -> float:
    """Read the version in /usr/lib/postgresql/15/bin, so that 15 is newer than 9.6."""
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


if __name__ == "__main__":
    sys.exit(debian.install(missing_packages()))
