"""The shipped rebalance with `execute --wait`, so that there is a middle to be interrupted in.

And one task that plans, orders and waits for the fills, to be timed.
"""

from tests.airflow.hub import SHIPPED

DAG = "trade_manager_rebalance"
WAITING = "trade_manager_rebalance_waiting"
AT_ONCE = "trade_manager_rebalance_at_once"
ONE_TASK = f"""
from airflow import DAG
from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import change

with DAG("{AT_ONCE}", schedule=None, **DAG_ARGS):
    change("rebalance", "rebalance", "--wait")
"""
SOURCE = SHIPPED / "dags" / "trade-manager" / "dag_trade_manager_rebalance.py"


def changed(text, before, after):
    """Replace what must be there once."""
    assert text.count(before) == 1, before
    return text.replace(before, after)


def add_waiting_dag(home):
    """Add both to a hub, run by hand alone; make the pauses of tasks seconds."""
    text = changed(SOURCE.read_text(), '"trade_manager_rebalance",', f'"{WAITING}",')
    text = changed(text, 'schedule="30 15 * * 1-5",', "schedule=None,")
    words = '"execute", "execute", PLAN'
    text = changed(text, words, f'{words}, "--wait", timeout=45')
    text += "    for task in dag.tasks:\n        task.retry_delay = SOON\n"
    text = "from datetime import timedelta\n\nSOON = timedelta(seconds=2)\n" + text
    dags = home / "dags" / "trade-manager"
    (dags / f"dag_{WAITING}.py").write_text(text)
    (dags / f"dag_{AT_ONCE}.py").write_text(ONE_TASK)
    approved = dags / "dag_trade_manager_rebalance_approved.py"
    once_a_minute = "retry_delay=timedelta(minutes=1)"
    approved.write_text(changed(approved.read_text(), once_a_minute, "retry_delay=timedelta(0, 5)"))
