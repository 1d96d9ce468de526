"""Ready answers for the usual store: Flask-Login says who is there, SQLAlchemy models say the rest."""

from __future__ import annotations

from cs_plugin.adapters.orders import Orders
from cs_plugin.adapters.people import People
from cs_plugin.adapters.roles import by_role
from cs_plugin.adapters.store_answers import StoreAnswers

__all__ = ["Orders", "People", "StoreAnswers", "by_role"]
