"""The command that fills a desk to try it."""

from __future__ import annotations

import click

from cs_plugin.cli.group import cs
from cs_plugin.sample import write_predefined, write_sample
from cs_plugin.web.mounted import mounted


@cs.command()
@click.option("--threads", "count", default=100, show_default=True, type=click.IntRange(1), help="How many threads.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same threads.")
@click.option("--days", default=60, show_default=True, type=click.IntRange(1), help="Over how many past days they are spread.")
def sample(count: int, seed: int, days: int) -> None:
    """Write realistic threads in several languages, and some predefined messages where there are none, to try the desk."""
    here = mounted()
    with click.progressbar(length=count, label="Writing threads") as bar, here.sessions() as session:
        write_predefined(here.bench(session))
        session.commit()
        messages = write_sample(here.bench(session), count, seed=seed, days=days, progress=bar.update)
    click.echo(f"{count} threads with {messages} messages.")
