"""Monthly report: the month to date, on the evening of its last day.

The whole report is a file on the report
volume; its figures are the task's XCom.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import report_volume, socket_volume, tm

with DAG(
    "trade_manager_monthly_report",
    schedule="0 18 L * *",
    description="Performance, risk and execution of the month",
    tags=["trade-manager", "report"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    tm(
        "report",
        *("report", "--period", "mtd", "--output", "/reports/monthly-{{ slot(dag_run) }}.json"),
        timeout=300,
        mounts=[socket_volume(), report_volume()],
    )
