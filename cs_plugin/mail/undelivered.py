"""What mail servers write in place of a report by the standard (RFC 3464): whom a mail did not reach, and whether it will yet.

The words are tables. Only asked of a mail that a mail server seems to have written; an ordinary mail that talks of a bounce never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cs_plugin.mail.header_lines import clean_address

_MOST = 65_536


def _any_of(table: str, *, around: str = "{}") -> re.Pattern[str]:
    """Return what finds any row of a table; a blank stands for any blanks, since lines are broken anywhere."""
    rows = (re.sub(r" +", lambda _: r"\s+", row) for row in table.strip().splitlines())
    return re.compile(around.format("|".join(rows)), re.IGNORECASE)


# That a mail was not delivered.
_FAILED = _any_of(r"""
(?:could ?n[o']t|cannot|can't|was not|wasn't|has not been|have not been|were not|not able to) be(?:en)? (?:delivered|sent|relayed|processed)
(?:was not|wasn't|has not been|were not) delivered
(?:un|not |n't )able to (?:deliver|send|relay)
(?:error|trouble|problem)s? (?:while |in )?(?:deliver|attempting to deliver|trying to deliver)
(?:attempting|trying) to deliver
delivery (?:to the following .{0,40}?)?(?:has )?(?:failed|failure|error|was aborted)
(?:delivery|fatal|permanent|permanent fatal|transient|transient fatal) (?:error|problem)s
did not reach
(?:could not|couldn't) be reached
(?:un|non-?)deliver(?:able|ed|y)
failure (?:reasons|notice)
returned (?:mail|message)
transcript of session
rejected by a remote mail server
(?:has been|was) (?:automatically )?rejected
recipients? (?:were affected|returned permanent errors)
recipient addresses that were incorrectly constructed
account is disabled
invalid user address
(?:user|recipient|mailbox|address) (?:is )?(?:unknown|not found)
(?:no such|unknown|not a valid) (?:user|recipient|mailbox|address)
delivery reports? about your e-?mail
message (?:is|has been) delayed
delivery (?:is|has been) delayed
not yet been delivered
error message below
Sent <<< RCPT TO
エラーテストメッセージ
送信できませんでした
配信できません
配送(?:できません|に失敗)
送信に失敗
不達
nicht (?:zugestellt|ausgeliefert|übermittelt) werden
konnte nicht (?:zugestellt|übermittelt)
unzustellbar
zustellung .{0,60}?(?:fehlgeschlagen|gescheitert)
n'a pas pu être (?:remis|distribu|délivr|livr|envoy)
échec de (?:la )?(?:remise|distribution)
no (?:se )?(?:ha podido|pudo|puede) (?:ser )?entrega
no se ha entregado
non (?:è stato|può essere|è stato possibile) (?:recapitat|consegna)
mancato recapito
não (?:foi|pôde ser|pode ser) (?:entreg|possível entregar)
kon niet worden (?:bezorgd|afgeleverd)
не (?:было |может быть )?доставлен
невозможно доставить
无法(?:投递|送达|递送)
無法(?:投遞|送達|遞送)
退信
배달(?:되지 못|하지 못|할 수 없)
""")
# How servers call such a mail.
_SUBJECT = _any_of(r"""
(?:permanent |mail |message )?delivery (?:failure|failed|problem|error|warning)
(?:mail|message|e-?mail) (?:could not|system error|undeliverable|failure|error|returned)
undeliver
return(?:ed|ing) (?:mail|message|to sender)
failure (?:notice|delivery)
failed (?:mail|delivery)
(?:automatically )?rejected(?: mail|:)
warning: .{0,80}?(?:user unknown|not be delivered|delayed|could not send)
non-?(?:delivery|remise)
mail could not
(?:zustellung|unzustellbar|nicht zugestellt|mail-?zustellung)
(?:échec|message non (?:remis|distribué))
(?:no se ha podido entregar|error en la entrega|no entregado)
(?:mancato recapito|mancata consegna|impossibile recapitare)
(?:não entregue|falha na entrega)
(?:недоставлен|сообщение не доставлено|ваше сообщение не доставлено)
メールエラー
メッセージを配信できません
(?:系统退信|退信|投递失败|邮件投递失败)
""")
# It may as well have been delivered.
_SUBJECT_OF_A_REPORT = _any_of("(?:mail )?delivery status (?:notification|report)")
# That it will be tried again: nothing has failed yet.
_LATER = _any_of(r"""
warning message only
(?:is|was) only a (?:temporary|warning)
you do not need to re-?send
will (?:be retried|retry|be tried again|keep trying|continue to (?:try|be tried))
(?:still|currently) being retried
(?:delivery|message) (?:is|has been|was) delayed
delivery attempts will continue
(?:delivery|message|mail) .{0,60}?(?:still|not yet) .{0,40}?(?:queue|been delivered)
delivery status notification \(delay\)
not yet been delivered
no action is required on your part
""")
# That it will not be tried again, whatever a code of the last attempt says.
_GIVEN_UP = _any_of(r"""
giv(?:en|ing) up
not going to try again
permanent (?:fatal )?error
(?:will|could) not be (?:retried|delivered for)
deleted from (?:the )?queue
(?:message|envelope|retry time|retry time-?out|queue|time) (?:has )?(?:expired|exceeded)
too long
returning (?:message|mail) to sender
returned to sender
last delivery attempt
""")
# Behind it stands what comes back of our mail.
_COPY = _any_of(
    r"""
[-=_*> \t]{0,30}(?:this is a copy|below (?:this line )?is a copy|here is your message|a copy of (?:your|the) message)
[-=_*> \t]{0,30}(?:message headers? follow|returned (?:message|mail)|unsent message)
[-=_*> \t]{0,30}(?:original (?:message|mail)|the original (?:message|mail) (?:headers|follows))
[-=_*> \t]{0,30}(?:undelivered message|message header|the (?:attachment|header|body|text|unsent message))
[-=_*> \t]{0,30}(?:your (?:original )?message follows|message details:|your message:|this report relates to)
""",
    around=r"(?:\A|\n)[ \t]*(?:{}|(?<![ \t])(?:Received|Return-Path|DKIM-Signature|MIME-Version|Message-ID|X-[\w-]{{1,60}}|Subject|Date):[ \t])",
)
# An automatic answer may quote what we wrote of a parcel; the lines of a server's talk with another begin with three marks.
_QUOTED = re.compile(r"(?m)^>(?!>>)[^\n]*\n?")
_ADDRESS = re.compile(r"""[^\s<>()\[\]"'`;:,|=/\\]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,10}""")
# What stands before an address that is no recipient's, and before one that is.
_NOT_THE_RECIPIENT = re.compile(
    r"(?i)(?:\b(?:from:?|sender:?|contact|(?:write|send (?:an? )?e?-?mail) to|support|message-?id:?|reply-to:?|return-path:?|help:?|by|id|cc:?)"
    r"|http\S*)[\s\"'(]*<?\Z"
)
_THE_RECIPIENT = re.compile(r"(?i)(?:\b(?:(?:rcpt )?to:?|recipients?:?|address:?|user(?:id)?:?|mailbox:?)|errors:|>>>|\d{3})[\s\"'(]*<?\Z")
_ON_ITS_OWN = re.compile(r"[\s>*•-]*<?\Z")
_ENDS_OR_TELLS = re.compile(r">?(?:[ \t]*(?:[\r\n:;,(\[<]|\Z)|\.\.\.|[ \t]+(?:on|[45]\d\d)[ \t])")
_A_HEADER = re.compile(r"(?i)[\s>*•-]*to:[\s\"']*<?\Z")
# Whom the mail was sent to, where somebody else's mailbox refused it in his place: it is the address that we know.
_SENT_ON = re.compile(rf"\((?i:generated|expanded|forwarded|redirected) from:?\s{{1,9}}<?({_ADDRESS.pattern})>?\)")
_TO_OF_THE_COPY = re.compile(r"(?im)^[ \t>]*To:[ \t]*([^\r\n]{1,500})")
# Mailboxes of servers and not of people.
_SERVERS = re.compile(r"(?i)(?:mailer-daemon|mail-daemon|postmaster|support|abuse|helpdesk|admin|administrator|noreply|no-reply)@")


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What a server says: the words of its own, whom a mail did not reach, if they tell, and whether it will not any more; None where they do not.

    `certain` tells that the words name the recipient as such.
    """

    words: str
    recipient: str
    certain: bool
    permanent: bool | None


def read_words(subject: str, text: str, own: Collection[str]) -> Undelivered | None:
    """Return what a server says of a mail that it did not deliver, or None where it says no such thing.

    `own` are the addresses, in lower case, from which and to which the server wrote: they are nobody whom a mail did not reach.
    """
    whole = _QUOTED.sub("", text[:_MOST])
    failed = _FAILED.search(whole)
    if failed is None and not _SUBJECT.match(subject):
        return None
    # A server may begin with the header of what it writes about: something must have been said before.
    copy = _COPY.search(whole, failed.end() if failed else 0)
    said, back = (whole[: copy.start()], whole[copy.start() :]) if copy else (whole, "")
    rank, recipient = _best(said, own)
    if not recipient:
        recipient = only_one_written_to(back, own) or _best(back, own)[1]
    return Undelivered(said, recipient, rank < _UNCERTAIN, _is_for_good(f"{subject}\n{said}"))


def is_of_a_failure(subject: str) -> bool:
    """Tell whether a subject is one that servers give to what they could not deliver; an answer to one, or a forwarded one, is a person's."""
    return bool(_SUBJECT.match(subject) or _SUBJECT_OF_A_REPORT.match(subject))


_UNCERTAIN = 3


def _best(said: str, own: Collection[str]) -> tuple[int, str]:
    """Return the address of which the words before it say most clearly that it is the recipient's, and how clearly: 0 is best."""
    sent_on = _SENT_ON.search(said)
    if sent_on:
        return 0, clean_address(sent_on.group(1))
    return min(_ranked(said, own), key=lambda one: one[0], default=(_UNCERTAIN, ""))


def _ranked(said: str, own: Collection[str]) -> Iterator[tuple[int, str]]:
    for found in _ADDRESS.finditer(said):
        before = said[max(said.rfind("\n", 0, found.start()) + 1, found.start() - 200) : found.start()]
        address = clean_address(found.group())
        if address.lower() in own or _NOT_THE_RECIPIENT.search(before):
            continue
        is_server = bool(_SERVERS.match(address))
        if _ON_ITS_OWN.fullmatch(before) and _ENDS_OR_TELLS.match(said, found.end()):
            yield (1 if is_server else 0), address
        elif _ON_ITS_OWN.fullmatch(before):
            yield (_UNCERTAIN if is_server else 2), address
        elif _A_HEADER.fullmatch(before):
            yield 5, address
        elif _THE_RECIPIENT.search(before):
            yield (_UNCERTAIN if is_server else 2), address
        elif not is_server:
            yield 4, address


def only_one_written_to(copy: str, own: Collection[str]) -> str:
    """Return the address that a copy of our mail was written to, if there is one and no other."""
    line = _TO_OF_THE_COPY.search(copy)
    found = {address for one in _ADDRESS.findall(line.group(1)) if (address := clean_address(one)).lower() not in own} if line else set()
    return found.pop() if len(found) == 1 else ""


def _is_for_good(about: str) -> bool | None:
    if _LATER.search(about):
        return False
    return True if _GIVEN_UP.search(about) else None
