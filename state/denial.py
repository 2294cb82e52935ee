"""Why something was refused here, before any broker saw it. The codes are public and closed."""

from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Reason codes. Programs branch on them, so none is ever renamed or reused."""

    # the gate: one row per guard, in the order they are asked
    TRADING_HALTED = "TRADING_HALTED"
    RECONCILE_PENDING = "RECONCILE_PENDING"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    RESTRICTED_SYMBOL = "RESTRICTED_SYMBOL"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    SYMBOL_FROZEN = "SYMBOL_FROZEN"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    NO_PRICE = "NO_PRICE"
    STALE_DATA = "STALE_DATA"
    NO_SESSION = "NO_SESSION"
    ORDER_RATE = "ORDER_RATE"
    DAY_ORDERS = "DAY_ORDERS"
    DAY_TURNOVER = "DAY_TURNOVER"
    DAY_LOSS = "DAY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    ORDER_QUANTITY = "ORDER_QUANTITY"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    PRICE_COLLAR = "PRICE_COLLAR"
    SHORT_SALE = "SHORT_SALE"
    POSITION_WEIGHT = "POSITION_WEIGHT"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    NET_EXPOSURE = "NET_EXPOSURE"
    INSUFFICIENT_CASH = "INSUFFICIENT_CASH"
    GUARD_FAILED = "GUARD_FAILED"
    DISK_FULL = "DISK_FULL"
    # commands as a whole
    PLAN_EXPIRED = "PLAN_EXPIRED"
    PLAN_REJECTED = "PLAN_REJECTED"
    PLAN_EXECUTED = "PLAN_EXECUTED"
    POSITIONS_CHANGED = "POSITIONS_CHANGED"
    PRICES_MOVED = "PRICES_MOVED"
    APPROVAL_MISSING = "APPROVAL_MISSING"
    NO_TARGETS = "NO_TARGETS"
    TARGETS_STALE = "TARGETS_STALE"
    RISK_NOT_ACCEPTED = "RISK_NOT_ACCEPTED"
    ORDER_FINAL = "ORDER_FINAL"
    NOT_PAPER = "NOT_PAPER"
    KIND_MISMATCH = "KIND_MISMATCH"
    DAY_OPERATIONS = "DAY_OPERATIONS"
    DAY_NOTIONAL = "DAY_NOTIONAL"
    LIMIT_INVALID = "LIMIT_INVALID"
    LIMIT_LOOSENED = "LIMIT_LOOSENED"
    NOT_PROMOTABLE = "NOT_PROMOTABLE"


class Denial(msgspec.Struct, frozen=True):
    """One refusal: what it is about, the value, the bound, and what to do."""

    code: Code
    subject: str
    value: str = ""
    limit: str = ""
    message: str = ""
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}" if self.subject else self.message
