"""Daily rebalance: `audit` the books, `plan`, `execute` exactly that plan, `report`.

- Skipped: the market is closed, the book is at target, or the run starts too late for its slot.
- Failed at once: the audit finds a breach, trading is halted, the plan has expired.
- Retried under the same key: the daemon is down or not ready, or the outcome is not known yet. A
  retry gets the first try's answer; it never orders twice.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import change, report_volume, tm

PLAN = "{{ result(ti.xcom_pull(task_ids='plan'))['data']['plan_id'] }}"

with DAG(
    "trade_manager_rebalance",
    schedule="30 15 * * 1-5",
    description="Audit, plan, execute and report, half an hour before the close",
    tags=["trade-manager", "rebalance"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    audit = tm("audit", "audit", "--fail-on", "breach")
    plan = change("plan", "plan")
    execute = change("execute", "execute", PLAN)
    report = tm(
        "report",
        *("report", "--period", "1d", "--output", "/reports/rebalance-{{ slot(dag_run) }}.json"),
        mounts=[*audit.mounts, report_volume()],
        trigger_rule="none_failed",  # there is something to report when nothing was traded
    )
    audit >> plan >> execute >> report
