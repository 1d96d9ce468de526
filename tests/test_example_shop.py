"""The sample store: its pages, its migrations, who gets in where, and how the desk stands on it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select

import cs_plugin
from examples import shop
from examples.shop import create_app, sample
from examples.shop.database import db
from examples.shop.desk import customer_service
from examples.shop.models import Order, Product, SentMail

CUSTOMER = "amelie.laurent@example.com"


def make_app(database: str, folder: Path) -> Flask:
    """Return the store on an empty database. Its forms need no token here, and nothing works in the background."""
    return create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "a secret of the store, long enough",
            "SQLALCHEMY_DATABASE_URI": database,
            "SHOP_URL": "http://localhost",
            "WTF_CSRF_ENABLED": False,
            "CS_BACKGROUND": False,
            "CS_ENTRY_POINTS": False,
            "CS_FILES_URL": str(folder / "files"),
        }
    )


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """The store with its sample data and the desk's tables."""
    made = make_app(f"sqlite:///{tmp_path}/shop.sqlite", tmp_path)
    with made.app_context():
        flask_migrate.upgrade()
        sample.fill()
    assert made.test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor."""
    return app.test_client()


def sign_in(client: FlaskClient, email: str, password: str, path: str = "/staff/sign-in") -> None:
    """Sign somebody in."""
    assert client.post(path, data={"email": email, "password": password}).status_code == 302


STOREFRONT_PAGES = [
    "/",
    "/paris/",
    "/paris/?category=linen",
    "/berlin/products/fig-bowl",
    "/paris/cart",
    "/paris/sign-in",
    "/paris/register",
    "/staff/sign-in",
    "/pictures/fig-bowl.svg",
]


@pytest.mark.parametrize("path", STOREFRONT_PAGES)
def test_pages_answer_under_a_strict_policy(client: FlaskClient, path: str) -> None:
    """Every page of the storefront is there, and allows neither scripts nor styles within its markup."""
    response = client.get(path)
    assert response.status_code == 200
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<style|style=|onclick=|javascript:", response.text)


@pytest.mark.parametrize("path", ["/rome/", "/paris/products/gold", "/paris/orders/XKBKNABJK", "/pictures/gold.svg"])
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    """Unknown shops, products and pictures are not found, and neither is somebody else's order."""
    assert client.get(path).status_code == 404


def test_each_shop_speaks_its_own_language_until_the_visitor_chooses(client: FlaskClient) -> None:
    """Dubai begins in Arabic from right to left, Paris in French; a choice holds for all shops."""
    assert '<html lang="ar" dir="rtl">' in client.get("/dubai/").text
    assert '<html lang="fr" dir="ltr">' in client.get("/paris/").text
    answer = client.post("/dubai/language", data={"language": "en", "next": "/dubai/cart"})
    assert answer.location == "/dubai/cart"
    assert "Nothing is in your cart yet." in client.get("/dubai/cart").text
    assert '<html lang="en" dir="ltr">' in client.get("/paris/").text


