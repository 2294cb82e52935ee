"""The configuration's types: every key with its default, its bounds, its unit, its meaning.

`scripts/reference` writes docs/configuration.md from them.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from state.instrument import Instrument, Symbol

# A text beside the type is the unit, for the reference; what reads the configuration ignores it.
Fraction = Annotated[float, Meta(ge=0, le=1), "fraction"]
Multiple = Annotated[float, Meta(ge=0, le=100), "fraction"]
BasisPoints = Annotated[float, Meta(ge=0, le=10_000), "basis points"]
Money = Annotated[Decimal, "base currency"]
Time = Annotated[str, "time"]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose book it is."""

    id: str = "DEMO"
    """Whose book it is; in every report, and in the paper broker's answers."""
    base_currency: str = "USD"
    """The one currency; an instrument in another is refused with `CURRENCY_MISMATCH`."""


class Universe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be traded. Empty `symbols` means all that the price file holds."""

    symbols: tuple[Symbol, ...] = ()
    """What may be traded; empty: all that the price file holds."""
    calendar: str = "XNYS"
    """Sessions, a name that exchange_calendars knows."""
    lot: Annotated[Decimal, "units"] = Decimal(1)
    """Smallest tradable quantity; below 1 for fractions."""
    tick: Annotated[Decimal, "price"] = Decimal("0.01")
    """Smallest price step of a limit."""
    instruments: Mapping[Symbol, Mapping[str, str]] = {}
    """Per symbol `currency`, `lot`, `tick`: `[universe.instruments.KO]`."""


class Trading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who starts a rebalance: commands, or the clock."""

    mode: Literal["on_command", "autonomous"] = "on_command"
    """Who starts a rebalance: `on_command`, or `autonomous` by the clock."""
    rebalance: Literal["1d", "1w", "1mo"] = "1w"
    """How often, when autonomous: at the last close of each `1d`, `1w`, `1mo`."""


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where prices come from; `max_jump` is the largest believable close-to-close move."""

    kind: Literal["replay", "mqtt", "ib"] = "replay"
    """Where prices come from: `replay`, `mqtt` ([docs/mqtt.md](mqtt.md)), or `ib`
    ([docs/interactive-brokers.md](interactive-brokers.md))."""
    clock: Literal["wall", "feed"] = "wall"
    """Whose time an MQTT feed runs on; `feed` lets a feed of old bars set it, on paper only."""
    max_jump: Annotated[float, Meta(gt=0, le=100), "fraction"] = 0.8
    """Largest believable move from close to close, as a fraction; a larger one is refused and
    counted."""
    grace: Time = "60s"
    """How long a close waits for bars that are late before it goes on without them."""
    history: str = ""
    """Closes that warm the strategy before the first that comes: `bundled`, `bundled:NAME`, a file,
    or none; with `ib` none means the gateway's own history."""


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Replayed prices: `pace` in bars (closes) per second, 0 for as fast as possible."""

    file: str = "bundled"
    """`bundled`, `bundled:NAME`, or a CSV, CSV.gz or Parquet of yours."""
    start: date = date(2019, 1, 1)
    """First session to play; closes before it warm the strategy."""
    end: date | None = None
    """Last session to play; none: to the end of the file."""
    pace: Annotated[float, Meta(ge=0, le=1e6), "closes a second"] = 2.0
    """Closes a second; 0: as fast as possible."""
    at_end: Literal["hold", "loop", "stop"] = "hold"
    """`hold` the last bar, `loop` the prices over later sessions, or `stop` the daemon."""


class BrokerChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who executes."""

    kind: Literal["paper", "ib"] = "paper"
    """Who executes: `paper`, or `ib`: an account at Interactive Brokers."""
    conn: str = ""
    """The gateway, as an Airflow connection writes it: its host, its port, and of its extra
    `client_id` and `account` stand before those of `[ib]` (secret: `TM_BROKER__CONN`)."""
    conn_file: str = ""
    """A file that holds it."""

    def __repr__(self) -> str:
        """Return everything but the login, so that no traceback or log shows it."""
        conn = "***" if self.conn else ""
        return f"BrokerChoice({self.kind!r}, conn={conn!r}, conn_file={self.conn_file!r})"


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded broker. Rates are probabilities per order; `latency` is in seconds."""

    initial_cash: Money = Decimal(1_000_000)
    """What a new paper book begins with, base currency."""
    commission_bps: BasisPoints = 1.0
    """Commission, basis points of notional."""
    commission_min: Money = Decimal(0)
    """Least commission of an order, base currency."""
    slippage_bps: BasisPoints = 2.0
    """Against every fill, basis points of price."""
    spread_bps: BasisPoints = 0.0
    """Whole spread; half of it is against every fill."""
    partial_fill_rate: Fraction = 0.0
    """Probability that an order fills in two parts."""
    reject_rate: Fraction = 0.0
    """Probability that an order is rejected."""
    latency: Annotated[float, Meta(ge=0, le=60), "seconds"] = 0.0
    """Seconds until an order reaches the book."""
    seed: Count = 1
    """Of all chance in the paper broker: the same seed, the same run."""


class StrategyChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which strategy proposes targets, with its own parameters."""

    name: str = "active_inference"
    """`active_inference`, `inverse_volatility`, `volatility_target`, `buy_and_hold`, a plug-in's,
    or `blend` of several."""
    parameters: Mapping[str, float] = {}
    """Its own parameters: `parameters = { half_life = 90 }`; of `active_inference` the genes, over
    the default genome."""
    window: Annotated[int, Meta(ge=2, le=100_000), "closes"] = 300
    """Closes handed to the strategy, at least what it needs."""


class BlendMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A strategy within a blend. `weight`, `min` and `max` are of its capital."""

    strategy: str
    weight: Fraction
    parameters: Mapping[str, float] = {}
    min: Fraction = 0.0
    max: Fraction = 1.0
    max_drawdown: Fraction = 0.25


class Blend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of the strategy `blend`, and how their capital moves."""

    members: Mapping[str, BlendMember] = {}
    """By a name of yours `strategy`, `weight` (fraction of equity it begins with), and, if you
    like, `parameters`, `min` and `max` (of that fraction, 0 and 1), `max_drawdown` (fall of its own
    book that halts it, 0.25): `[blend.members.steady]`."""
    adapt: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """How fast evidence moves capital between the members; 0: never
    ([what it does](strategies.md#several-at-once))."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gate's limits. They come from the configuration or an operator, never from a strategy.

    Weights, exposures, losses and turnover are fractions of equity; money is in base currency.
    """

    max_position_weight: Multiple = 0.20
    """Largest holding, fraction of equity."""
    max_gross: Multiple = 1.0
    """Sum of all holdings' sizes, fraction of equity."""
    max_net: Multiple = 1.0
    """Size of long less short, fraction of equity."""
    max_order_notional: Money = Decimal(200_000)
    """Worth of one order, base currency."""
    max_order_quantity: Annotated[Decimal, "units"] = Decimal(10_000_000)
    """Units of one order."""
    price_collar: Fraction = 0.05
    """How far a limit may be from the last known price, fraction; twice that for reducing
    orders."""
    stale_after: Time = "1 bar"
    """Age of a price past which only reducing orders pass: `1 bar`, or a time of open market such
    as `15m`, which means at least a session."""
    max_orders_per_minute: Count = 60
    """Orders in a minute."""
    max_day_orders: Count = 500
    """Orders in a session."""
    max_day_turnover: Multiple = 0.5
    """Notional submitted in a session, fraction of equity; the first investment of an empty book is
    exempt once."""
    max_day_loss: Fraction = 0.05
    """Loss since the last session's close that halts, fraction."""
    max_drawdown: Fraction = 0.25
    """Fall from the highest close that halts, fraction."""
    cash_tolerance: Fraction = 0.002
    """Cash that a real broker's book may have more or less, in a session, without a halt: a
    fraction of equity, booked as pending income with a warning until `tm reconcile accept` says
    what it was; the paper broker's book has to agree to the micro."""
    margin: bool = False
    """Whether cash may go below zero."""
    allow_short: bool = False
    """Whether holdings may."""
    restricted: tuple[Symbol, ...] = ()
    """Symbols that may only be reduced."""


