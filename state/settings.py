"""The configuration's types. Every key has a default, a unit, a bound."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from state.instrument import Instrument, Symbol

Fraction = Annotated[float, Meta(ge=0, le=1)]
Multiple = Annotated[float, Meta(ge=0, le=100)]
BasisPoints = Annotated[float, Meta(ge=0, le=10_000)]
Amount = Annotated[Decimal, Meta()]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose book it is."""

    id: str = "DEMO"
    base_currency: str = "USD"


class Universe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be traded. Empty `symbols` means all that the price file holds."""

    symbols: tuple[Symbol, ...] = ()
    calendar: str = "XNYS"
    lot: Decimal = Decimal(1)
    tick: Decimal = Decimal("0.01")
    instruments: Mapping[Symbol, Mapping[str, str]] = {}  # per-symbol currency, lot, tick


class Trading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who starts a rebalance: commands, or the clock."""

    mode: Literal["on_command", "autonomous"] = "on_command"
    rebalance: Literal["1d", "1w", "1mo"] = "1w"


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where prices come from; `max_jump` is the largest believable close-to-close move."""

    kind: Literal["replay", "mqtt", "ib"] = "replay"
    clock: Literal["wall", "feed"] = "wall"
    max_jump: Annotated[float, Meta(gt=0, le=100)] = 0.8
    grace: str = "60s"  # how long a close waits for bars that are late
    history: str = ""  # closes before the first that comes, to warm the strategy; as replay.file


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Replayed prices: `pace` in bars (closes) per second, 0 for as fast as possible."""

    file: str = "bundled"
    start: date = date(2019, 1, 1)
    end: date | None = None
    pace: Annotated[float, Meta(ge=0, le=1e6)] = 2.0
    at_end: Literal["hold", "loop", "stop"] = "hold"


class BrokerChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who executes."""

    kind: Literal["paper", "ib"] = "paper"
    conn: str = ""
    conn_file: str = ""

    def __repr__(self) -> str:
        """Return everything but the login, so that no traceback or log shows it."""
        conn = "***" if self.conn else ""
        return f"BrokerChoice({self.kind!r}, conn={conn!r}, conn_file={self.conn_file!r})"


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded broker. Rates are probabilities per order; `latency` is in seconds."""

    initial_cash: Decimal = Decimal(1_000_000)
    commission_bps: BasisPoints = 1.0
    commission_min: Decimal = Decimal(0)
    slippage_bps: BasisPoints = 2.0
    spread_bps: BasisPoints = 0.0
    partial_fill_rate: Fraction = 0.0
    reject_rate: Fraction = 0.0
    latency: Annotated[float, Meta(ge=0, le=60)] = 0.0
    seed: Count = 1


class StrategyChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which strategy proposes targets, with its own parameters."""

    name: str = "active_inference"
    parameters: Mapping[str, float] = {}
    window: Annotated[int, Meta(ge=2, le=100_000)] = 300  # closes handed to the strategy


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gate's limits. They come from the configuration or an operator, never from a strategy.

    Weights, exposures, losses and turnover are fractions of equity; money is in base currency.
    """

    max_position_weight: Multiple = 0.20
    max_gross: Multiple = 1.0
    max_net: Multiple = 1.0
    max_order_notional: Decimal = Decimal(200_000)
    max_order_quantity: Decimal = Decimal(10_000_000)
    price_collar: Fraction = 0.05
    stale_after: str = "1 bar"  # of open-market time; or seconds, "15m", "2 bars"
    max_orders_per_minute: Count = 60
    max_day_orders: Count = 500
    max_day_turnover: Multiple = 0.5
    max_day_loss: Fraction = 0.05
    max_drawdown: Fraction = 0.25
    cash_tolerance: Fraction = 0.002  # of equity, a session: unexplained cash that does not halt
    margin: bool = False
    allow_short: bool = False
    restricted: tuple[Symbol, ...] = ()


class Execution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How targets become orders. `band` and `plan_tolerance` are fractions of equity and price."""

    band: Fraction = 0.01
    min_trade: Decimal = Decimal(100)
    cash_reserve: Fraction = 0.01
    plan_ttl: str = "10m"
    plan_tolerance: Fraction = 0.01
    session: Literal["next", "now"] = "next"


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The MQTT broker: market data in, state out. Commands never arrive by it."""

    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    prefix: str = "tm"
    username: str = ""
    password_file: str = ""
    tls: bool = False
    tls_ca: str = ""  # a file of certificates to trust; "" for the system's
    client_id: str = ""  # "" for trade-manager-ACCOUNT; the session at the broker hangs on it
    qos: Literal[0, 1] = 1
    publish: Literal["auto", "on", "off"] = "auto"  # auto: when prices come by MQTT
    status_every: str = "5s"


