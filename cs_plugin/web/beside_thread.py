"""What a thread's page says besides the conversation: whether its sender is blocked, which orders of theirs are named, what the host can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request, url_for

from cs_plugin.rules.actions import ThreadAction
from cs_plugin.rules.order_references import named_in
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import blocked
from cs_plugin.store.locking import let_go
from cs_plugin.web import host_actions
from cs_plugin.web.conversation import Sheet
from cs_plugin.web.customer_block import CustomerBlock
from cs_plugin.web.reading import Visit
from cs_plugin.web.spam_pages import ShownBlock

_TO_LINK = ("/", "?", "#", "http://", "https://")


def words_beside(here: Visit, sheet: Sheet, block: CustomerBlock) -> dict[str, Any]:
    """Return what the template says of these. Costs one query."""
    everywhere = here.grants.allow_everywhere(Permission.REPLY)
    number = sheet.facts.id
    several: dict[str, Any] = {"shop": str(here.context)} if len(here.visible_shops) > 1 else {}
    return {
        "blocking": _blocking(here, sheet),
        "may_block_everywhere": everywhere and len(here.shops) > 1,
        "named_orders": _named_orders(sheet, block),
        "action_fields": host_actions.fields(number),
        "new_message_url": url_for("cs_threads.new_message", about=number, **several),
        "kept_back": request.args.get("back", ""),
    }


def _blocking(here: Visit, sheet: Sheet) -> ShownBlock | None:
    facts, session = sheet.facts, here.desk.session()
    row = blocked.blocked_in(session, facts.address, facts.shop_id) if facts.address else None
    found = None
    if row is not None:
        in_all = row.shop_id == blocked.ALL_SHOPS
        may = here.grants.allow_everywhere(Permission.REPLY) if in_all else here.grants.allow(Permission.REPLY, facts.shop_id)
        found = ShownBlock(in_all, may)
    let_go(session)
    return found


def _named_orders(sheet: Sheet, block: CustomerBlock) -> list[Any]:
    """Return the sender's own orders that their messages on this page name."""
    texts = (entry.message.text for entry in sheet.entries if entry.message is not None and entry.message.side == "customer")
    named = set(named_in(texts, (order.reference for order in block.orders)))
    return [order for order in block.orders if order.reference in named]


def actions_of(answers: Sequence[Any]) -> list[tuple[str, str] | ThreadAction]:
    """Return what plugins put into the menu: pairs of a label and an address to go to, and buttons that post to this site; nothing else."""
    given = [one for answer in answers if isinstance(answer, list | tuple) for one in answer]
    return [one for one in (_action(one) for one in given) if one is not None]


def _action(given: Any) -> tuple[str, str] | ThreadAction | None:
    if isinstance(given, ThreadAction):
        return given if given.stays_here else None
    if not isinstance(given, list | tuple) or len(given) != 2:
        return None
    label, address = str(given[0]), str(given[1])
    return (label, address) if address.lower().startswith(_TO_LINK) else None
