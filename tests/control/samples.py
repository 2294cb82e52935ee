"""Answers as the daemon makes them: the state's own types, as plain JSON."""

from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any

import msgspec

from control.protocol import Exit, Fault, Reply
from daemon.evolution_answers import whole
from state import answers, plan_answers
from state.belief import InstrumentBelief
from state.belief_answers import BeliefAnswer
from state.configuration import decode, shown
from state.evolved import Course, Criterion, Influence, Member, Run, Verdict
from state.explain import Asked, Explanation, Happened, Judged, Wanted
from state.integrity import Verified
from state.order import Status
from state.period import Period
from state.plan import PlanState
from state.reasons import Closed, Reason
from state.report import report
from state.status import (
    BrokerFacts,
    DayAnswer,
    FeedFacts,
    HaltAnswer,
    JournalFacts,
    LimitAnswer,
    StatusAnswer,
    StrategyAnswer,
)

CLOSE = datetime(2022, 12, 28, 21, tzinfo=UTC)
DAY = date(2022, 12, 28)


def plain(answer: object) -> Any:
    """An answer as it crosses the wire."""
    return msgspec.json.decode(msgspec.json.encode(answer))


HALT = HaltAnswer("account", "drill", "TRADING_HALTED", "ada", CLOSE)
ORDER = answers.OrderAnswer(
    order_id="RID.0",
    order_ref="TM1.RID.0",
    symbol="AAPL",
    side="buy",
    quantity=D(1200),
    filled=D(200),
    average_price=D("126.04"),
    limit_price=D("126.5"),
    status=Status.LIVE,
    broker_id="P7",
    key="k",
    created_at=CLOSE,
    session=DAY,
    reference_price=D("126.04"),
    fees=D("2.5"),
    reason="",
    source="manual",
)
FILL = answers.FillAnswer(
    "P7.1", "RID.0", "AAPL", "buy", D(200), D("126.04"), D(25208), D("2.5"), CLOSE, CLOSE
)
LINE = plan_answers.LineAnswer(
    "KO", "sell", 0.1, 0.05, D(-70), D("63.95"), D("4476.50"), D("1.34"), "over target"
)
DENIED = answers.DeniedAnswer("GE", "RESTRICTED_SYMBOL", "GE may not be traded", "see", "GE", "")
PLAN = plan_answers.PlanAnswer(
    plan_id="cok54ho4r44h",
    hash="ab12",
    state=PlanState.OPEN,
    by="",
    made_at=CLOSE,
    as_of=CLOSE,
    expires_at=CLOSE,
    equity=D(1000000),
    turnover=0.0045,
    cost=D("1.34"),
    lines=(LINE,),
    denied=(DENIED,),
)
PORTFOLIO = answers.PortfolioAnswer(
    as_of=CLOSE,
    base_currency="USD",
    equity=D("1000500.50"),
    cash=D("974792.50"),
    realized=D("12.5"),
    unrealized=D("-3.25"),
    fees=D("2.5"),
    flows=D(1000000),
    income=D(0),
    positions=(
        answers.PositionAnswer(
            "AAPL", D(200), D("126.04"), D("128.54"), CLOSE, D(25708), 0.0257, D(500), D(0), D(2)
        ),
    ),
)
STATUS = StatusAnswer(
    mode="replay",
    ready=True,
    halted=HALT,
    halts=(HALT,),
    clock=CLOSE,
    as_of=CLOSE,
    feed=FeedFacts("replay", True, CLOSE, False, {"absurd_jump": 2}),
    broker=BrokerFacts("paper", True, "DEMO"),
    base_currency="USD",
    equity=D("1000500.50"),
    cash=D("974792.50"),
    gross=0.0257,
    net=0.0257,
    drawdown=0.01,
    open_orders=3,
    unknown_orders=1,
    strategy=StrategyAnswer("inverse_volatility"),
    evolution={},
    journal=JournalFacts(1234, 5_600_000),
    reconciled=True,
    differences=(),
    day=DayAnswer(DAY, D(1000000), 0.25, False, 7, 0.001),
    limits=(LimitAnswer("max_gross", 0.9, 1.0, 0.9), LimitAnswer("max_net", None, 1.0, None)),
    unpriced=(),
    version="0.1.0",
    pid=7,
    plans={"cok54ho4r44h": PlanState.OPEN},
)
BELIEF = BeliefAnswer(
    as_of=CLOSE,
    engine="numpy",
    model_hash="8db21db3",
    instruments=(
        InstrumentBelief(
            symbol="KO",
            direction={"down": 0.05, "up": 0.95},
            volatility={"calm": 0.7, "normal": 0.2, "stressed": 0.1},
            exposure=0.5,
            entropy=0.8,
            surprise=None,
            observed={"z": 0.3, "range": None, "z_bin": 3.0, "range_bin": None, "sigma": 0.01},
            ok=True,
            weight=0.029,
            held=0.0,
            tilt=1.0,
            capacity=0.058,
            surprise_excess=-0.1,
            drift=-2.0,
            blocked=0.0,
            posterior=(0.02, 0.02, 0.01, 0.68, 0.18, 0.09),
            levels=(0.0, 1.0),
            free_energy=(0.0, -0.01),
            log_prior=(0.0, -1.0),
        ),
    ),
)
EXPLANATION = Explanation(
    subject="order",
    id="RID.0",
    command=Asked("k", "rebalance", "ada", CLOSE),
    plan=PLAN,
    wanted=(Wanted("KO", CLOSE, DAY, "active_inference", 0.03, "numpy", "m", *BELIEF.instruments),),
    gate=(
        Judged("RID.0", "KO", passed=True),
        Judged("RID.1", "PG", False, "ORDER_RATE", "61", "60", "too many", ("TRADING_HALTED",)),
    ),
    orders=(ORDER,),
    steps=(Happened(7, CLOSE, "RID.0", "order_claimed", "broker order id 7"),),
    fills=(FILL,),
    close=Closed(CLOSE, DAY, D(1000), D(10), 0.9, 0.9, "active_inference"),
    why=(Reason(8, CLOSE, "ORDER_RATE", "too many", "RID.1", "61", "60", "wait a minute"),),
)
CHECKS = [
    {"name": "books", "severity": "ok", "value": "0", "limit": "0", "message": "they agree"},
    {"name": "max_gross", "severity": "warn", "value": 0.98765432, "limit": 1.0, "message": "near"},
]
RECORD = {
    "seq": 7,
    "wall": "2026-01-05T10:00:00Z",
    "type": "halted",
    "at": "2022-12-28T21:00:00Z",
    "scope": "account",
    "reason": "drill",
    "bars": [1, 2],
}
LIMITS = [
    {"name": "max_gross", "value": 0.8, "configured": 1.0, "changed": True},
    {"name": "restricted", "value": [], "configured": [], "changed": False},
]
HALTS = {"halts": [plain(HALT)], "asked_back": ["RID.0"]}
WITH_ORDERS = plain(PLAN) | {"orders": [plain(ORDER)], "denied": [plain(DENIED)]}