class InteractiveBrokers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway, the account, and what arms it. Times are in seconds.

    A live account's first days, counted from the first start, are capped.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 4002
    client_id: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 17
    feed_client_id: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 18  # of prices without orders
    lines: Annotated[int, Meta(ge=0, le=10_000)] = 100  # market data lines of the login
    account: str = ""
    live_account: str = ""
    approved: str = ""  # the hash of the strategy, configuration and code that may trade it
    approved_champion: str = ""  # the hash of those and of the genome that was promoted
    first_days: Annotated[int, Meta(ge=0, le=365)] = 5
    first_days_order: Decimal = Decimal(5_000)
    first_days_turnover: Multiple = 0.1
    read_only: bool = False
    patience: Annotated[float, Meta(gt=0, le=600)] = 20.0  # for each answer of the gateway
    settle: Annotated[float, Meta(ge=0, le=600)] = 10.0  # longest that a byte may be on its way
    order: Literal["market", "adaptive", "twap", "vwap", "moc"] = "market"  # of a rebalance
    adaptive_priority: Literal["Urgent", "Normal", "Patient"] = "Normal"
    spread_over: Annotated[float, Meta(ge=60, le=86_400)] = 1800.0  # that twap and vwap take
    vwap_volume: Annotated[float, Meta(ge=0.01, le=0.5)] = 0.1  # of the market's, at most
    moc_cutoff: Annotated[float, Meta(ge=0, le=23_400)] = 900.0  # before the close


class Beliefs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mind of `active_inference`: what computes it, and which exposures it may prefer."""

    engine: Literal["pymdp", "numpy"] = "pymdp"
    exposures: Literal["long_only", "long_short"] = "long_only"


class Evolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The breeding of genomes; times in seconds, `memory` in MiB for each worker."""

    executor: str = "processes"
    workers: Count = 0
    population: Annotated[int, Meta(ge=8, le=1_000_000)] = 256
    generations: Annotated[int, Meta(ge=1, le=1_000_000)] = 30
    perception_generations: Annotated[int, Meta(ge=0, le=1_000_000)] = 10
    seed: Count = 1
    nice: Annotated[int, Meta(ge=0, le=19)] = 15
    memory: Annotated[int, Meta(ge=256, le=1_000_000)] = 2048
    generation_timeout: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    gap: Annotated[int, Meta(ge=1, le=1000)] = 20
    shadow: Annotated[int, Meta(ge=0, le=1000)] = 20
    promotion: Literal["command", "automatic"] = "command"


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The control socket. Empty `socket` means the documented search order."""

    socket: str = ""
    tcp: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    roles_file: str = ""
    unknown_uid: Literal["none", "viewer"] = "viewer"
    max_connections: Annotated[int, Meta(ge=1, le=100_000)] = 512
    connections_each: Annotated[int, Meta(ge=1, le=100_000)] = 64
    requests_per_second: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    frame_timeout: Annotated[float, Meta(gt=0, le=600)] = 10.0


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the daemon says of itself."""

    http: str = "127.0.0.1:9464"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stall: str = "60s"  # how long the event loop may stand still before the process ends


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told when something is wrong, and how soon; `disk_free` is in MiB."""

    webhook: str = ""
    webhook_file: str = ""
    command: tuple[str, ...] = ()
    patience: str = "60s"
    escalate_after: str = "30m"
    disk_free: Annotated[int, Meta(ge=16, le=1_000_000_000)] = 256
    ping: str = ""
    ping_file: str = ""
    ping_every: str = "60s"

    def __repr__(self) -> str:
        """Return everything but the addresses, which let whoever has them in."""
        shown = {name: "***" for name in ("webhook", "ping") if getattr(self, name)}
        return f"Alerts({shown}, command={self.command!r})"


class Keeping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of the journal is kept whole, and how long. Keys and events are kept for ever."""

    keep_replies: str = ""  # the data of final replies; "" for ever


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    account: Account = Account()
    universe: Universe = Universe()
    trading: Trading = Trading()
    feed: Feed = Feed()
    replay: Replay = Replay()
    mqtt: Mqtt = Mqtt()
    broker: BrokerChoice = BrokerChoice()
    paper: Paper = Paper()
    ib: InteractiveBrokers = InteractiveBrokers()
    strategy: StrategyChoice = StrategyChoice()
    beliefs: Beliefs = Beliefs()
    risk: Limits = Limits()
    execution: Execution = Execution()
    evolution: Evolution = Evolution()
    control: Control = Control()
    telemetry: Telemetry = Telemetry()
    alerts: Alerts = Alerts()
    journal: Keeping = Keeping()

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the instrument behind a symbol of the universe."""
        own = self.universe.instruments.get(symbol, {})
        return Instrument(
            symbol,
            currency=own.get("currency", self.account.base_currency),
            tick=Decimal(own["tick"]) if "tick" in own else self.universe.tick,
            lot=Decimal(own["lot"]) if "lot" in own else self.universe.lot,
        )
