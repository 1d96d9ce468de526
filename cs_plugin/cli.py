"""Commands: `flask cs …`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from cs_plugin import desk
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.sample import write_sample
from cs_plugin.store import files, schema
from cs_plugin.store.contacts import contacts_in
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web.mounted import Mounted, mounted

cs = AppGroup("cs", help="The customer-service desk.")
_MOST = (1 << 63) - 1  # the greatest id that every database takes


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


def _id_or_all(value: str) -> int | str:
    """Read the id of a mail, or "all". Raise ValueError, which click tells as a usage error."""
    if value != "all" and not 0 < int(value) <= _MOST:
        raise ValueError(value)
    return value if value == "all" else int(value)


@cs.command()
@click.option("--retry", "retried", type=_id_or_all, metavar="ID|all", help="Let this mail, or all of them, be tried again.")
@click.option(
    "--discard", "discarded", type=click.IntRange(1, _MOST), metavar="ID",
    help="Give this mail up; one without a thread is deleted, with its words and files.",
)
@click.option("--yes", is_flag=True, help="Discard without asking.")
def failed(retried: int | str | None, discarded: int | None, *, yes: bool) -> None:
    """List the mails that have failed for good, or retry or discard some."""
    if retried is not None and discarded is not None:
        raise click.UsageError("Either --retry or --discard.")
    office = mounted().office
    if retried is not None:
        _retry([one.item_id for one in office.failed()] if retried == "all" else [int(retried)])
    elif discarded is not None:
        if not any(one.item_id == discarded for one in office.failed()):
            raise click.ClickException(f"No mail {discarded} has failed.")
        if not yes:
            click.confirm(f"Nobody will get mail {discarded}. Go on?", abort=True)
        click.echo(f"Mail {discarded} is discarded." if office.discard(discarded) else f"Mail {discarded} is no longer a failed one.")
    else:
        mails = office.failed()
        for mail in mails:
            click.echo(f"{mail.item_id}  {mail.kind}  {', '.join(mail.recipients)}  since {mail.since:%Y-%m-%d %H:%M} UTC  {mail.words}")
        if not mails:
            click.echo("No mail has failed.")


def _retry(item_ids: list[int]) -> None:
    office = mounted().office
    left = [item_id for item_id in item_ids if not office.retry(item_id)]
    click.echo(f"{len(item_ids) - len(left)} will be tried again.")
    if left:
        raise click.ClickException(f"Not failed, or of a thread that lies in spam or in the bin: {', '.join(map(str, left))}.")


@cs.command()
def sweep() -> None:
    """Remove files that were chosen in a form and never sent, a day later."""
    here = mounted()
    with here.sessions() as session:
        swept = files.sweep(session, here.files, here.clock() - files.UNUSED_LASTS)
    click.echo(f"{swept} files removed.")


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
