"""What the pages of things that belong to shops share: whose they are, in which shops they are, and the context in every address."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import url_for

from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.scope import Scope
from cs_plugin.web.contexts import picker
from cs_plugin.web.desk_view import DeskView

EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")


class OfShopsView(DeskView):
    """Pages of what an employee arranges for the shops that they may configure."""

    needs = Permission.CONFIGURE

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows the context of its addresses."""
        return super().page(template, query=self.query, **words)

    @property
    def shops(self) -> Sequence[Shop]:
        """Return the shops that the employee may configure."""
        return [shop for shop in self.here.shops if self.here.grants.allow(Permission.CONFIGURE, shop.id)]

    @property
    def chosen_shops(self) -> frozenset[str]:
        """Return the shops of the context that the employee may configure."""
        return frozenset(shop.id for shop in self.here.context.shops(self.shops))

    @property
    def granted(self) -> Scope:
        """Return all shops that the employee may configure, whatever the context."""
        return Scope(self.here.grants.shops(Permission.CONFIGURE))

    @property
    def query(self) -> str:
        """Return the context as every address of these pages carries it; nothing where there is one shop."""
        return "?" + urlencode({"shop": str(self.here.context)}) if len(self.here.visible_shops) > 1 else ""

    @property
    def list_address(self) -> str:
        """Return the address of the list."""
        return url_for(".index_view") + self.query

    def context_words(self) -> dict[str, Any]:
        """Return what the picker of shops needs."""
        return {"picker": picker(self.here), "in_context": lambda context: url_for(".index_view", shop=context)}

    def is_theirs(self, shop_ids: Collection[str]) -> bool:
        """Say whether the employee may configure every shop of these that the host lists."""
        known = {shop.id for shop in self.here.shops}
        return all(self.here.grants.allow(Permission.CONFIGURE, one) for one in shop_ids if one in known)

    def stays_in(self, shop_ids: Collection[str]) -> list[str]:
        """Return the names of the shops in which a thing of these shops stays when it is taken out of the context's."""
        return [shop.name for shop in self.here.shops if shop.id in set(shop_ids) - self.chosen_shops]

    def chosen_in_form(self, posted: Collection[str]) -> frozenset[str]:
        """Return the shops that a form chooses. Where there is one shop nobody is asked: everything belongs to it."""
        theirs = frozenset(shop.id for shop in self.shops)
        return theirs if len(self.here.shops) == 1 else theirs & frozenset(posted)

    def chosen_for_new(self) -> list[str]:
        """Return the shops that the form of a new thing begins with: those of the context."""
        return sorted(self.chosen_shops) or [shop.id for shop in self.shops]

    def shops_to_choose(self) -> Sequence[Shop]:
        """Return the shops that a form offers; none where there is nothing to choose."""
        return self.shops if len(self.here.shops) > 1 else ()
