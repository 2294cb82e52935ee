"""Up to a newer schema and back, with orders open: nothing is lost, sent twice, or half done."""

import sys
from decimal import Decimal as D

import pytest

from control.protocol import Evolution, Exit, Orders, Reconcile, StartEvolution, decode_reply
from state.command import AcceptDifference, Resume, SubmitOrder
from state.order import request_id
from state.schema import VERSION
from tests.kills.books import faults
from tests.kills.load import same
from tests.kills.test_drill import tm
from tests.state.released.sample import COMMANDS, unpacked
from tests.tmd import ROOT, Tmd

NEWER = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.kills.newer")
JOURNAL_UNFIT = 13
BREEDING = """
[universe]
symbols = ["AAPL", "KO", "PG", "XOM"]
[replay]
start = 2022-12-20
pace = 0.001
[evolution]
workers = 1
[risk]
max_position_weight = 1.0
max_order_notional = "100000000"
"""
BRED = StartEvolution(seed=11, population=32, generations=6, perception_generations=1)


def test_what_the_first_release_left_goes_on_where_it_stopped(tmp_path):
    """Its open order fills once, and its keys get the replies they got then."""
    with Tmd(tmp_path / "d", pace=20) as tmd:
        knew = unpacked(1, tmd.state)
        tmd.start().ready()
        for key, reply in knew.replies.items():
            again = tmd.ask(COMMANDS[key], key=key)
            assert again.replayed
            assert same(decode_reply(reply.encode()), again)
        (order,) = knew.open
        tmd.until(lambda: standing(tmd, order) == "filled")
        assert tmd.stop() == 0
        assert faults(tmd) == []
        assert tmd.rows("SELECT count(*) FROM fill WHERE order_id = ?", order) == [(1,)]


def standing(tmd, order_id):
    """Where an order is."""
    return {one["order_id"]: one["status"] for one in tmd.data(Orders())["orders"]}[order_id]


def back(tmd, order):
    """Put the older program back in its place; it is ready to trade again."""
    before = (tmd.state / "journal.db").read_bytes()
    tmd.start()  # this version won't touch what it doesn't know, and says what to do
    assert tmd.ended() == JOURNAL_UNFIT
    assert "run the newer program" in tmd.said()
    assert (tmd.state / "journal.db").read_bytes() == before
    code, restored = tm(tmd, "restore", str(tmd.state / f"journal.db.v{VERSION}"))
    assert (code, restored["data"]["keys"]) == (0, None)
    tmd.start()
    tmd.until(lambda: tmd.data()["halted"])
    assert standing(tmd, order) in {"live", "pending_cancel", "cancelled"}
    found = tmd.ask(Reconcile(), key="look")
    if found.exit is Exit.FINDINGS:
        assert tmd.ask(AcceptDifference("adjustment", "restored"), key="a").ok
    assert tmd.ask(Resume("compared", "ann"), key="go").ok
    tmd.ready()


def bred(tmd, key):
    """Start the run, or ask for it again; return it once it is over."""
    assert tmd.ask(BRED, key=key).exit in {Exit.DONE, Exit.PENDING}

    def over():
        run = tmd.data(Evolution())
        return run if run["status"] != "running" else None

    return tmd.until(over, 600)


@pytest.mark.nightly
@pytest.mark.timeout(2400)
def test_up_and_back_with_an_order_open_and_a_run_under_way(tmp_path):
    """The run goes on under either program, and ends as the one that nobody disturbed."""
    rest = SubmitOrder("buy", "KO", D(7))
    with Tmd(tmp_path / "calm", BREEDING) as calm:
        calm.start().ready()
        undisturbed = bred(calm, "run")
        assert undisturbed["status"] == "finished"
    with Tmd(tmp_path / "d", BREEDING) as tmd:
        tmd.start().ready()
        assert tmd.ask(rest, key="rest").ok
        order = f"{request_id('rest')}.0"
        tmd.until(lambda: standing(tmd, order) == "live")
        assert tmd.ask(BRED, key="run").ok
        tmd.until(lambda: tmd.data(Evolution())["evaluations"] >= 2 * BRED.population, 600)
        assert tmd.stop() == 0

        tmd.start(under=NEWER).ready()
        assert standing(tmd, order) == "live"
        same_run(bred(tmd, "run"), undisturbed)
        assert tmd.stop() == 0

        back(tmd, order)
        assert tmd.ask(rest, key="rest").replayed
        same_run(bred(tmd, "run"), undisturbed)
        assert tmd.stop() == 0
        (sent,) = tmd.rows("SELECT count(*) FROM orders", file="paper.db")
        assert sent == (1,)
        assert tmd.verified().ok


def same_run(run, other):
    """Whether two runs came to the same, to the last bit."""
    names = ("status", "front", "candidate", "evaluations", "best", "verdict")
    assert {name: run[name] for name in names} == {name: other[name] for name in names}


@pytest.mark.nightly
def test_up_and_back_with_an_order_open(tmp_path):
    rest, more = SubmitOrder("buy", "WMT", D(7)), SubmitOrder("buy", "KO", D(5))
    with Tmd(tmp_path / "d", pace=0.001) as tmd:
        tmd.start().ready()
        assert tmd.ask(rest, key="rest").ok
        order = f"{request_id('rest')}.0"
        tmd.until(lambda: standing(tmd, order) == "live")
        assert tmd.stop() == 0

        # up: the order is where it was, and so is its key
        tmd.start(under=NEWER).ready()
        assert standing(tmd, order) == "live"
        assert tmd.ask(rest, key="rest").replayed
        assert tmd.ask(more, key="more").ok
        tmd.until(lambda: standing(tmd, f"{request_id('more')}.0") == "live")
        assert tmd.stop() == 0

        back(tmd, order)
        assert tmd.ask(rest, key="rest").replayed
        assert tmd.stop() == 0
        sent = tmd.rows("SELECT order_ref, count(*) FROM orders GROUP BY 1", file="paper.db")
        assert sorted(n for _, n in sent) == [1, 1]
        assert tmd.verified().ok
