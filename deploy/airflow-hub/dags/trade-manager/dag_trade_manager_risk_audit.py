"""Intraday risk audit: a breach halts trading at once.

Every quarter of an hour while the market is open: limits, books against the broker, journal, age of
the data, disk. A breach halts trading at once, in the same command, and fails the task; only a
person resumes (`tm resume --reason TEXT --accept-risk NAME`). A daemon that can't be asked does not
halt: it is retried, and then fails.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import POOL, tm

with DAG(
    "trade_manager_risk_audit",
    schedule="*/15 9-16 * * 1-5",
    description="Audit the account during the session, and halt it on a breach",
    tags=["trade-manager", "risk"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    tm(
        "audit",
        "audit",
        "--fail-on",
        "breach",
        "--halt-on",
        "breach",
        pool=POOL,
        priority_weight=10,
    )
