"""`tm backup`: one copy at a time, beside the writer, and a record of it in the journal."""

import asyncio

from control import protocol
from control.protocol import Reply
from daemon.backup import BackupRefused, backed_up
from daemon.engine import Engine
from daemon.keeping import replayed
from daemon.replies import not_done
from daemon.seams import Clock, Store
from state.command import Cause, RecordBackup


class Backups:
    """Makes backups of the journal behind a store, while the engine goes on."""

    def __init__(self, engine: Engine, store: Store, clock: Clock) -> None:
        self._engine, self._store, self._clock = engine, store, clock
        self._one = asyncio.Lock()

    async def answer(self, ask: protocol.Backup, cause: Cause) -> Reply:
        """Return the reply to a backup: made and journaled, or made before under the same key."""
        async with self._one:  # who asks twice at once under one key finds the first one's reply
            if known := (await self._store.commands([cause.rid])).get(cause.rid):
                return replayed(known, cause)
            wall = self._clock.wall()
            try:
                made = await self._store.aside(backed_up, ask.file, wall, cause.rid)
            except BackupRefused as e:
                return not_done(cause, self._engine.snapshot, "failed", e.exit, e.fault)
            size, head = made.bytes, made.head
            record = RecordBackup(made.file, head.seq, head.hash.hex(), size)
            answer = await self._engine.tell(record, cause)
        if answer.reply is None:
            raise RuntimeError("the engine gave no reply to a backup")
        return answer.reply
