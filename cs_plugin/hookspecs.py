"""Every hook of the desk: questions that the host answers, events, places in pages, and what the host fires at the desk.

A plugin implements a hook as a function or method of the hook's name, marked with `cs_plugin.hookimpl`; it may take fewer arguments than the
hook has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from cs_plugin.rules.actions import ThreadAction
from cs_plugin.rules.facts import MessageFacts, Received, ThreadFacts
from cs_plugin.rules.inquiry import Inquiry
from cs_plugin.rules.languages import Language
from cs_plugin.rules.orders import Order, OrderStep
from cs_plugin.rules.outgoing import OutgoingMail
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.shops import Shop

if TYPE_CHECKING:
    from markupsafe import Markup

PROJECT = "cs_plugin"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# --- Questions: the first answer that is not None counts; None means "I don't know". --------------------------------------------------------------


@hookspec(firstresult=True)
def cs_current_employee() -> Employee | None:
    """Ask who is using the shop's admin in this request.

    Asked in every request to a page of the desk's admin. None: nobody, and every page answers 403. It is the only question that must be answered.
    An answer that raises is an error of the page: who gets in is never guessed.

    ```python
    @hookimpl
    def cs_current_employee():
        if signed_in_user().is_staff:
            return Employee(id=str(signed_in_user().id), first_name="Marie", last_name="Dubois", email="marie@example.com")
    ```
    """


@hookspec(firstresult=True)
def cs_current_customer() -> Customer | None:
    """Ask which customer is signed in to the storefront in this request.

    Asked by the contact form and by the order pages. None: a visitor without an account.

    ```python
    @hookimpl
    def cs_current_customer():
        if signed_in_user().is_customer:
            return Customer(id=str(signed_in_user().id), email=signed_in_user().email, first_name="Jan", last_name="Kowalski")
    ```
    """


@hookspec(firstresult=True)
def cs_list_employees() -> Sequence[Employee] | None:
    """Ask for everybody to whom a thread can be assigned; those who have left may be listed with `active=False`.

    Asked when a page offers a choice of employees. None: only those whom the desk has already seen are offered.

    ```python
    @hookimpl
    def cs_list_employees():
        return [Employee(id="1", first_name="Marie", last_name="Dubois", email="marie@example.com")]
    ```
    """


@hookspec(firstresult=True)
def cs_list_grants(employee: Employee) -> Mapping[str, object] | None:
    """Ask what an employee may do: for each permission the ids of shops, or `ALL`.

    Permissions: view, reply, delete, export, configure, privacy, sql. Asked once a request. None: view and reply in all shops, nothing else.
    An answer that raises is an error of the page: nothing is granted by a guess.

    ```python
    @hookimpl
    def cs_list_grants(employee):
        return {"view": ALL, "reply": ["1", "2"], "delete": ["1"], "configure": ALL if employee.id == "1" else []}
    ```
    """


@hookspec(firstresult=True)
def cs_find_customer(customer_id: str | None, email: str | None, shop_id: str | None) -> Customer | None:
    """Ask for a customer by the host's id, or else by address; `shop_id` is None where any shop's will do.

    Exactly one of `customer_id` and `email` is given. None: there is none, and the thread's page shows the address alone.

    ```python
    @hookimpl
    def cs_find_customer(customer_id, email):
        if customer_id == "7" or email == "jan@example.com":
            return Customer(id="7", email="jan@example.com", first_name="Jan", last_name="Kowalski")
    ```
    """


@hookspec(firstresult=True)
def cs_find_order(order_id: str | None, token: str | None, shop_id: str | None) -> Order | None:
    """Ask for an order by the host's id or reference, or else by the token with which the host lets a guest see it.

    Exactly one of `order_id` and `token` is given. None: no such order, or the token does not open it.

    ```python
    @hookimpl
    def cs_find_order(order_id):
        if order_id == "15":
            return Order(id="15", reference="XKBKNABJK", email="jan@example.com", shop_id="1", placed_at=now(), total=Decimal("68.00"),
                         currency="EUR", status="Shipped", customer_id="7")
    ```
    """


@hookspec(firstresult=True)
def cs_list_orders(customer_id: str | None, email: str | None) -> Sequence[Order] | None:
    """Ask for the orders of a customer, or of a guest's address, newest first.

    Exactly one of the two is given. None: the desk shows no orders.

    ```python
    @hookimpl
    def cs_list_orders(customer_id):
        return find_orders(customer_id)
    ```
    """


@hookspec(firstresult=True)
def cs_order_history(order_id: str) -> Sequence[OrderStep] | None:
    """Ask which statuses an order has had, oldest first, for the timeline of a thread.

    None: the timeline shows messages and the thread's own events only.

    ```python
    @hookimpl
    def cs_order_history(order_id):
        return [OrderStep(at=now(), status="Shipped")]
    ```
    """


@hookspec(firstresult=True)
def cs_list_shops() -> Sequence[Shop] | None:
    """Ask for the shops of this store, in the order in which pickers show them.

    Asked once a request. None: one shop with the id "1", and no trace of multistore anywhere. An answer that raises is an error of the page.

    ```python
    @hookimpl
    def cs_list_shops():
        return [Shop(id="1", name="Paris", url="https://paris.example", group_id="1", group_name="Europe", default_language="fr")]
    ```
    """


@hookspec(firstresult=True)
def cs_list_languages() -> Sequence[Language] | None:
    """Ask for the languages of this store, disabled ones included; the first is the default.

    None: English alone. An answer that raises is an error of the page.

    ```python
    @hookimpl
    def cs_list_languages():
        return [Language("en", "English"), Language("fr", "Français"), Language("ar", "العربية", enabled=False)]
    ```
    """


@hookspec(firstresult=True)
def cs_check_captcha(form: Mapping[str, str]) -> bool | None:
    """Ask whether the captcha that the host has put into the contact form was solved.

    `form` holds the posted fields as text. False refuses the post, and so does an answer that raises; None: there is no captcha.

    ```python
    @hookimpl
    def cs_check_captcha(form):
        return form.get("captcha") == "seven"
    ```
    """


@hookspec(firstresult=True)
def cs_check_spam(inquiry: Inquiry) -> bool | None:
    """Ask whether an inquiry is spam. True lays it in the spam folder, where it is kept but not counted or answered.

    None: the desk's own opinion counts.

    ```python
    @hookimpl
    def cs_check_spam(inquiry):
        return "casino" in inquiry.text or None
    ```
    """


@hookspec(firstresult=True)
def cs_scan_file(path: Path, name: str) -> str | None:
    """Ask a scanner about an uploaded file before it is kept; `path` is a copy on the local disk, `name` what the sender called it.

    An answer is the name of what was found, and the file is refused, as it is where the answer raises. An empty text or None: nothing was found.

    ```python
    @hookimpl
    def cs_scan_file(path, name):
        return "EICAR test" if b"EICAR" in path.read_bytes() else None
    ```
    """


@hookspec(firstresult=True)
def cs_send_mail(mail: OutgoingMail) -> bool | None:
    """Hand a mail to the host's own way of sending. True: it has been taken, and counts as sent.

    Called by whoever delivers the outbox, outside any transaction and perhaps outside any request. Raise `UndeliverableError` where it was not taken.
    None: the desk's transport sends it.

    ```python
    @hookimpl
    def cs_send_mail(mail):
        hand_to_our_mailer(mail.recipients, mail.subject, mail.text, mail.html)
        return True
    ```
    """


@hookspec(firstresult=True)
def cs_url(kind: str, id: str) -> str | None:  # noqa: A002 - the hook's published argument
    """Ask for the address of a page of the host's.

    `kind` is "customer" or "order" (in the admin), "admin_sign_in" (`id` is the path to come back to), "product" or "order_page" (on the storefront),
    "sign_in" (the customers' own; `id` is the path to come back to), or "sql_manager" (the host's own SQL manager, in place of the desk's; `id` is the
    query that it opens with, or empty). None: the name is shown without a link, a page that wants a sign-in says so, and the desk's own SQL manager is used.

    ```python
    @hookimpl
    def cs_url(kind, id):
        if kind == "order":
            return f"/admin/order/details/?id={id}"
    ```
    """


@hookspec(firstresult=True)
def cs_base_template() -> str | None:
    """Ask for the template into whose blocks the desk's admin pages go: `title`, `head_css`, `body` and `tail`.

    None: the base template of the Flask-Admin theme in use.

    ```python
    @hookimpl
    def cs_base_template():
        return "dashboard/cs_base.html"
    ```
    """


# --- Events: told after the transaction has been committed; every listener is isolated; best effort. ----------------------------------------------


@hookspec
def cs_thread_opened(thread: ThreadFacts, message: MessageFacts) -> None:
    """Hear that a thread has begun, with its first message.

    ```python
    @hookimpl
    def cs_thread_opened(thread, message):
        count("threads", thread.shop_id)
    ```
    """


@hookspec
def cs_message_received(thread: ThreadFacts, message: MessageFacts) -> None:
    """Hear that a customer has written, on any channel; told for a thread's first message too.

    ```python
    @hookimpl
    def cs_message_received(thread, message):
        tell_chat_room(f"#{thread.id}: {message.text[:80]}")
    ```
    """


@hookspec
def cs_reply_sent(thread: ThreadFacts, message: MessageFacts) -> None:
    """Hear that an employee's public answer is released and waits in the outbox.

    ```python
    @hookimpl
    def cs_reply_sent(thread, message):
        count("replies", message.author_id)
    ```
    """


@hookspec
def cs_note_added(thread: ThreadFacts, message: MessageFacts) -> None:
    """Hear that a private note was added. Never show it to a customer.

    ```python
    @hookimpl
    def cs_note_added(thread, message):
        count("notes", message.author_id)
    ```
    """


@hookspec
def cs_status_changed(thread: ThreadFacts, before: str, after: str, employee: Employee | None) -> None:
    """Hear that a thread's status changed; `employee` is None where a message did it.

    ```python
    @hookimpl
    def cs_status_changed(thread, before, after):
        count("statuses", f"{before} to {after}")
    ```
    """


@hookspec
def cs_thread_assigned(thread: ThreadFacts, assignee_id: str | None, employee: Employee | None) -> None:
    """Hear that a thread was given to an employee, or to nobody (None), and by whom.

    ```python
    @hookimpl
    def cs_thread_assigned(thread, assignee_id):
        count("assigned", assignee_id)
    ```
    """


@hookspec
def cs_thread_forwarded(thread: ThreadFacts, message: MessageFacts, recipient: str, employee: Employee) -> None:
    """Hear that a thread was forwarded, to an employee's id or to an address outside; `message` is the private note that says so.

    ```python
    @hookimpl
    def cs_thread_forwarded(thread, recipient):
        count("forwarded", recipient)
    ```
    """


@hookspec
def cs_threads_merged(thread: ThreadFacts, merged_ids: Sequence[int], employee: Employee) -> None:
    """Hear that threads were merged into this one; `merged_ids` lead to it until that is undone, which is not told.

    ```python
    @hookimpl
    def cs_threads_merged(thread, merged_ids):
        count("merged", len(merged_ids))
    ```
    """


@hookspec
def cs_thread_deleted(thread: ThreadFacts, employee: Employee | None) -> None:
    """Hear that a thread went to the bin.

    ```python
    @hookimpl
    def cs_thread_deleted(thread):
        count("deleted", thread.shop_id)
    ```
    """


@hookspec
def cs_mail_failed(mail: OutgoingMail, reason: str, thread_id: int | None) -> None:
    """Hear that a mail will not be tried again by itself, with the server's words.

    ```python
    @hookimpl
    def cs_mail_failed(mail, reason):
        tell_chat_room(f"Mail to {mail.recipients[0]} failed: {reason}")
    ```
    """


@hookspec
def cs_mail_set_aside(mailbox_id: int, cause: str) -> None:
    """Hear that a mail could not be taken and was set aside whole, or its sender has no part in the thread; `cause` is in words, or a reason's name.

    ```python
    @hookimpl
    def cs_mail_set_aside(mailbox_id, cause):
        tell_chat_room(f"Mailbox {mailbox_id}: {cause}")
    ```
    """


@hookspec
def cs_sync_finished(mailbox_id: int, counts: Mapping[str, int], error: str | None) -> None:
    """Hear that a run over a mailbox has ended, and what came of its mails; one that found nothing new is not told of. `error` is in English words.

    ```python
    @hookimpl
    def cs_sync_finished(mailbox_id, counts):
        count("mails", counts.get("message", 0))
    ```
    """


# --- Places: all answers are used, in order; each is isolated. ------------------------------------------------------------------------------------


@hookspec
def cs_thread_panel(thread: ThreadFacts, employee: Employee) -> Markup | None:
    """Put a block into the side column of a thread's page. Text is escaped; return Markup for HTML.

    A form in it that posts to a page of the host's carries what `cs_action_fields` answers, and that page asks `cs_action_posted`.

    ```python
    @hookimpl
    def cs_thread_panel(thread, employee):
        return Markup("<h2>Loyalty</h2><p>Gold</p>")
    ```
    """


@hookspec
def cs_thread_actions(thread: ThreadFacts, employee: Employee) -> Sequence[tuple[str, str] | ThreadAction] | None:
    """Put links into the menu of a thread's page, a label and an address each, and buttons that do something: `ThreadAction`.

    A button posts to a path of this site, with the desk's token, the thread and the way back; the page there asks `cs_action_posted` before it acts,
    and leaves an event with `cs_leave_event`.

    ```python
    @hookimpl
    def cs_thread_actions(thread, employee):
        if thread.order_id:
            return [("Order", f"/admin/order/{thread.order_id}"), ThreadAction("Refund the order", f"/admin/refund/{thread.order_id}")]
    ```
    """


@hookspec
def cs_list_columns() -> Sequence[tuple[str, Any]] | None:
    """Add columns to the list of threads: a label, and a function from `ThreadFacts` to text.

    *Has no caller yet: it comes with the whole list.*

    ```python
    @hookimpl
    def cs_list_columns():
        return [("Order", lambda thread: thread.order_id or "--")]
    ```
    """


@hookspec
def cs_contact_form_fields(shop_id: str) -> Markup | None:
    """Put HTML, such as a captcha, above the button of the contact form.

    ```python
    @hookimpl
    def cs_contact_form_fields(shop_id):
        return Markup('<label>Three and four? <input name="captcha"></label>')
    ```
    """


@hookspec
def cs_reply_variables(thread: ThreadFacts, employee: Employee) -> Mapping[str, str] | None:
    """Offer variables to answers and to predefined messages: `{opening_hours}` in a text is replaced by its value.

    A variable that nobody offers, or whose value is empty, stops the sending.

    ```python
    @hookimpl
    def cs_reply_variables(thread, employee):
        return {"opening_hours": "9 to 17"}
    ```
    """


@hookspec
def cs_template_context() -> Mapping[str, Any] | None:
    """Add variables to the context of the desk's admin pages, such as those that the host's own layout needs.

    ```python
    @hookimpl
    def cs_template_context():
        return {"sidebar": ["Orders", "Customers"]}
    ```
    """


# --- What the host fires at the desk: implemented by the desk itself. -----------------------------------------------------------------------------


@hookspec(firstresult=True)
def cs_mount(app: Any, db: Any, admin: Any) -> Any:
    """Mount the desk on an application, from a host that knows it only as a plugin: the same as `CustomerService.init_app(app, db=db, admin=admin)`.

    `admin` may be None: the application's own Flask-Admin is found, or one is made. Answers the mounted `CustomerService`.

    ```python
    from cs_plugin import CustomerService

    customer_service = CustomerService(plugins=[host_answers])
    customer_service.register_in(host_plugin_manager)
    host_plugin_manager.hook.cs_mount(app=app, db=db, admin=None)
    ```
    """


@hookspec(firstresult=True)
def cs_contact_form_submitted(
    email: str,
    text: str,
    contact: int | str,
    subject: str,
    first_name: str,
    last_name: str,
    customer_id: str | None,
    order_id: str | None,
    shop_id: str | None,
    language: str | None,
    files: Sequence[Any],
    post_key: str | None,
) -> Received | None:
    """Tell the desk that the host's own contact form was posted and found good. Joins the caller's transaction and never commits.

    `contact` is a contact's id or its title; `files` holds werkzeug's `FileStorage` objects; `customer_id` is given only for a customer who is
    signed in; `post_key` makes the post idempotent. All arguments are named; every one but `email`, `text` and `contact` may be empty or None.
    Raises `InvalidInputError` naming the field that is wrong; nothing is stored then.

    ```python
    customer_service.hook.cs_contact_form_submitted(
        email="jan@example.com", text="Where is my parcel?", contact="Customer service", subject="Parcel", first_name="", last_name="",
        customer_id=None, order_id=None, shop_id=None, language="en", files=(), post_key=None)
    db.session.commit()
    ```
    """


@hookspec(firstresult=True)
def cs_order_message_posted(
    order_id: str,
    text: str,
    customer_id: str | None,
    email: str,
    product_id: str | None,
    shop_id: str | None,
    language: str | None,
    files: Sequence[Any],
    post_key: str | None,
) -> Received | None:
    """Tell the desk that a customer wrote on the host's own order page. Joins the caller's transaction and never commits.

    The host has made sure that the writer owns the order. `customer_id` is None for a guest, whose `email` counts then.
    Raises `InvalidInputError` naming the field that is wrong; nothing is stored then.

    ```python
    customer_service.hook.cs_order_message_posted(
        order_id="15", text="The jug is broken.", customer_id="7", email="jan@example.com", product_id=None, shop_id="1", language="en",
        files=(), post_key=None)
    db.session.commit()
    ```
    """


@hookspec(firstresult=True)
def cs_order_panel(order_id: str) -> Markup | None:
    """Ask the desk for the panel "Messages" of an order's page in the admin, as an HTML fragment: the last messages, and a form to write one.

    It stands in any page, brings its own style sheet and script from this site, and its form leads back to the page. In a template it is
    `{{ cs_order_panel(order.id) }}`. It reads in the caller's transaction and writes nothing. None: nobody is signed in to the admin, they may not view
    the order's shop, or `cs_find_order` knows no such order.

    ```python
    panel = customer_service.hook.cs_order_panel(order_id="15")
    ```
    """


@hookspec(firstresult=True)
def cs_customer_order_panel(order_id: str, token: str | None) -> Markup | None:
    """Ask the desk for the messages and the form on a customer's order page, as an HTML fragment.

    `token` is the host's own order token, by which `cs_find_order` opens a guest's order; without one the order must be that of the customer who is
    signed in. It stands in any page, and its form leads back to it. In a template it is `{{ cs_customer_order_panel(order.id, token) }}`. It reads in
    the caller's transaction and writes nothing. None: the order is not this visitor's, or there is none.

    ```python
    panel = customer_service.hook.cs_customer_order_panel(order_id="15", token=None)
    ```
    """


@hookspec(firstresult=True)
def cs_admin_header() -> Markup | None:
    """Ask the desk for the bell, to stand in the header of the host's own admin pages, as an HTML fragment.

    It rings for the employee who is signed in, in the shops that they chose last on the desk's pages. In a template it is `{{ cs_admin_header() }}`.
    Pages of Flask-Admin have the bell beside their menu without it. It is drawn once a page, and empty where it stands already. It reads in the
    caller's transaction and writes nothing. None: nobody is signed in for whom it could ring.

    ```python
    bell = customer_service.hook.cs_admin_header()
    ```
    """


@hookspec(firstresult=True)
def cs_action_fields(thread_id: int) -> Markup | None:
    """Ask the desk for the hidden fields of a form in `cs_thread_panel` that posts to a page of the host's: the token, the thread and the way back.

    In a template it is `{{ cs_action_fields(thread.id) }}`. None: there is no request.

    ```python
    fields = customer_service.hook.cs_action_fields(thread_id=21)
    ```
    """


@hookspec(firstresult=True)
def cs_action_posted(permission: str) -> ThreadFacts | None:
    """Ask the desk whether the request is a good post of a `ThreadAction`, or of a form with `cs_action_fields`, and about which thread.

    It is one where the form's token is genuine and the employee who is signed in holds the permission ("reply", "delete" …) in the thread's shop. What
    the employee may do with the host's own order the host checks itself. None: refuse it. It reads in the caller's transaction and writes nothing.

    ```python
    thread = customer_service.hook.cs_action_posted(permission="reply")
    ```
    """


@hookspec(firstresult=True)
def cs_leave_event(thread_id: int, text: str, employee: Employee | None) -> bool | None:
    """Leave an event in a thread's timeline, in the host's own words (300 letters at most), such as "Refunded 68.00 EUR".

    `employee` is who did it, None where the store did. Joins the caller's transaction and never commits. True: it was left; False: there is no such
    thread, or the employee may not view it. Customers never see events.

    ```python
    customer_service.hook.cs_leave_event(thread_id=21, text="Refunded 68.00 EUR", employee=None)
    db.session.commit()
    ```
    """


@hookspec
def cs_customer_changed(customer: Customer) -> None:
    """Tell the desk that a customer's name, address or language changed. Joins the caller's transaction and never commits.

    ```python
    customer_service.hook.cs_customer_changed(customer=Customer(id="7", email="jan@example.com", first_name="Jan", last_name="Nowak"))
    db.session.commit()
    ```
    """


@hookspec
def cs_customers_merged(kept_id: str, merged_id: str) -> None:
    """Tell the desk that the host made one account of two. Joins the caller's transaction and never commits.

    ```python
    customer_service.hook.cs_customers_merged(kept_id="7", merged_id="9")
    db.session.commit()
    ```
    """


@hookspec
def cs_customer_erased(customer_id: str, email: str | None) -> None:
    """Tell the desk that a customer is to be forgotten. *Has no answer yet: erasing comes with the privacy pages.*

    ```python
    customer_service.hook.cs_customer_erased(customer_id="7", email="jan@example.com")
    db.session.commit()
    ```
    """
