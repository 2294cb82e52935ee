"""The gate of the control socket: who may not is told so, on record; who may is answered."""

from collections.abc import Awaitable, Callable
from typing import Final

from control.protocol import Exit, Fault, Reply
from control.request import Request
from daemon.authority import Authority
from daemon.identity import digest_of
from daemon.principal import Caller, Peer, Principal
from daemon.rates import Rates
from daemon.seams import Clock
from daemon.trail import Trail
from state.authority import op_of
from state.command import RecordDenial
from state.settings import Control

URGENT: Final = frozenset({"halt", "cancel"})  # they only cut risk, so no rate holds them up


class Gate:
    """Stands before the handlers: rights first, then the rate."""

    def __init__(
        self,
        handle: Callable[[Request, Caller], Awaitable[Reply]],
        authority: Authority,
        trail: Trail,
        clock: Clock,
        control: Control,
    ) -> None:
        self._handle, self._authority, self._trail = handle, authority, trail
        self._clock, self._most = clock, control.requests_per_second
        self._rates = Rates(self._most)

    async def handle(self, request: Request, who: Peer) -> Reply:
        """Answer a request of somebody, if it is theirs to make."""
        ask, uid = request.ask, who.uid if isinstance(who, Principal) else None
        grant, verdict = self._authority.judge(ask, who)
        op = op_of(ask)
        if op not in URGENT and not self._rates.take(grant.name, self._clock.mono()):
            why = f"{grant.name} asks more than {self._most} times a second"
            busy = Fault("BUSY", why, "ask again shortly, with the same key")
            return Reply(op, False, "busy", Exit.NOT_READY, error=busy, key=request.key)
        if verdict.why:
            rule = f"{verdict.right}: {grant.role.word}: {grant.rule}"
            await self._trail.denied(RecordDenial(grant.name, uid, op, digest_of(ask), rule))
            error = Fault("NOT_AUTHORISED", verdict.why, verdict.hint)
            return Reply(
                op, False, "not_authorised", Exit.NOT_AUTHORISED, error=error, key=request.key
            )
        rule = f"{verdict.right}: {grant.role.word}: {grant.rule}"
        return await self._handle(request, Caller(grant.name, uid, rule, grant.caps))
