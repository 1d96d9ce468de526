"""The lock: the newest versions that pyproject.toml allows for development, as pip resolves them today.

`python -m tools.lock` writes requirements-dev.lock: a line `name==version` for each distribution, and nothing else.
Neither an index nor hashes: the machine's pip knows where packages come from, and other platforms have other wheels.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.environment import LOCK, PIP_INSTALL, ensure_venv

OURS = "cs-plugin"


def write_lock(lock: Path) -> int:
    """Resolve `.[dev]` in an empty environment and write what pip would install; return an exit code."""
    if failed := ensure_venv():
        return failed
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        venv.create(Path(folder) / "venv", with_pip=True)
        python = Path(folder) / "venv" / "bin" / "python"
        command = [str(python), *PIP_INSTALL, "--dry-run", "--ignore-installed", "--report", str(report), ".[dev]"]
        failed = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        if not failed:
            lock.write_text(locked_lines(json.loads(report.read_text())))
        return failed


def locked_lines(report: Mapping[str, Any]) -> str:
    """Turn pip's installation report into the text of the lock, in alphabetical order and without ourselves.

    https://pip.pypa.io/en/stable/reference/installation-report/
    """
    found = [item["metadata"] for item in report["install"]]
    versions = {normalized(item["name"]): item["version"] for item in found}
    return "".join(f"{name}=={versions[name]}\n" for name in sorted(versions) if name != OURS)


def normalized(name: str) -> str:
    """Spell a distribution's name as all tools do: https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(write_lock(Path(LOCK)))
