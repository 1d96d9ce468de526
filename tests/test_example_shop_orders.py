"""The sample store's order pages and account show what the desk knows: the panel for the staff, messages and form for customers and guests."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from examples.shop.database import db
from examples.shop.models import Order, Staff
from tests.test_example_shop import CUSTOMER, app, client, sign_in

__all__ = ["app", "client"]   # fixtures


def an_order(app: Flask, *, of_guest: bool) -> tuple[int, str, str]:
    """Return the id, the path and the token of an order, a guest's or the known customer's."""
    with app.app_context():
        query = select(Order).where(Order.customer_id.is_(None) if of_guest else Order.email == CUSTOMER)
        found = next(one for one in db.session.scalars(query.order_by(Order.id)) if one.is_valid)
        return found.id, f"/{found.shop.slug}/orders/{found.reference}", found.token


def test_the_staff_comments_on_an_order_and_its_customer_reads_it(app: Flask, client: FlaskClient) -> None:
    """From the order's page in the admin and back to it; what is to be displayed stands on the customer's page and under their account."""
    number, path, _token = an_order(app, of_guest=False)
    staff = app.test_client()
    with app.app_context():
        owner = next(one.email for one in db.session.scalars(select(Staff)) if one.is_owner)
    sign_in(staff, owner, "desk")
    address = f"/admin/orders/details/?id={number}"
    page = staff.get(address).text
    place = f"cs-order-panel-{number}"
    assert f'id="{place}"' in page
    fields = dict(re.findall(r'name="(post_key|next)" value="([^"]*)"', page.partition(f'id="{place}"')[2]))
    answer = staff.post(f"/admin/customer-service-orders/?order={number}", data={**fields, "text": "It leaves tomorrow.", "public": "1"})
    assert (answer.status_code, answer.location) == (303, f"{address}#{place}")
    assert "It leaves tomorrow." in staff.get(address).text
    sign_in(client, CUSTOMER, "fig", "/paris/sign-in")
    assert "It leaves tomorrow." in client.get(path).text
    assert "It leaves tomorrow." in client.get("/paris/account").text
    assert "It leaves tomorrow." in client.get("/customer-service/my-messages").text


def test_a_guest_reads_and_writes_by_the_stores_token(app: Flask, client: FlaskClient) -> None:
    """The order's page opens by its token and tells it to nobody else."""
    number, path, token = an_order(app, of_guest=True)
    page = client.get(f"{path}?token={token}")
    assert f'id="cs-order-messages-{number}"' in page.text
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert client.get(f"{path}?token=wrong").status_code == 404


def test_a_visitor_of_my_messages_signs_in_and_comes_back(app: Flask, client: FlaskClient) -> None:
    """By the store's own sign-in page."""
    answer = client.get("/customer-service/my-messages")
    assert answer.location == "/paris/sign-in?next=/customer-service/my-messages"
    back = client.post(answer.location, data={"email": CUSTOMER, "password": "fig"})
    assert back.location == "/customer-service/my-messages"
    assert client.get(back.location).status_code == 200
