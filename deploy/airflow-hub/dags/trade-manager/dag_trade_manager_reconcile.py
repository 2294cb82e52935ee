"""Reconcile at the open: compare the books with the broker's before anything is traded.

Then `audit`. Differences fail the task at once and keep trading closed until somebody explains them
(`tm reconcile accept --as KIND --reason TEXT`).
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import POOL, tm

with DAG(
    "trade_manager_reconcile",
    schedule="35 9 * * 1-5",
    description="Compare the books with the broker's at the open",
    tags=["trade-manager", "reconcile"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    reconcile = tm("reconcile", "reconcile", pool=POOL)
    audit = tm("audit", "audit", "--fail-on", "breach")
    reconcile >> audit
