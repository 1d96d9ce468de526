"""Bulk actions with all that match: fixed when they are asked for, done beside requests with the employee's permissions, told of on the list."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select

from cs_plugin import ALL, desk, jobs
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import search, threads
from cs_plugin.store.models import Job, JobState, OutboxItem, Thread, ThreadEvent
from cs_plugin.web import bulk_job, rounds
from tests.hosts.store import EVERYTHING, JOHN, MARIE, Store
from tests.hosts.writing import do
from tests.letterbox import LETTERS, fill, many
from tests.listed import crowd
from tests.test_jobs import do_all
from tests.test_thread_list import URL, in_list, post, statuses, text_of, token_of

QUERY = "?shop=all"


def seen_on(client: Any, query: str = QUERY) -> str:
    """Return what the box "all that match" sends."""
    found = re.search(r'name="whole" value="(\d+-[0-9a-f]+)"', client.get(URL + query).text)
    assert found
    return found[1]


def told(client: Any, query: str = QUERY) -> list[str]:
    """Return what the list tells of bulk actions."""
    return [html.unescape(one) for one in re.findall(r'<span id="cs-bulk-job-\d+">(.*?)</span>', client.get(URL + query).text)]


def whole(client: Any, action: str, query: str = QUERY, **form: object) -> Any:
    """Do something with all that match."""
    return post(client, f"bulk{query}", whole=seen_on(client, query), action=action, **form)


def newest_job(store: Store) -> Job:
    """Return the job that was put last."""
    with store.desk.sessions() as session:
        found = jobs.newest(session, bulk_job.JOB)
        assert found is not None
        return found


def events(store: Store, kind: str) -> dict[int, int]:
    """Return how many events of a kind each thread has."""
    query = select(ThreadEvent.thread_id, func.count()).where(ThreadEvent.kind == kind).group_by(ThreadEvent.thread_id)
    with store.desk.sessions() as session:
        return {row[0]: row[1] for row in session.execute(query)}


@pytest.mark.shows("6.11")
def test_all_that_match_are_offered_where_they_are_more_than_the_page(store: Store) -> None:
    """With their number; not where the page holds all of them, nor for whoever may change nothing."""
    fill(store, many(20))
    client = store.client(employee=MARIE)
    assert "that match" not in text_of(client.get(URL))
    fill(store, many(5))
    assert "all 25 that match" in text_of(client.get(URL))
    assert "that match" not in text_of(client.get(f"{URL}?size=50"))
    assert "all 25 that match" in text_of(client.get(f"{URL}?customer=sender"))
    assert "that match" not in text_of(client.get(f"{URL}?status=nonsense")), "a field that cannot be read narrows nothing"
    store.answers.grants[JOHN.id] = {"view": ALL}
    assert "that match" not in text_of(store.client(employee=JOHN).get(URL))


@pytest.mark.shows("6.11")
def test_a_status_is_set_for_all_that_match_and_no_others(any_store: Store) -> None:
    """On every database: neither of another shop, nor what the search leaves out, nor what came in after the page was shown."""
    store = any_store
    fill(store, [*LETTERS, *many(40)])
    client = store.client(employee=MARIE)
    seen = seen_on(client, "?shop=shop-1&customer=sender")
    late = fill(store, many(2))
    answer = post(client, "bulk?shop=shop-1&customer=sender", whole=seen, action="closed")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{URL}?shop=shop-1&customer=sender")
    assert told(client) == ['Mark as "closed": this begins in a moment.']
    assert do_all(store) == 1
    changed = {one for one, status in statuses(store).items() if status is Status.CLOSED}
    assert changed == {5, *range(6, 46)}, "5 had been closed before"
    assert not changed & set(late)
    assert events(store, "status") == {3: 1, 5: 1, **dict.fromkeys(range(6, 46), 1)}
    assert told(client) == ["Update successful (40 threads)"]


@pytest.mark.shows("6.11")
def test_all_that_match_are_deleted_and_brought_back(any_store: Store) -> None:
    """The question first where no script has asked, then the job; "Undo" brings back exactly what it took."""
    store = any_store
    fill(store, [*LETTERS, *many(40)])
    client = store.client(employee=MARIE)
    post(client, "delete", thread=2)
    store.clock.forward(seconds=1)
    asked = whole(client, "ask", "?shop=shop-1")
    assert "Are you sure you want to delete the selected item(s)?" in text_of(asked)
    assert "43 threads" in text_of(asked)
    assert in_list(store) == [1, *range(3, 46)]
    whole(client, "delete", "?shop=shop-1")
    do_all(store)
    assert in_list(store) == [4]
    assert told(client) == ["The selection has been successfully deleted. (43 threads)"]
    undo = re.search(r'name="deleted" value="(20[^"]+)"', client.get(URL).text)
    assert undo
    answer = post(client, "undo", deleted=undo[1])
    assert "43 threads are back in the list." in text_of(client.get(answer.headers["Location"]))
    assert in_list(store) == [1, *range(3, 46)]


@pytest.mark.shows("6.11")
def test_what_is_too_much_to_bring_back_at_once_is_brought_back_in_the_background(store: Store) -> None:
    """More threads than a page holds."""
    crowd(store, 1_050)
    client = store.client(employee=MARIE)
    whole(client, "delete")
    do_all(store)
    assert in_list(store) == []
    undo = re.search(r'name="deleted" value="(20[^"]+)"', client.get(URL).text)
    assert undo
    post(client, "undo", deleted=undo[1])
    assert told(client)[0] == "Undo: this begins in a moment."
    do_all(store)
    assert len(in_list(store)) == 1_050
    assert told(client)[0] == "The threads are back in the list. (1,050 threads)"


@pytest.mark.shows("6.11")
def test_all_that_match_are_given_to_an_employee_who_is_not_buried_in_mail(store: Store) -> None:
    """And to nobody who has left."""
    fill(store, many(25))
    client = store.client(employee=MARIE)
    assert "Employee" in text_of(whole(client, "ask-whom"))
    whole(client, "assign", assignee=JOHN.id)
    do_all(store)
    with store.desk.sessions() as session:
        assert set(session.scalars(select(Thread.assignee_id))) == {JOHN.id}
        assert session.scalar(select(func.count()).select_from(OutboxItem).where(OutboxItem.kind == "assigned")) == 0
    store.answers.employees[JOHN.id] = replace(JOHN, active=False)
    answer = whole(client, "assign", assignee=JOHN.id)
    assert "cannot take threads" in text_of(client.get(answer.headers["Location"]))


def test_a_selection_is_given_to_an_employee_who_is_told(store: Store) -> None:
    """Each thread of a few; those of shops that they may not see are left out."""
    fill(store, LETTERS)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    client = store.client(employee=MARIE)
    answer = post(client, "bulk", thread=["1", "2"], action="assign", assignee=JOHN.id)
    assert "1 of 2 threads" in text_of(client.get(answer.headers["Location"]))
    with store.desk.sessions() as session:
        assert [session.get_one(Thread, one).assignee_id for one in (1, 2)] == [JOHN.id, None]
        # The letters of Żofia's thread were assigned to John as well, when the store was filled.
        assert session.scalar(select(func.count()).select_from(OutboxItem).where(OutboxItem.kind == "assigned", OutboxItem.thread_id == 1)) == 1


def test_a_selection_is_taken_out_of_spam(store: Store) -> None:
    """In the view of spam the bulk actions hold "Not spam"."""
    fill(store, LETTERS)
    with store.desk.sessions() as session:
        session.get_one(Thread, 2).folder = Folder.SPAM
        session.commit()
    client = store.client(employee=MARIE)
    assert "Not spam" in text_of(client.get(f"{URL}?view=spam"))
    assert "Not spam" not in text_of(client.get(URL))
    post(client, "bulk?view=spam", thread="2", action="not_spam")
    assert in_list(store) == [1, 2, 3, 4, 5]


# --- Permissions ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("12.1")
def test_permissions_are_those_of_the_moment_of_work_and_never_more_than_when_it_was_asked(store: Store) -> None:
    """Taken away after the question, a shop's threads stay; given after it, another shop's stay as well."""
    fill(store, [*LETTERS, *many(25)])
    store.answers.grants[JOHN.id] = {"view": ALL, "reply": ["1", "2"]}
    client = store.client(employee=JOHN)
    whole(client, "pending2")
    store.answers.grants[JOHN.id] = {"view": ALL, "reply": ["2", "3"]}
    do_all(store)
    changed = [one for one, status in statuses(store).items() if status is Status.PENDING2]
    assert changed == [2]
    assert told(client) == ["Update successful 1 of 29 threads; the others are no longer there, or you may not change them."]


@pytest.mark.shows("12.1")
def test_nothing_is_done_for_an_employee_who_has_left(store: Store) -> None:
    """Whatever they asked for before."""
    fill(store, many(25))
    client = store.client(employee=MARIE)
    whole(client, "delete")
    store.answers.employees[MARIE.id] = replace(MARIE, active=False)
    do_all(store)
    assert len(in_list(store)) == 25


@pytest.mark.shows("12.1")
def test_all_that_match_is_refused_where_none_may_be_changed(store: Store) -> None:
    """Without the permission anywhere in the context; for an unknown action; and for a search of which a field cannot be read."""
    fill(store, many(25))
    store.answers.grants[JOHN.id] = {"view": ALL, "reply": ["2"]}
    drawn = {employee.id: seen_on(store.client(employee=employee)) for employee in (JOHN, MARIE)}
    for employee, query, action in (
        (JOHN, "?shop=all", "delete"), (JOHN, "?shop=shop-1", "closed"), (MARIE, "?shop=all", "restore"), (MARIE, "?shop=all", "nonsense"),
        (MARIE, "?shop=all&status=nonsense", "delete"),
    ):  # fmt: skip
        assert post(store.client(employee=employee), f"bulk{query}", whole=drawn[employee.id], action=action).status_code == 303
    with store.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


# --- While it is done -------------------------------------------------------------------------------------------------------------------------------


def refused(store: Store, client: Any, query: str, drawn: str) -> list[str]:
    """Return what is said where all that match are to be closed, deleted or given away, each of which must change nothing."""
    said = []
    for action in ("closed", "delete", "ask", "assign", "ask-whom"):
        answer = client.post(
            f"{URL}bulk{query}", data={"csrf_token": token_of(client), "whole": drawn, "action": action}, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 409, action
        said.append(answer.json["text"])
    with store.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
    return said


@pytest.mark.shows("6.11", "12.1")
def test_all_that_match_are_those_of_the_view_that_was_on_the_screen(store: Store) -> None:
    """A saved view that was edited or deleted after the list was drawn, by its owner in another window or by who shares it, changes nothing."""
    fill(store, [*LETTERS, *many(40)])
    client = store.client(employee=MARIE)
    post(client, "views?shop=all&customer=sender", action="save", name="Senders")
    drawn = seen_on(client, "?shop=all&view=1")
    post(client, "views?shop=all&view=1&own=1&customer=maria", action="replace", view=1)
    assert all("open for too long" in one for one in refused(store, client, "?shop=all&view=1", drawn))
    assert all("open for too long" in one for one in refused(store, client, "?shop=all&view=1", drawn.split("-")[0]))
    post(client, "views?shop=all", action="delete", view=1)
    # Even of a list that was all threads: whoever names a view did not ask for those.
    for mark in (drawn, seen_on(client, "?shop=all")):
        assert set(refused(store, client, "?shop=all&view=1", mark)) == {"Nothing was changed: correct the search first."}


@pytest.mark.shows("6.11", "12.1")
def test_all_that_match_are_never_those_of_other_shops_than_were_on_the_screen(store: Store) -> None:
    """A shop that the host takes away meanwhile leaves its address to mean the others."""
    fill(store, [*LETTERS, *many(40)])
    store.answers.grants[JOHN.id] = {"view": ["1", "2", "3"], "reply": ALL, "delete": ALL}
    client = store.client(employee=JOHN)
    drawn = seen_on(client, "?shop=shop-1")
    for left, said in ((["2", "3"], "no longer there"), (["2"], "open for too long")):
        store.answers.grants[JOHN.id] = {"view": left, "reply": ALL, "delete": ALL}
        assert all(said in one for one in refused(store, client, "?shop=shop-1", drawn))


@pytest.mark.shows("6.11")
def test_what_comes_in_while_the_list_is_read_does_not_belong_to_all_that_match(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was neither counted nor shown."""
    fill(store, many(40))
    client, read = store.client(employee=MARIE), threads.list_page

    def slowly(*args: Any, **named: Any) -> Any:
        page = read(*args, **named)
        args[0].rollback()
        crowd(store, 5)
        return page

    monkeypatch.setattr(threads, "list_page", slowly)
    drawn = seen_on(client)
    monkeypatch.undo()
    assert drawn.startswith("40-")



