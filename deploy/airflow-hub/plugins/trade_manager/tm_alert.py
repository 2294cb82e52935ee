"""What is said when a task has failed for good."""

from __future__ import annotations

import logging

log = logging.getLogger("trade_manager")


def failed(context):
    """Log in one line which task failed, and why: the reason and the remedy that `tm` gave.

    Add here what the hub uses to wake somebody; no exception of ours holds a secret.
    """
    ti = context["ti"]
    why = context.get("exception") or "it was marked so, or its process was killed"
    log.error("trade-manager: %s.%s failed in %s: %s", ti.dag_id, ti.task_id, ti.run_id, why)
