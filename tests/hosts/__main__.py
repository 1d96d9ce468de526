"""The journey in a process of its own: `python -m tests.hosts NAME FOLDER [MODULE…]`; the named modules cannot be imported in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


class Blocker(MetaPathFinder):
    """Lets nobody import these modules."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find nothing for these, and leave the others to others."""
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def main(name: str, folder: str, *lacks: str) -> None:
    """Run the journey on a store of that name."""
    sys.meta_path.insert(0, Blocker(lacks))
    # Only now: what is imported from here on finds out what is not there.
    from tests.hosts.journey import run
    from tests.servers.smtp import SMTPServer

    with SMTPServer() as smtp:
        run(name, Path(folder), smtp)
    assert not {module.partition(".")[0] for module in sys.modules} & set(lacks)
    print(f"the journey on {name} has ended well")


if __name__ == "__main__":
    main(*sys.argv[1:])
