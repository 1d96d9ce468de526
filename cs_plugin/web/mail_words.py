"""What came of a mail, and why, in words: for the report of a run, and for the page of mails set aside."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cs_plugin.i18n import marked as _
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.oddities import CUT, ODDITIES

OUTCOMES: Mapping[str, str] = {
    Outcome.MESSAGE: _("Message of a customer"),
    Outcome.ANSWER: _("Answer of an employee"),
    Outcome.NOTE: _("Private note"),
    Outcome.AUTOMATIC: _("Automatic mail"),
    Outcome.BOUNCE: _("Not delivered"),
    Outcome.OWN: _("Mail of our own"),
    Outcome.REPEATED: _("Known already"),
    Outcome.LEFT: _("Left on the server"),
    Outcome.TOO_LARGE: _("Too large: left on the server"),
    Outcome.SET_ASIDE: _("Set aside"),
    Outcome.BEFORE_START: _("From before the beginning"),
}

# Why a mail came where it is, by the names of the rules (`rules.mail_matching`, `desk.receiving_mail`, `sync.reading`).
WHY: Mapping[str, str] = {
    "carries_an_employees_tag": _("It answers a notice to an employee."),
    "carries_an_address_tag": _("It was sent to the address of its thread."),
    "answers_a_moved_message": _("It answers a message that an employee moved to its thread."),
    "answers_a_known_mail": _("It answers a mail of its thread."),
    "carries_a_subject_tag": _("Its subject carries the sign of its thread."),
    "begins_a_thread": _("It leads to no thread, and begins one."),
    "comes_from_a_stranger": _("It leads to a thread in which its sender has no part."),
    "its_thread_was_deleted": _("Its thread was deleted."),
    "goes_on_after_a_closed_thread": _("Its thread was closed long ago."),
    "is_an_employee_without_a_tag": _("It comes from an employee's address, and does not answer a notice to them."),
    "writes_from_our_own_address": _("It comes from an address of this desk."),
    "answers_what_was_forwarded": _("It answers what was forwarded."),
    "is_a_mail_of_ours": _("This desk has sent it."),
    "is_a_machine_at_our_own_address": _("A machine sent it from an address of this desk."),
    "comes_from_a_blocked_sender": _("Its sender is blocked."),
    "comes_from_an_address_of_ours": _("It comes from an address of this desk: an answer would come back here."),
    "belongs_to_no_thread": _("It belongs to no thread, and “Create new threads” is off."),
    "was_written_by_a_machine": _("A machine has written it."),
    "could_not_be_sent_as_an_answer": _("It could not be sent as an answer."),
    "quotes_the_notice_that_it_answers": _("It quotes the notice that it answers."),
    "newer_messages_came_before_it": _("Somebody had written in the thread since the notice that it answers."),
    "same_content": _("It was read before."),
    "came_before": _("It was read before."),
    "tells_that_a_mail_of_ours_failed": _("It says that a mail of this thread was not delivered."),
    "tells_that_a_mail_of_ours_waits": _("It says that a mail of this thread has not been delivered yet."),
    "too_large": _("It is larger than what is fetched."),
    "withheld": _("The server lists it and does not give it."),
    "reading_it_ends_the_process": _("Each time it was read, the program ended in the midst of it: it is kept unread."),
    "fetching_it_ends_the_process": _("Each time it was fetched, the program ended in the midst of it: it is not asked for any more."),
    "before_start": _("It is older than what was asked for."),
    "unread": _("It could not be read."),
    "was_made_a_thread": _("Somebody has made a thread of it."),
}
# By what a machine's mail was known, by the names of `mail.machines`.
MACHINES: Mapping[str, str] = {
    "delivery_report": _("It is a report of a mail server on a delivery."),
    "read_receipt": _("It is a receipt: somebody has opened a mail."),
    "report": _("It is a report of a mail server."),
    "auto_submitted": _("It says itself that no person has sent it."),
    "autoreply_header": _("It says itself that it is an automatic answer."),
    "mailer_daemon": _("A mail server is its sender."),
    "null_sender": _("It has no sender that could be answered."),
    "precedence": _("It was sent to many, or as an automatic answer."),
    "list": _("It came by a mailing list."),
    "suppresses_answers": _("It asks that no machine answers it."),
    "loop_header": _("It carries the mark of a machine that keeps mails from going in circles."),
    "feedback_id": _("It was sent by a system for mails to many."),
    "subject": _("Its subject is that of an automatic answer."),
}


def how_read(signs: str | None) -> tuple[bool, tuple[str, ...]]:
    """Return whether something of a mail was cut while it was read, and untranslated sentences of what was seen then."""
    names = (signs or "").split()
    return not CUT.isdisjoint(names), tuple(words for name in names if (words := MACHINES.get(name) or ODDITIES.get(name)))


# An error as `sync.reading.words_of` tells it: the name of its kind, and what it says.
_ERROR = re.compile(r"([A-Za-z_]\w*): ?(.*)", re.DOTALL)
_COULD_NOT = _("It could not be read or stored: %(words)s")


def why(reason: str) -> tuple[str, Mapping[str, object]]:
    """Return a reason as an untranslated sentence and its values; the words of an error, where it is one."""
    if reason in WHY:
        return WHY[reason], {}
    if _ERROR.fullmatch(reason):
        return _COULD_NOT, {"words": reason}
    return (_COULD_NOT, {"words": reason.replace("_", " ")}) if reason else ("", {})
