"""The wire: a 4-byte big-endian length, then one JSON object. The first exchange is a handshake."""

from collections.abc import Callable
from datetime import date, datetime
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

import msgspec

Ask = TypeVar("Ask")

SCHEMA: Final = "trade-manager/1"
PROTOCOL: Final = 1
FRAME_LIMIT: Final = 1 << 20  # bytes in one frame's body


class Exit(IntEnum):
    """Exit codes: a public interface that Airflow and scripts branch on."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_AUTHORISED = 4
    NOT_READY = 5
    REFUSED = 6
    INVALID = 7
    NOT_FOUND = 8
    CONFLICT = 9
    PENDING = 10
    PARTIAL = 11
    FINDINGS = 12
    NOTHING = 99


class Fault(msgspec.Struct, frozen=True):
    """Why there is no result: a stable code, what and which value and bound, and what to do."""

    code: str
    message: str
    hint: str = ""


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="op"):
    """The client's first frame; `token` is for who comes over TLS without a certificate."""

    protocol: int
    version: str
    token: str = ""


class Welcome(msgspec.Struct, frozen=True):
    """The daemon's first frame; `error` is why it will not talk now, and then it hangs up."""

    protocol: int
    version: str
    pid: int
    error: Fault | None = None


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """A question: it reads the snapshot or the journal and never enters the engine's queue."""


class Ping(Query, frozen=True, tag="ping"):
    """Is anybody there, and which version."""


class Status(Query, frozen=True, tag="status"):
    """One screen of what matters."""


class Health(Query, frozen=True, tag="health"):
    """The verdict as an exit code."""


class Portfolio(Query, frozen=True, tag="portfolio"):
    """Cash, positions, profit."""


class Orders(Query, frozen=True, tag="orders"):
    """Orders, newest last; `open_only` leaves the final ones out."""

    open_only: bool = False
    since: datetime | None = None
    limit: int = 500


class Fills(Query, frozen=True, tag="fills"):
    """Executions, newest last."""

    since: datetime | None = None
    limit: int = 500


class Beliefs(Query, frozen=True, tag="beliefs"):
    """What the mind believes, of one symbol or all; at a past time, or beside another one."""

    symbol: str | None = None
    at: datetime | None = None
    since: datetime | None = None


class Explain(Query, frozen=True, tag="explain"):
    """The chain behind an order, a plan or a command, by its id or key."""

    id: str


class DryRun(Query, frozen=True, tag="dry_run"):
    """A rebalance that is only computed: nothing is stored, nobody is told."""

    only: tuple[str, ...] = ()


class Reconcile(Query, frozen=True, tag="reconcile"):
    """Compare the books with the broker's now. What it finds is journaled."""


class ReconcileStatement(Query, frozen=True, tag="reconcile_statement"):
    """Compare the books with the broker's, and close with a Flex statement what is missing."""

    statement: str


class Backup(Query, frozen=True, tag="backup"):
    """Copy the journal to a file of the daemon's host, verified. That it was done is journaled."""

    file: str


class Audit(Query, frozen=True, tag="audit"):
    """Check books, limits, journal, data and disk."""


class Report(Query, frozen=True, tag="report"):
    """Performance over a period: a name such as "mtd", or from and to (ISO dates)."""

    period: str = "all"
    start: str | None = None
    end: str | None = None


class Events(Query, frozen=True, tag="events"):
    """Journal records after `since`; a follower asks again with the last `seq` it saw.

    `wait` is how many seconds the daemon may hold the answer back when there is nothing newer.
    """

    since: int = 0
    limit: int = 200
    wait: float = 0.0


class Verify(Query, frozen=True, tag="verify"):
    """Check the journal's integrity and its hash chain, and that it holds a `head` noted before."""

    head: str = ""


class ShowConfig(Query, frozen=True, tag="config_show"):
    """The effective configuration, with each value's origin."""


class ShowLimits(Query, frozen=True, tag="limits"):
    """The risk limits in force, beside those of the configuration."""


class Await(Query, frozen=True, tag="wait"):
    """Wait for a command to be over, by its key or its command id; answers with its reply."""

    id: str


class StartEvolution(Query, frozen=True, tag="evolve_start"):
    """Breed genomes over all history there is. None: as the configuration has it.

    `train_to` and `validate_to` are the last sessions that are bred on, and chosen by.
    """

    seed: int | None = None
    population: int | None = None
    generations: int | None = None
    perception_generations: int | None = None
    train_to: date | None = None
    validate_to: date | None = None


class ResumeEvolution(Query, frozen=True, tag="evolve_resume"):
    """Go on with a run that was cancelled or failed, from its last checkpoint."""

    run_id: str


class Evolution(Query, frozen=True, tag="evolution"):
    """A run of evolution, the newest when `run_id` is empty; `wait`: until it is over."""

    run_id: str = ""
    wait: bool = False
    all: bool = False


class Genomes(Query, frozen=True, tag="genomes"):
    """Who is in charge, who was, and who stands for it."""

    genome_id: str = ""


Question = (
    Ping
    | Status
    | Health
    | Portfolio
    | Orders
    | Fills
    | Beliefs
    | Explain
    | DryRun
    | Reconcile
    | ReconcileStatement
    | Backup
    | Audit
    | Report
    | Events
    | Verify
    | ShowConfig
    | ShowLimits
    | Await
    | StartEvolution
    | ResumeEvolution
    | Evolution
    | Genomes
)


class Asked(msgspec.Struct, Generic[Ask], frozen=True, forbid_unknown_fields=True):
    """One question or command, and how it is asked.

    `key` is the idempotency key of a command. `wait` is how many seconds the daemon may take to
    see the command's orders become final before it answers PENDING; 0 answers at once.
    `scheduled_for` and `max_lateness` (seconds) refuse a run that comes too late.
    """

    ask: Ask
    key: str | None = None
    wait: float = 0.0
    scheduled_for: datetime | None = None
    max_lateness: float | None = None


class Reply(msgspec.Struct, frozen=True):
    """One answer. `exit` is what the client ends with; `data` is plain JSON, money as strings.

    `zone` is the market's time zone, for those who read times rather than compute with them.
    """

    command: str
    ok: bool
    status: str
    exit: Exit
    as_of: datetime | None = None
    seq: int = 0
    data: Any = None
    error: Fault | None = None
    warnings: tuple[str, ...] = ()
    key: str | None = None
    command_id: str | None = None
    replayed: bool = False
    zone: str = "America/New_York"


encode = msgspec.json.Encoder(order="deterministic").encode
decode_hello: Callable[[bytes], Hello] = msgspec.json.Decoder(Hello).decode
decode_welcome: Callable[[bytes], Welcome] = msgspec.json.Decoder(Welcome).decode
decode_reply: Callable[[bytes], Reply] = msgspec.json.Decoder(Reply).decode


def frame(body: bytes) -> bytes:
    """Prefix `body` with its length; ValueError past the frame limit."""
    if len(body) > FRAME_LIMIT:
        raise ValueError(f"a frame of {len(body):,} bytes exceeds the limit of {FRAME_LIMIT:,}")
    return len(body).to_bytes(4, "big") + body
