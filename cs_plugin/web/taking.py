"""A message posted by a storefront form, on its way to the desk: judged, counted and received, or its sender is told what is wrong."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from functools import partial

from wtforms import Form

from cs_plugin import i18n
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import Inquiry
from cs_plugin.web import floods
from cs_plugin.web.forms import errors_of
from cs_plugin.web.posting import EXPIRED, FAILED, Posting, filled_in_by_a_program
from cs_plugin.web.reading import Visit

log = logging.getLogger(__name__)

# What is wrong, by field ("" for the whole; empty where nothing is), and the status that says so.
Outcome = tuple[dict[str, str], int]
_NO_CAPTCHA_SOLVED = _("Please answer the question that keeps robots out.")


def judge(posting: Posting, form: Form, language: str, now: dt.datetime, *, trap: bool) -> Outcome:
    """Return what is wrong with a post. With `trap` the form has a field that people do not see, and takes a person's time to fill in."""
    if posting.too_large:
        return {"file": ""}, 413
    form.validate()
    errors = dict(errors_of(form))
    if posting.file_errors:
        errors["file"] = ""
    if posting.expired:
        return {**errors, "": i18n.gettext(language, EXPIRED)}, 400
    if trap and not errors and filled_in_by_a_program(posting, form["website"].data, now):
        return {"": i18n.gettext(language, FAILED)}, 422
    return errors, 422


def take(
    here: Visit,
    inquiry: Inquiry,
    language: str,
    *,
    fields: Collection[str] = ("text",),
    captcha: Callable[[], bool] = lambda: True,
    tell: Callable[[Received], None] | None = None,
) -> Outcome:
    """Hand a good message to the desk, and `tell` where it went. `fields` are those of the form at which the desk's refusals can stand."""
    say = partial(i18n.gettext, language)
    try:
        flooded = floods.admit(here.desk, inquiry, captcha)
        if flooded is not None:
            return {"": flooded.told(language)}, 429
        received = here.desk.receive(inquiry)
    except floods.CaptchaUnsolvedError:
        return {"extra": say(_NO_CAPTCHA_SOLVED)}, 422
    except InvalidInputError as error:
        return {error.field if error.field in fields else "": say(error.message, **error.values)}, 422
    except Exception:
        # Whatever went wrong, nothing was stored: the sender is told, and keeps what they wrote.
        log.exception("a customer's message (%s) could not be stored", inquiry.channel)
        return {"": say(FAILED)}, 503
    if tell is not None:
        tell(received)
    return {}, 303


def weigh(outcome: Outcome, language: str) -> Outcome:
    """Count a post in which something was wrong; return what its sender is told, which may be that there were too many."""
    errors, status = outcome
    return floods.count_refused(language, errors, status) if status in floods.REFUSED else outcome
