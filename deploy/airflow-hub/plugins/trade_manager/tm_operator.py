"""Run one `tm` command in a container of its own, against a daemon that runs elsewhere."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator
from docker.types import Mount

from trade_manager.tm_result import PERMANENT, SKIP, exit_code, reason

try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2
    from airflow.hooks.base import BaseHook

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow before 3.2
    from airflow.exceptions import AirflowFailException

POOL = "trade_manager"  # one slot: one command at a time may change the account
IMAGE = "trade-manager:0.1.0"
USER = "10001:10001"  # the image's own, and the socket's owner
GRACE = 60  # seconds that a container may take around its command
MAX_LATENESS = "15m"
SOCKET_FOLDER = "/run/trade-manager"


def variable(name, default):
    """Return the template of an Airflow variable, read when the task runs and never at parse."""
    return f"{{{{ var.value.get('{name}', '{default}') }}}}"


class TradeManagerOperator(DockerOperator):
    """DockerOperator that knows which answers of `tm` are final.

    DockerOperator retries whatever is not exit code 0. Here a refusal (a halt, a rejected plan, a
    conflict) fails the task at once, with its reason as the message; what may pass (no daemon, not
    ready, outcome pending) is left to Airflow's retries, under the same idempotency key.
    """

    template_fields = tuple(
        dict.fromkeys((*DockerOperator.template_fields, "mounts", "control_conn_id"))
    )

    def __init__(self, *, control_conn_id="", **options):
        super().__init__(**options)
        self.control_conn_id = control_conn_id

    def execute(self, context):
        """Run the container; raise AirflowFailException for what a retry can't help."""
        if self.control_conn_id:
            over_network(self, BaseHook.get_connection(self.control_conn_id))
        try:
            return super().execute(context)
        except DockerContainerFailedException as e:
            code = exit_code(e)
            text = reason(e.logs or [], code)
            if code in PERMANENT:
                why = AirflowFailException(text)
            else:
                why = DockerContainerFailedException(text, logs=e.logs)
            context["exception"] = why  # Airflow 3.0 has none for the failure callback
            raise why from None


def over_network(task, connection):
    """Let a task reach the daemon over TLS, as a connection says, and not by the socket's volume.

    Its password is the token. It goes into the container's environment when the task runs, and is
    in no field that Airflow renders, logs or keeps.
    """
    extra = connection.extra_dejson
    task.environment = {
        **task.environment,
        "TM_SOCKET": f"tcp://{connection.host}:{connection.port or 7464}",
        "TM_TLS_CA": extra.get("tls_ca", ""),
    }
    task._private_environment = {**task._private_environment, "TM_TOKEN": connection.password}
    task.mounts = [one for one in task.mounts if one["Target"] != SOCKET_FOLDER]
    task.network_mode = extra.get("network", "bridge")


def tm(task_id, *words, timeout=60, **options):
    """Return a task that asks `tm WORDS…`, for at most `timeout` seconds a try.

    options  of DockerOperator, which win over those set here
    """
    return TradeManagerOperator(
        task_id=task_id,
        image=variable("trade_manager_image", IMAGE),
        command=["tm", *words, "--timeout", str(timeout)],
        environment={
            "TM_XCOM": "1",
            "TM_SOCKET": "unix:///run/trade-manager/control.sock",
            # the idempotency key is made of these: the same for every try, another for every run
            "TM_AIRFLOW_DAG_ID": "{{ dag.dag_id }}",
            "TM_AIRFLOW_RUN_ID": "{{ run_id }}",
            "TM_AIRFLOW_TASK_ID": "{{ task.task_id }}",
            "TM_AIRFLOW_MAP_INDEX": "{{ ti.map_index }}",
        },
        **{
            "control_conn_id": variable("trade_manager_control_conn_id", ""),
            # longer than the client's own: Airflow ends a container without asking it to stop
            "execution_timeout": timedelta(seconds=timeout + GRACE),
            "skip_on_exit_code": SKIP,
            "auto_remove": "force",
            "mount_tmp_dir": False,
            "mounts": [socket_volume()],
            "network_mode": "none",  # the socket is on the volume, and nothing else is needed
            "user": USER,
            "mem_limit": "256m",
            "retrieve_output": False,
            **options,
        },
    )


def change(task_id, *words, max_lateness=MAX_LATENESS, **options):
    """Return a task that asks for a command that changes something.

    It holds the account's pool, and does nothing (exit code 99: skipped) when it starts later than
    `max_lateness` after the time its run was meant for: a backfill, a late retry, and the run that
    Airflow starts when a DAG is unpaused must not trade yesterday's slot.
    """
    lateness = ("--scheduled-for", "{{ slot(dag_run) }}", "--max-lateness", max_lateness)
    return tm(task_id, *words, *lateness, **{"pool": POOL, **options})


def socket_volume():
    """Return the mount of the volume with the daemon's socket."""
    name = variable("trade_manager_socket_volume", "trade-manager_run")
    return Mount(source=name, target=SOCKET_FOLDER, type="volume", read_only=True)


def backup_volume():
    """Return the mount of the volume that the daemon writes backups to, to read them."""
    name = variable("trade_manager_backup_volume", "trade-manager_backups")
    return Mount(source=name, target="/backups", type="volume", read_only=True)


def report_volume():
    """Return the mount of the volume that reports are written to."""
    name = variable("trade_manager_report_volume", "trade-manager_reports")
    return Mount(source=name, target="/reports", type="volume")
