"""What the gateway says by itself, made into reports: a guess of the client's own is none."""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ib_async import Contract, Fill, Trade
from ib_async.objects import CommissionReport

from daemon.brokers.ib.executions import ReportUnreadable, exact, record
from daemon.brokers.ib.gateway import Gateway
from daemon.brokers.ib.wire_errors import Action, action
from daemon.seams import Listener
from state.command import RecordStatus, ReportKind
from state.instrument import AmountOutOfRange, Symbol
from state.order import name_of

REQUESTS: Final = 1_000_000_000  # data requests are numbered from here, and orders below
WORKING: Final = frozenset({"PendingSubmit", "ApiPending", "PreSubmitted", "Submitted", "Filled"})
ENDED: Final = frozenset({"Cancelled", "ApiCancelled"})
CANCEL_LOST: Final = frozenset({161, 10147, 10148})  # usually a fill was first: its report comes

log: Final = logging.getLogger(__name__)


class Reports:
    """Passes on what one connection hears. `doubt` is called when only a comparison can tell."""

    def __init__(
        self,
        gateway: Gateway,
        tell: Listener,
        doubt: Callable[[str], None],
        currency: str,
        name: Callable[[Contract], Symbol],
    ) -> None:
        self._gateway, self._tell, self._doubt = gateway, tell, doubt
        self._currency = currency
        self._name = name
        self.silent = False  # while the client itself changes what it shows

    def listen(self) -> None:
        """Hear everything from now on."""
        ib = self._gateway.ib
        ib.openOrderEvent += self._status
        ib.orderStatusEvent += self._status
        ib.execDetailsEvent += self._execution
        ib.commissionReportEvent += self._commission
        ib.errorEvent += self._error

    def _status(self, trade: Trade) -> None:
        """Report an order as the gateway has it; what follows from an error is told by the error.

        "Inactive" is no end: such an order may come alive again, and a comparison tells.
        """
        said = trade.orderStatus
        guessed = bool(trade.log and trade.log[-1].errorCode)
        if self.silent or guessed or not self._mine(trade.order.account):
            return
        broker_id = identity(trade)
        kind = ReportKind.CANCELLED if said.status in ENDED else ReportKind.ACCEPTED
        if not broker_id or (kind is ReportKind.ACCEPTED and said.status not in WORKING):
            return
        try:
            filled = exact(said.filled)
        except (ReportUnreadable, AmountOutOfRange) as why:
            self._doubt(f"order {broker_id}: {why}")
            return
        self._report(trade, kind, broker_id, filled)

    def _report(
        self,
        trade: Trade,
        kind: ReportKind,
        broker_id: str | None,
        filled: Decimal | None = None,
        reason: str = "",
    ) -> None:
        """Report the state of an order, under the name it has with us."""
        name = name_of(trade.order.orderRef, broker_id or "")
        self._tell(RecordStatus(name, kind, broker_id, filled, reason))

    def _execution(self, _trade: Trade, fill: Fill) -> None:
        """Report an execution."""
        if not self._mine(fill.execution.acctNumber):
            return
        try:
            self._tell(record(fill, self._name))
        except (ReportUnreadable, AmountOutOfRange) as why:
            self._doubt(f"execution {fill.execution.execId}: {why}")

    def _commission(self, trade: Trade, fill: Fill, charged: CommissionReport) -> None:
        """Report an execution again, by now with what it cost."""
        if charged.currency not in {"", self._currency}:
            why = f"execution {fill.execution.execId} was charged in {charged.currency}"
            log.critical("commission_in_another_currency", extra={"detail": why})
        self._execution(trade, fill)

    def _error(self, request: int, code: int, text: str, _contract: Contract | None) -> None:
        """Take an error about an order for what the table says."""
        if not 0 <= request < REQUESTS:
            return
        trade = self._gateway.ib.wrapper.trades.get((self._gateway.address.client_id, request))
        if trade is None:
            return
        said = f"{code}: {text}"
        match action(code):
            case Action.REJECTED:
                self._report(trade, ReportKind.REJECTED, identity(trade), reason=said)
            case Action.CANCELLED:
                self._report(trade, ReportKind.CANCELLED, identity(trade), reason=said)
            case Action.READ_AGAIN if code not in CANCEL_LOST:
                self._doubt(f"order {request}: {said}")
            case _:
                log.info("order_notice", extra={"order": request, "detail": said})

    def _mine(self, account: str) -> bool:
        """Return whether it is about our account; an order of ours may not say it yet."""
        return account in {"", self._gateway.address.account}


def identity(trade: Trade) -> str | None:
    """Return the id that the gateway gave an order, if it did."""
    perm_id = trade.order.permId or trade.orderStatus.permId
    return str(perm_id) if perm_id else None
