from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ib_async import CommissionReport, Execution, Fill, Stock
from ib_async.util import UNSET_DOUBLE

from daemon.brokers.ib.executions import ReportUnreadable, identity, record
from tests.ib.conftest import by_letters

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)


def fill(exec_id="0001.02.01.01", charged=None, **said):
    said = {"shares": 10.0, "price": 99.5, "side": "SLD", "permId": 5, "orderRef": "", **said}
    execution = Execution(execId=exec_id, time=AT, **said)
    return Fill(Stock("SPY"), execution, charged or CommissionReport(), AT)


def test_the_revision_is_what_follows_the_last_dot():
    assert identity("0001.02.01.03") == ("0001.02.01", 3)


@pytest.mark.parametrize("odd", ["", "0001", "0001.02.01.", ".1", "a.b"])
def test_an_id_without_a_revision_is_not_booked(odd):
    with pytest.raises(ReportUnreadable):
        identity(odd)


def test_the_commission_is_a_revision_and_a_correction_a_higher_one():
    paid = CommissionReport(execId="0001.02.01.01", commission=1.25)
    bare, charged, corrected = (
        record(fill(), by_letters),
        record(fill(charged=paid), by_letters),
        record(fill("0001.02.01.02"), by_letters),
    )
    assert bare.revision < charged.revision < corrected.revision
    assert (bare.fee, charged.fee) == (0, Decimal("1.25"))
    assert bare.execution_id == charged.execution_id == corrected.execution_id


def test_a_commission_not_yet_set_is_not_known():
    unset = CommissionReport(execId="0001.02.01.01", commission=UNSET_DOUBLE)
    assert record(fill(charged=unset), by_letters) == record(fill(), by_letters)


def test_an_execution_of_somebody_elses_order_has_the_brokers_name():
    told = record(fill(), by_letters)
    assert (told.order_id, told.quantity) == ("EXT.5", -10)


def test_a_side_nobody_knows_is_not_booked():
    with pytest.raises(ReportUnreadable, match="side 'SHORT'"):
        record(fill(side="SHORT"), by_letters)
