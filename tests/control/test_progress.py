"""Long work seen at a terminal: a bar for a person, and nothing for programs."""

import os
import pty
import subprocess
import sys

from msgspec.structs import replace

from tests.control.samples import REPLIES, RUN
from tests.control.scripted import serving
from tests.control.terminal import tm

TM = [sys.executable, "-c", "import sys; from control.cli import main; sys.exit(main())"]


def breeding(stages):
    """A daemon whose run goes through some stages, a step at each question, and is over then."""
    left = list(stages)

    async def handle(request, principal):
        reply = REPLIES["evolution"]
        if not left or getattr(request.ask, "wait", False):
            return reply
        stage, generation = left.pop(0)
        running = {"status": "running", "stage": stage, "generation": generation, "generations": 9}
        return replace(reply, data=RUN | running)

    return handle


def test_a_person_who_waits_for_a_run_sees_how_far_it_is(tmp_path):
    stages = [("perception", 2), ("money", 0), ("money", 5)]
    with serving(tmp_path / "s", breeding(stages)) as daemon:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*TM, "evolve", "wait", "--socket", daemon.path],
            stdout=theirs, stderr=theirs, stdin=theirs,
        )  # fmt: skip
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65_536):
                seen += piece
        except OSError:  # how a pty says that the other end is gone
            pass
        code = process.wait()

    assert code == REPLIES["evolution"].exit
    for part in (b"perception, generation 2", b"money, generation 5", b"#", b"judged", b"run1"):
        assert part in seen


def test_a_program_sees_no_bar(tmp_path):
    with serving(tmp_path / "s", breeding([])) as daemon:
        ran = tm("evolve", "wait", "--json", "--socket", daemon.path)

    assert ran.merged.count("\n") == 1
    assert ran.envelope["data"]["run_id"] == "run1"
