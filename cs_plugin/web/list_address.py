"""Addresses of the list, as links carry them and as forms lead back to them."""

from __future__ import annotations

from flask import url_for

from cs_plugin.web.list_state import ListState


def list_url(state: ListState) -> str:
    """Return the address of the list in that state."""
    return url_for("cs_threads.index_view") + list_query(state)


def list_url_of(back: str | None) -> str:
    """Return the address of the list from which a page was opened, out of its `back`; whatever that says, it leads nowhere else."""
    return list_url(ListState.of_query(back or ""))


def list_query(state: ListState) -> str:
    """Return the state as it stands behind an address: with its question mark, or empty."""
    return f"?{state.query}" if state.query else ""
