"""The store's tables: shops, products, people, orders, and the mails that were sent."""

from __future__ import annotations

import datetime as dt
import secrets
import string
import uuid
from decimal import Decimal

from flask_babel import lazy_gettext
from flask_login import UserMixin
from sqlalchemy import Column, ForeignKey, String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from werkzeug.security import check_password_hash, generate_password_hash

from examples.shop.database import LongText, Money, UtcDateTime, db, now

# What one euro costs where a shop takes another currency; prices are kept in euros.
RATES = {"EUR": Decimal(1), "AED": Decimal("4.25")}

# The way of an order, step by step; a canceled one is no longer valid.
STATUSES = {
    "accepted": lazy_gettext("Payment accepted"),
    "preparation": lazy_gettext("Preparation"),
    "shipped": lazy_gettext("Shipped"),
    "delivered": lazy_gettext("Delivered"),
    "canceled": lazy_gettext("Canceled"),
}
NEXT_STATUS = {"accepted": "preparation", "preparation": "shipped", "shipped": "delivered"}


class ShopGroup(db.Model):
    """Shops that are led together."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)

    def __str__(self) -> str:
        return self.name


class Shop(db.Model):
    """A storefront under an address, with a language, a currency and a colour of its own."""

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    group_id: Mapped[int] = mapped_column(ForeignKey("shop_group.id"), index=True)
    colour: Mapped[str] = mapped_column(String(7))
    language: Mapped[str] = mapped_column(String(8))
    currency: Mapped[str] = mapped_column(String(3))
    timezone: Mapped[str] = mapped_column(String(40))
    email: Mapped[str] = mapped_column(String(254))
    address: Mapped[str] = mapped_column(String(200))
    group: Mapped[ShopGroup] = relationship(lazy="joined")

    def price_of(self, product: Product) -> Decimal:
        """Return what a product costs here; other currencies are rounded to whole units."""
        rate = RATES[self.currency]
        return product.price if rate == 1 else (product.price * rate).quantize(Decimal(1))

    def __str__(self) -> str:
        return self.name


class Product(db.Model):
    """Something to buy, with a name and a description in each of the store's languages."""

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    category: Mapped[str] = mapped_column(String(16))
    price: Mapped[Decimal] = mapped_column(Money)
    name_en: Mapped[str] = mapped_column(String(100))
    name_fr: Mapped[str] = mapped_column(String(100))
    name_ar: Mapped[str] = mapped_column(String(100))
    description_en: Mapped[str] = mapped_column(Text)
    description_fr: Mapped[str] = mapped_column(Text)
    description_ar: Mapped[str] = mapped_column(Text)

    def name_in(self, language: str) -> str:
        """Return the name in one of the store's languages."""
        return {"fr": self.name_fr, "ar": self.name_ar}.get(language, self.name_en)

    def description_in(self, language: str) -> str:
        """Return the description in one of the store's languages."""
        return {"fr": self.description_fr, "ar": self.description_ar}.get(language, self.description_en)

    def __str__(self) -> str:
        return self.name_en


class Account(UserMixin):
    """Somebody who signs in: a password, and an id that tells customers from staff."""

    kind = ""
    id: Mapped[int] | Mapped[str]
    password_hash: Mapped[str] = mapped_column(String(255))

    def get_id(self) -> str:
        """Return the id that Flask-Login keeps in the session."""
        return f"{self.kind}:{self.id}"

    def set_password(self, password: str) -> None:
        """Keep the hash of a password."""
        self.password_hash = generate_password_hash(password)

    def has_password(self, password: str) -> bool:
        """Say whether this is the password."""
        return check_password_hash(self.password_hash, password)


class Customer(db.Model, Account):
    """Somebody with an account in the store."""

    kind = "c"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    language: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    orders: Mapped[list[Order]] = relationship(back_populates="customer", order_by="Order.placed_at.desc()")

    @property
    def name(self) -> str:
        """Return first and last name."""
        return f"{self.first_name} {self.last_name}".strip()

    def __str__(self) -> str:
        return self.name


# Which shops a member of the staff works for; owners see all.
staff_shop = Table(
    "staff_shop",
    db.metadata,
    Column("staff_id", ForeignKey("staff.id"), primary_key=True),
    Column("shop_id", ForeignKey("shop.id"), primary_key=True),
)


class Staff(db.Model, Account):
    """Somebody who works in the store's admin; role "owner" or "agent"."""

    kind = "s"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str] = mapped_column(String(40))
    active: Mapped[bool] = mapped_column(default=True)
    shops: Mapped[list[Shop]] = relationship(secondary=staff_shop, order_by=Shop.id)

    @property
    def is_active(self) -> bool:
        """Say whether they may sign in: those who have left may not."""
        return self.active

    @property
    def is_owner(self) -> bool:
        """Say whether everything is theirs to do."""
        return self.role == "owner"

    @property
    def name(self) -> str:
        """Return first and last name."""
        return f"{self.first_name} {self.last_name}"

    def may_see(self, shop_id: int | None) -> bool:
        """Say whether a shop's orders and mails are theirs to see."""
        return self.is_owner or shop_id in [shop.id for shop in self.shops]


class Order(db.Model):
    """What somebody bought in one shop; without a `customer` it is a guest's, and the token opens it."""

    __tablename__ = "orders"  # "order" is a word of SQL.

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(9), unique=True, default=lambda: new_reference())
    token: Mapped[str] = mapped_column(String(64), unique=True, default=lambda: secrets.token_urlsafe(24))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8))
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[Decimal] = mapped_column(Money)
    status: Mapped[str] = mapped_column(String(16))
    placed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True, default=now)
    shop: Mapped[Shop] = relationship(lazy="joined")
    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    lines: Mapped[list[OrderLine]] = relationship(order_by="OrderLine.id", cascade="all, delete-orphan")
    steps: Mapped[list[OrderStep]] = relationship(order_by="OrderStep.id", cascade="all, delete-orphan")

    @property
    def is_valid(self) -> bool:
        """Say whether the order still stands."""
        return self.status != "canceled"

    def move_to(self, status: str, at: dt.datetime | None = None) -> None:
        """Give the order a status and remember when it came."""
        self.status = status
        self.steps.append(OrderStep(status=status, at=at or now()))

    def __str__(self) -> str:
        return self.reference


class OrderLine(db.Model):
    """One product of an order, under the name and at the price of that day."""

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Money)
    product: Mapped[Product] = relationship(lazy="joined")


class OrderStep(db.Model):
    """A status that an order has had."""

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class SentMail(db.Model):
    """A mail that left the store: what stands under "Sent mails" instead of going anywhere."""

    id: Mapped[int] = mapped_column(primary_key=True)
    sent_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True, default=now)
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id"), index=True)
    sender: Mapped[str] = mapped_column(String(500))
    recipients: Mapped[str] = mapped_column(Text)
    reply_to: Mapped[str] = mapped_column(String(500), default="")
    subject: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(LongText)
    html: Mapped[str] = mapped_column(LongText, default="")
    attachments: Mapped[str] = mapped_column(Text, default="")
    shop: Mapped[Shop | None] = relationship(lazy="joined")


def new_reference() -> str:
    """Return nine capital letters that are easy to tell on the telephone."""
    return "".join(secrets.choice(string.ascii_uppercase) for _ in range(9))