@pytest.mark.parametrize("path", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", ""])
def test_nobody_is_sent_elsewhere(client: FlaskClient, path: str) -> None:
    """A form's next page is one of this store."""
    assert client.post("/paris/language", data={"language": "en", "next": path}).location == "/paris/"


def test_a_guest_buys_and_sees_the_order_by_its_token(app: Flask, client: FlaskClient) -> None:
    """The checkout makes an order with its lines, its first status and a mail; the page opens with the token alone."""
    client.post("/berlin/cart/fig-bowl", data={"add": "1", "quantity": "2"})
    client.post("/berlin/cart/tide-cups", data={"add": "1"})
    person = {"name": "Ada Lovelace", "email": "Ada@Example.com", "address": "1 Road\nTown"}
    assert "This field cannot be empty." in client.post("/berlin/checkout", data={**person, "name": " "}).text
    page = client.post("/berlin/checkout", data=person)
    with app.app_context():
        order = db.session.scalars(select(Order).order_by(Order.id.desc())).first()
        assert order is not None
        assert (order.email, order.customer, order.status, str(order.total)) == ("ada@example.com", None, "accepted", "146")
        assert [(line.quantity, line.name) for line in order.lines] == [(2, "Fig bowl"), (1, "Tide cups, a pair")]
        assert [step.status for step in order.steps] == ["accepted"]
        mail = db.session.scalars(select(SentMail)).one()
        assert mail.recipients == "ada@example.com"
        assert page.location in mail.text
        address, token = f"/berlin/orders/{order.reference}", order.token
    assert page.location == f"{address}?token={token}"
    assert "Fig bowl" in app.test_client().get(page.location).text
    assert app.test_client().get(f"{address}?token=wrong").status_code == 404
    assert client.get("/berlin/checkout").location == "/berlin/cart"


def test_customers_see_their_own_orders(client: FlaskClient) -> None:
    """A customer signs in, finds the order in the account, and opens it without a token."""
    assert client.get("/paris/account").location == "/paris/sign-in?next=/paris/account"
    assert "ne correspondent pas" in client.post("/paris/sign-in", data={"email": CUSTOMER, "password": "wrong"}).text
    sign_in(client, CUSTOMER, sample.CUSTOMER_PASSWORD, "/paris/sign-in")
    link = re.search(r'href="(/\w+/orders/XKBKNABJK)"', client.get("/paris/account").text)
    assert link
    assert client.get(link[1]).status_code == 200
    client.post("/paris/sign-out")
    assert client.get(link[1]).status_code == 404


def test_a_new_account_can_sign_in_and_an_address_has_one_only(client: FlaskClient) -> None:
    """Opening an account signs in; the same address is refused a second time."""
    person = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com", "password": "difference"}
    assert client.post("/berlin/register", data=person).location == "/berlin/account"
    assert "Hello Ada" in client.get("/berlin/account").text
    assert "has an account already" in client.post("/berlin/register", data={**person, "email": "ADA@example.com"}).text


ADMIN_PAGES = [
    "/admin/",
    "/admin/orders/",
    "/admin/orders/details/?id=1",
    "/admin/customers/",
    "/admin/customers/details/?id=1",
    "/admin/products/",
    "/admin/products/edit/?id=1",
    "/admin/mails/",
]


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_the_admin_is_the_staffs_alone(app: Flask, client: FlaskClient, path: str) -> None:
    """Visitors are asked to sign in, customers are refused, the owner gets in."""
    assert client.get(path).location.startswith("/staff/sign-in?next=/admin/")
    customer = app.test_client()
    sign_in(customer, CUSTOMER, sample.CUSTOMER_PASSWORD, "/paris/sign-in")
    assert customer.get(path).status_code == 403
    sign_in(client, "marie@fjordandfig.example", sample.STAFF_PASSWORD)
    assert client.get(path).status_code == 200


def test_agents_see_the_orders_and_mails_of_their_shops_only(app: Flask, client: FlaskClient) -> None:
    """An agent for Dubai neither lists nor opens what belongs to Europe."""
    with app.app_context():
        paris = db.session.scalars(select(Order).where(Order.shop_id == 1)).first()
        dubai = db.session.scalars(select(Order).where(Order.shop_id == 3)).first()
        mails = [SentMail(shop_id=one, sender="", recipients="x", subject=f"s{one}", text="") for one in (1, 3)]
        db.session.add_all(mails)
        db.session.flush()
        others, theirs = mails[0].id, mails[1].id
        paris, dubai, reference = paris.id, dubai.id, paris.reference
        db.session.commit()
    sign_in(client, "layla@fjordandfig.example", sample.STAFF_PASSWORD)
    assert client.get(f"/admin/orders/details/?id={dubai}").status_code == 200
    assert client.get(f"/admin/orders/details/?id={paris}").status_code == 302
    assert client.post(f"/admin/orders/{paris}/forward", data={"status": "preparation"}).status_code == 404
    assert f">{reference}<" not in client.get(f"/admin/orders/?search={reference}").text
    listed = client.get("/admin/mails/").text
    assert "s3" in listed
    assert "s1" not in listed
    assert client.get(f"/admin/mails/{theirs}").status_code == 200
    assert client.get(f"/admin/mails/{others}").status_code == 404
    assert client.get(f"/admin/mails/{others}/html").status_code == 404


def test_an_id_that_is_none_is_no_error(client: FlaskClient) -> None:
    """Addresses that somebody made up lead back to the list."""
    sign_in(client, "marie@fjordandfig.example", sample.STAFF_PASSWORD)
    for identity in ("abc", "99999999999999999999", "-1", ""):
        assert client.get(f"/admin/orders/details/?id={identity}").status_code == 302


def test_a_sent_mails_html_can_do_nothing(app: Flask, client: FlaskClient) -> None:
    """The frame's page allows no script, no form and no picture from elsewhere."""
    with app.app_context():
        mail = SentMail(sender="", recipients="x", subject="s", text="t", html="<script>alert(1)</script>")
        db.session.add(mail)
        db.session.commit()
        path = f"/admin/mails/{mail.id}/html"
    sign_in(client, "marie@fjordandfig.example", sample.STAFF_PASSWORD)
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"sandbox(?!.*allow-(scripts|same-origin|forms))", policy)


def test_staff_moves_an_order_forward_step_by_step(app: Flask, client: FlaskClient) -> None:
    """A step is taken once, and the history tells when."""
    with app.app_context():
        order = db.session.scalars(select(Order).where(Order.status == "accepted")).first()
    sign_in(client, "marie@fjordandfig.example", sample.STAFF_PASSWORD)
    for _ in range(2):
        client.post(f"/admin/orders/{order.id}/forward", data={"status": "preparation"})
    with app.app_context():
        assert [step.status for step in db.session.get(Order, order.id).steps] == ["accepted", "preparation"]


def test_the_owner_changes_a_price(app: Flask, client: FlaskClient) -> None:
    """A product is edited in the admin."""
    with app.app_context():
        product = db.session.get(Product, 1)
        data = {c.key: getattr(product, c.key) for c in Product.__table__.columns if c.key.startswith(("name", "desc"))}
    sign_in(client, "marie@fjordandfig.example", sample.STAFF_PASSWORD)
    client.post("/admin/products/edit/?id=1", data={**data, "price": "70.50"})
    assert "€70.50" in client.get("/berlin/products/fjord-jug").text


