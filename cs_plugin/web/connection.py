""""Test connection": asked for in a request, done beside it, and its answer waited for by the page."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cs_plugin import jobs
from cs_plugin.desk.bench import Bench
from cs_plugin.errors import KeyLostError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.jobs import SEALED, JobAtWork
from cs_plugin.mail.mailbox import Finding, MailServer, try_mailbox, works
from cs_plugin.rules.mailbox_settings import Encryption, Security
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import workers
from cs_plugin.store.locking import let_go, wait_for_turn
from cs_plugin.store.models import Job, JobState
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.reading import Visit

JOB = "test_connection"
_PLACE = "connection test"
# How many tests of one employee wait at most: whoever asks for more is no longer interested in the oldest.
_MOST_WAITING = 3
# Nobody waits for an answer any more after this, and what was typed may have been changed since.
_LASTS = dt.timedelta(minutes=10)

_TOO_LATE = Finding(False, _("The test waited too long, so nothing was tried. Test again."))
_KEY_LOST = Finding(False, _("The encryption key was changed meanwhile. Test again."))
_BROKE_OFF = Finding(False, _("The test broke off. Test again; the log says more."))
_GIVEN_UP = Finding(False, _("The test was given up, since others were asked for after it."))


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What there is to tell of a test. `nobody_works` says that it will not be done: no worker runs, and CS_BACKGROUND is off."""

    is_done: bool
    nobody_works: bool
    findings: tuple[Finding, ...] = ()

    @property
    def works(self) -> bool:
        """Say whether the mailbox works."""
        return self.is_done and works(self.findings)


def ask_for_test(here: Visit, server: MailServer) -> int:
    """Queue a test of a mailbox, commit, and return its id. Raise NotPermittedError for whoever may configure no shop."""
    if not here.grants.allow_somewhere(Permission.CONFIGURE):
        raise NotPermittedError(Permission.CONFIGURE)
    employee_id = here.actor().employee.id
    sealed = here.desk.vault.seal(json.dumps({"asked_at": here.now.isoformat(), "server": asdict(server)}), _PLACE)

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
    answer = TestAnswer(is_done, nobody_works=not is_done and not somebody, findings=_findings(job) if is_done else ())
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
    return {"findings": [asdict(finding) for finding in _tried(here, job)]}


def _tried(here: Mounted, job: JobAtWork) -> tuple[Finding, ...]:
    try:
        asked = json.loads(here.vault.open(job.payload[SEALED], _PLACE))
    except (KeyLostError, SealedElsewhereError):
        return (_KEY_LOST,)
    if here.clock() - dt.datetime.fromisoformat(asked["asked_at"]) > _LASTS:
        return (_TOO_LATE,)
    return try_mailbox(_server_of(asked["server"]), here.reach)


def _server_of(kept: Mapping[str, Any]) -> MailServer:
    security = kept["security"]
    return MailServer(**{**kept, "security": Security(Encryption(security["encryption"]), verify=security["verify"])})
