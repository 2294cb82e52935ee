"""An audit may halt trading in the same command, on a breach and not on a daemon that is away."""

import json

import pytest
from msgspec.structs import replace

from control.cli import main
from control.protocol import Exit, Fault, Reply
from state.command import Halt
from tests.control.scripted import serving

HALTED = Reply("halt", True, "completed", Exit.DONE, data={"halts": []})


def audited(tmp_path, capfd, verdict, *options, halt=HALTED):
    """Run `tm audit` on a daemon with that verdict; return its end, its line, the halts asked."""
    check = {"name": "gross", "severity": verdict, "value": 1.2, "limit": 1.0, "message": "m"}
    halts = []

    async def handle(request, principal):
        if isinstance(request.ask, Halt):
            halts.append(request)
            return replace(halt, key=request.key)
        data = {"verdict": verdict, "as_of": None, "checks": [check]}
        return Reply("audit", True, "completed", Exit.DONE, data=data)

    with serving(tmp_path / "s", handle):
        end = main(["audit", "--json", "--socket", str(tmp_path / "s"), *options])
    return end, json.loads(capfd.readouterr().out.splitlines()[-1]), halts


def test_a_breach_halts_and_is_a_finding(tmp_path, capfd):
    end, said, halts = audited(tmp_path, capfd, "breach", "--halt-on", "breach")

    assert end == Exit.FINDINGS
    assert said["error"]["message"] == "the verdict is breach: gross; trading is halted"
    assert said["data"]["halted"] is True
    assert [one.ask for one in halts] == [Halt("audit: the verdict is breach: gross")]
    assert said["key"] == halts[0].key


@pytest.mark.parametrize(
    ("verdict", "options", "end"),
    [
        ("ok", ("--halt-on", "breach"), Exit.DONE),
        ("warn", ("--halt-on", "breach"), Exit.DONE),
        ("breach", (), Exit.FINDINGS),
    ],
)
def test_nothing_less_halts(tmp_path, capfd, verdict, options, end):
    got, said, halts = audited(tmp_path, capfd, verdict, *options)

    assert (got, halts) == (end, [])
    assert "halted" not in said["data"]


def test_what_halted_is_a_finding_whatever_fails(tmp_path, capfd):
    options = ("--fail-on", "breach", "--halt-on", "warn")

    end, _, halts = audited(tmp_path, capfd, "warn", *options)

    assert (end, len(halts)) == (Exit.FINDINGS, 1)


def test_a_halt_that_was_not_taken_is_what_is_told(tmp_path, capfd):
    """A retry can help, which it could not if it were told as a finding."""
    refused = Reply("halt", False, "not_ready", Exit.NOT_READY, error=Fault("RECONCILING", "wait"))

    end, said, _ = audited(tmp_path, capfd, "breach", "--halt-on", "breach", halt=refused)

    assert end == Exit.NOT_READY
    assert said["error"]["code"] == "RECONCILING"
