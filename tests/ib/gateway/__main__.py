"""A gateway that stands alone: `python -m tests.ib.gateway --port 4002 --walk 0.5`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging

from tests.ib.gateway.server import FakeIBGateway


def main() -> None:
    p = argparse.ArgumentParser(description="Fake IB Gateway")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=4002)
    p.add_argument("--cash", type=float, default=100_000.0)
    p.add_argument("--base", default="USD")
    p.add_argument("--walk", type=float, default=0.0, help="random-walk prices every N seconds")
    p.add_argument("-v", action="store_true")
    a = p.parse_args()
    logging.basicConfig(level=logging.DEBUG if a.v else logging.INFO)

    async def run() -> None:
        gw = FakeIBGateway(host=a.host, port=a.port, base_currency=a.base, cash={a.base: a.cash})
        await gw.start()
        print(
            json.dumps({"host": gw.host, "port": gw.port, "accounts": list(gw.accounts)}),
            flush=True,
        )
        if a.walk:
            await gw.walk(a.walk)
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


main()
