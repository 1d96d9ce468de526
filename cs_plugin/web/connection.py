""""Test connection": asked for in a request, done beside it, and its answer waited for by the page."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cs_plugin import jobs
from cs_plugin.desk.bench import Bench
from cs_plugin.errors import KeyLostError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.jobs import SEALED, JobAtWork
from cs_plugin.mail.mailbox import Finding, MailboxError, MailServer, folders_of, try_mailbox, works
from cs_plugin.rules.mailbox_settings import Encryption, Security
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import workers
from cs_plugin.store.locking import let_go, wait_for_turn
from cs_plugin.store.models import Job, JobState
from cs_plugin.sync.authorisation import NoAccessError
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.reading import Visit

log = logging.getLogger(__name__)

JOB = "test_connection"
_PLACE = "connection test"
# How many tests of one employee wait at most: whoever asks for more is no longer interested in the oldest.
_MOST_WAITING = 3
# How many folders are offered; a mailbox with more is told its folder by hand.
_MOST_FOLDERS = 500
# Nobody waits for an answer any more after this, and what was typed may have been changed since.
_LASTS = dt.timedelta(minutes=10)

_TOO_LATE = Finding(False, _("The test waited too long, so nothing was tried. Test again."))
_KEY_LOST = Finding(False, _("The encryption key was changed meanwhile. Test again."))
_BROKE_OFF = Finding(False, _("The test broke off. Test again; the log says more."))
_GIVEN_UP = Finding(False, _("The test was given up, since others were asked for after it."))


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What there is to tell of a test. `nobody_works` says that it will not be done: no worker runs, and CS_BACKGROUND is off.

    `folders` are those of the mailbox, where they were asked for too.
    """

    is_done: bool
    nobody_works: bool
    findings: tuple[Finding, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Say whether the mailbox works."""
        return self.is_done and works(self.findings)

    @property
    def total(self) -> int | None:
        """Return how many mails lie in the folder; None where that is not known."""
        number = self.findings[-1].values.get("n") if self.works else None
        return int(number) if number is not None and str(number).isdigit() else None


def ask_for_test(here: Visit, server: MailServer, *, token_id: int | None = None, folders: bool = False) -> int:
    """Queue a test of a mailbox, commit, and return its id. Raise NotPermittedError for whoever may configure no shop.

    An authorisation of `token_id` signs in in the place of a password; `folders` asks for the names of the mailbox's folders too.
    """
    if not here.grants.allow_somewhere(Permission.CONFIGURE):
        raise NotPermittedError(Permission.CONFIGURE)
    employee_id = here.actor().employee.id
    asked = {"asked_at": here.now.isoformat(), "server": asdict(server), "token_id": token_id, "folders": folders}
    sealed = here.desk.vault.seal(json.dumps(asked), _PLACE)

    def work(bench: Bench) -> int:
        # Several at once would each find room for one more.
        wait_for_turn(bench.session)
        for job_id in jobs.waiting_ids(bench.session, JOB, employee_id)[_MOST_WAITING - 1 :]:
            jobs.cancel(bench.session, job_id, bench.now)
        return jobs.put(bench.session, JOB, {SEALED: sealed}, bench.now, employee_id=employee_id).id

    return here.desk.do(work)


def answer_of(here: Visit, job_id: int) -> TestAnswer | None:
    """Return how far a test is; None where there is none of that id that this employee has asked for."""
    session = here.desk.session()
    job = jobs.find(session, job_id)
    if job is None or job.kind != JOB or here.employee is None or job.employee_id != here.employee.id:
        let_go(session)
        return None
    is_done = job.state not in (JobState.WAITING, JobState.RUNNING)
    somebody = here.desk.app.config["CS_BACKGROUND"] or workers.some_worker_is_alive(session, here.now)
    folders = tuple(str(one) for one in job.result.get("folders", ())) if is_done else ()
    answer = TestAnswer(is_done, nobody_works=not is_done and not somebody, findings=_findings(job) if is_done else (), folders=folders)
    let_go(session)
    return answer


def _findings(job: Job) -> tuple[Finding, ...]:
    if job.state is JobState.CANCELLED:
        return (_GIVEN_UP,)
    if job.state is JobState.FAILED:
        return (_BROKE_OFF,)
    return tuple(Finding(bool(one["good"]), str(one["message"]), one["values"]) for one in job.result["findings"])


def do_test(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Try a mailbox out, as `ask_for_test` has sealed it: no transaction is open meanwhile."""
    try:
        asked = json.loads(here.vault.open(job.payload[SEALED], _PLACE))
    except (KeyLostError, SealedElsewhereError):
        return _told(_KEY_LOST)
    if here.clock() - dt.datetime.fromisoformat(asked["asked_at"]) > _LASTS:
        return _told(_TOO_LATE)
    server = _server_of(asked["server"])
    try:
        if asked["token_id"] is not None:
            server = replace(server, access_token=here.access_token_of(asked["token_id"], server.server))
    except NoAccessError as error:
        return _told(Finding(False, error.message, {name: str(value) for name, value in error.values.items()}))
    findings = try_mailbox(server, here.reach)
    return {**_told(*findings), "folders": _folders(server, here) if asked["folders"] and works(findings) else []}


def _told(*findings: Finding) -> dict[str, Any]:
    return {"findings": [asdict(finding) for finding in findings]}


def _folders(server: MailServer, here: Mounted) -> list[str]:
    """Return the folders of a mailbox that works; none where they are not to be had: that is said of the mailbox, and not of a help in a form."""
    if server.pop3:
        return []
    try:
        return folders_of(server, here.reach)[:_MOST_FOLDERS]
    except MailboxError as error:
        log.warning("the folders of %s could not be listed: %s", server.server, error)
        return []


def _server_of(kept: Mapping[str, Any]) -> MailServer:
    security = kept["security"]
    return MailServer(**{**kept, "security": Security(Encryption(security["encryption"]), verify=security["verify"])})
