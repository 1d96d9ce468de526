"""Ask customers how they were served, once their thread is closed, and keep what they say."""

from __future__ import annotations

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_text
from cs_plugin.rules.opinions import MAX_COMMENT, SCORES, Opinion
from cs_plugin.store import opinions
from cs_plugin.store.locking import lock_thread
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import EVERYTHING


def answer_question(bench: Bench, token: str, opinion: Opinion) -> None:
    """Keep what a customer says to the closing question; what they had said to the same one before makes place for it.

    The thread keeps its status, and nobody is told but by its timeline. Raise NotFoundError for a token that opens nothing, InvalidInputError naming
    the field that is wrong.
    """
    comment = clean_text(opinion.comment).strip()
    if opinion.score not in SCORES:
        raise InvalidInputError("score", _("Please choose one of these."))
    if len(comment) > MAX_COMMENT:
        raise InvalidInputError("comment", _("The comment is too long: %(most)s characters at most."), most=MAX_COMMENT)
    found = opinions.asked_with(bench.session, bench.signer, token, bench.now)
    thread = lock_thread(bench.session, EVERYTHING, found[0].id) if found is not None else None
    home = found[1].home_thread_id if found is not None else None
    home_thread = bench.session.get(Thread, home, populate_existing=True) if home is not None and thread is not None and home != thread.id else None
    # The link may have been revoked, or the thread deleted, between our look and our lock.
    if found is None or thread is None or not opinions.still_asked(bench.signer, token, thread, home_thread):
        raise NotFoundError("closing question", token[:8])
    if opinions.keep_opinion(bench.session, found[1], Opinion(opinion.score, comment), bench.now):
        bench.note_event(thread, "question_answered", None, message=found[1], score=opinion.score)
