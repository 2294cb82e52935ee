"""`tmd`: own the state until told to stop. Runs in the foreground and logs to stderr."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from control.address import (
    AddressInvalid,
    configuration_file,
    socket_path,
    state_directory,
)
from control.version import VERSION
from daemon.clock import SystemClock
from daemon.logs import start_logging
from daemon.pool import still_working
from daemon.watchdog import watched
from state.configuration import DEMO, Effective, decode, shown
from state.duration import seconds
from state.given import ConfigurationInvalid, Problem

if TYPE_CHECKING:
    from daemon.life import Life

log = logging.getLogger(__name__)


class End(IntEnum):
    """How the daemon ends; service managers branch on it, so a code is never renumbered."""

    CLEAN = 0
    FAILED = 1
    BAD_CONFIGURATION = 7
    STATE_HELD = 9
    JOURNAL_UNFIT = 13  # don't restart: a human must look
    COMMIT_IN_DOUBT = 14  # restart: recovery decides


class Arguments(msgspec.Struct, frozen=True):
    """What was said on the command line."""

    config: str | None
    state: str | None
    check: bool
    demo: bool


def parsed(argv: Sequence[str]) -> Arguments:
    """Return the arguments; prints help, version and usage errors itself, and leaves."""
    parser = argparse.ArgumentParser(
        prog="tmd",
        description="Keep a portfolio where it should be. Steer it with `tm`.",
        epilog="Try it: `tmd --demo`, then `tm status` in another terminal.",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration, TOML (TM_CONFIG)")
    parser.add_argument("--state", metavar="DIR", help="where the journal lives (TM_STATE)")
    parser.add_argument("--check", action="store_true", help="validate the configuration and leave")
    parser.add_argument(
        "--demo", action="store_true", help="bundled real prices, paper broker, nothing to fill in"
    )
    parser.add_argument("--version", action="version", version=f"tmd {VERSION}")
    given = parser.parse_args(argv)
    return Arguments(given.config, given.state, given.check, given.demo)


def configured(arguments: Arguments, env: Mapping[str, str]) -> Effective:
    """Return the effective configuration; raises ConfigurationInvalid."""
    if arguments.demo:
        return decode(DEMO, "built-in", env)
    path = configuration_file(arguments.config, env, os.path.exists)
    if path is None:
        return decode("", "nothing", env)
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        problem = Problem(path, "", f"the configuration can't be read: {e}", "see `tmd --help`")
        raise ConfigurationInvalid([problem]) from e
    return decode(text, path, env)


def run(argv: Sequence[str] | None = None) -> None:
    """Be `tmd`, and end the process with one of `End`'s codes."""
    arguments = parsed(sys.argv[1:] if argv is None else argv)
    try:
        effective = configured(arguments, os.environ)
    except ConfigurationInvalid as e:
        sys.stderr.write("".join(f"error: {problem}\n" for problem in e.problems))
        raise SystemExit(End.BAD_CONFIGURATION) from e
    start_logging(effective.settings.telemetry.log_level)
    state = Path(state_directory(arguments.state, os.environ, os.path.isdir))
    leave(ended(arguments, effective, state))


def leave(end: End) -> NoReturn:
    """End the process, at once where a thread still works.

    Python would end such a thread in the middle of its C++, and that aborts the process.
    """
    if still_working():
        logging.shutdown()
        sys.stderr.flush()
        os._exit(end)
    raise SystemExit(end)


def reload(arguments: Arguments, before: Effective, again: Callable[[], None]) -> None:
    """Take over the log level, and what `again` reads again. Say what needs a restart."""
    again()
    try:
        now = configured(arguments, os.environ)
    except ConfigurationInvalid as e:
        log.error("reload_refused", extra={"problems": list(map(str, e.problems))})  # noqa: TRY400
        return
    logging.getLogger().setLevel(now.settings.telemetry.log_level.upper())
    was, values = shown(before), shown(now)
    changed = [key for key in values if values[key]["value"] != was[key]["value"]]
    waiting = [key for key in changed if key != "telemetry.log_level"]
    log.info("reloaded", extra={"changed": changed, "need_a_restart": waiting})


def ended(arguments: Arguments, effective: Effective, state: Path) -> End:
    """Run until signalled and return how it ended; with --check only look at what would run."""
    from daemon.life import Life

    try:
        socket = socket_path(None, effective.settings.control.socket, os.environ, os.path.isdir)
        life = Life(effective, state, socket)
        if arguments.check:
            sys.stderr.write(f"the configuration is valid: {life.described()}\n")
            if caution := life.cautioned():
                sys.stderr.write(f"warning: {caution}\n")
            return End.CLEAN
        asyncio.run(lived(life, partial(reload, arguments, effective, life.entrance.reload)))
    except Exception as e:  # noqa: BLE001 every end has a code and a reason
        return verdict(e)
    return End.CLEAN


def verdict(failure: Exception) -> End:
    """Say why the daemon ended, and return the code that tells what to do about it."""
    from daemon.brokers.ib.arming import LiveNotArmed, StateBelongsElsewhere
    from daemon.brokers.ib.configured import GatewayImpossible
    from daemon.brokers.paper_book import BookRefused
    from daemon.calendar import CalendarUnknown
    from daemon.feeds.opening import FeedImpossible
    from daemon.feeds.prices import PriceFileInvalid
    from daemon.lock import StateHeld, UnsafeFileSystem
    from daemon.mqtt_link import LinkImpossible
    from daemon.permit import ReplayedLive
    from daemon.socket_file import SocketUnusable
    from state.journal import CommitInDoubt, UnfitJournal
    from strategies.inference import EngineUnavailable
    from strategies.plugin import StrategyUnusable

    misconfigured = (
        AddressInvalid,
        CalendarUnknown,
        ConfigurationInvalid,
        EngineUnavailable,
        FeedImpossible,
        GatewayImpossible,
        LinkImpossible,
        LiveNotArmed,
        PriceFileInvalid,
        ReplayedLive,
        SocketUnusable,
        StateBelongsElsewhere,
        StrategyUnusable,
        UnsafeFileSystem,
    )
    ends: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], End]] = (
        (CommitInDoubt, End.COMMIT_IN_DOUBT),
        ((UnfitJournal, BookRefused), End.JOURNAL_UNFIT),
        (StateHeld, End.STATE_HELD),
        (misconfigured, End.BAD_CONFIGURATION),
    )
    reasons = tuple(leaves(failure))
    for kind, end in ends:
        if expected := [reason for reason in reasons if isinstance(reason, kind)]:
            sys.stderr.write(f"error: {expected[0]}\n")
            return end
    log.critical("failed", exc_info=failure)
    return End.FAILED


def leaves(failure: BaseException) -> Iterator[BaseException]:
    """Yield the single failures of a group of any depth."""
    if isinstance(failure, BaseExceptionGroup):
        for one in failure.exceptions:
            yield from leaves(one)
    else:
        yield failure


async def lived(life: "Life", reload: Callable[[], object] = bool) -> None:
    """Run a life until SIGINT or SIGTERM; SIGHUP reloads what can be reloaded."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    async with watched(SystemClock(), seconds(life.settings.telemetry.stall)):
        await life.run(stop)


if __name__ == "__main__":
    run()
