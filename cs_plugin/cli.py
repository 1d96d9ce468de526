"""Commands: `flask cs …`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from cs_plugin import desk
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.sample import write_sample
from cs_plugin.store import schema
from cs_plugin.web.mounted import Mounted, mounted

cs = AppGroup("cs", help="The customer-service desk.")


@cs.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Make the desk's tables, or bring them up to this version; the first contacts too, where there are none."""
    here = mounted()
    schema.upgrade(here.engine, revision)
    if revision == "head":
        _make_first_contacts(here)
    click.echo(f"The desk's tables are at {schema.head() if revision == 'head' else revision}.")


def _make_first_contacts(here: Mounted) -> None:
    with here.sessions() as session:
        try:
            desk.make_first_contacts(here.bench(session))
        except BadHostAnswerError as error:
            click.echo(f"No contacts were made yet: {error}. Run this again once the store has shops and languages.")
            return
        session.commit()


@cs.command()
@click.argument("revision")
@click.confirmation_option(prompt="This removes tables and what they hold. Go on?")
def downgrade(revision: str) -> None:
    """Take the desk's tables down to a revision; "base" removes them all."""
    schema.downgrade(mounted().engine, revision)
    click.echo(f"The desk's tables are at {revision}.")


@cs.command()
def check() -> None:
    """Say whether the desk's tables are those of this version; ends with 1 where they are not."""
    with mounted().engine.connect() as connection:
        current = schema.current(connection)
        differences = schema.differences(connection) if current else []
    if current is None:
        click.echo("The desk's tables are not there: run flask cs upgrade.")
    elif current != schema.head():
        click.echo(f"The desk's tables are at {current}, this version needs {schema.head()}: run flask cs upgrade.")
    elif differences:
        click.echo("The desk's tables differ from this version's:")
        for difference in differences:
            click.echo(f"  {difference}")
    else:
        click.echo(f"The desk's tables are at {current}, as they should be.")
        return
    sys.exit(1)


@cs.command()
def deliver() -> None:
    """Send the mails that are due, once."""
    outcome = mounted().office.deliver(most=1_000)
    click.echo(f"{outcome.sent} sent, {outcome.postponed} postponed, {outcome.failed} failed.")


@cs.command()
def purge() -> None:
    """Erase the threads that have lain in the bin for 30 days, with all that belongs to them."""
    here, erased = mounted(), 0
    while some := here.do(lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)):
        erased += some
    click.echo(f"{erased} threads erased.")


@cs.command()
@click.option("--threads", "count", default=100, show_default=True, type=click.IntRange(1), help="How many threads.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same threads.")
@click.option("--days", default=60, show_default=True, type=click.IntRange(1), help="Over how many past days they are spread.")
def sample(count: int, seed: int, days: int) -> None:
    """Write realistic threads in several languages, to try the desk."""
    here = mounted()
    with click.progressbar(length=count, label="Writing threads") as bar, here.sessions() as session:
        messages = write_sample(here.bench(session), count, seed=seed, days=days, progress=bar.update)
    click.echo(f"{count} threads with {messages} messages.")
