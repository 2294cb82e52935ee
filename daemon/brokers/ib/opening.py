"""The broker as it is configured, on its way to the gateway."""

import logging
from collections.abc import Sequence
from functools import partial

import numpy as np

from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.gateway import Address
from daemon.brokers.ib.previewing import Previewer
from daemon.brokers.ib.restarting import restart_of
from daemon.brokers.ib.ways import Routing, of_rebalance
from daemon.calendar import Calendar
from daemon.seams import Clock, Listener
from state.instrument import Instrument
from state.settings import InteractiveBrokers


def open_ib(
    ib: InteractiveBrokers,
    currency: str,
    instruments: Sequence[Instrument],
    listener: Listener,
    clock: Clock,
    calendar: Calendar,
) -> InteractiveBroker:
    """Return the broker, already on its way to the gateway that `ib` describes."""
    logging.getLogger("ib_async").setLevel(logging.WARNING)  # below, it tells all of the account
    routing = Routing(ib.order, ib.adaptive_priority, ib.spread_over, ib.vwap_volume, ib.moc_cutoff)
    asks = Address(ib.host, ib.port, ib.preview_client_id, ib.account)
    return InteractiveBroker(
        Address(ib.host, ib.port, ib.client_id, ib.account),
        instruments,
        currency,
        listener=listener,
        clock=clock,
        chance=np.random.default_rng(ib.client_id).random,  # clients come back at different times
        patience=ib.patience,
        read_only=ib.read_only,
        route=partial(of_rebalance, routing=routing, calendar=calendar),
        previewer=Previewer(asks, ib.preview_limit) if ib.preview else None,
        restart=restart_of(ib),
    )
