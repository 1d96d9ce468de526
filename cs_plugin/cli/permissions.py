"""The command that says who may do what, where, and why."""

from __future__ import annotations

import click

from cs_plugin.cli.group import cs
from cs_plugin.rules.entitlements import Colleague, Places, entitlement, staff
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import ALL_SHOPS, Context, name_of
from cs_plugin.store.employees import seen_employees
from cs_plugin.web.mounted import Mounted, mounted


@cs.command()
@click.option("--employee", "employee_id", metavar="ID", help="Only this employee, by the store's own id.")
def permissions(employee_id: str | None) -> None:
    """Say what each employee may do, where, and why, as the store's hook cs_list_grants answers."""
    here = mounted()
    with here.sessions() as session:
        seen = seen_employees(session)
    found = [one for one in staff(here.host.employees(), seen) if employee_id in (None, one.employee.id)]
    if not found and employee_id is not None:
        raise click.ClickException(f"There is no employee {employee_id}.")
    places = Places(here.host.shops())
    for colleague in found:
        _write(here, colleague, places)
    if not found:
        click.echo("The store lists no employees, and the desk has seen none.")


def _write(here: Mounted, colleague: Colleague, places: Places) -> None:
    employee = colleague.employee
    click.secho(f"{employee.name} ({employee.id})", bold=True)
    if colleague.gone:
        click.echo("  No longer there: the store does not list this employee.")
        return
    worked_out = entitlement(here.host.told_grants(employee), places)
    for permission in Permission:
        held = ", ".join(_named(place, places) for place in worked_out.held[permission])
        click.echo(f"  {permission:<10} {held or 'no'}")
    for reason in worked_out.reasons:
        click.echo(f"  {reason.message % reason.values(str)} {reason.error}".rstrip())
    if worked_out.answer:
        click.echo(f"  cs_list_grants: {worked_out.answer}")


def _named(place: Context, places: Places) -> str:
    if not places.several:
        return "yes"
    return "all shops" if place == ALL_SHOPS else name_of(place, places.shops)
