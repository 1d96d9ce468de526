"""Commands: `flask cs …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from cs_plugin.store import schema
from cs_plugin.web.mounted import mounted

cs = AppGroup("cs", help="The customer-service desk.")


@cs.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Make the desk's tables, or bring them up to this version; the first contacts too, where there are none."""
    from cs_plugin import desk

    here = mounted()
    schema.upgrade(here.engine, revision)
    if revision == "head":
        with here.sessions() as session:
            desk.make_first_contacts(here.bench(session))
            session.commit()
    click.echo(f"The desk's tables are at {schema.head() if revision == 'head' else revision}.")


@cs.command()
@click.argument("revision")
@click.confirmation_option(prompt="This removes tables and what they hold. Go on?")
def downgrade(revision: str) -> None:
    """Take the desk's tables down to a revision; "base" removes them all."""
    schema.downgrade(mounted().engine, revision)
    click.echo(f"The desk's tables are at {revision}.")


@cs.command()
def deliver() -> None:
    """Send the mails that are due, once."""
    outcome = mounted().office.deliver(most=1_000)
    click.echo(f"{outcome.sent} sent, {outcome.postponed} postponed, {outcome.failed} failed.")
