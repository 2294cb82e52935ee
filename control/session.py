"""One run of `tm`: what was asked for on the command line, and how its answer is told."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

import msgspec
import typer
from msgspec.structs import replace

from control.address import AddressInvalid, client_address, configuration_file, state_directory
from control.airflow import TaskUnnamed, task_key, under_airflow
from control.client import NoReply, ask
from control.key import checked, fresh
from control.options import Options
from control.progress import CLEAR, elapsed
from control.protocol import (
    Asked,
    Backup,
    Exit,
    Fault,
    Orders,
    Query,
    Reconcile,
    ReconcileStatement,
    Reply,
    ResumeEvolution,
    StartEvolution,
)
from control.render import Ink
from control.stop import ToldToStop, told_to_stop
from control.telling import Page, Telling
from control.tls import NONE, Credentials, CredentialsInvalid, credentials
from control.when import seconds, zoned

QUICK: Final = 10.0  # seconds a question may take
JOURNALED: Final = (  # what takes a key
    *(Reconcile, ReconcileStatement, Backup),
    *(StartEvolution, ResumeEvolution),
)
PATIENT: Final = 60.0  # seconds a command, or a long question
UNDOING: Final = 3.0  # seconds for each step of undoing: docker kills ten after it has asked


class Given:
    """What the command line said so far; the session is known once the command is."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.session: Session | None = None


class Session:
    """Asks for one command, and ends the program with what came of it."""

    def __init__(self, command: str, options: Options) -> None:
        self.command, self.options = command, options
        self._telling = Telling(command, options)

    def answer(
        self,
        question: msgspec.Struct,
        page: Page,
        *,
        timeout: float = QUICK,
        wait: bool = False,
        judge: Callable[[Reply], Reply] = lambda reply: reply,
    ) -> NoReturn:
        """Ask, tell, and end. `page` is for people; `judge` may find fault with the reply."""
        self.finish(judge(self.ask(question, timeout=timeout, wait=wait)), page)

    def ask(self, question: msgspec.Struct, *, timeout: float = QUICK, wait: bool = False) -> Reply:
        """Return the reply to a question or command; raise NoReply.

        With `wait` the daemon may take nearly as long as the timeout to see orders final.
        """
        limit = self.options.timeout or timeout
        patience = limit - min(2.0, limit / 10) if wait else 0.0
        request: Asked[Any] = Asked(question, wait=patience)
        if isinstance(question, Query) and not isinstance(question, JOURNALED):
            return self._asked(request, limit)
        own = self._own_key()
        request = self.keyed(request, own)
        if own is None and (late := lateness(self.command, request)) is not None:
            return late  # of a key used before only the daemon knows what became of it
        try:
            with told_to_stop():
                return self._asked(request, limit)
        except (KeyboardInterrupt, ToldToStop):
            done = self._unsent_cancelled(request) if self.options.on_kill == "cancel" else ""
            message = f"interrupted: whether it took effect is unknown, and it goes on{done}"
            hint = f"`tm wait '{request.key}'` re-attaches; or ask again with the same key"
            raise NoReply(Exit.PENDING, "OUTCOME_PENDING", message, hint) from None

    def _asked(self, request: Asked[Any], timeout: float) -> Reply:
        """Ask the daemon. A task of Airflow waits for one that isn't there; a person is told."""
        patient = under_airflow(os.environ)
        with elapsed(f"tm: {self.command}", watched=self.watched and timeout >= PATIENT):
            return ask(
                self.address(),
                request,
                timeout,
                credentials=self.credentials(),
                patient=patient,
                notice=self.progress,
            )

    def _unsent_cancelled(self, request: Asked[Any]) -> str:
        """Cancel the orders of a request that no broker has seen; return what to say of it."""
        from state.command import CancelOrders

        try:
            who = self.credentials()
            open_ = ask(self.address(), Asked(Orders(open_only=True)), UNDOING, credentials=who)
            unsent = [
                one["order_id"]
                for one in (open_.data or {}).get("orders", ())
                if one["key"] == request.key and one["status"] == "pending"
            ]
            for order in unsent:
                undo: Asked[Any] = Asked(CancelOrders(order), key=fresh("cancel"))
                ask(self.address(), undo, UNDOING, credentials=who)
        except NoReply as e:
            return f"; its orders could not be cancelled: {e}"
        return f"; cancelled before they were sent: {', '.join(unsent) or 'none'}"

    def _own_key(self) -> str | None:
        """Return the key that was given, or that of the task of Airflow this is; else None."""
        try:
            given = self.options.key  # an empty one is a mistake, not a wish for a fresh one
            return task_key(os.environ, self.command) if given is None else given
        except TaskUnnamed as e:
            hint = "set it in the task's `environment`, which Airflow fills in; or give a --key"
            raise NoReply(Exit.INVALID, "INVALID_KEY", str(e), hint) from e

    def keyed(self, request: Asked[Any], key: str | None) -> Asked[Any]:
        """Return a request under its key; a fresh one is printed before it is used."""
        if key is None:
            key = fresh(self.command)
            if not self.options.xcom:
                sys.stderr.write(f"key: {key}\n")
                sys.stderr.flush()
        scheduled_for, max_lateness = self._schedule()
        return replace(
            request, key=checked(key), scheduled_for=scheduled_for, max_lateness=max_lateness
        )

    def _schedule(self) -> tuple[datetime | None, float | None]:
        """Return when the run was meant to begin, and how many seconds late it may be."""
        options = self.options
        if options.scheduled_for is None and options.max_lateness is None:
            return None, None
        if options.scheduled_for is None or options.max_lateness is None:
            raise typer.BadParameter("--scheduled-for and --max-lateness belong together")
        return zoned(options.scheduled_for), seconds(options.max_lateness)

    def address(self) -> str:
        """Return where the daemon listens; raise NoReply for an address that is none."""
        env = os.environ
        given = self.options.socket
        try:
            configured = "" if given or env.get("TM_SOCKET") else configured_socket()
            return client_address(given, configured, env, os.path.exists)
        except AddressInvalid as e:
            hint = "see --socket in `tm --help`"
            raise NoReply(Exit.INVALID, "INVALID_ADDRESS", str(e), hint) from e

    def credentials(self) -> Credentials:
        """Return how to say who asks, over TCP; raise NoReply for what can't be read."""
        if not self.address().startswith("tcp://"):
            return NONE
        o = self.options
        try:
            return credentials(o.token_file, o.tls_ca, o.tls_cert, o.tls_key, os.environ)
        except CredentialsInvalid as e:
            raise NoReply(e.exit, e.fault.code, str(e), e.fault.hint) from e

    def state(self) -> str:
        """Return the daemon's state directory, where it can be known without asking it."""
        return state_directory(None, os.environ, os.path.exists)

    @property
    def watched(self) -> bool:
        """Return whether a person at a terminal sees what is going on."""
        return sys.stderr.isatty() and not (self.options.xcom or self.options.json)

    def progress(self, text: str) -> None:
        """Tell a person at a terminal what is going on; nobody else."""
        if sys.stderr.isatty() and not self.options.xcom:
            sys.stderr.write(f"{CLEAR}tm: {text}\n")

    def finish(self, reply: Reply, page: Page, *, kept: bool = False) -> NoReturn:
        """Tell a reply in the way that was asked for, and end with its exit code.

        `kept` says that the file of --output is written already.
        """
        self._telling.finish(reply, page, kept=kept)

    def ink(self, reply: Reply) -> Ink:
        """Return how to write for whoever reads stdout."""
        return self._telling.ink(reply)


