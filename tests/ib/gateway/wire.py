"""The wire of the gateway: frames, fields, and the message that places an order."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

MIN_SERVER_VERSION, MAX_SERVER_VERSION = 157, 178
UNSET = "1.7976931348623157E308"  # how TWS spells "no value" for a double
IN_NAMES = {
    1: "reqMktData",
    2: "cancelMktData",
    3: "placeOrder",
    4: "cancelOrder",
    5: "reqOpenOrders",
    6: "reqAccountUpdates",
    7: "reqExecutions",
    8: "reqIds",
    9: "reqContractDetails",
    14: "setServerLogLevel",
    15: "reqAutoOpenOrders",
    16: "reqAllOpenOrders",
    17: "reqManagedAccts",
    20: "reqHistoricalData",
    25: "cancelHistoricalData",
    49: "reqCurrentTime",
    58: "reqGlobalCancel",
    59: "reqMarketDataType",
    61: "reqPositions",
    62: "reqAccountSummary",
    63: "cancelAccountSummary",
    64: "cancelPositions",
    71: "startApi",
    76: "reqAccountUpdatesMulti",
    77: "cancelAccountUpdatesMulti",
    80: "reqFamilyCodes",
    81: "reqMatchingSymbols",
    87: "reqHeadTimeStamp",
    90: "cancelHeadTimeStamp",
    91: "reqMarketRule",
    92: "reqPnL",
    93: "cancelPnL",
    94: "reqPnLSingle",
    95: "cancelPnLSingle",
    99: "reqCompletedOrders",
    104: "reqUserInfo",
}


def wire(value: Any) -> str:
    """One protocol field as text."""
    if value is None:
        return ""
    if value is True:
        return "1"
    if value is False:
        return "0"
    if isinstance(value, float):
        return format(value, ".12g")
    return str(value)


def frame(fields: Iterable[str]) -> bytes:
    """Length-prefixed message whose fields are NUL-terminated."""
    body = "".join(f + "\0" for f in fields).encode()
    return struct.pack(">I", len(body)) + body


class Cursor:
    """Reads protocol fields in order; missing trailing fields read as empty."""

    def __init__(self, fields: Sequence[str]):
        self._it = iter(fields)

    def str(self) -> str:
        return next(self._it, "")

    def int(self, default: int = 0) -> int:
        v = self.str()
        return int(float(v)) if v else default

    def float(self, default: float = 0.0) -> float:
        v = self.str()
        return float(v) if v else default

    def bool(self) -> bool:
        return self.str() not in ("", "0")

    def take(self, names: str) -> dict[str, str]:
        return {name: self.str() for name in names.split()}


CONTRACT = (
    "conId symbol secType lastTradeDate strike right multiplier exchange "
    "primaryExchange currency localSymbol tradingClass"
)

# placeOrder, in wire order.  Parts that depend on earlier values are handled in code.
PO_1 = (
    "secIdType secId action totalQuantity orderType lmtPrice auxPrice tif ocaGroup "
    "account openClose origin orderRef transmit parentId blockOrder sweepToFill "
    "displaySize triggerMethod outsideRth hidden"
)
PO_2 = "_blank discretionaryAmt goodAfterTime goodTillDate faGroup faMethod faPercentage"
PO_3 = (
    "modelCode shortSaleSlot designatedLocation exemptCode ocaType rule80A "
    "settlingFirm allOrNone minQty percentOffset eTradeOnly firmQuoteOnly "
    "nbboPriceCap auctionStrategy startingPrice stockRefPrice delta stockRangeLower "
    "stockRangeUpper overridePercentageConstraints volatility volatilityType "
    "deltaNeutralOrderType deltaNeutralAuxPrice"
)
PO_DELTA_NEUTRAL = "dn1 dn2 dn3 dn4 dn5 dn6 dn7 dn8"
PO_4 = (
    "continuousUpdate referencePriceType trailStopPrice trailingPercent "
    "scaleInitLevelSize scaleSubsLevelSize scalePriceIncrement"
)
PO_SCALE = "sc1 sc2 sc3 sc4 sc5 sc6 sc7"
PO_5 = "scaleTable activeStartTime activeStopTime hedgeType"
PO_6 = "optOutSmartRouting clearingAccount clearingIntent notHeld"
PO_7 = "algoId whatIf orderMiscOptions solicited randomizeSize randomizePrice"
PO_8 = (
    "adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice "
    "adjustedStopLimitPrice adjustedTrailingAmount adjustableTrailingUnit extOperator "
    "softDollarName softDollarVal cashQty mifid2DecisionMaker mifid2DecisionAlgo "
    "mifid2ExecutionTrader mifid2ExecutionAlgo dontUseAutoPriceForHedge isOmsContainer "
    "discretionaryUpToLimitPrice usePriceMgmtAlgo"
)

# openOrder / completedOrder bodies that are echoed from the request.
OO_1 = (
    "modelCode goodTillDate rule80A percentOffset settlingFirm shortSaleSlot designatedLocation "
    "exemptCode"
)
OO_2 = "startingPrice stockRefPrice delta stockRangeLower stockRangeUpper displaySize"
OO_ADJUSTED = (
    "adjustedOrderType triggerPrice trailStopPrice lmtPriceOffset adjustedStopPrice "
    "adjustedStopLimitPrice adjustedTrailingAmount adjustableTrailingUnit"
)
DELTA_NEUTRAL_NONE = ("None", "", 0, "", "", "", "?", 0, 0, "")  # sent for every plain order
OO_TAIL_170 = "minTradeQty minCompeteSize competeAgainstBestOffset midOffsetAtWhole midOffsetAtHalf"


LIVE_TICKS = {
    "bid": 1,
    "ask": 2,
    "last": 4,
    "bidSize": 0,
    "askSize": 3,
    "lastSize": 5,
    "high": 6,
    "low": 7,
    "volume": 8,
    "close": 9,
    "open": 14,
    "time": 45,
}
DELAYED_TICKS = {
    "bid": 66,
    "ask": 67,
    "last": 68,
    "bidSize": 69,
    "askSize": 70,
    "lastSize": 71,
    "high": 72,
    "low": 73,
    "volume": 74,
    "close": 75,
    "open": 76,
    "time": 88,
}


class Unsupported(Exception):
    """The request uses a part of the protocol this fake does not model."""


def parse_place_order(fields: Sequence[str], sv: int) -> dict[str, Any]:
    """placeOrder message (without the leading message id) to a dict of raw strings."""
    cur = Cursor(fields)
    o: dict[str, Any] = {"orderId": cur.int(), "contract": cur.take(CONTRACT)}
    if o["contract"]["secType"] == "BAG":
        raise Unsupported("combo (BAG) orders")
    o.update(cur.take(PO_1))
    o.update(cur.take(PO_2))
    if sv < 177:
        cur.str()  # faProfile
    o.update(cur.take(PO_3))
    if o["deltaNeutralOrderType"]:
        cur.take(PO_DELTA_NEUTRAL)
    o.update(cur.take(PO_4))
    if o["scalePriceIncrement"] and 0 < float(o["scalePriceIncrement"]) < 1e300:
        cur.take(PO_SCALE)
    o.update(cur.take(PO_5))
    if o["hedgeType"]:
        cur.str()
    o.update(cur.take(PO_6))
    if cur.bool():  # delta neutral contract
        cur.take("a b c")
    o["algoStrategy"] = cur.str()
    o["algoParams"] = []
    if o["algoStrategy"]:
        o["algoParams"] = [(cur.str(), cur.str()) for _ in range(cur.int())]
    o.update(cur.take(PO_7))
    if o["orderType"] in ("PEG BENCH", "PEGBENCH"):
        cur.take("a b c d e")
    if cur.int():
        raise Unsupported("conditional orders")
    o.update(cur.take(PO_8))
    for since, name in (
        (158, "duration"),
        (160, "postToAts"),
        (162, "autoCancelParent"),
        (166, "advancedErrorOverride"),
        (169, "manualOrderTime"),
    ):
        if sv >= since:
            o[name] = cur.str()
    return o
