"""One request of each right, asked in turn; as a program, for a container that has our image.

`python rights.py WHO` asks where TM_SOCKET says, all but the last, and writes each reply's exit
code and error as one JSON list.
"""

import json
import os
import sys

from control.client import ask
from control.options import Options
from control.protocol import (
    Asked,
    Audit,
    Await,
    Backup,
    Beliefs,
    DryRun,
    Events,
    Evolution,
    Explain,
    Fills,
    Genomes,
    Health,
    Orders,
    Ping,
    Portfolio,
    Query,
    Reconcile,
    ReconcileStatement,
    Report,
    ResumeEvolution,
    ShowConfig,
    ShowLimits,
    StartEvolution,
    Status,
    Verify,
)
from control.session import JOURNALED, Session
from state.authority import right_of
from state.command import (
    AcceptDifference,
    ApprovePlan,
    CancelEvolution,
    CancelOrders,
    ChangeLimits,
    ExecutePlan,
    ExpectDifference,
    Halt,
    MakePlan,
    MoveCash,
    Promote,
    Rebalance,
    RejectPlan,
    Resume,
    Rollback,
    Shutdown,
    SubmitOrder,
)

ASKED = [  # the last one is the last
    *(Ping(), Status(), Health(), Portfolio(), Orders(), Fills(), DryRun(), Audit(), Report()),
    *(Events(limit=1), Verify(), ShowConfig(), ShowLimits(), Await("nobody"), Beliefs()),
    *(MakePlan(), ApprovePlan("x"), RejectPlan("x"), ExecutePlan("x"), Rebalance()),
    *(
        SubmitOrder("buy", "KO", 1),
        CancelOrders(),
        Reconcile(),
        ReconcileStatement("<none/>"),
        Backup("/tmp/x"),
    ),
    *(ChangeLimits(("max_gross=0.9",), "why"), ChangeLimits(("max_gross=1",), "why", "ann")),
    *(
        Evolution(),
        Genomes(),
        Explain("x"),
        StartEvolution(population=1),
        ResumeEvolution("x"),
        CancelEvolution("x"),
    ),
    *(Promote("x", "why", "ann"), Rollback("why", "ann")),
    *(
        MoveCash("deposit", 1),
        AcceptDifference("deposit", "why"),
        ExpectDifference("deposit", "why", 1),
    ),
    *(Halt("drill"), Halt("drill", flatten=True), Resume("over", "ann"), Shutdown()),
]

CREDENTIALS = ("token_file", "tls_ca", "tls_cert", "tls_key")


def keyless(question) -> bool:
    """Whether a question takes no key."""
    return isinstance(question, Query) and not isinstance(question, JOURNALED)


def main(who: str) -> None:
    """Ask all but the last through the client, under keys of `who`."""
    said = {one: os.environ.get(f"TM_{one.upper()}") for one in CREDENTIALS}
    session = Session("rights", Options(timeout=30.0, **said))
    address, credentials = session.address(), session.credentials()
    told = []
    for n, question in enumerate(ASKED[:-1]):
        key = None if keyless(question) else f"{who} {n} {right_of(question)}"
        reply = ask(address, Asked(question, key=key), 30.0, credentials=credentials)
        told.append({"exit": reply.exit, "code": reply.error.code if reply.error else ""})
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
