"""A task of Airflow asks for the same thing in every try, and for another in every run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.airflow import TaskUnnamed, task_key
from control.client import Clock, NoReply, ask
from control.protocol import Asked, Exit, Ping, Reply
from tests.control.scripted import saying, serving

TASK = {
    "TM_AIRFLOW_DAG_ID": "trade_manager_rebalance",
    "TM_AIRFLOW_RUN_ID": "scheduled__2026-11-20T20:30:00+00:00",
    "TM_AIRFLOW_TASK_ID": "execute",
    "TM_AIRFLOW_MAP_INDEX": "-1",
}
KEY = "trade_manager_rebalance|scheduled__2026-11-20T20:30:00+00:00|execute|-1|execute"
names = st.text(st.characters(codec="ascii", exclude_characters="{|"), min_size=1)


def test_the_key_is_the_task_and_the_command():
    assert task_key(TASK, "execute") == KEY


def test_outside_airflow_there_is_none():
    assert task_key({"HOME": "/root"}, "execute") is None


def test_a_task_that_is_not_mapped_need_not_say_so():
    unmapped = {name: value for name, value in TASK.items() if name != "TM_AIRFLOW_MAP_INDEX"}

    assert task_key(unmapped, "execute") == KEY


@given(st.tuples(names, names, names, names), st.tuples(names, names, names, names))
def test_two_tasks_never_share_a_key(one, other):
    keys = [task_key(dict(zip(TASK, parts, strict=True)), "halt") for parts in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize("name", [n for n in TASK if n != "TM_AIRFLOW_MAP_INDEX"])
@pytest.mark.parametrize("gone", [None, ""])
def test_a_task_named_in_part_is_an_error(name, gone):
    """A key without the run would be the same for every run: only the first would ever trade."""
    partly = (
        {**TASK, name: gone} if gone is not None else {n: v for n, v in TASK.items() if n != name}
    )

    with pytest.raises(TaskUnnamed, match=f"{name} is missing or empty"):
        task_key(partly, "execute")


@pytest.mark.parametrize("name", TASK)
def test_a_template_that_was_not_filled_in_is_an_error(name):
    """DockerOperator fills in `environment`, and hands `private_environment` on as it stands."""
    with pytest.raises(TaskUnnamed, match="a template that Airflow did not fill in"):
        task_key({**TASK, name: "{{ run_id }}"}, "execute")


class LateDaemon:
    """A clock on which seconds pass only in sleep, and a daemon that comes up at one of them."""

    def __init__(self, path, comes_up=float("inf")):
        self.now, self.comes_up, self.path, self.daemon = 0.0, comes_up, path, None
        self.clock = Clock(mono=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5)

    def sleep(self, seconds):
        self.now += seconds
        if self.daemon is None and self.now >= self.comes_up:
            pong = Reply("ping", True, "completed", Exit.DONE, data={})
            self.daemon = serving(self.path, saying(ping=pong))
            self.daemon.__enter__()

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        if self.daemon is not None:
            self.daemon.__exit__(*raised)


def test_a_task_waits_for_a_daemon_that_is_being_restarted(tmp_path):
    with LateDaemon(tmp_path / "s", comes_up=20) as late:
        reply = ask(str(tmp_path / "s"), Asked(Ping()), 60, patient=True, clock=late.clock)

    assert reply.ok
    assert 20 <= late.now < 25, "the pauses grow to two seconds, and no further"


def test_a_task_gives_up_at_its_deadline_and_says_how_to_start_one(tmp_path):
    late = LateDaemon(tmp_path / "s")

    with pytest.raises(NoReply, match="no daemon is listening") as end:
        ask(str(tmp_path / "s"), Asked(Ping()), 60, patient=True, clock=late.clock)

    assert end.value.exit is Exit.UNREACHABLE
    assert "docker start" in end.value.fault.hint
    assert 55 < late.now <= 60


def test_a_person_is_told_at_once(tmp_path):
    late = LateDaemon(tmp_path / "s")

    with pytest.raises(NoReply):
        ask(str(tmp_path / "s"), Asked(Ping()), 60, clock=late.clock)

    assert late.now == 0
