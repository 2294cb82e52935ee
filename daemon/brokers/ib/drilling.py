"""The drill as it is configured: at a paper account, and the wire of it in a file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from control.diagnosis import Finding
from daemon.brokers.ib.arming import is_paper
from daemon.brokers.ib.configured import GatewayImpossible, described
from daemon.brokers.ib.drill import Drill
from daemon.brokers.ib.drill_questions import NoDrill
from daemon.brokers.ib.gateway import Address
from daemon.brokers.ib.recording import Recording, lines, redacted
from daemon.clock import SystemClock
from daemon.seams import BrokerUnavailable
from state.settings import Settings


def drilled(settings: Settings, record: Path) -> Sequence[Finding]:
    """Return what the drill found, and leave the wire in `record`; raise NoDrill, or OSError."""
    try:
        ib = described(settings)
    except GatewayImpossible as why:
        raise NoDrill(str(why)) from why
    if not is_paper(ib.account):
        raise NoDrill(f"{ib.account} is no paper account, and a drill sends orders")
    if not settings.universe.symbols:
        raise NoDrill("universe.symbols is empty: name one to drill with")
    record.write_bytes(b"")  # before anything is sent
    clock = SystemClock()
    recording = Recording(clock.mono)
    drill = Drill(
        Address(ib.host, ib.port, ib.client_id, ib.account),
        settings.instrument(settings.universe.symbols[0]),
        settings.account.base_currency,
        clock,
        recording,
        ib.patience,
    )
    found = drill.findings
    try:
        asyncio.run(drill.run())
    except (BrokerUnavailable, NoDrill) as why:
        remedy = "`tm doctor` says what is wrong with the gateway; then drill again"
        found.append(Finding("drill", "bad", str(why), remedy))
    finally:
        record.write_bytes(lines(redacted(recording.messages, ib.account)))
    return found
