"""Commands that clear away what nobody needs any more."""

from __future__ import annotations

from functools import partial

import click
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.cli.group import cs
from cs_plugin.store import files
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Thread
from cs_plugin.web.mounted import Mounted, mounted


@cs.command()
@click.option("--dry-run", is_flag=True, help="Say how many it would be, and erase nothing.")
def purge(*, dry_run: bool) -> None:
    """Erase the threads that have lain in the bin for 30 days, and the closed ones that their shops keep no longer, with all that belongs to them."""
    here = mounted()
    if dry_run:
        _tell_what_is_due(here)
        return
    # Piece by piece, each in a transaction of its own, until nothing is left.
    erased = 0
    while piece := here.do(lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)):
        erased += piece
    after: int | None = 0
    while after is not None:
        purged = here.do(partial(desk.purge_closed, after=after))
        erased, after = erased + purged.erased, purged.after
    click.echo(f"{erased} threads erased.")


def _tell_what_is_due(here: Mounted) -> None:
    with here.sessions() as session:
        bench = here.bench(session)
        bench.ask_host()
        only_reads(session)
        binned = _number_of(session, desk.in_the_bin(bench.now - desk.BIN_KEEPS))
        closed = _number_of(session, desk.kept_no_longer(desk.kept_since_in_shops(bench)))
    click.echo(f"{binned + closed} threads would be erased: {binned} from the bin, {closed} closed ones.")


def _number_of(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Thread).where(which)) or 0


@cs.command()
def sweep() -> None:
    """Remove files that were chosen in a form and never sent, a day later."""
    here = mounted()
    with here.sessions() as session:
        swept = files.sweep(session, here.files, here.clock() - files.UNUSED_LASTS)
    click.echo(f"{swept} files removed.")
