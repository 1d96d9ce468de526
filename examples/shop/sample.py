"""Sample data for the store: the same people and orders every time, with dates that count back from today."""

from __future__ import annotations

import datetime as dt
import random
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from werkzeug.security import generate_password_hash

from examples.shop.catalogue import make_products
from examples.shop.database import db, now
from examples.shop.models import Customer, Order, OrderLine, Product, Shop, ShopGroup, Staff

STAFF_PASSWORD = "desk"
CUSTOMER_PASSWORD = "fig"
ORDERS = 120
DAYS = 150
KNOWN_ORDER = 110  # the one whose reference examples name, and which belongs to the first customer

# Slug, name, group, colour, language, currency, time zone, postal address.
SHOPS = (
    ("paris", "Paris", "Europe", "#2f7fb8", "fr", "EUR", "Europe/Paris", "12 rue des Potiers, 75011 Paris"),
    ("berlin", "Berlin", "Europe", "#b0508f", "en", "EUR", "Europe/Berlin", "Töpferstraße 8, 10115 Berlin"),
    ("dubai", "Dubai", "Gulf", "#5c8f3a", "ar", "AED", "Asia/Dubai", "Alserkal Avenue 17, Dubai"),
)

# First and last name, address, role, language, time zone, shops.
STAFF = (
    ("Marie", "Dubois", "marie@fjordandfig.example", "owner", "en", "Europe/Paris", ()),
    ("John", "Doe", "john@fjordandfig.example", "agent", "en", "Europe/Berlin", ("paris", "berlin")),
    ("Layla", "Al-Amiri", "layla@fjordandfig.example", "agent", "ar", "Asia/Dubai", ("dubai",)),
)

# First name, last name, the part before the address's "@", language. Their order decides the shop where they buy most.
CUSTOMERS = (
    ("Amélie", "Laurent", "amelie.laurent", "fr"),
    ("Maria", "Fernández Ortega", "maria.fdez.ortega", "en"),
    ("ليلى", "حداد", "layla.haddad", "ar"),
    ("Camille", "Lefèvre", "camille.lefevre", "fr"),
    ("Jan", "Kowalski", "jan.kowalski", "en"),
    ("عمر", "الراشد", "omar.alrashid", "ar"),
    ("Éloïse", "Żak", "eloise.zak", "fr"),
    ("Anneliese", "Schmidt-Rottluff", "anneliese.schmidt-rottluff", "en"),
    ("فاطمة", "الزهراء", "fz.alzahra", "ar"),
    ("Thibault", "d'Aubigné", "thibault.daubigne", "fr"),
    ("Linnea", "Håkansson", "linnea.hakansson", "en"),
    ("يوسف", "النعيمي", "youssef.alnuaimi", "ar"),
    ("Inès", "Benali", "ines.benali", "fr"),
    ("Оксана", "Шевченко", "o.shevchenko", "en"),
    ("مريم", "المنصوري", "maryam.almansoori", "ar"),
    ("Gaël", "Le Bihan", "gael.lebihan", "fr"),
    ("Patrick", "Osei", "p.osei", "en"),
    ("خالد", "بن سعيد", "khaled.bensaid", "ar"),
    ("Chloé", "Marchand", "chloe.marchand", "fr"),
    ("Λένα", "Παπαδοπούλου", "lena.papad", "en"),
    ("نورة", "الشامسي", "noura.alshamsi", "ar"),
    ("Mathis", "Nguyễn", "mathis.nguyen", "fr"),
    ("Giulia", "Bianchi", "giulia.bianchi", "en"),
    ("سامي", "خوري", "sami.khoury", "ar"),
    ("Solène", "Picard", "solene.picard", "fr"),
    ("田中", "由紀", "yuki.tanaka", "en"),
    ("هند", "الكعبي", "hind.alkaabi", "ar"),
    ("Bruno", "Carvalho", "bruno.carvalho", "fr"),
    ("Amara", "Nwosu", "amara.nwosu", "en"),
    ("Priya", "Raghunathan", "priya.raghunathan", "en"),
    ("Agathe", "Roussel", "agathe.roussel", "fr"),
    ("Jiří", "Dvořák", "jiri.dvorak", "en"),
    ("רות", "כהן", "ruth.cohen", "en"),
    ("Bastien", "Girard", "bastien.girard", "fr"),
    ("Siobhán", "O’Connor", "siobhan.oconnor", "en"),
    ("Zeynep", "Yıldız", "zeynep.yildiz", "en"),
    ("Margaux", "Fontaine", "margaux.fontaine", "fr"),
    ("김", "민준", "minjun.kim", "en"),
    ("Tuğba", "Aksoy", "tugba.aksoy", "en"),
    ("Sofie", "van den Berg", "sofie.vd.berg", "en"),
)

STREETS = {
    "paris": ("4 quai de Jemmapes\n75010 Paris", "27 rue Daguerre\n75014 Paris", "9 cours Lafayette\n69003 Lyon"),
    "berlin": ("Kastanienallee 31\n10435 Berlin", "Lindenweg 5\n20095 Hamburg", "Vestergade 12\n8000 Aarhus"),
    "dubai": ("Al Wasl Road 218\nDubai", "Corniche Tower 3, 14\nAbu Dhabi", "Sheikh Zayed Road 77\nDubai"),
}

