"""Daily backup of the journal, after the day's report.

The daemon copies its journal while it trades, and checks the copy before it says so. The file is
named for the day and the last record's hash, which is in the XCom too: kept away from the daemon's
host, it shows later whether anything was cut off or changed. Keep as many as your rules ask for;
nothing here deletes any.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import POOL, tm

with DAG(
    "trade_manager_backup",
    schedule="0 18 * * 1-5",
    description="Copy the journal to the backup volume, checked",
    tags=["trade-manager", "backup"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    tm("backup", "backup", "/backups/{date}-{head}.db", pool=POOL, timeout=600)
