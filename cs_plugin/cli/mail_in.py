"""Commands of mail that comes in: fetch mailboxes, and import what other programs have kept."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from cs_plugin.cli.group import cs
from cs_plugin.cli.options import ADMINISTRATOR
from cs_plugin.desk.mailboxes import ALL, NOW, SINCE, Beginning, awaits_choice, begin_with
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.incoming import Outcome
from cs_plugin.store import mailboxes
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Mailbox
from cs_plugin.sync import COMMAND, Asked, Counted, Report, count, import_mails, mails_in
from cs_plugin.sync import sync as sync_mailbox
from cs_plugin.sync.files import KINDS
from cs_plugin.web.list_state import UnreadableError, read_day
from cs_plugin.web.mounted import Mounted, mounted
from cs_plugin.web.sync_job import bring_up_mailboxes, surroundings_of

# What became of mails, as a command says it.
_WORDS = {
    Outcome.MESSAGE: "customers' messages",
    Outcome.ANSWER: "employees' answers",
    Outcome.NOTE: "private notes",
    Outcome.AUTOMATIC: "automatic mails",
    Outcome.BOUNCE: "bounces",
    Outcome.OWN: "the desk's own",
    Outcome.REPEATED: "known already",
    Outcome.LEFT: "left on the server",
    Outcome.TOO_LARGE: "too large",
    Outcome.SET_ASIDE: "set aside",
    Outcome.BEFORE_START: "from before the start",
}
_NOT_CHOSEN = "Only mail from its first connection on is fetched, since nobody has said otherwise: --from says it (now, all, or a day)."

_NOTHING = "Nothing new."
# How many of the files are named that were left out.
_MOST_MISSED = 20


@cs.command()
@click.option("--mailbox", "wanted", metavar="ID|NAME", help="Only this mailbox, by its number, its name or its address.")
@click.option("--dry-run", is_flag=True, help="Connect and count what would be fetched; store nothing, and change nothing on the server.")
@click.option(
    "--from", "start", metavar="now|all|YYYY-MM-DD",
    help="From when on mail is wanted: for the mailboxes of which nobody has said it yet, or for the one that is named.",
)  # fmt: skip
def sync(wanted: str | None, start: str | None, *, dry_run: bool) -> None:
    """Fetch what is new in the mailboxes, once, and tell what came of each mail."""
    if start is not None and dry_run:
        raise click.UsageError("Either --dry-run or --from.")
    beginning = _beginning(start) if start is not None else None
    here = mounted()
    bring_up_mailboxes(here)
    found = _found(here, wanted)
    if not found:
        raise click.ClickException("There is no such mailbox." if wanted else "No mailbox is set up.")
    around, failed = surroundings_of(here), False
    for mailbox in found:
        if beginning is not None and (wanted is not None or awaits_choice(mailbox)):
            here.do(partial(begin_with, actor=ADMINISTRATOR, mailbox_id=mailbox.id, beginning=beginning))
        if dry_run:
            report = count(around, mailbox.id)
        else:
            with _progress(mailbox.name or mailbox.username) as tell:
                report = sync_mailbox(around, mailbox.id, Asked(COMMAND, tell=tell))
        _tell(mailbox.name or mailbox.username, report)
        if beginning is None and awaits_choice(mailbox):
            click.echo(f"  {_NOT_CHOSEN}")
        failed = failed or bool(report.findings)
    if failed:
        raise click.exceptions.Exit(1)


def _beginning(start: str) -> Beginning:
    if start in (NOW, ALL):
        return Beginning(start)
    try:
        return Beginning(SINCE, read_day(start))
    except UnreadableError:
        raise click.BadParameter("one of now, all, and a day as year-month-day", param_hint="--from") from None


@cs.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--shop", "shop_id", metavar="ID", help="The shop that the mails are for.")
@click.option("--mailbox", "wanted", metavar="ID|NAME", help="The mailbox that they are from: what is fetched there later is known again.")
def import_(kind: str, path: Path, shop_id: str | None, wanted: str | None) -> None:
    """Take mails out of an mbox file, a maildir, or files of one mail each; importing them again changes nothing.

    What is no mail, or cannot be read, is left out and named, and the command fails then.
    """
    if (shop_id is None) == (wanted is None):
        raise click.UsageError("Either --shop or --mailbox.")
    here = mounted()
    if shop_id is not None and all(shop.id != shop_id for shop in here.host.shops()):
        raise click.ClickException(f"There is no shop {shop_id}.")
    bring_up_mailboxes(here)
    found = _found(here, wanted) if wanted is not None else []
    if wanted is not None and len(found) != 1:
        raise click.ClickException("There is no such mailbox." if not found else "Several mailboxes are called that: name it by its number.")
    around, missed = surroundings_of(here), list[tuple[Path, str]]()
    try:
        mails = mails_in(kind, path, around.limits.largest, lambda *one: missed.append(one))
        with _progress(path.name) as tell:
            report = import_mails(around, mails, Asked(COMMAND, tell=tell), mailbox_id=found[0].id if found else None, shop_id=shop_id or "")
    except InvalidInputError as error:
        raise click.ClickException(error.message % error.values if error.values else error.message) from None
    _tell(str(path), report, nothing="" if missed else _NOTHING)
    _tell_missed(missed)
    # Nobody else imports these files: where somebody has the mailbox, they are to be imported still.
    if report.findings or report.busy or missed:
        raise click.exceptions.Exit(1)


def _found(here: Mounted, wanted: str | None) -> list[Mailbox]:
    with here.sessions() as session:
        rows = list(mailboxes.active(only_reads(session)))
    if wanted is None:
        return rows
    by_number = [row for row in rows if wanted == str(row.id)]
    return by_number or [row for row in rows if wanted.lower() in (row.name.lower(), row.address.lower(), row.username.lower())]


@contextmanager
def _progress(label: str) -> Iterator[_Bar]:
    bar = _Bar(label)
    try:
        yield bar
    finally:
        bar.end()


class _Bar:
    """A progress bar that begins with the first mails that are done, for whoever looks on; where nobody knows how many there are it counts them."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._done = 0
        self._bar: Any = None   # click exports no name for what its progressbar returns

    def __call__(self, done: int, total: int) -> None:
        if not sys.stdout.isatty():
            return
        if self._bar is None:
            endless = {"length": total} if total else {"iterable": itertools.repeat(None), "show_pos": True}
            self._bar = click.progressbar(label=self._label, **endless)
            self._bar.render_progress()
        self._bar.length = total or None
        self._bar.update(done - self._done)
        self._done = done

    def end(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _tell_missed(missed: Sequence[tuple[Path, str]]) -> None:
    for path, why in missed[:_MOST_MISSED]:
        click.echo(f"  Left out: {_shown(path)}: {why}", err=True)
    if len(missed) > _MOST_MISSED:
        click.echo(f"  Left out: {len(missed) - _MOST_MISSED} more.", err=True)


def _shown(path: Path) -> str:
    """Return a path without what drives a terminal, or is no text: names come from wherever the mails do."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(path))


def _tell(name: str, report: Report, *, nothing: str = _NOTHING) -> None:
    click.echo(name)
    if report.busy:
        click.echo("  Somebody else is fetching it: nothing was done.")
        return
    if report.counted is not None:
        _tell_counted(report.counted)
    for outcome, words in _WORDS.items():
        if report.counts.get(outcome):
            click.echo(f"  {report.counts[outcome]:>8}  {words}")
    if nothing and not report.findings and report.counted is None and not report.mails:
        click.echo(f"  {nothing}")
    for finding in report.findings:
        click.echo(f"  {finding.message % finding.values if finding.values else finding.message}", err=True)


def _tell_counted(counted: Counted) -> None:
    megabytes = counted.bytes / (1 << 20)
    click.echo(f"  {counted.mails:>8}  would be fetched, {megabytes:.1f} MB in all")
    click.echo(f"  {counted.too_large:>8}  are too large")
    click.echo(f"  {counted.before_start:>8}  are from before the start")
    click.echo(f"  {counted.in_folder:>8}  are in the folder")
