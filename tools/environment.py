"""The development environment: a virtual environment with the versions of the lock and the package itself, editable.

`python -m tools.environment FOLDER` makes it, or brings it up to date; it needs only Python's standard library.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from tools import debian

LOCK = "requirements-dev.lock"
# Errors only, because pip otherwise writes the address of every package index into the build's log.
PIP_INSTALL = ("-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check")


def make_environment(folder: Path) -> int:
    """Make or update the virtual environment in `folder`; return an exit code."""
    python = folder / "bin" / "python"
    if not python.exists():
        failed = ensure_venv() or _run(sys.executable, "-m", "venv", str(folder))
        if failed:
            return failed
    return _run(str(python), *PIP_INSTALL, "--requirement", LOCK) or _run(
        str(python), *PIP_INSTALL, "--no-deps", "--editable", "."
    )


def ensure_venv() -> int:
    """See to it that `python -m venv` works: Debian ships it in a package of its own; return an exit code."""
    if importlib.util.find_spec("ensurepip") is not None:
        return 0
    return debian.install([f"python{sys.version_info.major}.{sys.version_info.minor}-venv"])


def _run(*command: str) -> int:
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(make_environment(Path(sys.argv[1])))
