"""The command that seals kept passwords with a new key."""

from __future__ import annotations

import click

from cs_plugin import desk
from cs_plugin.cli.group import cs
from cs_plugin.health.secrets import whose
from cs_plugin.rules.shops import contexts_of
from cs_plugin.web.mounted import mounted


@cs.command()
def reencrypt() -> None:
    """Encrypt kept passwords anew, with the first of CS_ENCRYPTION_KEYS; ends with 1 where no key opens one of a shop that is there.

    Restart web processes and workers with the new key first: one that still runs with the old list would go on encrypting with the old key.
    """
    here = mounted()
    keeping = here.do(desk.seal_secrets_anew)
    click.echo(f"{len(keeping.older)} encrypted anew, {len(keeping.first)} already had the first key.")
    if keeping.lost:
        shops = here.host.shops()
        for secret in keeping.lost:
            click.echo(f"No key opens {secret.name} ({whose(secret.context, shops)}).", err=True)
        # Nobody could enter the password of a shop again that is not there any more.
        if not any(secret.context in contexts_of(shops) for secret in keeping.lost):
            return
        raise click.ClickException("Put the key that they had behind the first one, and run this again; or enter these passwords again.")
