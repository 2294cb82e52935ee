"""Daily report: the session's return, risk, costs and orders, after the close.

The whole report is a file on the
report volume; its figures are the task's XCom.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import report_volume, socket_volume, tm

with DAG(
    "trade_manager_daily_report",
    schedule="30 16 * * 1-5",
    description="Performance, risk and execution of the session",
    tags=["trade-manager", "report"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    tm(
        "report",
        *("report", "--period", "1d", "--output", "/reports/daily-{{ slot(dag_run) }}.json"),
        timeout=120,
        mounts=[socket_volume(), report_volume()],
    )
