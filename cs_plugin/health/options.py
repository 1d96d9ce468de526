"""Options whose kept values cannot be used any more."""

from __future__ import annotations

from collections.abc import Iterator

from cs_plugin.health.findings import Finding, kept_from_the_log, warning
from cs_plugin.health.secrets import choice, whose
from cs_plugin.rules.shops import contexts_of
from cs_plugin.store.options import read_own_options
from cs_plugin.web.mounted import Mounted

SUBJECT = "Options"


def look_at_options(here: Mounted) -> Iterator[Finding]:
    """Say which values are of no use; those of shops that are gone hold nowhere."""
    with here.sessions() as session:
        of_no_use = read_own_options(session).of_no_use
    if not of_no_use:
        return
    with kept_from_the_log(), here.app.test_request_context():
        shops = here.host.shops()
    there = [(context, name) for context, (name, _language) in of_no_use if context in contexts_of(shops)]
    for context, name in dict.fromkeys(there):
        yield warning(
            SUBJECT,
            f"What is kept of {name} ({whose(context, shops)}) cannot be used.",
            "What is inherited there holds instead, else the default.",
            f"flask cs options unset{choice(context)} {name}",
        )
