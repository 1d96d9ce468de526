"""The example shop refunds an order from the page of a thread about it, and the timeline tells it."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cs_plugin.store.models import Thread
from examples.shop.database import db
from examples.shop.models import Order, Staff
from tests.test_example_shop import app, client, sign_in
from tests.test_example_shop_orders import an_order

__all__ = ["app", "client"]   # fixtures


def test_the_staff_refunds_an_order_from_its_thread(app: Flask, client: FlaskClient) -> None:
    """The panel's form goes to the store's own page, which asks the desk whether it may act, and back; another order's is refused."""
    number, _path, _token = an_order(app, of_guest=False)
    with app.app_context():
        owner = next(one.email for one in db.session.scalars(select(Staff)) if one.is_owner)
    sign_in(client, owner, "desk")
    panel = client.get(f"/admin/orders/details/?id={number}").text.partition(f'id="cs-order-panel-{number}"')[2]
    fields = dict(re.findall(r'name="(post_key|next)" value="([^"]*)"', panel))
    client.post(f"/admin/customer-service-orders/?order={number}", data={**fields, "text": "We are sorry."})
    with app.app_context():
        thread_id = db.session.scalars(select(Thread.id).order_by(Thread.id.desc())).first()
    page = client.get(f"/admin/customer-service/{thread_id}/").text
    assert "Refund the order" in page
    assert "Send the order again" in page
    form = {**dict(re.findall(r'name="(csrf_token|thread_id|next)" value="([^"]*)"', page.partition("Refund the order")[0])), "action": "refund"}
    assert client.post(f"/staff/orders/{number + 1}/action", data=form).status_code == 403
    answer = client.post(f"/staff/orders/{number}/action", data={**form, "thread_id": thread_id, "next": f"/admin/customer-service/{thread_id}/"})
    assert answer.location == f"/admin/customer-service/{thread_id}/"
    assert "Refunded" in client.get(answer.location).text
    with app.app_context():
        assert db.session.get_one(Order, number).status == "canceled"