def test_forms_need_their_token(app: Flask, client: FlaskClient) -> None:
    """The whole store is under CSRFProtect."""
    app.config["WTF_CSRF_ENABLED"] = True
    for path in ("/paris/cart/fig-bowl", "/paris/language", "/paris/sign-out", "/staff/sign-in", "/staff/sign-out"):
        assert client.post(path).status_code == 400


def test_migrations_go_up_and_down_on_every_database(database_url: str, tmp_path: Path) -> None:
    """The history makes the tables that the models have, sample data fits into them, and the way down leaves nothing."""
    made = make_app(database_url, tmp_path)
    with made.app_context():
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []
        sample.fill()
        db.session.remove()
        flask_migrate.downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        db.engine.dispose()


def test_the_contact_page_wears_the_stores_look(client: FlaskClient) -> None:
    """The header's link leads to the desk's form, which stands in the store's own layout, in the shop's language."""
    link = re.search(r'href="([^"]*/contact[^"]*)"', client.get("/dubai/").text)
    assert link
    page = client.get(link[1].replace("&amp;", "&")).text
    assert '<html lang="ar" dir="rtl">' in page
    assert 'class="masthead"' in page
    assert 'name="text"' in page


def write(app: Flask, shop_id: str, text: str, **known: str | None) -> None:
    """Write to a shop as its contact form does."""
    nothing = {"subject": "", "first_name": "", "last_name": "", "customer_id": None, "order_id": None, "files": (), "post_key": None}
    words = {"email": CUSTOMER, "text": text, "contact": "Customer service", "shop_id": shop_id, "language": "en"}
    with app.app_context():
        assert customer_service.hook.cs_contact_form_submitted(**{**nothing, **words, **known}).thread_id
        db.session.commit()


def test_the_desks_mails_stay_in_the_store(app: Flask) -> None:
    """What somebody writes ends under "Sent mails", from the shop where they wrote."""
    write(app, "1", "Où est mon colis ?", customer_id="1", order_id="XKBKNABJK")
    assert app.test_cli_runner().invoke(args=["cs", "deliver"]).exit_code == 0
    with app.app_context():
        mails = db.session.scalars(select(SentMail)).all()
        assert CUSTOMER in [mail.recipients for mail in mails]
        assert {mail.shop_id for mail in mails} == {1}


def test_with_a_mail_server_the_desk_sends_by_itself(tmp_path: Path) -> None:
    """Where CS_MAIL_URL is set, the store leaves mails to the desk."""
    assert make_app("sqlite://", tmp_path).config["SHOP_KEEPS_MAILS"]
    assert not create_app({"SQLALCHEMY_DATABASE_URI": "sqlite://", "CS_MAIL_URL": "memory:"}).config["SHOP_KEEPS_MAILS"]


@pytest.mark.parametrize(("email", "shops"), [("marie", "123"), ("john", "12"), ("layla", "3")])
def test_the_desk_shows_each_of_the_staff_their_shops(app: Flask, client: FlaskClient, email: str, shops: str) -> None:
    """The desk opens for the staff, with what was written to the shops that they work for; nobody else gets in."""
    for shop_id in "123":
        write(app, shop_id, f"Written to {shop_id}.")
    assert client.get("/admin/customer-service/").location.startswith("/staff/sign-in?next=/admin/customer-service/")
    sign_in(client, f"{email}@fjordandfig.example", sample.STAFF_PASSWORD)
    page = client.get("/admin/customer-service/").text
    assert sorted(set(re.findall(r"Written to (\d)\.", page))) == list(shops)


def test_the_desk_leaves_the_stores_history_alone(app: Flask) -> None:
    """With the desk's tables in the same database, the store's migrations find nothing to do."""
    with app.app_context():
        assert "cs_thread" in inspect(db.engine).get_table_names()
        flask_migrate.check()


def test_sample_data_is_the_same_every_time(app: Flask, tmp_path: Path) -> None:
    """Two stores hold the same people and orders."""
    other = make_app(f"sqlite:///{tmp_path}/other.sqlite", tmp_path)
    found = []
    for one in (app, other):
        with one.app_context():
            if one is other:
                flask_migrate.upgrade()
                sample.fill()
            found.append(db.session.execute(select(Order.reference, Order.token, Order.email, Order.total)).all())
            db.engine.dispose()
    assert found[0] == found[1]
    assert len(found[0]) == sample.ORDERS


def test_the_store_uses_only_what_the_plugin_publishes() -> None:
    """Every import of the plugin is one of its public names."""
    files = sorted(Path(shop.__file__).parent.glob("*.py"))
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(name.name.split(".")[0] == "cs_plugin" for name in node.names), file.name
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cs_plugin":
                assert node.module == "cs_plugin", file.name
                imported |= {name.name for name in node.names}
    assert "CustomerService" in imported
    assert imported <= set(cs_plugin.__all__)
