"""Run as a task of Airflow: the key of a command is the same for every try of its task."""

from collections.abc import Mapping
from typing import Final

DAG: Final = "TM_AIRFLOW_DAG_ID"
RUN: Final = "TM_AIRFLOW_RUN_ID"
TASK: Final = "TM_AIRFLOW_TASK_ID"
MAP_INDEX: Final = "TM_AIRFLOW_MAP_INDEX"
NAMES: Final = (DAG, RUN, TASK, MAP_INDEX)
UNMAPPED: Final = "-1"  # what Airflow calls a task that is not mapped


class TaskUnnamed(ValueError):
    """The environment names a task of Airflow only in part, or by a template left as it was."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}, so the key of this command would not be its task's own")
        self.name = name


def under_airflow(env: Mapping[str, str]) -> bool:
    """Return whether the environment names a task of Airflow."""
    return any(name in env for name in NAMES)


def task_key(env: Mapping[str, str], command: str) -> str | None:
    """Return `dag_id|run_id|task_id|map_index|command`, None outside Airflow; raise TaskUnnamed.

    Neither the number of the try nor a date is part of it: a retry, or a task cleared to run again,
    asks for the same thing, and gets the answer of the first.
    """
    if not under_airflow(env):
        return None
    named = {MAP_INDEX: UNMAPPED, **{name: env[name] for name in NAMES if name in env}}
    for name in NAMES:
        value = named.get(name, "")
        if not value:
            raise TaskUnnamed(name, "is missing or empty")
        if "{{" in value:
            raise TaskUnnamed(name, f"is {value!r}, a template that Airflow did not fill in")
    return "|".join((*(named[name] for name in NAMES), command))
