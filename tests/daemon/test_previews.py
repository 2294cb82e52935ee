"""daemon/previews.py: whatever becomes of asking the broker, a plan is made, and says why."""

from contextlib import asynccontextmanager

from daemon.brokers.custodian import Custodian
from daemon.previews import Previews
from state.command import MakePlan, MakePreviewedPlan
from state.plan import Preview
from tests.desk import desk
from tests.given import cause


class Oracle(Custodian):
    """A broker that says something beforehand, and counts how often it was asked."""

    paused, asked, error = "", 0, None

    async def preview(self, orders):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return tuple(Preview(order.symbol, order.quantity, warning="told") for order in orders)


async def at_once(answer, seconds):
    return await answer


async def stopping(answer, seconds):
    answer.close()


@asynccontextmanager
async def asking(state, within=at_once):
    """Yield a broker, and how a plan of two orders is asked about at it."""
    async with desk(state) as one:
        await one.close(50, 100)
        broker = Oracle(one.paper)
        previews = Previews(one.engine, one.store, broker, within)

        async def said():
            asked = await previews.asked(MakePlan(), cause("p"))
            assert isinstance(asked, MakePreviewedPlan)
            assert [told.symbol for told in asked.previews] == ["KO", "PG"]
            return {told.unknown or told.warning for told in asked.previews}

        yield broker, said


async def test_what_the_broker_says_is_told(tmp_path):
    async with asking(tmp_path) as (broker, said):
        assert await said() == {"told"}
        assert broker.asked == 1


async def test_an_unforeseen_error_is_a_reason_and_in_the_log(tmp_path, caplog):
    async with asking(tmp_path) as (broker, said):
        broker.error = ZeroDivisionError("detail")
        assert await said() == {"not known, because asking failed, see the log: ZeroDivisionError"}
        assert [record.message for record in caplog.records] == ["preview_failed"]
        assert "detail" in caplog.text


async def test_in_a_pause_the_broker_is_not_asked(tmp_path):
    async with asking(tmp_path) as (broker, said):
        broker.paused = "the gateway restarts"
        assert await said() == {"not known, because the gateway restarts"}
        assert broker.asked == 0


async def test_a_daemon_that_stops_waits_for_no_answer(tmp_path):
    async with asking(tmp_path, stopping) as (_, said):
        assert await said() == {"not known, because the daemon is stopping"}
