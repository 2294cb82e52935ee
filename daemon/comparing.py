"""Comparing the books when a client asks: by the broker's word alone, or with a statement."""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from control.protocol import Exit, Fault, Reconcile, ReconcileStatement, Reply
from daemon import statement
from daemon.engine import Engine
from daemon.flex import StatementRefused
from daemon.keeping import replayed
from daemon.recovery import decided, look_for_differences
from daemon.replies import SAME_KEY
from daemon.seams import Broker, BrokerUnavailable, Store
from state.command import Cause, RecordReconciliation

Asked = Reconcile | ReconcileStatement


class Comparisons:
    """Answers one client after the other, so no two book what the same statement says."""

    def __init__(self, engine: Engine, broker: Broker, store: Store) -> None:
        self._engine, self._broker, self._store = engine, broker, store
        self._turn: Final = asyncio.Lock()

    async def answer(self, ask: Asked, cause: Cause) -> Reply:
        """Compare the books with the broker's, and journal the outcome under the client's key."""
        async with self._turn:
            if known := (await self._store.commands([cause.rid])).get(cause.rid):
                return replayed(known, cause)
            try:
                return await self._decided(ask, cause)
            except BrokerUnavailable as e:
                error = Fault("BROKER_UNAVAILABLE", str(e), f"see `tm status`; {SAME_KEY}")
                return Reply(
                    cause.op, False, "not_ready", Exit.NOT_READY, error=error, key=cause.key
                )
            except StatementRefused as e:
                error = Fault("STATEMENT_REFUSED", f"the statement was not used: {e}", e.hint)
                return Reply(cause.op, False, "invalid", Exit.INVALID, error=error, key=cause.key)

    async def _decided(self, ask: Asked, cause: Cause) -> Reply:
        """Return the reply, with a statement's corporate actions in words."""
        told: Sequence[str] = ()

        async def compared() -> RecordReconciliation:
            nonlocal told
            outcome, told = await self._compared(ask)
            return outcome

        answer = await decided(self._engine, compared, cause)
        if answer.reply is None:
            raise RuntimeError("the engine gave no reply to a reconciliation")
        actions = (f"corporate action: {one}" for one in told)
        return replace(answer.reply, warnings=(*answer.reply.warnings, *actions))

    async def _compared(self, ask: Asked) -> tuple[RecordReconciliation, Sequence[str]]:
        """Return how the books compare, and a statement's corporate actions in words."""
        if isinstance(ask, ReconcileStatement):
            return await statement.compared(ask.statement, self._engine, self._broker, self._store)
        found, opening = await look_for_differences(self._engine, self._broker)
        return RecordReconciliation(found, opening=opening), ()
