"""What `tm doctor` looks at on this machine: pure judgements of facts somebody gathered."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from control.skew import differing, upgrade

Grade = Literal["ok", "warn", "bad"]
MIB: Final = 1 << 20
LITTLE: Final = 1024 * MIB
NONE_LEFT: Final = 64 * MIB


class Finding(msgspec.Struct, frozen=True):
    """One check: what was found, and what to do about it; no remedy where nothing is wrong."""

    name: str
    grade: Grade
    found: str
    remedy: str = ""


STOPPED: Final = Finding("daemon", "ok", "stopped, as a drill wants it")


def of_configuration(path: str | None, problems: Sequence[str]) -> Finding:
    """Judge the configuration; `problems` are what its reader complains of."""
    if problems:
        return Finding(
            "configuration", "bad", "; ".join(problems), "mend it, then `tmd --check` until it is 0"
        )
    found = path or "none: built-in defaults"
    return Finding("configuration", "ok", found)


def of_state(path: str, exists: bool, private: bool, free: int | None) -> Finding:
    """Judge the state directory: there, closed to others, with room in bytes."""
    if not exists:
        remedy = "start tmd once, or name the directory with TM_STATE"
        return Finding("state", "warn", f"{path} does not exist here", remedy)
    if free is not None and free < LITTLE:
        found = f"{path}: {free / MIB:,.0f} MiB free"
        remedy = "make room: without it trading stops, cleanly, and the halt is still recorded"
        return Finding("state", "bad" if free < NONE_LEFT else "warn", found, remedy)
    if not private:
        return Finding("state", "warn", f"{path} can be read by others", f"chmod 700 {path}")
    room = "" if free is None else f", {free / MIB:,.0f} MiB free"
    return Finding("state", "ok", f"{path}{room}")


def of_halt_file(path: str | None) -> Finding:
    """Judge the halt file: `path` is None where there is none."""
    if path is None:
        return Finding("halt file", "ok", "none")
    remedy = "if it is not wanted any more: tm resume --reason TEXT --accept-risk NAME"
    return Finding("halt file", "warn", f"{path}: no order is sent", remedy)


def of_daemon(address: str, client: str, answer: Mapping[str, Any] | None, why: str) -> Finding:
    """Judge whether the daemon answers, with the same version; `why` says why it does not."""
    if answer is None:
        remedy = "start it (tmd, systemctl start trade-manager, docker compose up -d) and try again"
        return Finding("daemon", "bad", why, remedy)
    if answer["version"] != client:
        version = answer["version"]
        return Finding("daemon", "warn", differing(version, client), upgrade(version, client))
    return Finding("daemon", "ok", f"version {client}, pid {answer['pid']}, at {address}")


def of_health(verdict: str, reasons: Sequence[str]) -> Finding:
    """Judge the daemon's own verdict."""
    found = "; ".join((verdict, *reasons))
    if verdict == "healthy":
        return Finding("health", "ok", found)
    if verdict == "not ready":
        return Finding("health", "warn", found, "wait a moment; `tm health` ends with 0 when ready")
    return Finding(
        "health", "bad", found, "`tm status` shows the whole; `tm audit` says what to do"
    )


def of_audit(check: Mapping[str, Any]) -> Finding:
    """Judge one check of the daemon's audit."""
    name, severity = str(check["name"]), check["severity"]
    found = str(check["message"])
    if severity == "ok":
        return Finding(name, "ok", found)
    remedy = next((text for start, text in AUDIT.items() if name.startswith(start)), SEE)
    return Finding(name, "warn" if severity == "warn" else "bad", found, remedy)


SEE: Final = "`tm status` shows how near each limit is; `tm halt` stops trading at once"
AUDIT: Final[Mapping[str, str]] = {  # what to do about the checks whose names begin so
    "books": "`tm reconcile` shows both sides; explain it with `tm reconcile accept --as ...`",
    "reconciliation": "`tm reconcile`; trading goes on once the books agree",
    "ledger": "`tm verify`; stop trading, and restore a backup if the journal is damaged",
    "cash": "`tm portfolio`; deposit, or sell",
    "holdings": "`tm portfolio`; sell what should not be there, or allow it in [risk]",
    "orders": "`tm orders --open`, `tm reconcile`; what is unknown waits for the broker's word",
    "executions": "`tm reconcile` asks the broker for them again",
    "halts": "`tm status` says why; `tm resume --reason TEXT --accept-risk NAME` when it is mended",
    "targets": "look at the strategy and its parameters: `tm config show`",
    "data_age": "see why bars stopped: the feed's own log, and `tm status`",
    "feed": "see why bars stopped or are refused: the daemon's log, and `tm status`",
    "journal": "`tm verify`; if it is damaged, stop tmd and `tm restore` the last backup",
    "disk": "make room where the journal is",
    "wal": "a reader holds the log: end long reports and backups, or restart tmd",
}


def worst(findings: Sequence[Finding]) -> Grade:
    """Return the worst grade there is."""
    grades = {finding.grade for finding in findings}
    return "bad" if "bad" in grades else "warn" if "warn" in grades else "ok"
