"""What every DAG of Trade Manager has in common."""

from __future__ import annotations

from datetime import timedelta

import pendulum

from trade_manager.tm_alert import failed
from trade_manager.tm_result import result
from trade_manager.tm_slot import slot

MARKET = pendulum.timezone("America/New_York")

DEFAULT_ARGS = {
    "owner": "trade-manager",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "on_failure_callback": failed,
}

DAG_ARGS = {
    "default_args": DEFAULT_ARGS,
    "start_date": pendulum.datetime(2025, 4, 17, tz=MARKET),
    "catchup": False,
    "max_active_runs": 1,
    # in templates: result(ti.xcom_pull('plan'))['data'], slot(dag_run)
    "user_defined_macros": {"result": result, "slot": slot},
}
