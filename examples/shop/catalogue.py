"""What the store begins with: its articles, read from catalogue.toml."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.shop.models import Product

ARTICLES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text(encoding="utf-8"))["article"]

# The drawing and the palette of each product.
PICTURES = {article["slug"]: (article["drawing"], article["palette"]) for article in ARTICLES}


def make_products() -> list[Product]:
    """Return a row for each article."""
    columns = set(Product.__table__.columns.keys())
    return [
        Product(**{key: value for key, value in article.items() if key in columns} | {"price": Decimal(article["price"])}) for article in ARTICLES
    ]
