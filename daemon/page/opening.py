"""Opening the page: what it is made of, and that trading goes on without it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from daemon.engine import Engine
from daemon.page.curve import Curve
from daemon.page.listener import http_listener
from daemon.page.live import Live
from daemon.page.metrics import Metrics
from daemon.page.routes import Routes
from daemon.page.view import Viewer
from daemon.seams import Clock, Store
from daemon.server import Handler
from daemon.watch import Watch
from state.status import status

log = logging.getLogger(__name__)


@asynccontextmanager
async def page(
    address: str,
    handle: Handler,
    engine: Engine,
    store: Store,
    watch: Watch,
    clock: Clock,
    zone: str,
) -> AsyncIterator[Handler]:
    """Answer HTTP at "HOST:PORT" while the block runs; yield the handler, counted and timed.

    Where the address can't be bound a warning is logged, and there is no page.
    """
    metrics = Metrics(lambda: status(engine.snapshot, watch.status_facts()), watch.health)
    live = Live(Viewer(engine, store, watch, zone).view, clock)
    routes = Routes(metrics, watch.health, live, Curve(store).drawn)
    async with AsyncExitStack() as owned:
        try:
            bound = await owned.enter_async_context(http_listener(address, routes.respond))
        except OSError as error:
            log.warning("page_unavailable", extra={"http": address, "detail": str(error)})
            yield handle
            return
        log.info("page", extra={"url": f"http://{bound}/"})
        looking = asyncio.get_running_loop().create_task(live.run(), name="page")
        try:
            yield metrics.around(handle, clock)
        finally:
            looking.cancel()
            await asyncio.wait([looking])
