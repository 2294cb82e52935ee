"""The shipped rebalance with `execute --wait`, so that there is a middle to be interrupted in."""

from tests.airflow.hub import SHIPPED

WAITING = "trade_manager_rebalance_waiting"
SOURCE = SHIPPED / "dags" / "trade-manager" / "dag_trade_manager_rebalance.py"


def changed(text, before, after):
    """Replace what must be there once."""
    assert text.count(before) == 1, before
    return text.replace(before, after)


def add_waiting_dag(home):
    """Add the DAG to a hub: run by hand alone, its retries seconds apart."""
    text = changed(SOURCE.read_text(), '"trade_manager_rebalance",', f'"{WAITING}",')
    text = changed(text, 'schedule="30 15 * * 1-5",', "schedule=None,")
    words = '"execute", "execute", PLAN'
    text = changed(text, words, f'{words}, "--wait", timeout=45')
    text += "    for task in dag.tasks:\n        task.retry_delay = SOON\n"
    text = "from datetime import timedelta\n\nSOON = timedelta(seconds=2)\n" + text
    (home / "dags" / "trade-manager" / f"dag_{WAITING}.py").write_text(text)
