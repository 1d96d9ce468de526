"""Commands that clear away what nobody needs any more."""

from __future__ import annotations

import click

from cs_plugin import desk
from cs_plugin.cli.group import cs
from cs_plugin.store import files
from cs_plugin.web.mounted import mounted


@cs.command()
def purge() -> None:
    """Erase the threads that have lain in the bin for 30 days, with all that belongs to them."""
    here, erased = mounted(), 0
    while some := here.do(lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)):
        erased += some
    click.echo(f"{erased} threads erased.")


@cs.command()
def sweep() -> None:
    """Remove files that were chosen in a form and never sent, a day later."""
    here = mounted()
    with here.sessions() as session:
        swept = files.sweep(session, here.files, here.clock() - files.UNUSED_LASTS)
    click.echo(f"{swept} files removed.")
