"""Workers: their heartbeats, and which process a claim belongs to.

A claim names its process, so that those of a process that is surely dead need not wait for the end of their lease. Surely dead is a process of this
very machine, since it was last started, whose id nobody has any more. A heartbeat that has stopped proves nothing: its worker may be cut off from
the database alone, and still be talking to the mail server.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from cs_plugin.store.models import Worker

# A worker that has given no sign of life for so long does not count.
IS_ALIVE = dt.timedelta(seconds=60)
# How long the row of a worker that did not end in order is kept, for whoever asks when it was last seen.
_REMEMBERED = dt.timedelta(days=1)
_UNSYNCHRONIZED = {"synchronize_session": False}


# --- Processes ------------------------------------------------------------------------------------------------------------------------------------


def this_process() -> str:
    """Return the name under which this process claims: its machine and its id."""
    return f"{_machine()}:{os.getpid()}"


def is_surely_dead(name: str) -> bool:
    """Say whether the process that a name begins with is one of this machine and is gone. In doubt it lives."""
    machine, _colon, rest = name.partition(":")
    number = "".join(digit for digit in rest.replace("/", ":").partition(":")[0] if digit in "0123456789")
    if os.name != "posix" or machine != _machine() or not number:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _machine() -> str:
    """Return the host's name, and what tells one start of one machine, and one container of it, from every other.

    Process ids mean the same only there. Where it cannot be told, every process is a machine of its own, and none is known to be dead.
    """
    what = secrets.token_bytes(8)
    with suppress(OSError):
        what = Path("/proc/sys/kernel/random/boot_id").read_bytes() + os.fsencode(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - a link to no path
    return f"{socket.gethostname().replace(':', '-')[:20]}-{sha256(what).hexdigest()[:8]}"


# --- Heartbeats -----------------------------------------------------------------------------------------------------------------------------------


def new_name() -> str:
    """Return a name for a worker in this process."""
    return f"{this_process()}:{secrets.token_hex(4)}"


def beat(session: Session, name: str, started_at: dt.datetime, now: dt.datetime) -> None:
    """Give a sign of life, the first one too."""
    seen: Any = session.execute(update(Worker).where(Worker.name == name).values(seen_at=now), execution_options=_UNSYNCHRONIZED)
    if not seen.rowcount:
        session.add(Worker(name=name, started_at=started_at, seen_at=now))
        session.flush()


def sign_off(session: Session, name: str) -> None:
    """Take a worker's name away, at its end in order."""
    session.execute(delete(Worker).where(Worker.name == name), execution_options=_UNSYNCHRONIZED)


def workers_alive(session: Session, now: dt.datetime) -> int:
    """Return how many workers have given a sign of life within a minute.

    One from later than now tells of a clock that was wrong, and would count until then, however long its worker has been dead.
    """
    just_now = and_(Worker.seen_at > now - IS_ALIVE, Worker.seen_at < now + IS_ALIVE)
    return session.scalar(select(func.count()).select_from(Worker).where(just_now)) or 0


def some_worker_is_alive(session: Session, now: dt.datetime) -> bool:
    """Say whether a worker has given a sign of life within a minute."""
    return workers_alive(session, now) > 0


def forget_the_dead(session: Session, now: dt.datetime) -> None:
    """Take away the names of workers that did not end in order: those surely dead at once, others after a day."""
    gone = [name for name in session.scalars(select(Worker.name)) if is_surely_dead(name)]
    for which in (Worker.name.in_(gone), Worker.seen_at < now - _REMEMBERED, Worker.seen_at > now + _REMEMBERED):
        session.execute(delete(Worker).where(which), execution_options=_UNSYNCHRONIZED)
