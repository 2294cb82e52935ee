"""Everything between a connection and the handlers, made of the configuration."""

from collections.abc import Awaitable, Callable

from control.protocol import Reply
from control.request import Request
from daemon.authority import Authority
from daemon.door import Door
from daemon.engine import Engine
from daemon.gate import Gate
from daemon.principal import Caller
from daemon.seams import Clock
from daemon.tls import Certificates
from daemon.trail import Trail
from state.settings import Control


class Entrance:
    """Who may come in: read at once, so that what is wrong with it is said before anything runs."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.authority = Authority(control)
        self._tls = Certificates(control) if control.tcp else None

    def reload(self) -> None:
        """Read roles and certificates again."""
        self.authority.reload()
        if self._tls is not None:
            self._tls.reload()

    def opened(
        self, engine: Engine, handle: Callable[[Request, Caller], Awaitable[Reply]], clock: Clock
    ) -> tuple[Gate, Trail, Door | None]:
        """Return the gate before `handle`, the trail of denials, and the way in over TCP if any."""
        trail = Trail(engine, clock)
        gate = Gate(handle, self.authority, trail, clock, self._control)
        if self._tls is None:
            return gate, trail, None
        return gate, trail, Door(self._control.tcp, self._tls, self.authority, trail, clock)
