"""The group that all commands of the desk belong to."""

from __future__ import annotations

import click
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.exc import DBAPIError, OperationalError

from cs_plugin.errors import BadHostAnswerError
from cs_plugin.health.findings import Finding, Severity, said
from cs_plugin.health.tables import look_at_tables
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.web.mounted import mounted

_MOST_WORDS = 1_000


class Commands(AppGroup):
    """Commands that end in a sentence where the database or the store fails them: whoever typed one cannot mend what a traceback tells."""

    def invoke(self, ctx: click.Context) -> object:
        """Do a command. Raise ClickException where the database takes nothing, or an answer of the host is of no use."""
        try:
            return super().invoke(ctx)
        except BadHostAnswerError as error:
            raise click.ClickException(clean_line(str(error), _MOST_WORDS)) from error
        except DBAPIError as error:
            words = _words_of(error, ctx)
            if not words:
                # The tables are as they should be, and the database answers: the mistake is ours.
                raise
            raise click.ClickException(words) from error


def _words_of(error: DBAPIError, ctx: click.Context) -> str:
    with ctx.ensure_object(ScriptInfo).load_app().app_context():
        wrong = what_is_wrong_with_the_tables()
    if wrong:
        return wrong[0].what
    return f"The database did not do it: {clean_line(said(error), _MOST_WORDS)}" if isinstance(error, OperationalError) else ""


def what_is_wrong_with_the_tables() -> list[Finding]:
    """Return why the desk cannot work with its tables; nothing where it can. It needs an application."""
    return [one for one in look_at_tables(mounted()) if one.severity is Severity.WRONG]


cs = Commands("cs", help="The customer-service desk.")