def session(context: typer.Context) -> Session:
    """Return the session of a command: what was said before and after its name."""
    given: Given = context.obj
    given.session = Session(context.info_name or "tm", Options(**given.values))
    return given.session


def lateness(command: str, request: Asked[Any]) -> Reply | None:
    """Return the reply to a run that comes too late, None for one in time."""
    if request.scheduled_for is None or request.max_lateness is None:
        return None
    late = datetime.now(UTC) - request.scheduled_for
    if late <= timedelta(seconds=request.max_lateness):
        return None
    message = (
        f"the run was scheduled for {request.scheduled_for.isoformat()}, {late} ago, and may be "
        f"at most {request.max_lateness:g} s late"
    )
    fault = Fault("TOO_LATE", message, "nothing was done; the next scheduled run decides anew")
    return Reply(command, True, "skipped", Exit.NOTHING, error=fault, key=request.key)


def configured_socket() -> str:
    """Return what the configuration says of the socket; a file that can't be read says nothing."""
    if named := os.environ.get("TM_CONTROL__SOCKET"):
        return named
    path = configuration_file(None, os.environ, os.path.exists)
    if path is None:
        return ""
    import tomllib

    try:
        with open(path, "rb") as file:
            control = tomllib.load(file).get("control", {})
    except PermissionError:
        return ""
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise AddressInvalid(path, f"the configuration can't be read: {e}") from e
    return str(control.get("socket", "")) if isinstance(control, dict) else ""