@pytest.mark.shows("6.11")
def test_it_is_told_how_far_it_is_and_it_can_be_cancelled(store: Store) -> None:
    """To the employee alone who asked for it; what is done stays done."""
    store.answers.grants[JOHN.id] = EVERYTHING
    fill(store, many(60))
    client, other = store.client(employee=MARIE), store.client(employee=JOHN)
    whole(client, "closed")
    with store.app.app_context():
        rounds.job_office(store.desk).do_one(stopping=lambda: newest_job(store).done > 0)
    assert told(client) == ['Mark as "closed": 25 of 60 threads']
    answer = client.get(f"{URL}bulk-jobs").json
    assert answer["runs"] is True
    assert 'value="25" max="60"' in answer["html"]
    assert told(other) == []
    assert "cs-bulk-job" not in other.get(f"{URL}bulk-jobs").json["html"]
    number = newest_job(store).id
    assert "nothing left to cancel" in text_of(other.get(post(other, "bulk-jobs", cancel=number).headers["Location"]))
    post(client, "bulk-jobs", cancel=number)
    assert newest_job(store).state is JobState.CANCELLED
    assert do_all(store) == 0
    assert list(statuses(store).values()).count(Status.CLOSED) == 25
    assert told(client) == ['Mark as "closed" was cancelled; 25 threads had been done before, and stay so.']
    post(client, "bulk-jobs", read=number)
    assert told(client) == []


