"""The broker as it is configured, on its way to the gateway."""

import logging
from collections.abc import Sequence

import numpy as np

from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.gateway import Address
from daemon.seams import Clock, Listener
from state.instrument import Instrument
from state.settings import InteractiveBrokers


def open_ib(
    ib: InteractiveBrokers,
    currency: str,
    instruments: Sequence[Instrument],
    listener: Listener,
    clock: Clock,
) -> InteractiveBroker:
    """Return the broker, already on its way to the gateway that `ib` describes."""
    logging.getLogger("ib_async").setLevel(logging.WARNING)  # below, it tells all of the account
    return InteractiveBroker(
        Address(ib.host, ib.port, ib.client_id, ib.account),
        instruments,
        currency,
        listener=listener,
        clock=clock,
        chance=np.random.default_rng(ib.client_id).random,  # clients come back at different times
        patience=ib.patience,
        read_only=ib.read_only,
    )
