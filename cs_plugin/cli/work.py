"""Commands of what works beside requests: the worker, and the jobs that it does."""

from __future__ import annotations

import click

from cs_plugin import jobs as job_queue
from cs_plugin.cli.group import cs, what_is_wrong_with_the_tables
from cs_plugin.web.mounted import mounted
from cs_plugin.worker import WorkerProcess


@cs.command()
def work() -> None:
    """Deliver mail, do jobs and clear up until ended by SIGTERM or Ctrl-C; several may run at once."""
    worker = WorkerProcess(mounted())
    worker.end_at_signals()
    # It goes on all the same: somebody who begins everything at once makes the tables meanwhile.
    for finding in what_is_wrong_with_the_tables():
        click.echo(f"Nothing can be done yet. {finding.what}", err=True)
    click.echo("The worker has begun; Ctrl-C ends it after the mail in hand.")
    worker.run()


@cs.command()
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many jobs.")
def jobs(most: int) -> None:
    """List the newest jobs, how far they are, and what went wrong."""
    with mounted().sessions() as session:
        found = job_queue.newest_jobs(session, most)
    for job in found:
        far = f"{job.done}" if job.total is None else f"{job.done} of {job.total}"
        click.echo(f"{job.id}  {job.kind}  {job.state}  {far}  since {job.created_at:%Y-%m-%d %H:%M} UTC  {job.error}".rstrip())
    if not found:
        click.echo("There are no jobs.")
