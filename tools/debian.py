"""Debian packages: installed by root, asked for from anyone else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends")
NO_QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive"}


def install(packages: Sequence[str]) -> int:
    """Install Debian packages when we are root, else print the command that does; return an exit code.

    Nothing is run when `packages` is empty.
    """
    if not packages:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Missing programs. On Debian: sudo {' '.join(INSTALL)} {' '.join(packages)}", file=sys.stderr)
        return 1
    environment = os.environ | NO_QUESTIONS
    print(f"Installing {', '.join(packages)}", flush=True)
    for command in (("apt-get", "update", "-qq"), (*INSTALL, "-qq", *packages)):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0
