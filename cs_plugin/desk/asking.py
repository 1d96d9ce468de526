"""Ask customers how they were served, once their thread is closed, and keep what they say."""

from __future__ import annotations

from sqlalchemy import select

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_text
from cs_plugin.rules.opinions import MAX_COMMENT, SCORES, Opinion
from cs_plugin.store import opinions
from cs_plugin.store.locking import lock_thread, locking
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import EVERYTHING

_MOST_MOVES = 5
STANDS = _("You answered some time ago, and your answer can no longer be changed.")


def answer_question(bench: Bench, token: str, opinion: Opinion) -> None:
    """Keep what a customer says to the closing question; what they had said to the same one before makes place for it, for some days.

    The thread keeps its status, and nobody is told but by its timeline. Raise NotFoundError for a token that opens nothing, InvalidInputError naming
    the field that is wrong.
    """
    comment = clean_text(opinion.comment).strip()
    if opinion.score not in SCORES:
        raise InvalidInputError("score", _("Please choose one of these."))
    if len(comment) > MAX_COMMENT:
        raise InvalidInputError("comment", _("The comment is too long: %(most)s characters at most."), most=MAX_COMMENT)
    found = opinions.asked_with(bench.session, bench.signer, token, bench.now)
    thread = _locked_with(bench, found[1]) if found is not None else None
    # The link may have been revoked, or the thread deleted, between our look and our lock.
    if found is None or thread is None or not opinions.still_asked(bench.session, bench.signer, token, thread, found[1], locked=True):
        raise NotFoundError("closing question", token[:8])
    before = opinions.opinion_on(bench.session, found[1])
    if before is not None and before.stands(bench.now):
        raise InvalidInputError("", STANDS)
    if opinions.keep_opinion(bench.session, found[1], Opinion(opinion.score, comment), bench.now):
        bench.note_event(thread, "question_answered", None, message=found[1], score=opinion.score)


def _locked_with(bench: Bench, message: Message) -> Thread | None:
    """Lock the thread in which an answer lies, and read the answer anew: it may have gone into another one between our look and our lock."""
    for _step in range(_MOST_MOVES):
        thread = lock_thread(bench.session, EVERYTHING, message.thread_id)
        here = bench.session.scalars(locking(bench.session, select(Message).where(Message.id == message.id))).one_or_none()
        if thread is None or here is None or here.thread_id == thread.id:
            return thread if here is not None else None
    return None
