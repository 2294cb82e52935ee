"""An alert: what people are told of, and which of them stand."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec


class AlertKind(StrEnum):
    """Each has a page in `docs/runbook`, named by `page`."""

    FEED_STALE = "FEED_STALE"
    BROKER_DOWN = "BROKER_DOWN"
    GATEWAY_LOGIN = "GATEWAY_LOGIN"
    HALTED = "HALTED"
    LIMIT_BREACHED = "LIMIT_BREACHED"
    BOOKS_DIFFER = "BOOKS_DIFFER"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    STRATEGY_FAILED = "STRATEGY_FAILED"
    EVOLUTION_FAILED = "EVOLUTION_FAILED"
    DISK_LOW = "DISK_LOW"

    @property
    def page(self) -> str:
        """Return the name of its page, without the folder."""
        return f"{self.value.lower().replace('_', '-')}.md"


Level = Literal["warning", "critical"]
Turn = Literal["raised", "escalated", "cleared"]
Subject = str  # KIND|subject


class Ill(msgspec.Struct, frozen=True):
    """Something that is wrong now. `subject` (a scope, an order) tells two of a kind apart."""

    kind: AlertKind
    subject: str
    message: str
    critical: bool = False


class Alert(msgspec.Struct, frozen=True):
    """What people are told, once for each turn that a matter takes."""

    turn: Turn
    level: Level
    kind: AlertKind
    subject: str
    message: str
    since: datetime
    at: datetime


def subject_of(told: Ill | Alert) -> Subject:
    """Return what tells a matter apart from all others."""
    return f"{told.kind.value}|{told.subject}"


def noted(standing: Mapping[Subject, Alert], alert: Alert) -> Mapping[Subject, Alert]:
    """Return which alerts stand after one more was told."""
    others = {key: told for key, told in standing.items() if key != subject_of(alert)}
    return others if alert.turn == "cleared" else {**others, subject_of(alert): alert}
