"""The page behind the closing question of a mail: how did we do? Opening it writes nothing, since programs that look through mails do that.

Whoever holds the link may answer this one question, and change that for some days, and sees nothing of the conversation. What is forged, revoked or
gone is answered as a link to a conversation is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField, TextAreaField
from wtforms.validators import ValidationError

from cs_plugin import desk, i18n
from cs_plugin.desk.asking import STANDS
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_text
from cs_plugin.rules.opinions import MAX_COMMENT, SCORES, Opinion
from cs_plugin.rules.shops import Shop
from cs_plugin.store.locking import let_go
from cs_plugin.store.opinions import asked_with, opinion_on
from cs_plugin.web import customer_thread, floods, taking
from cs_plugin.web.forms import SpokenForm
from cs_plugin.web.posting import FAILED, FormKey, Posting, read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language
from cs_plugin.web.storefront_page import page, secretly, strictly
from cs_plugin.web.told import take_told, tell_once
from cs_plugin.web.uploads import NO_FILES

log = logging.getLogger(__name__)

_TAKEN = "opinion"


@dataclass(frozen=True, slots=True)
class Question:
    """A question as its page asks it. `opinion` is what was said before, None where nothing was; it `stands` where it can be changed no longer."""

    token: str
    message_id: int
    shop: Shop
    language: str
    opinion: Opinion | None
    stands: bool

    def say(self, message: str, **values: object) -> str:
        """Return a text in the language of the page."""
        return i18n.gettext(self.language, message, **values)

    @property
    def address(self) -> str:
        """Return where the question is asked, in the language that this page was asked for."""
        return url_for("cs_plugin.question", token=self.token, language=request.args.get("language"))


class QuestionForm(SpokenForm):
    """What a customer says: a score, and a comment if they like."""

    score = RadioField(validate_choice=False)
    comment = TextAreaField(filters=[lambda text: clean_text(text or "")])

    def validate_score(self, field: RadioField) -> None:
        """Refuse what is no score."""
        if field.data not in {str(score) for score in SCORES}:
            raise ValidationError(self.say(_("Please choose one of these.")))

    def validate_comment(self, field: TextAreaField) -> None:
        """Refuse what is too long."""
        if len((field.data or "").strip()) > MAX_COMMENT:
            raise ValidationError(self.say(_("The comment is too long: %(most)s characters at most."), most=MAX_COMMENT))


def question(token: str) -> ResponseReturnValue:
    """Ask the question that a link leads to, and take what the customer says."""
    here = visit()
    flooded = floods.guessing(token)
    if flooded is not None:
        return customer_thread.too_many(here, flooded)
    asked = _asked(here, token)
    let_go(here.desk.session())
    if asked is None:
        return customer_thread.nothing_there(here)
    return _post(here, asked) if request.method == "POST" else _page(here, asked, _form(asked), {})


def _asked(here: Visit, token: str) -> Question | None:
    database = here.desk.session()
    found = asked_with(database, here.desk.signer, token, here.now)
    floods.note_link(token, opened=found is not None)
    if found is None:
        return None
    thread, message = found
    shop = here.desk.bench(database).shop(thread.shop_id)
    language = visitor_language(here, shop, request.args.get("language") or thread.language)
    said = opinion_on(database, message)
    return Question(token, message.id, shop, language, said.opinion if said else None, stands=said is not None and said.stands(here.now))


def _form(asked: Question, fields: Any = None) -> QuestionForm:
    said = asked.opinion
    return QuestionForm(fields, say=asked.say, score=str(said.score) if said else None, comment=said.comment if said else "")


def _page(here: Visit, asked: Question, form: QuestionForm, errors: Mapping[str, str], status: int = 200) -> Response:
    taken = not errors and take_told(_TAKEN, str(asked.message_id), here.now)
    title = asked.say(_("Not sent yet")) if errors else asked.say(_("Thank you")) if taken else asked.say(_("How did we do?"))
    words = {
        "form": form,
        "errors": errors,
        "key": FormKey.new(here.now),
        "taken": taken,
        "answered": asked.opinion is not None,
        "stands": asked.stands,
        "told": asked.say(STANDS),
        "said": asked.say(SCORES[asked.opinion.score]) if asked.opinion and asked.opinion.score in SCORES else "",
        "comment": asked.opinion.comment if asked.opinion else "",
        "scores": [(str(score), asked.say(label)) for score, label in SCORES.items()],
        "most": MAX_COMMENT,
        "action": asked.address,
    }
    return secretly(page("question.html", shop=asked.shop, language=asked.language, title=title, status=status, **words))


def _post(here: Visit, asked: Question) -> ResponseReturnValue:
    posting: Posting = read_posting(here.desk, NO_FILES, here.now)
    form = _form(asked, posting.fields)
    errors, status = taking.judge(posting, form, asked.language, here.now, trap=False)
    if not errors:
        errors, status = _take(here, asked, form)
    if status == 404:
        return customer_thread.nothing_there(here)
    errors, status = taking.weigh((errors, status), asked.language)
    if errors:
        return _page(here, asked, form, errors, status)
    tell_once(_TAKEN, str(asked.message_id), here.now)
    return secretly(strictly(redirect(asked.address, 303)))


def _take(here: Visit, asked: Question, form: QuestionForm) -> taking.Outcome:
    """Hand a good opinion to the desk."""
    say = partial(i18n.gettext, asked.language)
    flooded = floods.admit_opinion(asked.token)
    if flooded is not None:
        return {"": flooded.told(asked.language)}, 429
    opinion = Opinion(int(form.score.data), form.comment.data or "")
    try:
        here.desk.do(lambda bench: desk.answer_question(bench, asked.token, opinion))
    except NotFoundError:
        return {"": ""}, 404   # revoked a moment ago
    except InvalidInputError as error:
        return {error.field: say(error.message, **error.values)}, 422
    except Exception:
        # Whatever went wrong, nothing was stored: the sender is told, and keeps what they wrote.
        log.exception("the answer to a closing question could not be stored")
        return {"": say(FAILED)}, 503
    return {}, 303
