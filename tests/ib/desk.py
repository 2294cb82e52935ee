"""A real `tmd` on a fake gateway, both with the same two shares at the same prices."""

from control.protocol import Orders
from tests.ib.gateway.domain import FillPlan, Instrument
from tests.ib.gateway.threaded import ThreadedGateway
from tests.tmd import Tmd

ACCOUNT = "DU1234567"
CONFIGURATION = """\
[account]
id = "IBTEST"
[universe]
symbols = ["KO", "PG"]
[replay]
start = 2019-01-02
pace = 0.001
[broker]
kind = "ib"
[ib]
port = {port}
account = "DU1234567"
patience = {patience}
settle = 0.5
[risk]
max_position_weight = 1.0
max_order_notional = "100000000"
max_day_turnover = 100.0
max_day_loss = 1.0
max_drawdown = 1.0
"""


def shares():
    """The instruments of the gateway, at the closes of the day that the replay begins with."""
    return [
        Instrument(1001, "KO", 40.79, "NYSE", stock_type="COMMON"),
        Instrument(1002, "PG", 80.94, "NYSE", stock_type="COMMON"),
    ]


def gateway(**how):
    """A gateway in a thread of its own; its executions take a moment."""
    how.setdefault("fill_plan", FillPlan(parts=(0.5, 0.5), delay=0.01))
    return ThreadedGateway(instruments=shares(), **how)


class Desk(Tmd):
    """A daemon that trades through a gateway."""

    def __init__(self, folder, port, patience=20.0, more=""):
        super().__init__(folder, CONFIGURATION.format(port=port, patience=patience) + more)

    def trading(self):
        """Start it, and return once a rebalance would be decided: ready, with a price."""
        self.start().until(lambda: self.ready_to_trade())
        return self

    def ready_to_trade(self):
        """Whether the books agree and a close was seen."""
        now = self.data()
        return now["ready"] and now["as_of"] is not None and now["feed"]["last_at"] is not None

    def orders(self):
        """All orders, oldest first."""
        return self.data(Orders())["orders"]

    def agrees_with(self, made):
        """Whether nothing is open, and what is held is what the gateway has."""
        if any(order["status"] not in {"filled", "not_placed"} for order in self.orders()):
            return False
        book, truth = self.books(), made.truth()
        held = {one["symbol"]: float(one["quantity"]) for one in book["positions"]}
        return held == dict(truth.positions) and abs(float(book["cash"]) - truth.cash["USD"]) < 0.01