def test_what_came_of_it_is_told_for_a_while(store: Store) -> None:
    """Ten minutes."""
    fill(store, many(25))
    client = store.client(employee=MARIE)
    whole(client, "closed")
    do_all(store)
    assert told(client) == ["Update successful (25 threads)"]
    store.clock.forward(minutes=11)
    assert told(client) == []


@pytest.mark.shows("6.11")
def test_whoever_takes_it_over_goes_on_where_the_one_before_died(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every database: no thread is left out, and none has two events."""
    store = any_store
    monkeypatch.setattr(bulk_job, "_AT_ONCE_ELSEWHERE", 25)
    fill(store, many(60))
    whole(store.client(employee=MARIE), "closed")
    piece = bulk_job._piece

    def dies(*asked: Any) -> Any:
        done = piece(*asked)
        if done.done > 25:
            raise SystemExit
        return done

    with monkeypatch.context() as broken:
        broken.setattr(bulk_job, "_piece", dies)
        with pytest.raises(SystemExit):
            do_all(store)
    assert list(statuses(store).values()).count(Status.CLOSED) == 25, "the piece in hand was rolled back"
    store.clock.forward(minutes=10)
    assert do_all(store) == 1
    assert set(statuses(store).values()) == {Status.CLOSED}
    assert events(store, "status") == dict.fromkeys(range(1, 61), 1)
    assert newest_job(store).result == {"reached": 60, "asked": 60}


@pytest.mark.shows("6.11")
def test_a_search_for_words_is_made_once_for_a_thousand_threads(any_store: Store) -> None:
    """And not for each piece of 25, or of 200: while it is done, each thread's own words are looked at."""
    store = any_store
    crowd(store, 1_000)
    crowd(store, 30, customer_name="Somebody Else", customer_sort="somebody else")
    with store.desk.sessions() as session:
        search.index_threads(session, session.scalars(select(Thread.id)).all())
        session.commit()
    whole(store.client(employee=MARIE), "closed", "?shop=all&customer=crow")
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(store.desk.engine, "before_cursor_execute", note)
    do_all(store)
    event.remove(store.desk.engine, "before_cursor_execute", note)
    searches = [statement for statement in asked if "cs_search_thread" in statement and not statement.startswith("SELECT cs_search_thread.thread_id")]
    assert len(searches) == 1
    assert list(statuses(store).values()).count(Status.CLOSED) == 1_000
    assert newest_job(store).result == {"reached": 1_000, "asked": 1_000}


@pytest.mark.shows("6.11")
def test_many_threads_are_looked_up_part_by_part(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """None between two parts is left out, and none is taken twice; the number told is that of all."""
    store = any_store
    monkeypatch.setattr(bulk_job, "_LOOK", 20)
    fill(store, many(65))
    whole(store.client(employee=MARIE), "closed", "?shop=all&customer=sender")
    do_all(store)
    assert events(store, "status") == dict.fromkeys(range(1, 66), 1)
    assert (newest_job(store).done, newest_job(store).total) == (65, 65)


@pytest.mark.shows("6.11")
@pytest.mark.parametrize("query", ["?shop=all&status=open", "?shop=all&status=open&customer=sender"])
def test_what_a_colleague_has_changed_since_it_was_looked_up_is_left_alone(any_store: Store, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Whether a thread still matches is asked right before its piece."""
    store = any_store
    monkeypatch.setattr(bulk_job, "_AT_ONCE_ELSEWHERE", 25)
    fill(store, many(60))
    whole(store.client(employee=MARIE), "closed", query)

    def meanwhile() -> bool:
        if statuses(store)[55] is Status.OPEN:
            do(store, lambda bench: desk.set_status(bench, store.actor(JOHN), [55], Status.PENDING1))
        return False

    with store.app.app_context():
        rounds.job_office(store.desk).do_one(stopping=meanwhile)
    assert {one for one, status in statuses(store).items() if status is not Status.CLOSED} == {55}
    assert newest_job(store).result == {"reached": 59, "asked": 59}


@pytest.mark.shows("6.11")
def test_what_was_brought_back_by_hand_meanwhile_is_brought_back_once(store: Store) -> None:
    """"Undo" of a deletion, done in the background, leaves alone what a colleague has taken out of the bin since."""
    crowd(store, 1_050)
    client = store.client(employee=MARIE)
    whole(client, "delete")
    do_all(store)
    undo = re.search(r'name="deleted" value="(20[^"]+)"', client.get(URL).text)
    assert undo
    post(client, "undo", deleted=undo[1])

    def meanwhile() -> bool:
        if 1_000 not in in_list(store):
            do(store, lambda bench: desk.restore(bench, store.actor(JOHN), [1_000]))
        return False

    with store.app.app_context():
        rounds.job_office(store.desk).do_one(stopping=meanwhile)
    assert len(in_list(store)) == 1_050
    assert set(events(store, "restored").values()) == {1}
