"""The time a run was meant for, which is not always the time it runs."""

from __future__ import annotations


def slot(dag_run):
    """Return the time `dag_run` was meant to begin, ISO 8601.

    Airflow 3 says it itself, also for a run without a logical date. In Airflow 2 a scheduled run's
    logical date is the slot before its own, and the end of its interval is the time that is meant.
    """
    at = getattr(dag_run, "run_after", None)
    if at is None:
        by_hand = str(getattr(dag_run.run_type, "value", dag_run.run_type)) == "manual"
        at = dag_run.logical_date if by_hand else dag_run.data_interval_end
    return at.isoformat()