def done(command: str, data: Any, **more: Any) -> Reply:
    """A reply that all went well."""
    return Reply(command, True, "completed", Exit.DONE, CLOSE, 1234, data, **more)


COURSE = Course(
    1, 32, 3, 1, date(1990, 1, 2), date(2011, 12, 30), date(2016, 12, 30), date(2022, 12, 28), "d"
)
HOLDOUT = Criterion("holdout", -0.5, ">=", 0.0, "Sharpe ratio a year")
RUN = whole(
    Run(
        "run1",
        COURSE,
        "ada",
        CLOSE,
        stage="done",
        generation=3,
        evaluations=96,
        seconds=2.5,
        best={"drawdown": -0.1},
        status="finished",
        front=(Member("5eed5eed5eed5eed", {"drawdown": -0.1}),),
        candidate_id="5eed5eed5eed5eed",
        candidate="trade-manager genome 1\ngamma = 60.0\n",
        verdict=Verdict(
            False, (HOLDOUT,), 0.5, 0.4, 96, "buy_and_hold", {"sharpe": 0.1}, (str(HOLDOUT),)
        ),
        ended=CLOSE,
        genes={"gamma": Influence(-0.42, 0.5), "band": Influence(None, 0.0)},
    )
)
BEGUN = {"run_id": "run1", "status": "running", "course": plain(COURSE)}
CHARGE = {"champion": "5eed5eed5eed5eed", "approved": "a" * 32}
REPLIES = {  # by the name on the wire
    "ping": done("ping", {"version": "0.1.0", "pid": 7}),
    "status": done("status", plain(STATUS)),
    "health": done("health", {"verdict": "healthy", "reasons": []}),
    "portfolio": done("portfolio", plain(PORTFOLIO)),
    "orders": done("orders", {"orders": [plain(ORDER)]}),
    "fills": done("fills", {"fills": [plain(FILL)]}),
    "beliefs": done("beliefs", plain(BELIEF)),
    "explain": done("explain", plain(EXPLANATION)),
    "plan": done("plan", plain(PLAN), key="k", command_id="RID"),
    "approve": done("approve", plain(PLAN) | {"state": "approved", "by": "ada"}),
    "reject": done("reject", plain(PLAN) | {"state": "rejected", "by": "ada"}),
    "execute": done("execute", WITH_ORDERS, key="k", command_id="RID"),
    "rebalance": done("rebalance", WITH_ORDERS, key="k", command_id="RID"),
    "dry_run": done("rebalance", plain(PLAN) | {"dry_run": True}),
    "order": done("order", {"orders": [plain(ORDER)]}, key="k", command_id="RID"),
    "cancel": done("cancel", {"asked_back": ["RID.0"]}, key="k", command_id="RID"),
    "halt": done("halt", HALTS, key="k", command_id="RID"),
    "resume": done("resume", {"halts": []}, key="k", command_id="RID"),
    "cash": done("cash", {"moved": [{"kind": "deposit", "amount": "100"}], "cash": "1100"}),
    "reconcile": done(
        "reconcile", {"differences": [{"subject": "cash", "ours": "10", "broker": "12.5"}]}
    ),
    "reconcile_statement": done(
        "reconcile_statement",
        {
            "differences": [{"subject": "KO", "ours": "10", "broker": "15"}],
            "moved": [],
            "cash": "12.5",
        },
    ),
    "backup": done("backup", {"file": "/b/1234-ab.db", "seq": 1234, "hash": "ab", "bytes": 9000}),
    "reconcile_accept": done("reconcile_accept", {"moved": [], "cash": "12.5"}),
    "reconcile_expect": done(
        "reconcile_expect",
        {
            "moved": [],
            "cash": "12.5",
            "expected": [
                {"kind": "deposit", "amount": "5000", "symbol": ""},
                {"kind": "split:2", "amount": "0", "symbol": "KO"},
            ],
        },
    ),
    "audit": done("audit", {"verdict": "warn", "as_of": None, "checks": CHECKS}),
    "report": done("report", plain(report([], Period()))),
    "events": done("events", {"events": [RECORD], "head": {"seq": 7, "hash": "ab"}}),
    "verify": done("verify", plain(Verified(True, 7, b"", None, "7 records, unbroken"))),
    "config_show": done("config show", plain(shown(decode("", "nothing", {})))),
    "evolve_start": done("evolve_start", BEGUN, key="k", command_id="RID"),
    "evolve_resume": done("evolve_resume", BEGUN, key="k", command_id="RID"),
    "evolve_cancel": done("evolve_cancel", BEGUN, key="k", command_id="RID"),
    "evolution": done("evolve", RUN | {"runs": [RUN]}),
    "genomes": done(
        "strategy",
        {
            "strategy": "active_inference",
            "champion": None,
            "history": [],
            "challengers": [RUN],
            "genome_id": RUN["candidate_id"],
            "genome": RUN["candidate"],
            "run": RUN,
        },
    ),
    "strategy_promote": done("strategy_promote", CHARGE, key="k", command_id="RID"),
    "strategy_rollback": done("strategy_rollback", CHARGE, key="k", command_id="RID"),
    "limits": done("limits", {"limits": LIMITS}),
    "limits_set": done("limits_set", {"limits": LIMITS}, key="k", command_id="RID"),
    "wait": done("halt", HALTS, key="k", command_id="RID", replayed=True),
    "shutdown": done("shutdown", {}, key="k", command_id="RID"),
}


def failing(exit_: Exit, code: str = "CODE") -> Reply:
    """A reply that it did not go well."""
    fault = Fault(code, "what, which value, which bound", "what to do")
    return Reply("halt", False, exit_.name.lower(), exit_, CLOSE, 1234, error=fault, key="k")
