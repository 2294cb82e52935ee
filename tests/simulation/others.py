"""What happens at the venue that nobody here asked for: orders by hand, and trades put right later.

The venue's book is the shipped one. Others' orders have negative numbers in it, for the numbers of
another client are no numbers of ours.
"""

from decimal import Decimal as D

from msgspec.structs import replace

from daemon.brokers.paper_account import Changes, PaperOrder, Step, report
from daemon.brokers.paper_rows import exact, moment
from state.command import RecordFill

LATEST = """
SELECT broker_oid, n, execution_id, order_id, e.symbol, e.quantity_u, price_u, fee_u, traded_us
FROM executions e JOIN orders USING (broker_oid) ORDER BY booked_us DESC, broker_oid, n LIMIT 2
"""
PUT_RIGHT = """
UPDATE executions SET price_u = ?1, amount_u = ?2, fee_u = ?3 WHERE broker_oid = ?4 AND n = ?5
"""
CENT = 10_000  # micros


class Others:
    """Somebody who buys by hand on the same account, and the back office of the venue."""

    def __init__(self, chance):
        self.chance = chance
        self.given = 0
        self.revisions = {}  # by execution: how often it was put right, as the venue's book has it

    def watched(self, venue):
        """Let a venue that was opened tell revisions with its executions, as of the same moment."""
        read = venue._file.read

        async def revised(question):
            return await read(lambda connection: self._revised(*question(connection)))

        venue._file.read = revised
        return venue

    def _revised(self, orders, executions):
        known = self.revisions
        return orders, tuple(
            replace(fill, revision=known.get(fill.execution_id, 0)) for fill in executions
        )

    async def order(self, venue, close, session):
        """Give an order by hand, for the session after a close."""
        self.given += 1
        bar, name = self.chance.pick(close.bars), f"EXT.P-{self.given}"
        limit = self.chance.pick([D("0.98"), D("1.01"), None])
        order = PaperOrder(
            broker_oid=-self.given,
            order_ref=name,
            order_id=name,
            symbol=bar.symbol,
            quantity=D(self.chance.whole(1, 60)),
            limit_price=None if limit is None else (limit * bar.close).quantize(D("0.01")),
            session=session,
            created_at=close.at,
            touched=close.at,
        )

        async def given():
            changes = Changes(venue._book)
            changes.order(order)
            changes.reports.append(report(order))
            await venue._write(lambda _: changes.step)

        await venue._file.exclusively(given)

    async def put_right(self, venue):
        """Correct price and fee of one of the latest trades, some twice: a little for the worse.

        That nobody is made richer by it keeps what equity can at most have become simple.
        """
        for _ in range(self.chance.pick([2, 1])):
            await venue._file.exclusively(
                lambda: venue._write(lambda db: self._put_right(venue, db))
            )

    def _put_right(self, venue, connection):
        latest = connection.execute(LATEST).fetchall()
        if not latest:
            return Step(venue._book)
        oid, n, execution, order_id, symbol, units, price, fee, traded = self.chance.pick(latest)
        worse = self.chance.whole(0, 30) * CENT
        price += worse if units > 0 else -worse
        fee += self.chance.whole(0, 300) * CENT
        (before,) = connection.execute("SELECT cash_u FROM cash").fetchone()
        connection.execute(PUT_RIGHT, (price, units * price // 1_000_000, fee, oid, n))
        (after,) = connection.execute("SELECT cash_u FROM cash").fetchone()
        revision = self.revisions[execution] = self.revisions.get(execution, 0) + 1
        fill = RecordFill(
            execution,
            order_id,
            symbol,
            exact(units),
            exact(price),
            exact(fee),
            moment(traded),
            revision=revision,
        )
        account = replace(venue._book, cash=venue._book.cash + exact(after - before))
        return Step(account, reports=(fill,))


def by_hand(order_id):
    """Return whether an order is somebody else's."""
    return order_id.startswith("EXT.")
