"""The page "New message": an employee begins a conversation with a customer or an address, or notes a phone call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk, i18n
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import address_key, digest
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.people import Customer
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.variables import filled, has_variables
from cs_plugin.store import threads
from cs_plugin.store.contacts import ContactWords, list_contacts, standing_for
from cs_plugin.store.known_customers import customers_named
from cs_plugin.store.locking import let_go
from cs_plugin.store.options import read_options
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id
from cs_plugin.web.answer_form import beginning
from cs_plugin.web.answer_variables import check, values_beforehand
from cs_plugin.web.desk_view import DeskView, guarded
from cs_plugin.web.list_address import list_url_of
from cs_plugin.web.new_message_form import NewMessageForm, new_message_form_of
from cs_plugin.web.posting import FormKey, Posting, file_sentences, read_posting
from cs_plugin.web.predefined_choice import OVERWRITE, offered_in
from cs_plugin.web.saying import say_good
from cs_plugin.web.uploads import UploadLimits

_EXPIRED = _("This form had expired. It is renewed now and nothing is lost: please send it again.")
_MOST_FOUND = 5
# Buttons that only change the form; the last three are those of predefined messages.
_USES = frozenset({"find", "shop", "fill", "overwrite", "keep"})


class NewMessagePages(DeskView):
    """The page of a message that answers none."""

    @expose("/new", methods=("GET", "POST"))
    def new_message(self) -> ResponseReturnValue:
        """Show the form, filled in with what is known of a customer whose thread it comes from, or take it."""
        if not self._new_writable_shops():
            abort(403)
        return self._new_shown(self._new_fresh()) if request.method == "GET" else self._new_posted()

    def _new_posted(self) -> ResponseReturnValue:
        here, shops = self.here, self._new_writable_shops()
        limits = {shop.id: self._new_limits_in(shop) for shop in shops}
        # The shop stands in the form, which is bounded before it is read: by what any of them allows, and then by its own.
        posting = read_posting(here.desk, _widest(list(limits.values())), here.now, of_employee=True)
        shop = next((one for one in shops if one.id == posting.fields.get("in_shop")), shops[0])
        form = new_message_form_of(posting, posting.next_key(here.now), shop.id, self._new_language(posting.fields.get("language", ""), shop))
        wrong = self._new_wrong_with(posting, form, limits[shop.id])
        if wrong:
            return self._new_shown(replace(form, errors=wrong), 413 if posting.too_large else 422)
        if form.use in _USES:
            return self._new_shown(self._new_used(form))
        actor, once = here.actor(), digest("new message", here.actor().employee.id, form.post_key())
        try:
            self._new_require_one_person(form)
            sent = self._new_with_values(form, shop)
            number = guarded(lambda: here.desk.do(lambda bench: desk.begin_conversation(bench, actor, sent.opened(), once=once)))
        except InvalidInputError as error:
            return self._new_shown(replace(form, errors={_field_of(error.field, form): self.say_error(error)}), 422)
        said = _("The phone call was noted.") if form.noted else _("The message was successfully sent to the customer.")
        say_good(self.say(said))
        return redirect(url_for(".thread_page", thread_id=number, **self._new_in_context()), 303)

    def _new_wrong_with(self, posting: Posting, form: NewMessageForm, limits: UploadLimits) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if posting.expired:
            wrong["form"] = self.say(_EXPIRED)
        files = [f"{name}: {sentence}" if name else sentence for name, sentence in file_sentences(posting, self.say)]
        files += [self.say(error.message, **error.values) for error in _too_much(form, limits)]
        if files:
            wrong["file"] = "\n".join(files)
        return wrong

    def _new_require_one_person(self, form: NewMessageForm) -> None:
        """Raise InvalidInputError where "To" is not the chosen account's address: without a script the choice stays while that is typed anew."""
        host, address = self.here.desk.host, form.to.strip()
        chosen = host.find_customer(customer_id=form.customer, shop_id=form.shop_id) if form.customer and "@" in address else None
        if chosen is None or address_key(address) == address_key(chosen.email):
            return
        named = host.find_customer(email=address, shop_id=form.shop_id)
        if named is None or named.id != chosen.id:
            raise InvalidInputError("to", _("The customer chosen below has another address. Choose who is meant."))

    def _new_with_values(self, form: NewMessageForm, shop: Shop) -> NewMessageForm:
        """Return a message with the values of its variables. Raise InvalidInputError where one has none."""
        if form.noted or not has_variables(form.text):
            return form
        session = self.here.desk.session()
        options = read_options(session, shop)
        let_go(session)
        known = self.here.desk.host.find_customer(customer_id=form.customer, shop_id=shop.id) if form.customer else None
        name = f"{known.first_name} {known.last_name}".strip() if known is not None else ""
        address = known.email if known is not None else form.to.strip()
        values = values_beforehand(self.here, shop, options, customer_name=name, customer_email=address, subject=form.subject)
        check(form.text, values)
        return replace(form, text=filled(form.text, values))

    def _new_used(self, form: NewMessageForm) -> NewMessageForm:
        """Return the form as its button changes it."""
        if form.use != "find":
            return form
        found = self._new_find(form)
        chosen = found[0].id if len(found) == 1 else form.customer if form.customer in {one.id for one in found} else ""
        return replace(form, looked=True, found=found, customer=chosen)

    def _new_find(self, form: NewMessageForm) -> tuple[Customer, ...]:
        """Look a customer up: by address in the host, by name among those who have written, whom the host then names."""
        host, wanted = self.here.desk.host, form.to.strip()
        if not wanted:
            return ()
        if "@" in wanted:
            found = host.find_customer(email=wanted, shop_id=form.shop_id)
            return (found,) if found is not None else ()
        session = self.here.desk.session()
        ids = customers_named(session, Scope(self.here.grants.shops(Permission.VIEW)), wanted, most=_MOST_FOUND)
        let_go(session)
        known = (host.find_customer(customer_id=one, shop_id=form.shop_id) for one in ids)
        return tuple(one for one in known if one is not None)

    # --- Drawing --------------------------------------------------------------------------------------------------------------------------------

    def _new_fresh(self) -> NewMessageForm:
        """Return an empty form, or one with what a thread tells of its customer."""
        here = self.here
        shops = self._new_writable_shops()
        in_context = here.scope(Permission.REPLY).shops
        shop = next((one for one in shops if one.id in in_context), shops[0])
        form = NewMessageForm(FormKey.new(here.now), shop.id, self._new_language("", shop))
        text, session = request.args.get("about", ""), here.desk.session()
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 and can_be_id(int(text)) else None
        thread = threads.get(session, Scope(here.grants.shops(Permission.REPLY)), number) if number is not None else None
        if thread is not None and thread.shop_id in {one.id for one in shops}:
            own = next(one for one in shops if one.id == thread.shop_id)
            customer = thread.customer_id if thread.customer_verified and thread.customer_id else ""
            form = replace(form, shop_id=own.id, language=self._new_language(thread.language, own), to=thread.address, customer=customer)
            form = replace(form, contact=str(thread.contact_id or ""))
        let_go(session)
        return form

    def _new_shown(self, form: NewMessageForm, code: int = 200) -> ResponseReturnValue:
        here, session = self.here, self.here.desk.session()
        shop = next(one for one in self._new_writable_shops() if one.id == form.shop_id)
        account = form.customer and not form.found
        if account:
            known = here.desk.host.find_customer(customer_id=form.customer, shop_id=shop.id)
            form = replace(form, found=(known,) if known is not None else (), customer=form.customer if known is not None else "")
            # Where the mail would go, which may not be from where that thread was written.
            form = replace(form, to=known.email) if known is not None and request.method == "GET" else form
        contacts = list_contacts(session, [shop.id], here.employee_language, here.default_language)
        in_its_language = list_contacts(session, [shop.id], form.language, here.default_language)
        options = read_options(session, shop)
        offered = offered_in(session, shop.id, here.employee_language, form.language, here.default_language)
        let_go(session)
        own = options.text("default_message", form.language, here.default_language)
        default = own if own is not None else i18n.gettext(form.language, str(BY_NAME["default_message"].default))
        form = form.beginning(beginning(default, _signature(in_its_language, form.contact)))
        if form.use in ("fill", "overwrite", "keep"):
            form = form.with_predefined(offered)
        limits = UploadLimits.of(options)
        page = self.page(
            "new_message.html",
            form=form,
            shops=self._new_writable_shops() if len(here.visible_shops) > 1 else (),
            contact_choices=[("", "--"), *((str(one.id), one.title) for one in contacts)],
            language_choices=[(one.code, one.name) for one in here.languages],
            offered=offered,
            overwrite=self.say(OVERWRITE),
            limits=limits,
            accept=",".join(f".{one}" for one in sorted(limits.types)),
            back=list_url_of(request.args.get("back")),
        )
        return page, code

    # --- Of the employee ------------------------------------------------------------------------------------------------------------------------

    def _new_writable_shops(self) -> list[Shop]:
        here = self.here
        return [shop for shop in here.visible_shops if here.grants.allow(Permission.REPLY, shop.id)]

    def _new_limits_in(self, shop: Shop) -> UploadLimits:
        session = self.here.desk.session()
        limits = UploadLimits.of(read_options(session, shop))
        let_go(session)
        return limits

    def _new_language(self, wanted: str, shop: Shop) -> str:
        known = [one.code for one in self.here.languages]
        return next((one for one in (wanted, shop.default_language) if one in known), known[0])

    def _new_in_context(self) -> dict[str, Any]:
        return {"shop": str(self.here.context)} if len(self.here.visible_shops) > 1 else {}


