"""The broker's truth, and whether it holds together."""

from __future__ import annotations

from collections import defaultdict

from tests.ib.gateway.domain import Instrument, Order, Truth


class Telling:
    """Says what is really held."""

    def order(
        self,
        ref: str | None = None,
        perm_id: int | None = None,
        client_id: int | None = None,
        order_id: int | None = None,
    ) -> Order:
        for o in reversed(self.orders):
            if (
                (ref is None or o.ref == ref)
                and (perm_id is None or o.perm_id == perm_id)
                and (client_id is None or o.client_id == client_id)
                and (order_id is None or o.order_id == order_id)
            ):
                return o
        raise KeyError(f"no such order: {ref or perm_id or order_id}")

    def truth(self, account: str | None = None) -> Truth:
        a = self.accounts[account or self.default_account]
        pos = {self.label(self.by_id[k]): p.qty for k, p in a.positions.items() if p.qty}
        return Truth(
            pos,
            dict(a.cash),
            dict(a.commissions),
            [e for e in self.executions if not e.superseded and e.order.account == a.name],
            [o for o in self.orders if o.account == a.name],
            list(self.received),
        )

    @staticmethod
    def label(i: Instrument) -> str:
        return i.symbol if i.currency == "USD" else f"{i.symbol}.{i.currency}"

    def check(self) -> None:
        """Recompute the ledger from the executions; raises if the books do not balance."""
        for a in self.accounts.values():
            pos = defaultdict(float, {k: q for k, (q, _) in a.start_positions.items()})
            cash = defaultdict(float, a.start_cash)
            for e in self.executions:
                if e.superseded or e.order.account != a.name:
                    continue
                pos[e.order.inst.con_id] += e.signed
                cash[e.order.inst.currency] -= e.signed * e.price + e.commission
            for cur, amount in a.cash_adjust.items():
                cash[cur] += amount
            for k, qty in a.position_adjust.items():
                pos[k] += qty
            for k, p in a.positions.items():
                assert abs(p.qty - pos[k]) < 1e-6, (
                    f"{a.name} {self.by_id[k].symbol} {p.qty} != {pos[k]}"
                )
            for c, v in a.cash.items():
                assert abs(v - cash[c]) < 1e-4, f"{a.name} cash {c} {v} != {cash[c]}"
        for o in self.orders:
            done = sum(e.qty for e in self.executions if e.order is o and not e.superseded)
            assert abs(done - o.filled) < 1e-6, (
                f"order {o.ref}: {done} executed, {o.filled} on order"
            )
