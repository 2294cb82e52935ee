"""What ends the use of targets before the next are decided."""

from state.denial import Code
from state.snapshot import Snapshot
from state.unfolding import Unavailable


def member_halted(now: Snapshot) -> Unavailable | None:
    """Return why targets must not be traded that hold what a member of a blend wanted."""
    if since := now.halted_since():
        why = f"hold what {', '.join(since)} wanted, which was halted since"
        hint = "the next close that is decided leaves it out; or `tm resume --scope strategy:NAME`"
        message = f"the targets are of {now.decided}, and {why}"
        return Unavailable("not_ready", Code.TARGETS_STALE, message, hint)
    return None