class Execution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How targets become orders. `band` and `plan_tolerance` are fractions of equity and price."""

    band: Fraction = 0.01
    """Distance from its target, fraction of equity, inside which a holding is left alone."""
    min_trade: Money = Decimal(100)
    """Smallest trade, base currency; a full exit is always made."""
    cash_reserve: Fraction = 0.01
    """Fraction of equity a rebalance leaves in cash."""
    plan_ttl: Time = "10m"
    """How long a plan may wait, unless `tm plan --ttl` says otherwise; in replay the next close
    ends it anyway."""
    plan_tolerance: Fraction = 0.01
    """How far prices may move before a plan is refused, fraction."""
    session: Literal["next", "now"] = "next"
    """Orders trade in the `next` session, or `now` while the market is open."""


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The MQTT broker: market data in, state out. Commands never arrive by it."""

    host: str = "localhost"
    """Where the broker is."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    """Its port; 8883 is usual with TLS."""
    prefix: str = "tm"
    """First levels of every topic."""
    username: str = ""
    """As whom to connect; empty: as nobody."""
    password_file: str = ""
    """A file that holds the password."""
    tls: bool = False
    """Encrypt, and check the broker's certificate and name."""
    tls_ca: str = ""
    """A file of certificates to trust; empty: the system's."""
    client_id: str = ""
    """The name our session at the broker hangs on; empty: `trade-manager-` and the account."""
    qos: Literal[0, 1] = 1
    """`1`: the broker keeps what we miss; `0`: what we miss is gone, and reported."""
    publish: Literal["auto", "on", "off"] = "auto"
    """State out: `on`, `off`, or `auto`: when `feed.kind` is `mqtt`."""
    status_every: Time = "5s"
    """How often the retained status is published."""


