"""Commands that make the desk's tables and take them away."""

from __future__ import annotations

import click

from cs_plugin import desk
from cs_plugin.cli.group import cs
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.store import schema
from cs_plugin.web.mounted import Mounted, mounted


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
