"""Monthly restore drill: a backup nobody has restored is a hope.

A fresh backup is made, read from end to end by a client that is not the daemon, and restored into
the container's own scratch space, which goes with it. The account's state is not mounted, so the
drill can't touch it. What the real thing takes beyond that (compare the books, resume) is in
docs/reliability.md of the project.
"""

from airflow import DAG

from trade_manager.tm_dag import DAG_ARGS
from trade_manager.tm_operator import POOL, backup_volume, tm

FILE = "{{ result(ti.xcom_pull(task_ids='backup'))['data']['file'] }}"

with DAG(
    "trade_manager_restore_drill",
    schedule="0 9 1 * *",
    description="Make a backup, verify it away from the daemon, and restore it into nothing",
    tags=["trade-manager", "backup"],
    doc_md=__doc__,
    **DAG_ARGS,
) as dag:
    backup = tm("backup", "backup", "/backups/drill-{date}-{head}.db", pool=POOL, timeout=600)
    mounts = [*backup.mounts, backup_volume()]
    verify = tm("verify", "verify", "--journal", FILE, timeout=600, mounts=mounts)
    restore = tm("restore", "restore", FILE, "--state", "/tmp/drill", timeout=600, mounts=mounts)  # noqa: S108 the container's own, and gone with it
    backup >> verify >> restore
