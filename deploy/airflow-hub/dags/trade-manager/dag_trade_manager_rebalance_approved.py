"""Daily rebalance that waits for a person's `tm approve`.

As the daily rebalance, and `execute` waits until somebody has said `tm approve PLAN_ID`. It asks
once a minute for an hour, which is as long as the plan lives. `tm reject PLAN_ID` fails it at once.
The plan's id is in the XCom of `plan`, and in `tm status`. Unpause this DAG or
`trade_manager_rebalance`, not both.
"""

from datetime import timedelta

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import change, report_volume, tm

PLAN = "{{ result(ti.xcom_pull(task_ids='plan'))['data']['plan_id'] }}"

with DAG(
    "trade_manager_rebalance_approved",
    schedule="0 14 * * 1-5",
    description="Audit, plan, wait for tm approve, execute and report",
    tags=["trade-manager", "rebalance", "approval"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    audit = tm("audit", "audit", "--fail-on", "breach")
    plan = change("plan", "plan", "--ttl", "1h")
    execute = change(
        "execute",
        *("execute", PLAN, "--require-approval"),
        max_lateness="75m",
        retries=60,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=False,
    )
    report = tm(
        "report",
        *("report", "--period", "1d", "--output", "/reports/rebalance-{{ slot(dag_run) }}.json"),
        mounts=[*audit.mounts, report_volume()],
        trigger_rule="none_failed",  # there is something to report when nothing was traded
    )
    audit >> plan >> execute >> report
