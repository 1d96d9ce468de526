"""The way back into the host's own page, from where one of our fragments was posted: a path of this site and nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import request

from cs_plugin.rules.inquiry import digest

_LONGEST_PATH = 2000


def this_page() -> str:
    """Return the path of the page that is being drawn, with its query, as a fragment's form carries it."""
    return f"{request.script_root}{request.full_path if request.query_string else request.path}"


def same_site(path: str) -> bool:
    """Say whether a path leads back into this site and nowhere else: browsers read "//host", "/\\host" and what hides behind a tab as other sites."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or len(path) > _LONGEST_PATH or not path.isprintable() or "\\" in path:
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc


def place_of(name: str, key: str) -> str:
    """Return the id of a fragment within its page, another for each key: a page may hold the same fragment for several orders."""
    return f"{name}-{key}" if re.fullmatch("[A-Za-z0-9_-]+", key) else f"{name}-{digest(key).hex()[:16]}"


def at(path: str, anchor: str) -> str:
    """Return a path that leads to a place within its page."""
    return f"{path.partition('#')[0]}#{anchor}"
