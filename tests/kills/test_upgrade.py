"""Up to a newer schema and back, with orders open: nothing is lost, sent twice, or half done."""

import sys
from decimal import Decimal as D

import pytest

from control.protocol import Exit, Orders, Reconcile, decode_reply
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
        kept = tmd.state / f"journal.db.v{VERSION}"

        # back: this version won't touch what it doesn't know, and says what to do
        before = (tmd.state / "journal.db").read_bytes()
        tmd.start()
        assert tmd.ended() == JOURNAL_UNFIT
        assert "run the newer program" in tmd.said()
        assert (tmd.state / "journal.db").read_bytes() == before
        code, restored = tm(tmd, "restore", str(kept))
        assert (code, restored["data"]["keys"]) == (0, None)
        tmd.start()
        tmd.until(lambda: tmd.data()["halted"])
        assert standing(tmd, order) in {"live", "pending_cancel", "cancelled"}
        found = tmd.ask(Reconcile(), key="look")
        if found.exit is Exit.FINDINGS:
            assert tmd.ask(AcceptDifference("adjustment", "restored"), key="a").ok
        assert tmd.ask(Resume("compared", "ann"), key="go").ok
        tmd.ready()
        assert tmd.ask(rest, key="rest").replayed
        assert tmd.stop() == 0
        sent = tmd.rows("SELECT order_ref, count(*) FROM orders GROUP BY 1", file="paper.db")
        assert sorted(n for _, n in sent) == [1, 1]
        assert tmd.verified().ok