def _field_of(name: str, form: NewMessageForm) -> str:
    """Return the field of the form beside which an error of the desk's belongs."""
    if name == "text":
        return "note" if form.noted else "text"
    return name if name in ("to", "contact", "language", "subject", "cc", "file") else "form"


def _widest(limits: Sequence[UploadLimits]) -> UploadLimits:
    types = frozenset().union(*(one.types for one in limits))
    return UploadLimits(types, max(one.most for one in limits), max(one.each for one in limits), max(one.together for one in limits))


def _too_much(form: NewMessageForm, limits: UploadLimits) -> list[InvalidInputError]:
    """Return what of the files the chosen shop does not take."""
    files = [kept.file for kept in form.kept]
    errors = [InvalidInputError("file", _("Too many files: %(most)s at most."), most=limits.most)] if len(files) > limits.most else []
    if any(one.size > limits.each for one in files) or sum(one.size for one in files) > limits.together:
        errors.append(InvalidInputError("file", _("The file is too large.")))
    if any(one.name.rpartition(".")[2].lower() not in limits.types for one in files):
        errors.append(InvalidInputError("file", _("Bad file extension")))
    return errors


def _signature(contacts: Sequence[ContactWords], chosen: str) -> str:
    signer = next((one for one in contacts if str(one.id) == chosen), None) or standing_for(contacts)
    return signer.signature if signer is not None else ""
