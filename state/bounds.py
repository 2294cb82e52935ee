"""Bounds of the configuration that its types can't say, one per key."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from state.duration import NotADuration, duration, staleness
from state.instrument import LARGEST, MICRO
from state.settings import BlendMember, Settings

Complaint = str | None

NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
PREFIX: Final = re.compile(r"[^\s+#/$]+(/[^\s+#/$]+){0,7}")
CLIENT: Final = re.compile(r"[A-Za-z0-9_.-]{0,64}")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
IB_ACCOUNT: Final = re.compile(r"[A-Z0-9]{0,16}")
SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._^=-]{0,31}")
ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):(?P<port>[0-9]{1,5})")
LOOPBACK: Final = re.compile(r"(127\.[0-9.]+|localhost|\[::1\]):[0-9]+")
WEB: Final = re.compile(r"https?://[^\s/?#]+[^\s]*")
INSTRUMENT_KEYS: Final = ("currency", "lot", "tick")


def exact(value: Decimal) -> Complaint:
    """Complain of an amount that micros can't hold: not finite, too large, or too fine."""
    if not value.is_finite() or abs(value) > LARGEST:
        return f"must be a finite amount within ±{LARGEST:,}"
    if value % MICRO:
        return "must have at most 6 decimals"
    return None


def positive(value: Decimal) -> Complaint:
    """Complain of an amount that isn't above zero."""
    return exact(value) or (None if value > 0 else "must be above 0")


def not_negative(value: Decimal) -> Complaint:
    """Complain of an amount below zero."""
    return exact(value) or (None if value >= 0 else "must be at least 0")


def time(value: str) -> Complaint:
    """Complain of what is no length of time."""
    try:
        duration(value)
    except NotADuration as e:
        return e.why
    return None


def time_or_never(value: str) -> Complaint:
    """Complain of what is neither a length of time nor empty."""
    return time(value) if value else None


def age(value: str) -> Complaint:
    """Complain of what is neither a length of time nor a number of bars."""
    try:
        staleness(value)
    except NotADuration as e:
        return e.why
    return None


def matching(pattern: re.Pattern[str], meaning: str) -> Callable[[str], Complaint]:
    """Return a complaint of whatever isn't wholly of `pattern`."""
    return lambda value: None if pattern.fullmatch(value) else f"must be {meaning}"


def symbols(value: Sequence[str]) -> Complaint:
    """Complain of a symbol nobody could trade, and of one named twice."""
    for symbol in value:
        if not SYMBOL.fullmatch(symbol):
            return f"{symbol!r} is no symbol: letters, digits and . _ ^ = - only, at most 32"
    twice = sorted({symbol for symbol in value if value.count(symbol) > 1})
    return f"{', '.join(twice)} stands there more than once" if twice else None


def instruments(value: Mapping[str, Mapping[str, str]]) -> Complaint:
    """Complain of an instrument's own currency, lot or tick."""
    for symbol, own in value.items():
        if wrong := symbols([symbol]):
            return wrong
        for key, text in own.items():
            if key not in INSTRUMENT_KEYS:
                return f"{symbol}.{key} is not known; it may be {', '.join(INSTRUMENT_KEYS)}"
            if key == "currency":
                wrong = currency(text)
            else:
                try:
                    wrong = positive(Decimal(text))
                except ArithmeticError:
                    wrong = 'must be an exact decimal, like "0.01"'
            if wrong:
                return f"{symbol}.{key} {wrong}"
    return None


def parameters(value: Mapping[str, float]) -> Complaint:
    """Complain of a strategy's parameter that is no finite number."""
    wrong = sorted(name for name, number in value.items() if not isfinite(number))
    return f"{', '.join(wrong)} must be a finite number" if wrong else None


def members(value: Mapping[str, BlendMember]) -> Complaint:
    """Complain of members of a blend whose capital can't be what is said of it."""
    for name, one in value.items():
        if not NAME.fullmatch(name):
            return f"{name!r} is no name: 1 to 64 letters, digits, dots, dashes or underscores"
        if wrong := parameters(one.parameters):
            return f"{name}.parameters: {wrong}"
        if not one.min <= one.weight <= one.max:
            return f"{name}.weight = {one.weight:g} is not within {one.min:g} to {one.max:g}"
        if not one.max_drawdown:
            return f"{name}.max_drawdown = 0 would halt it at once; 1 never does"
    total = sum(one.weight for one in value.values())
    if value and not 0.0 < total <= 1.0 + 1e-9:
        return f"the weights add up to {total:g}; give fractions of equity, 1 in all at most"
    return None


def listening(value: str) -> Complaint:
    """Complain of what is neither empty nor HOST:PORT."""
    found = ADDRESS.fullmatch(value)
    if value and not (found and int(found["port"]) < 65536):
        return 'must be HOST:PORT with a port up to 65535 (0: any free one), or "" for off'
    return None


