"""What is put into the engine's inbox, and what comes back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from control.protocol import Reply
from state.command import (
    CancelOrders,
    Cause,
    Command,
    ExecutePlan,
    Halt,
    MakePlan,
    MakePreviewedPlan,
    Rebalance,
    SubmitOrder,
)
from state.event import Event
from state.snapshot import Snapshot
from state.unfolding import Unavailable


class EngineEnded(Exception):
    """The engine ended before it answered: only the journal can say what became of the command."""

    def __init__(self) -> None:
        super().__init__("the engine ended before it answered")


class Answer(msgspec.Struct, frozen=True):
    """What became of a message: the events it caused, and a client's reply.

    `undecided` is why nothing was decided, and nothing written.
    """

    events: tuple[Event, ...] = ()
    reply: Reply | None = None
    undecided: Unavailable | None = None


SUBMITTING: Final = (ExecutePlan, MakePlan, MakePreviewedPlan, Rebalance, SubmitOrder)
URGENT: Final = (CancelOrders, Halt)  # still taken while the disk is full: they only cut risk

Act = Callable[[Sequence[Event], Snapshot], None]
Message = tuple[Command, Cause | None, "asyncio.Future[Answer] | None"]
