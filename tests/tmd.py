"""A real `tmd` in a process of its own: started, asked, stopped and killed."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec

from control.client import NoReply, ask
from control.protocol import Asked, Health, Portfolio, Reply, Status
from daemon.calendar import open_calendar
from daemon.calendar_file import keep
from daemon.life import CALENDAR
from state.integrity import Verified, verify
from state.journal import reader

ROOT = Path(__file__).parent.parent
TMD = Path(sys.executable).with_name("tmd")
DEADLINE = 60.0  # seconds that something which takes one may take

# A test that names no strategy is spared the seconds in which jax is imported.
UNMINDED = """
[strategy]
name = "inverse_volatility"
"""
# Closes come quickly, and no limit is in the way of a test that is about something else.
CONFIGURATION = """\
[replay]
start = 1990-01-02
pace = {pace}
[risk]
max_position_weight = 1.0
max_order_notional = "100000000"
max_orders_per_minute = 1000000
max_day_orders = 1000000
max_day_turnover = 100.0
max_day_loss = 1.0
max_drawdown = 1.0
[control]
connections_each = 512
requests_per_second = 1000000
"""


@cache
def calendar() -> bytes:
    """The calendar that a first start would compute for a second, and keep in the state."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / CALENDAR
        keep(file, open_calendar("XNYS"))
        return file.read_bytes()


def verified(journal: Path, noted: str = "") -> Verified:
    """Check a journal as `tm verify --journal JOURNAL --head NOTED` does."""
    with closing(reader(journal)) as db:
        return verify(db, noted)


class Gone(Exception):
    """The daemon ended while it was waited for."""


class Tmd:
    """One daemon's folder: its configuration, state, socket and log, and its process if any."""

    def __init__(self, folder: Path, configuration: str | None = None, *, pace: float = 20):
        folder.mkdir(exist_ok=True)
        self.folder, self.state = folder, folder / "state"
        self.socket, self.log = str(folder / "s"), folder / "log"
        self.file = folder / "config.toml"
        text = CONFIGURATION.format(pace=pace) if configuration is None else configuration
        self.file.write_text(text if "[strategy]" in text else text + UNMINDED)
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Tmd":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    @property
    def environment(self) -> dict[str, str]:
        """What a daemon needs of the outside, and nothing of whoever runs the test."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TM_SOCKET": self.socket,
            "OPENBLAS_NUM_THREADS": "1",
            **({} if "[telemetry]" in self.configured() else {"TM_TELEMETRY__HTTP": ""}),
        }

    def configured(self) -> str:
        """The configuration's text, empty where a test took the file away."""
        return self.file.read_text() if self.file.exists() else ""

    def launch(self, *arguments: str, under: tuple[str, ...] = ()) -> subprocess.Popen:
        """Start a process on this folder; `under` is a command that runs another one."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*under, TMD, "--config", self.file, "--state", self.state, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self, *arguments: str, under: tuple[str, ...] = ()) -> "Tmd":
        """Start the daemon, and return at once."""
        self.prepare()
        self.process = self.launch(*arguments, under=under)
        return self

    def prepare(self) -> None:
        """Spare a first start what is no test's business."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        if not (self.state / CALENDAR).exists():
            (self.state / CALENDAR).write_bytes(calendar())

    def ready(self) -> "Tmd":
        """Return once a command to trade would be decided."""
        self.until(lambda: self.ask(Health(), timeout=1).ok)
        return self

    def until(self, true, deadline: float = DEADLINE):
        """Return the first true answer of `true()`; raise Gone when the daemon ends before."""
        end = time.monotonic() + deadline
        while True:
            try:
                if found := true():
                    return found
            except NoReply as e:
                why = e
            else:
                why = "it is not so yet"
            if self.process is not None and self.process.poll() is not None:
                raise Gone(f"exit code {self.process.returncode}: {self.said()[-2000:]}")
            assert time.monotonic() < end, f"{why}: {self.said()[-2000:]}"
            time.sleep(0.02)

    def ask(self, what: msgspec.Struct, timeout: float = DEADLINE, **how: object) -> Reply:
        """Ask as the client does."""
        return ask(self.socket, Asked(what, **how), timeout)

    def data(self, what: msgspec.Struct = Status()):  # noqa: B008
        """The data of an answer that is one."""
        reply = self.ask(what)
        assert reply.ok, reply
        return reply.data

    def books(self) -> dict:
        """What is held and what it is worth, without the time it was asked at."""
        return self.data(Portfolio())

    def connected(self) -> "Tmd":
        """Start it, and return once its feed is connected."""
        self.start().until(lambda: self.data()["feed"]["connected"])
        return self

    def kill(self) -> None:
        """End it as a power cut would, but for the disk's own memory."""
        self.process.kill()
        self.process.wait()

    def stop(self, deadline: float = DEADLINE) -> int:
        """Ask it to stop as service managers do, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(deadline)

    def ended(self, deadline: float = DEADLINE) -> int:
        """Return the exit code of a daemon that ends by itself."""
        return self.process.wait(deadline)

    def said(self) -> str:
        """What it logged so far, in all its lives."""
        return self.log.read_text() if self.log.exists() else ""

    def verified(self, noted: str = "") -> Verified:
        """Check the journal, daemon or no daemon."""
        return verified(self.state / "journal.db", noted)

    def rows(self, sql: str, *parameters: object, file: str = "journal.db") -> list[tuple]:
        """Read from the journal or, with `file`, from the paper broker's book."""
        db = sqlite3.connect(f"file:{self.state / file}?mode=ro", uri=True)
        try:
            return db.execute(sql, parameters).fetchall()
        finally:
            db.close()
