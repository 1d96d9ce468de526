"""Commands that send what waits, and mend what failed."""

from __future__ import annotations

import click

from cs_plugin.cli.group import cs
from cs_plugin.web import rounds
from cs_plugin.web.mounted import mounted

_MOST = (1 << 63) - 1  # the greatest id that every database takes


@cs.command()
def deliver() -> None:
    """Release the replies that are due, and send the mails that are, once."""
    here = mounted()
    outcome = rounds.deliver(here, most=1_000)
    click.echo(f"{outcome.sent} sent, {outcome.postponed} postponed, {outcome.failed} failed.")
    # Where cron runs this and no worker runs, nobody else counts anew what has changed: it would pile up for ever.
    rounds.bring_up_totals(here)
    rounds.bring_back(here)


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
        none = True
        for mail in office.failed():
            none = False
            click.echo(f"{mail.item_id}  {mail.kind}  {', '.join(mail.recipients)}  since {mail.since:%Y-%m-%d %H:%M} UTC  {mail.words}")
        if none:
            click.echo("No mail has failed.")


def _retry(item_ids: list[int]) -> None:
    office = mounted().office
    left = [item_id for item_id in item_ids if not office.retry(item_id)]
    click.echo(f"{len(item_ids) - len(left)} will be tried again.")
    if left:
        raise click.ClickException(f"Not failed, or of a thread that lies in spam or in the bin: {', '.join(map(str, left))}.")
