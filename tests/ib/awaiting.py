"""Waiting for what another task or the gateway is about to bring."""

import asyncio


async def until(true, patience=5.0):
    """Return once `true()`; raise TimeoutError after `patience` seconds."""
    async with asyncio.timeout(patience):
        while not true():  # noqa: ASYNC110  the gateway has no event to wait for
            await asyncio.sleep(0.005)
