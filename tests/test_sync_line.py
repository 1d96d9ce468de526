"""The line to a mailbox: one thing after the other, beside what is written, and nothing that nobody waits for."""

from __future__ import annotations

from threading import Event

import pytest

from cs_plugin.sync.line import busy_line


def test_things_are_done_in_the_order_in_which_they_were_asked_for() -> None:
    """A removal waits for the fetch before it."""
    done = list[int]()
    with busy_line("test") as line:
        asked = [line.ask(lambda number=number: done.append(number)) for number in range(20)]
        for one in asked:
            one.result(10)
    assert done == list(range(20))


def test_whoever_waits_for_a_result_gets_the_error() -> None:
    """What breaks on the line ends the run, and not a thread of which nobody hears."""

    def break_off() -> None:
        raise ConnectionError("gone")

    with busy_line("test") as line, pytest.raises(ConnectionError, match="gone"):
        line.ask(break_off).result(10)


def test_what_has_not_begun_when_the_run_ends_is_not_done() -> None:
    """What has begun is waited for: the connection is nobody else's meanwhile."""
    begun, go_on, done = Event(), Event(), list[str]()

    def slow() -> None:
        begun.set()
        assert go_on.wait(20)
        done.append("slow")

    def run() -> None:
        with busy_line("test") as line:
            line.ask(slow)
            line.ask(lambda: done.append("never")).add_done_callback(lambda _given_up: go_on.set())
            assert begun.wait(20)
            raise KeyError("the run ends")

    with pytest.raises(KeyError):
        run()
    assert done == ["slow"]
