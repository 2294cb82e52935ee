"""Who may do what: one table of rights, and the one place where a request is judged by it."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

import msgspec

from state.command import Caps, ChangeLimits, Halt


class Role(IntEnum):
    """What somebody is trusted with; a greater one may all that a lesser one may."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Return the role as files and people write it."""
        return self.name.lower()


# The contract's matrix. A request whose right stands in no row wants an admin.
RIGHTS: Final[Mapping[str, Role]] = {
    # any role: looking, and the kill switch
    **dict.fromkeys(
        (
            *("ping", "status", "health", "portfolio", "orders", "fills", "dry_run", "audit"),
            *("report", "events", "verify", "config_show", "wait", "limits", "beliefs"),
            *("evolution", "genomes", "explain"),
            "halt",
        ),
        Role.VIEWER,
    ),
    # trading, and whatever makes risk less
    **dict.fromkeys(
        (
            *("plan", "approve", "reject", "execute", "rebalance", "order", "cancel"),
            *("flatten", "reconcile", "limits_tighten", "backup"),
            *("evolve_start", "evolve_cancel", "evolve_resume"),
        ),
        Role.OPERATOR,
    ),
    # what makes risk more, or books what did not trade
    **dict.fromkeys(
        (
            *("resume", "cash", "reconcile_accept", "limits_loosen", "shutdown"),
            *("reconcile_expect", "reconcile_statement"),
            *("strategy_promote", "strategy_rollback"),
        ),
        Role.ADMIN,
    ),
}


class Grant(msgspec.Struct, frozen=True):
    """What one principal may: a role, and what narrows it. `rule` says where that stands.

    `operations` are the only rights it has within its role, None for all of them.
    """

    name: str
    role: Role
    rule: str
    operations: frozenset[str] | None = None
    caps: Caps = Caps()


class Verdict(msgspec.Struct, frozen=True):
    """What a request was judged to be; `why` is empty when it is allowed."""

    right: str
    why: str = ""
    hint: str = ""


def op_of(ask: object) -> str:
    """Return a request's name on the wire."""
    kind: Any = type(ask)
    return str(kind.__struct_config__.tag)


def right_of(ask: object) -> str:
    """Return the row of the table that a request falls under."""
    match ask:
        case Halt(flatten=True):
            return "flatten"
        case ChangeLimits(accept_risk=who):
            return "limits_loosen" if who else "limits_tighten"
        case _:
            return op_of(ask)


def judged(ask: object, grant: Grant) -> Verdict:
    """Return whether `grant` covers a request."""
    right = right_of(ask)
    needs = RIGHTS.get(right, Role.ADMIN)
    if grant.role is Role.NONE:
        why = f"{grant.name} has no role here ({grant.rule})"
        return Verdict(right, why, "an admin may add you to control.roles_file")
    if grant.role < needs:
        why = f"{right} wants the role {needs.word}, and {grant.name} has {grant.role.word}"
        return Verdict(right, f"{why} ({grant.rule})", f"ask somebody who is {needs.word}")
    if grant.operations is not None and right not in grant.operations and right != "halt":
        allowed = ", ".join(sorted(grant.operations)) or "nothing"
        why = f"{grant.name} may not {right}: its operations are {allowed} ({grant.rule})"
        return Verdict(right, why, "another principal may, or an admin adds it in the roles file")
    return Verdict(right)
