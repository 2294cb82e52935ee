"""Weekly evolution: breed genomes over all history, and let the overfit gate judge the best.

`start` begins a run in the daemon and ends at once; `wait` waits for it, and a retry re-attaches. A
run that a restart of the daemon interrupts goes on by itself. `show` keeps the whole verdict, each
test with its value and its bound, as a file on the report volume.

Nothing here puts a genome in charge. That is `tm strategy promote` by a person, or the daemon's own
policy `evolution.promotion = "automatic"`; either way only for a candidate that passed every test.
"""

from datetime import timedelta

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import change, report_volume, socket_volume, tm

RUN = "{{ result(ti.xcom_pull(task_ids='start'))['data']['run_id'] }}"

with DAG(
    "trade_manager_evolution",
    schedule="0 6 * * 6",
    description="Breed genomes, wait for the gate's verdict, and keep it",
    tags=["trade-manager", "evolution"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    start = change("start", *("evolve", "start"), max_lateness="12h")
    wait = tm(
        "wait",
        *("evolve", "wait", RUN),
        timeout=3600,
        retries=12,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=False,
    )
    show = tm(
        "show",
        *("evolve", "show", RUN, "--output", "/reports/evolution-{{ slot(dag_run) }}.json"),
        mounts=[socket_volume(), report_volume()],
    )
    start >> wait >> show