def web(value: str) -> Complaint:
    """Complain of what is no web address, without repeating it: it may be a secret."""
    return None if not value or WEB.fullmatch(value) else "must begin with https:// or http://"


def socket(value: str) -> Complaint:
    """Complain of a socket that depends on where the program was started."""
    if value and not value.removeprefix("unix://").startswith("/"):
        return 'must be an absolute path (or unix:///PATH), or "" for the documented search order'
    return None


currency = matching(CURRENCY, 'a currency of three capitals, like "USD"')

ib_account = matching(IB_ACCOUNT, 'an account as the gateway names it, like "DU1234567"')

OF_KEY: Final[Mapping[str, Callable[[Any], Complaint]]] = {
    "account.id": matching(NAME, "1 to 64 letters, digits, dots, dashes or underscores"),
    "account.base_currency": currency,
    "universe.symbols": symbols,
    "feed.grace": time,
    "mqtt.prefix": matching(PREFIX, "levels of a topic, without +, # or a slash at either end"),
    "mqtt.client_id": matching(CLIENT, "at most 64 letters, digits, dots, dashes or underscores"),
    "mqtt.status_every": time,
    "universe.lot": positive,
    "universe.tick": positive,
    "universe.instruments": instruments,
    "paper.initial_cash": positive,
    "paper.commission_min": not_negative,
    "ib.account": ib_account,
    "ib.live_account": ib_account,
    "ib.first_days_order": positive,
    "strategy.parameters": parameters,
    "blend.members": members,
    "risk.max_order_notional": positive,
    "risk.max_order_quantity": positive,
    "risk.stale_after": age,
    "risk.restricted": symbols,
    "execution.min_trade": not_negative,
    "execution.plan_ttl": time,
    "control.socket": socket,
    "control.tcp": listening,
    "telemetry.http": listening,
    "telemetry.stall": time,
    "alerts.webhook": web,
    "alerts.ping": web,
    "alerts.patience": time,
    "alerts.escalate_after": time,
    "alerts.ping_every": time,
    "journal.keep_replies": time_or_never,
}


def tcp(settings: Settings) -> list[tuple[str, str, str]]:
    """Return what a way in over TCP lacks."""
    control = settings.control
    if not control.tcp:
        return []
    hint = "scripts/certificates makes them; see docs/security.md"
    lacking = [key for key in ("tls_cert", "tls_key") if not getattr(control, key)]
    if not LOOPBACK.fullmatch(control.tcp) and not control.tls_ca:
        lacking.append("tls_ca")
    wrong = [(f"control.{key}", f"is empty, and {control.tcp} wants it", hint) for key in lacking]
    if not control.roles_file:
        what = "is empty, so nobody could come in over control.tcp"
        wrong.append(("control.roles_file", what, "name a file with a token_file or certificate"))
    return wrong


def together(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (key, what is wrong, what to do) of values that don't go together."""
    wrong = []
    end: date | None = settings.replay.end
    if end is not None and end < settings.replay.start:
        wrong.append(
            (
                "replay.end",
                f"{end} is before replay.start = {settings.replay.start}",
                "give a later end, or leave it out to replay all there is",
            )
        )
    if settings.beliefs.exposures == "long_short" and not settings.risk.allow_short:
        wrong.append(
            (
                "beliefs.exposures",
                '"long_short" needs risk.allow_short = true',
                'allow shorts, or prefer "long_only"',
            )
        )
    if settings.strategy.name == "blend" and not settings.blend.members:
        wrong.append(
            (
                "blend.members",
                'strategy.name = "blend" has nobody to ask',
                "name at least one: [blend.members.NAME] with strategy and weight",
            )
        )
    if settings.beliefs.learning != "off" and settings.evolution.promotion == "automatic":
        wrong.append(
            (
                "beliefs.learning",
                '"A" is not what evolution judges, and evolution.promotion is "automatic"',
                'learn nothing: beliefs.learning = "off", or evolution.promotion = "command"',
            )
        )
    wrong += tcp(settings)
    if settings.feed.clock == "feed" and settings.broker.kind != "paper":
        wrong.append(
            (
                "feed.clock",
                f'"feed" is for old bars, and broker.kind is {settings.broker.kind!r}',
                'trade old bars on paper, or let the wall rule: feed.clock = "wall"',
            )
        )
    for key in ("broker.conn", "alerts.webhook", "alerts.ping"):
        section, name = key.split(".")
        of = getattr(settings, section)
        if getattr(of, name) and getattr(of, f"{name}_file"):
            variable = f"TM_{section}__{name}".upper()
            hint = f"keep one of {variable} and {variable}_FILE"
            wrong.append((f"{key}_file", f"{key} is given too", hint))
    return wrong
