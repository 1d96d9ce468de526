"""The cart: what a visitor has chosen in a shop, kept in the session."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from flask import session

from examples.shop.database import db
from examples.shop.models import Order, OrderLine, Product, Shop

MAX_QUANTITY = 20


@dataclass(frozen=True, slots=True)
class CartLine:
    """A product in the cart, with its price in this shop."""

    product: Product
    quantity: int
    price: Decimal

    @property
    def total(self) -> Decimal:
        """Return what the line costs."""
        return self.price * self.quantity


def count(shop: Shop) -> int:
    """Return how many pieces are in the cart."""
    return sum(_quantities(shop).values())


def lines(shop: Shop) -> list[CartLine]:
    """Return the cart's lines, in the order of the catalogue."""
    quantities = _quantities(shop)
    products = db.session.scalars(db.select(Product).where(Product.id.in_([int(key) for key in quantities])).order_by(Product.id))
    return [CartLine(product, quantities[str(product.id)], shop.price_of(product)) for product in products]


def total(shop: Shop) -> Decimal:
    """Return what the cart costs."""
    return sum((line.total for line in lines(shop)), Decimal(0))


def change(shop: Shop, product: Product, quantity: int) -> None:
    """Put so many pieces of a product into the cart; none takes it out."""
    quantities = _quantities(shop)
    quantities.pop(str(product.id), None)
    if quantity > 0:
        quantities[str(product.id)] = min(quantity, MAX_QUANTITY)
    _keep(shop, quantities)


def add(shop: Shop, product: Product, quantity: int) -> None:
    """Put more of a product into the cart."""
    change(shop, product, _quantities(shop).get(str(product.id), 0) + max(quantity, 1))


def turn_into_order(shop: Shop, order: Order) -> Order:
    """Fill an order with what is in the cart, and empty the cart."""
    for line in lines(shop):
        order.lines.append(
            OrderLine(
                product=line.product,
                name=line.product.name_in(order.language),
                quantity=line.quantity,
                price=line.price,
            )
        )
    order.total = total(shop)
    _keep(shop, {})
    return order


def _quantities(shop: Shop) -> dict[str, int]:
    return dict(session.get("cart", {}).get(shop.slug, {}))


def _keep(shop: Shop, quantities: dict[str, int]) -> None:
    session["cart"] = {**session.get("cart", {}), shop.slug: quantities}
