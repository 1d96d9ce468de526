"""Commands that say what is wrong and how to put it right."""

from __future__ import annotations

import sys

import click

from cs_plugin.cli.group import cs
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.store import schema
from cs_plugin.store.contacts import contacts_in
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web.mounted import Mounted, mounted


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
        _advise(mounted())
        return
    sys.exit(1)


def _advise(here: Mounted) -> None:
    """Say what is not wrong, but leaves mails without a sender or without anybody who reads them."""
    if not (here.app.config["CS_MAIL_FROM"] or here.app.config.get("MAIL_DEFAULT_SENDER")):
        click.echo(f"Mail comes from {here.default_sender} where neither contact nor shop has an address: set CS_MAIL_FROM.")
    try:
        shops = here.host.shops()
    except BadHostAnswerError as error:
        click.echo(f"The store's answer cannot be used: {error}.")
        return
    with here.sessions() as session:
        contacts = contacts_in(session, EVERYTHING)
    if not any(contact.email for contact in contacts) and not any(shop.email for shop in shops):
        click.echo("Nobody is told of new messages by mail: no contact and no shop has an address.")
