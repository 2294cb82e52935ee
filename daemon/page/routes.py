"""Which path is answered with what, and who may look at the page."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from ipaddress import ip_address
from typing import Final

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from daemon.page.answer import Answer, Asked, refused
from daemon.page.curve import Drawn
from daemon.page.live import Live
from daemon.page.metrics import Metrics
from daemon.watch import Verdict

JSON: Final = "application/json"
STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Routes:
    """Answers every path there is. Nothing is changed by any of them."""

    def __init__(
        self,
        metrics: Metrics,
        health: Callable[[], Verdict],
        live: Live,
        curve: Callable[[], Awaitable[Drawn]],
    ) -> None:
        self._metrics, self._health, self._live, self._curve = metrics, health, live, curve
        folder = files("daemon.page") / "static"
        self._static = {
            path: Answer(kind=kind, body=(folder / name).read_bytes())
            for path, (name, kind) in STATIC.items()
        }

    async def respond(self, asked: Asked) -> Answer:
        """Answer one GET."""
        match asked.path:
            case "/healthz":
                return self._verdict(tolerated=("healthy", "not ready"))
            case "/readyz":
                return self._verdict(tolerated=("healthy",))
            case "/metrics":
                return Answer(kind=CONTENT_TYPE_LATEST, body=self._metrics.text())
        if not local(asked):
            why = "the page is for this machine's own browser: http://127.0.0.1, or an SSH tunnel"
            return refused(403, why)
        match asked.path:
            case "/live":
                return Answer(kind="text/event-stream", stream=self._live.stream())
            case "/curve.json":
                return Answer(kind=JSON, body=msgspec.json.encode(await self._curve()))
            case path if path in self._static:
                return self._static[path]
            case _:
                return refused(404, "there is /, /metrics, /healthz and /readyz")

    def _verdict(self, tolerated: tuple[str, ...]) -> Answer:
        """Return how the daemon is: 200, or 503 with the reasons."""
        verdict = self._health()
        status = 200 if verdict.verdict in tolerated else 503
        return refused(status, "; ".join((verdict.verdict, *verdict.reasons)))


def local(asked: Asked) -> bool:
    """Return whether a request comes from this machine, and was meant for it.

    The Host too, or a page from elsewhere could point its own name at 127.0.0.1 and read ours.
    """
    name = asked.host.rpartition(":")[0] if not asked.host.endswith("]") else asked.host
    return ip_address(asked.peer).is_loopback and (name or asked.host) in LOOPBACK