class InteractiveBrokers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway, the account, and what arms it. Times are in seconds.

    A live account's first days, counted from the first start, are capped.
    """

    host: str = "127.0.0.1"
    """Where the gateway is."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 4002
    """Its port: 4001 live, 4002 paper, 7496 and 7497 of TWS."""
    client_id: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 17
    """Who we are there, never 0; another id could not cancel the orders of this one, so keep it."""
    feed_client_id: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 18
    """Who we are there with `feed.kind = "ib"` and another broker; with `broker.kind = "ib"` prices
    come over its connection."""
    lines: Annotated[int, Meta(ge=0, le=10_000)] = 100
    """Market data lines of the login: as many symbols have quotes, the others closes only."""
    account: str = ""
    """The account to trade; also where only prices are taken."""
    live_account: str = ""
    """A live account trades only when this names it."""
    approved: str = ""
    """The hash of what may trade it."""
    approved_champion: str = ""
    """The hash of a promoted genome on top of that, see [evolution](evolution.md)."""
    first_days: Annotated[int, Meta(ge=0, le=365), "days"] = 5
    """Days from the first start on in which a live account is capped; a daemon that runs on stays
    capped until its next start."""
    first_days_order: Money = Decimal(5_000)
    """Largest order of those days, base currency."""
    first_days_turnover: Multiple = 0.1
    """Turnover of a session in those days, fraction of equity."""
    read_only: bool = False
    """Send nothing: every order comes back refused, and nothing is asked back."""
    patience: Annotated[float, Meta(gt=0, le=600), "seconds"] = 20.0
    """For each answer of the gateway, seconds; without one the connection is given up and made
    anew."""
    settle: Annotated[float, Meta(ge=0, le=600), "seconds"] = 10.0
    """Longest that an order may be on its way: unseen twice, this far apart, it was never
    placed."""
    preview: bool = True
    """Ask the gateway what each order of `tm plan` and `tm rebalance --dry-run` would cost and tie
    up ([how](interactive-brokers.md#what-a-plan-says-beforehand))."""
    preview_client_id: Annotated[int, Meta(ge=0, le=2_147_483_647)] = 0
    """Who asks that there: a connection of its own, so that no number of an order is used up; 0:
    1,000 above `client_id`, so that two daemons at one gateway don't meet."""
    preview_limit: Annotated[float, Meta(gt=0, le=30), "seconds"] = 10.0
    """Longest that a plan waits for it, all orders together, seconds."""
    restart: str = ""
    """When the gateway restarts itself each day: a time of day and its zone, like
    `"23:45 America/New_York"`; nothing new is sent around it, and its absence is expected
    ([the gateway's day](interactive-brokers.md#the-gateways-day-and-week)); empty: off."""
    restart_before: Annotated[float, Meta(ge=0, le=14_400), "seconds"] = 120.0
    """From how long before `restart` on nothing new is sent, seconds."""
    restart_after: Annotated[float, Meta(ge=0, le=14_400), "seconds"] = 600.0
    """Until how long after `restart` nothing new is sent, seconds; the gateway's absence is told
    five minutes later."""
    order: Literal["market", "adaptive", "twap", "vwap", "moc"] = "market"
    """How a rebalance's orders go out: `market`, `adaptive`, `twap`, `vwap`, or `moc` at the close
    ([what they are](interactive-brokers.md#how-orders-go-out))."""
    adaptive_priority: Literal["Urgent", "Normal", "Patient"] = "Normal"
    """How soon the adaptive algorithm should fill: `Urgent`, `Normal`, `Patient`."""
    spread_over: Annotated[float, Meta(ge=60, le=86_400), "seconds"] = 1800.0
    """Over how long `twap` and `vwap` spread an order, seconds; never past the close."""
    vwap_volume: Annotated[float, Meta(ge=0.01, le=0.5), "fraction"] = 0.1
    """Largest share of the market's volume that `vwap` may be, fraction."""
    moc_cutoff: Annotated[float, Meta(ge=0, le=23_400), "seconds"] = 900.0
    """How long before the close the last `moc` order for it goes out, seconds; a later one is
    refused."""


class Beliefs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mind of `active_inference`: what computes it, what it may prefer, if it learns."""

    engine: Literal["pymdp", "numpy"] = "pymdp"
    """What computes the beliefs: `pymdp` (jax, 0.6 GB), or `numpy`: the same mathematics, for the
    slim image; an engine that isn't installed is an error, never changed silently."""
    exposures: Literal["long_only", "long_short"] = "long_only"
    """Exposures it may prefer: `long_only`, or `long_short` with `risk.allow_short`."""
    learning: Literal["off", "A"] = "off"
    """`"A"`: each symbol teaches its own likelihood of returns, used for it only while it foretells
    better than the trained one ([what that is worth](beliefs.md#learning)); not with
    `evolution.promotion = "automatic"`, and `tm evolve start` is refused meanwhile."""


class Evolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The breeding of genomes; times in seconds, `memory` in MiB for each worker."""

    executor: str = "processes"
    """Where genomes are judged: `processes` of this machine, or `dask://HOST:PORT`, a Dask
    scheduler (needs the extra `dask`)."""
    workers: Count = 0
    """Processes; 0: all cores but one, at least one."""
    population: Annotated[int, Meta(ge=8, le=1_000_000)] = 256
    """Genomes of a generation."""
    generations: Annotated[int, Meta(ge=1, le=1_000_000)] = 30
    """Generations bred on money, at most."""
    perception_generations: Annotated[int, Meta(ge=0, le=1_000_000)] = 10
    """Generations bred on the evidence of what was observed, before those, at most; 0 keeps the
    perception of the genome in charge."""
    seed: Count = 1
    """Seed of a run that names none; with the same prices it gives the same front."""
    nice: Annotated[int, Meta(ge=0, le=19)] = 15
    """How far workers stand back for others, 0 to 19."""
    memory: Annotated[int, Meta(ge=256, le=1_000_000), "MiB"] = 2048
    """Address space of a worker, MiB; one that needs more costs a retry."""
    generation_timeout: Annotated[float, Meta(gt=0, le=86_400), "seconds"] = 600.0
    """Seconds a generation may take before its workers are killed, which costs a retry."""
    gap: Annotated[int, Meta(ge=1, le=1000), "bars"] = 20
    """Bars purged between what is bred on, chosen by and held out."""
    shadow: Annotated[int, Meta(ge=0, le=1000), "sessions"] = 20
    """Live sessions a candidate that passed the gate is watched in shadow before it may be put in
    charge; 0: none."""
    promotion: Literal["command", "automatic"] = "command"
    """`command`: only `tm strategy promote`; `automatic`: a candidate that passes every test of the
    gate is put in charge when its shadow is over."""


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The control socket. Empty `socket` means the documented search order."""

    socket: str = ""
    """Path of the control socket; empty: the search order of the README."""
    tcp: str = ""
    """HOST:PORT to serve over TLS 1.3 too; beyond loopback it wants all three of the keys below;
    empty: off."""
    tls_cert: str = ""
    """PEM file of the daemon's certificate and its chain."""
    tls_key: str = ""
    """PEM file of its key, which others may not read."""
    tls_ca: str = ""
    """PEM file of who signs certificates: clients may then show one instead of a token. `tm` trusts
    it too."""
    roles_file: str = ""
    """Who may do what ([security.md](security.md)), read again on SIGHUP; empty: root and the
    daemon's own user are admins."""
    unknown_uid: Literal["none", "viewer"] = "viewer"
    """Role of a local user that no role names: `viewer` or `none`."""
    max_connections: Annotated[int, Meta(ge=1, le=100_000)] = 512
    """Connections at once; one more is told BUSY."""
    connections_each: Annotated[int, Meta(ge=1, le=100_000)] = 64
    """Connections of one local user, or of one address; one more is told BUSY."""
    requests_per_second: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Requests of one principal, for two seconds at a time; one more is told BUSY. Halts and
    cancels always pass."""
    frame_timeout: Annotated[float, Meta(gt=0, le=600), "seconds"] = 10.0
    """Seconds for a frame to be whole, and for a reply to be taken."""


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the daemon says of itself."""

    http: str = "127.0.0.1:9464"
    """Where `/metrics`, `/healthz`, `/readyz` and the operator page are, as HOST:PORT (port 0: any
    free one, which the log names); `""` is off. The page itself only answers this machine."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug`, `info`, `warning` or `error`."""
    stall: Time = "60s"
    """How long the event loop may stand still before the process ends with 1 and every thread's
    traceback, for the next start to recover."""


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told when something is wrong, and how soon; `disk_free` is in MiB."""

    webhook: str = ""
    """An address that each alert is posted to as JSON (secret)."""
    webhook_file: str = ""
    """A file that holds it."""
    command: tuple[str, ...] = ()
    """A program and its arguments, given each alert as JSON on its input; no shell."""
    patience: Time = "60s"
    """How long a feed, broker or gateway may be away, or a limit passed, before anybody is told."""
    escalate_after: Time = "30m"
    """How long anything may stand before it is told again as critical."""
    disk_free: Annotated[int, Meta(ge=16, le=1_000_000_000), "MiB"] = 1024
    """MiB; less free on the journal's disk is an alert, and a warning of `tm audit`."""
    ping: str = ""
    """An address that is asked (GET) as long as all goes on: silence means trouble (secret)."""
    ping_file: str = ""
    """A file that holds it."""
    ping_every: Time = "60s"
    """How often it is asked."""

    def __repr__(self) -> str:
        """Return everything but the addresses, which let whoever has them in."""
        shown = {name: "***" for name in ("webhook", "ping") if getattr(self, name)}
        return f"Alerts({shown}, command={self.command!r})"


class Keeping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of the journal is kept whole, and how long. Keys and events are kept for ever."""

    keep_replies: Time = ""
    """How long the data of a final reply is kept, such as `400d`; after that its key is answered
    with how it ended. `""`: for ever."""


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
    blend: Blend = Blend()
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
