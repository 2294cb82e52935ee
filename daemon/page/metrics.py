"""Metrics in Prometheus' text format: few series, whatever is traded and whoever asks."""

from collections import Counter as Counted
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from control.protocol import Reply
from control.request import Request
from daemon.principal import Peer
from daemon.seams import Clock
from daemon.server import Handler
from daemon.watch import Verdict
from state.alert import AlertKind
from state.authority import op_of
from state.status import StatusAnswer

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """What is scraped: the status as it is now, and how requests fared since the start."""

    def __init__(self, status: Callable[[], StatusAnswer], health: Callable[[], Verdict]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StatusCollector(status, health))
        self.requests = Counter(
            "tm_requests", "Requests answered on the control socket.", ["op", "exit"],
            registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "tm_request_seconds", "From a request to its reply, waiting included.", ["op"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip

    def around(self, handle: Handler, clock: Clock) -> Handler:
        """Return a handler that counts and times what it passes on."""

        async def handled(request: Request, principal: Peer) -> Reply:
            began, op = clock.mono(), op_of(request.ask)
            reply = await handle(request, principal)
            self.requests.labels(op, str(int(reply.exit))).inc()
            self.seconds.labels(op).observe(clock.mono() - began)
            return reply

        return handled

    def text(self) -> bytes:
        """Return all of it."""
        return generate_latest(self._registry)


class StatusCollector(Collector):
    """The status, read when it is scraped."""

    def __init__(self, status: Callable[[], StatusAnswer], health: Callable[[], Verdict]) -> None:
        self._status, self._health = status, health

    def collect(self) -> Iterator[Metric]:
        """Yield every family; what nobody can say is left out, and is never a zero."""
        now, verdict = self._status(), self._health()
        yield InfoMetricFamily(
            "tm_build", "Version and mode of the daemon.",
            {"version": now.version, "mode": now.mode, "strategy": now.strategy.name},
        )  # fmt: skip
        yield gauge("tm_healthy", "1 when nothing needs a human.", verdict.verdict == "healthy")
        yield gauge("tm_ready", "1 when a command to trade would be decided.", now.ready)
        account = any(halt.scope == "account" for halt in now.halts)
        yield gauge("tm_halted", "1 while the account is halted.", account)
        for kind, what in (("symbol", "Symbols"), ("strategy", "Members of a blend")):
            count = sum(halt.scope.startswith(f"{kind}:") for halt in now.halts)
            yield gauge(f"tm_{kind}_halts", f"{what} that are halted.", count)
        yield gauge("tm_feed_connected", "1 while the feed is.", now.feed.connected)
        yield gauge("tm_feed_ended", "1 when a replay has no more bars.", now.feed.ended)
        yield gauge("tm_broker_connected", "1 while the broker is.", now.broker.connected)
        paused = bool(now.broker.paused)
        yield gauge("tm_broker_paused", "1 while nothing new is sent, as around a restart.", paused)
        yield gauge("tm_reconciled", "1 when the books agree with the broker's.", now.reconciled)
        yield gauge("tm_differences", "Subjects that differ.", len(now.differences))
        yield gauge("tm_orders_open", "Orders that may still trade.", now.open_orders)
        yield gauge("tm_orders_unknown", "Orders in doubt.", now.unknown_orders)
        yield gauge("tm_cash", "Cash, in base currency.", float(now.cash))
        yield gauge("tm_drawdown_ratio", "Share lost since the peak.", now.drawdown)
        yield gauge("tm_journal_bytes", "Journal and its log on disk.", now.journal.bytes)
        yield gauge(
            "tm_market_clock_timestamp_seconds",
            "The market's clock, since 1970.",
            now.clock.timestamp(),
        )
        yield CounterMetricFamily(
            "tm_journal_records", "Records in the journal.", value=now.journal.seq
        )
        for name, value, what in (
            ("tm_equity", now.equity, "Equity, in base currency."),
            ("tm_gross_exposure_ratio", now.gross, "Gross exposure over equity."),
            ("tm_net_exposure_ratio", now.net, "Net exposure over equity."),
            (
                "tm_last_close_timestamp_seconds",
                now.feed.last_at.timestamp() if now.feed.last_at else None,
                "The last close, since 1970.",
            ),
        ):
            if value is not None:
                yield gauge(name, what, float(value))
        if (mind := now.beliefs) is not None:
            yield gauge("tm_beliefs_ready", "1 when new targets come of beliefs.", mind.ready)
            yield gauge(
                "tm_belief_symbols_drifting",
                "Symbols that the model has ceased to fit.",
                len(mind.drifting),
            )
            yield gauge(
                "tm_belief_symbols_reset",
                "Symbols whose belief was begun anew at the last close.",
                len(mind.reset),
            )
        capital = GaugeMetricFamily(
            "tm_strategy_capital_ratio", "Capital of a blend's member.", labels=["member"]
        )
        for member in now.strategy.members:
            capital.add_metric([member.name], member.capital)
        yield capital
        limits = GaugeMetricFamily(
            "tm_limit_used_ratio", "Share of a limit in use, 1 at the limit.", labels=["limit"]
        )
        for each in now.limits:
            if each.used is not None:
                limits.add_metric([each.name.value], each.used)
        yield limits
        standing = GaugeMetricFamily(
            "tm_alerts_standing", "Alerts that stand, by kind.", labels=["kind"]
        )
        kinds = Counted(alert.kind for alert in now.alerts)
        for kind in AlertKind:
            standing.add_metric([kind.value], kinds[kind])
        yield standing
        deliveries = CounterMetricFamily(
            "tm_alert_deliveries", "How tries to tell people ended.", labels=["way", "outcome"]
        )
        for way in now.deliveries:
            for outcome in ("delivered", "failed", "given_up", "dropped"):
                deliveries.add_metric([way.way, outcome], getattr(way, outcome))
        yield deliveries
        refused = CounterMetricFamily(
            "tm_bars_refused", "Bars that were not believed.", labels=["reason"]
        )
        for reason, count in sorted(now.feed.refused.items()):
            refused.add_metric([reason], count)
        yield refused


def gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    """Return a gauge with one value."""
    return GaugeMetricFamily(name, what, value=float(value))
