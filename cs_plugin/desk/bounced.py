"""A mail of ours that was not delivered, as a server tells us by a mail of its own (RFC 3464): it is noted where it was sent from."""

from __future__ import annotations

from cs_plugin.desk.bench import Bench, facts_of_thread
from cs_plugin.desk.mail_messages import machine, write_mail
from cs_plugin.rules.incoming import ArrivedMail, Bounce, Landed, Outcome
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.mail_matching import Clues, FoundThread
from cs_plugin.rules.outgoing import CARRY_A_MESSAGE
from cs_plugin.rules.status import AFTER, Folder, Happening
from cs_plugin.store import notices, threads
from cs_plugin.store.bounced import SentMail, mark_bounced, sent_mail
from cs_plugin.store.locking import lock_thread
from cs_plugin.store.models import Thread, ThreadEvent
from cs_plugin.store.scope import Scope

FAILED, DELAYED = "delivery_failed", "delivery_delayed"
# Why a bounce was taken where it was.
BOUNCED = "tells_that_a_mail_of_ours_failed"
WAITS = "tells_that_a_mail_of_ours_waits"


def take_bounce(bench: Bench, arrived: ArrivedMail, clues: Clues) -> Landed | None:
    """Note a bounce at the mail that it is about; None where it is about no mail of ours.

    One for good makes the sent message a failed one, opens its thread again and rings for its assignee. One that is not yet is only told.
    """
    bounce = arrived.mail.bounce
    found = _about(clues)
    if bounce is None or found is None:
        return None
    thread = lock_thread(bench.session, Scope(frozenset({found.shop_id})), found.id)
    if thread is None or thread.folder is Folder.BIN:
        return None
    # A tag alone tells the thread, and the recipient then which of its mails it was.
    sent = sent_mail(bench.session, thread, _ids(arrived), bounce.recipient)
    if sent is None and not clues.bounced:
        return None
    message = write_mail(bench, arrived, thread, machine(arrived), BOUNCED if bounce.permanent else WAITS, home_id=found.home_id)
    words = _words(bounce)
    _leave_event(bench, thread, sent, bounce, words)
    if bounce.permanent:
        _fail(bench, thread, sent, words)
    threads.recompute(bench.session, [thread.id])
    return Landed(Outcome.BOUNCE, message.matched_by, thread.id, message.id)


def _about(clues: Clues) -> FoundThread | None:
    return next(iter((*clues.bounced, *clues.address_tags)), None)


def _ids(arrived: ArrivedMail) -> frozenset[str]:
    mail = arrived.mail
    named = mail.bounce.message_id if mail.bounce else None
    return frozenset({*([named] if named else []), *mail.in_reply_to, *mail.references})


def _fail(bench: Bench, thread: Thread, sent: SentMail | None, words: str) -> None:
    if sent is not None:
        mark_bounced(bench.session, sent, words)
    if sent is None or sent.kind not in CARRY_A_MESSAGE:
        # A notice or a confirmation: nothing that somebody waits for.
        return
    _open_again(bench, thread)
    if thread.assignee_id is not None and thread.folder is Folder.LIST:
        notices.ring(bench.session, thread, [thread.assignee_id], bench.now)


def _open_again(bench: Bench, thread: Thread) -> None:
    after, before = AFTER[Happening.MAIL_BOUNCED], thread.status
    if after is None or after is before:
        return
    thread.status = after
    bench.session.flush()
    bench.note_event(thread, "status", None, before=before.value, after=after.value, because="bounce")
    bench.announce("cs_status_changed", thread=facts_of_thread(thread), before=before.value, after=after.value, employee=None)


def _leave_event(bench: Bench, thread: Thread, sent: SentMail | None, bounce: Bounce, words: str) -> None:
    recipients = [bounce.recipient] if bounce.recipient else list(sent.recipients) if sent else []
    bench.session.add(
        ThreadEvent(
            thread_id=thread.id,
            message_id=(sent.message_id or sent.copy_of) if sent else None,
            kind=FAILED if bounce.permanent else DELAYED,
            actor_kind="desk",
            via="mail",
            # What fails while it is being sent leaves such an event as well.
            details={"mail": sent.kind if sent else "", "recipients": recipients, "words": words, "bounced": True},
            created_at=bench.now,
        )
    )


def _words(bounce: Bounce) -> str:
    """Return the server's words with its status code and the address, where it does not name them itself."""
    words = bounce.words
    code = bounce.status if bounce.status not in words else ""
    recipient = f"({bounce.recipient})" if bounce.recipient.casefold() not in words.casefold() else ""
    return clean_line(" ".join(part for part in (code, words, recipient) if part), 500)