# Hours from one step of an order to the next, at the earliest and at the latest.
PACE = {"preparation": (2, 20), "shipped": (12, 50), "delivered": (24, 110)}


@dataclass(frozen=True)
class World:
    """What orders are made of; the dice are loaded, so that they fall alike every time."""

    dice: random.Random
    today: dt.datetime
    shops: dict[str, Shop]
    products: list[Product]
    customers: list[Customer]


def is_empty() -> bool:
    """Say whether the store has no data yet."""
    return db.session.scalar(select(func.count()).select_from(Shop)) == 0


def fill(today: dt.datetime | None = None) -> None:
    """Put the sample data into an empty store and commit it."""
    dice, today = random.Random(2026), today or now()
    world = World(dice, today, _make_shops(), make_products(), _make_customers(dice, today))
    db.session.add_all([*world.shops.values(), *_make_staff(world.shops), *world.products, *world.customers])
    db.session.flush()
    # Oldest first, so that ids follow the calendar; the square lets business grow towards today.
    moments = sorted(today - dt.timedelta(minutes=45 + int(DAYS * 24 * 60 * dice.random() ** 2)) for _ in range(ORDERS))
    for number, moment in enumerate(moments):
        db.session.add(_make_order(world, moment, known=number == KNOWN_ORDER))
    db.session.commit()


def _make_shops() -> dict[str, Shop]:
    groups = {name: ShopGroup(name=name) for name in ("Europe", "Gulf")}
    return {
        slug: Shop(
            slug=slug,
            name=name,
            group=groups[group],
            colour=colour,
            language=language,
            currency=currency,
            timezone=timezone,
            email=f"{slug}@fjordandfig.example",
            address=address,
        )
        for slug, name, group, colour, language, currency, timezone, address in SHOPS
    }


def _make_staff(shops: dict[str, Shop]) -> Iterator[Staff]:
    for first_name, last_name, email, role, language, timezone, theirs in STAFF:
        member = Staff(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}")),
            email=email,
            first_name=first_name,
            last_name=last_name,
            role=role,
            language=language,
            timezone=timezone,
            shops=[shops[slug] for slug in theirs],
        )
        member.set_password(STAFF_PASSWORD)
        yield member


def _make_customers(dice: random.Random, today: dt.datetime) -> list[Customer]:
    # One hash for all: forty of them would make the first start slow.
    password_hash = generate_password_hash(CUSTOMER_PASSWORD)
    return [
        Customer(
            first_name=first_name,
            last_name=last_name,
            email=f"{mailbox}@example.com",
            language=language,
            password_hash=password_hash,
            created_at=today - dt.timedelta(days=dice.randint(160, 1400), minutes=dice.randint(0, 1439)),
        )
        for first_name, last_name, mailbox, language in CUSTOMERS
    ]


def _make_order(world: World, placed_at: dt.datetime, *, known: bool) -> Order:
    dice = world.dice
    customer = world.customers[0] if known else dice.choice(world.customers)
    slug = _usual_shop(customer) if known or dice.random() < 0.85 else dice.choice(list(world.shops))
    guest = not known and dice.random() < 0.15
    order = Order(
        reference="XKBKNABJK" if known else _reference(dice),
        token=_token(dice),
        shop=world.shops[slug],
        customer=None if guest else customer,
        email=customer.email.replace("@", ".guest@") if guest else customer.email,
        name=customer.name,
        address=dice.choice(STREETS[slug]),
        language=customer.language,
        currency=world.shops[slug].currency,
        placed_at=placed_at,
    )
    _fill_lines(dice, order, world.products)
    _live_through(dice, order, world.today)
    return order


def _usual_shop(customer: Customer) -> str:
    return {"fr": "paris", "ar": "dubai"}.get(customer.language, "berlin")


def _fill_lines(dice: random.Random, order: Order, products: list[Product]) -> None:
    order.total = Decimal(0)
    for product in dice.sample(products, dice.choices((1, 2, 3), (5, 3, 1))[0]):
        price = order.shop.price_of(product)
        line = OrderLine(
            product=product,
            name=product.name_in(order.language),
            quantity=dice.choices((1, 2, 4), (6, 2, 1))[0],
            price=price,
        )
        order.lines.append(line)
        order.total += price * line.quantity


def _live_through(dice: random.Random, order: Order, today: dt.datetime) -> None:
    """Give an order the steps that it has had by today."""
    at = order.placed_at
    order.move_to("accepted", at)
    if dice.random() < 0.05:
        order.move_to("canceled", min(at + dt.timedelta(hours=5), today))
        return
    for status, hours in PACE.items():
        at += dt.timedelta(hours=dice.randint(*hours), minutes=dice.randint(0, 59))
        if at > today:
            return
        order.move_to(status, at)


def _reference(dice: random.Random) -> str:
    return "".join(dice.choice(string.ascii_uppercase) for _ in range(9))


def _token(dice: random.Random) -> str:
    return "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(32))
